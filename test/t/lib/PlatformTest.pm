# What several TAP tests need: an installation with rows in it, signatures of what a
# database holds, servers that come back, and the search for a secret.
package PlatformTest;
use strict;
use warnings;
use Exporter 'import';
use File::Find;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);
our @EXPORT = qw(fill_tables table_signatures structure_signature give_root_key write_root_key has_library
	talkative_node bound_parameters files_with nowhere wait_until_up start_again);

# Demo rows, one row in each table that has none and can take one, and what a
# user adds: a column, an index, a policy, a table. As the owner of the tables.
sub fill_tables
{
	my ($run) = @_;

	$run->('SELECT platform.load_demo_data()');
	$run->(q{
		ALTER TABLE platform.organizations ADD COLUMN my_note text DEFAULT 'noted';
		UPDATE platform.organizations SET my_note = 'mine' WHERE true;
		CREATE INDEX my_own_idx ON platform.organizations (my_note);
		CREATE POLICY my_own_policy ON platform.organizations FOR SELECT USING (my_note = 'public');
		CREATE TABLE platform.my_own_table (id integer PRIMARY KEY, organization_id uuid REFERENCES platform.organizations (id));
		INSERT INTO platform.my_own_table SELECT 1, id FROM platform.organizations LIMIT 1;
		INSERT INTO platform.organizations (id, name, settings, created_at) VALUES
			('70000000-0000-4000-8000-000000000001', E'Ümlaut \' "quoted"\\\\ \n line', '{"features": {"callEnabled": true}}', '2001-02-03 04:05:06.789+00'),
			('70000000-0000-4000-8000-000000000002', 'Deleted', '{}', now());
		INSERT INTO platform.organization_members (organization_id, user_id, role)
			SELECT '70000000-0000-4000-8000-000000000001', id, 'owner' FROM platform.users LIMIT 1;
		INSERT INTO platform.end_users (organization_id, external_id)
			SELECT '70000000-0000-4000-8000-000000000001', n FROM generate_series(1, 500) n;
		UPDATE platform.organizations SET deleted_at = now() WHERE name = 'Deleted';
		INSERT INTO platform.feature_usage_events (organization_id, feature, kind, amount, consumed, period_start, day, occurred_at)
			SELECT '70000000-0000-4000-8000-000000000001', 'recording', 'consume', n, n, '2024-01-01', 1, '2024-01-01' FROM generate_series(1, 100) n;
		INSERT INTO platform.feature_flag_history (organization_id, source, feature, new, changed_by)
			VALUES ('70000000-0000-4000-8000-000000000001', 'org_feature_flags', 'recording', '{"a": 1}', 'test');
	});
	# chatbots that their trigger would not leave as they are
	$run->(q{
		INSERT INTO platform.chatbots (organization_id, package_id, name, enabled_chat, settings) VALUES
			('70000000-0000-4000-8000-000000000001', 'd0000000-0000-4000-8000-0000000000b1', 'left with none', false, '{"call": {"silenceTimeout": 60}}');
		INSERT INTO platform.chatbots (organization_id, name, settings) VALUES
			('70000000-0000-4000-8000-000000000001', 'not complete', '{"call": {"silenceTimeout": 60}}');
		SELECT platform.set_package_capabilities('d0000000-0000-4000-8000-0000000000b1', enable_call => false);
		UPDATE platform.ai_models SET is_active = false WHERE model_name = 'gpt-4-turbo';
		UPDATE platform.chatbot_packages SET deleted_at = now() WHERE slug = 'website-chat'});
	# calls in every state, with moments, recordings and jobs that their triggers would not leave either
	$run->(q{
		INSERT INTO platform.calls (organization_id, status, call_sid, from_number, duration, answered_at, ended_at)
			SELECT '70000000-0000-4000-8000-000000000001', s, 'restore-' || s, '+15550100', 59, '2020-01-01 10:00:00+00', '2020-01-01 10:01:00+00'
			FROM unnest('{pending,ringing,in_progress,completed,failed,no_answer,busy,canceled}'::text[]) s;
		INSERT INTO platform.call_recordings (organization_id, call_id, recording_url)
			SELECT organization_id, id, 'https://storage.example/' || status FROM platform.calls WHERE call_sid LIKE 'restore-%';
		INSERT INTO platform.consent_logs (organization_id, call_id, method)
			SELECT organization_id, id, 'none' FROM platform.calls WHERE call_sid LIKE 'restore-%';
		INSERT INTO platform.call_transcripts (organization_id, call_id, role, content, start_time, end_time)
			SELECT organization_id, id, 'user', E'said \\ "this"\n', 0, 1 FROM platform.calls WHERE call_sid LIKE 'restore-%';
		UPDATE platform.organizations SET settings = settings || '{"calls": {"requireRecordingConsent": true}}'
			WHERE id = '70000000-0000-4000-8000-000000000001';
		INSERT INTO platform.webrtc_sessions (organization_id, user_id, status, session_token_hash, expires_at)
			SELECT '70000000-0000-4000-8000-000000000001', id, 'failed', decode(repeat('ab', 32), 'hex'), now() FROM platform.users LIMIT 1;
		INSERT INTO platform.dialer_queue (organization_id, to_number, status, lease_id, lease_until)
			VALUES ('70000000-0000-4000-8000-000000000001', '+15550100', 'claimed', platform.uuid7(), '2020-01-01')});
	# events, one with a key, and a delivery on its way
	$run->(q{
		SELECT platform.unlock(decode(repeat('5a', 32), 'hex'));
		INSERT INTO platform.webhook_subscriptions (organization_id, name, url, secret, events)
			VALUES ('70000000-0000-4000-8000-000000000001', 'CRM', 'https://example.com/hook', 'sixteen or more characters', '{call.*}');
		SELECT platform.emit_event('70000000-0000-4000-8000-000000000001', 'call.completed', '{"n": 1}', 'key'),
			platform.emit_event('70000000-0000-4000-8000-000000000001', 'call.failed')});
	$run->(q{
		SELECT platform.unlock(decode(repeat('5a', 32), 'hex'));
		SELECT platform.complete_webhook_delivery(delivery_id, lease_id, 500) FROM platform.claim_webhook_deliveries(1)});
	return;
}

# Name, number of rows and a digest of each table of the schema, but for the extension's own.
sub table_signatures
{
	my ($run) = @_;
	my $queries = $run->(q{
		SELECT format('SELECT %L, count(*), md5(coalesce(string_agg(t::text, E''\n'' ORDER BY t::text COLLATE "C"), '''')) FROM %s t',
			c.relname, c.oid::regclass)
		FROM pg_class c
		WHERE c.relnamespace = 'platform'::regnamespace AND c.relkind IN ('r', 'p')
			AND c.relname NOT IN ('migrations', 'member_privileges', 'demo_data')
		ORDER BY c.relname});

	return join "\n", map { $run->($_) } split /\n/, $queries;
}

# Everything that hangs on the tables: columns, defaults, constraints, indexes,
# triggers and their state, policies, row security, grants.
sub structure_signature
{
	my ($run) = @_;

	return $run->(q{
		SELECT line FROM (
			SELECT concat_ws(' ', 'column', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
				pg_get_expr(d.adbin, d.adrelid))
			FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
			LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
			WHERE c.relnamespace = 'platform'::regnamespace AND c.relkind IN ('r', 'p', 'v')
			UNION ALL SELECT concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid))
			FROM pg_constraint WHERE connamespace = 'platform'::regnamespace AND conrelid <> 0
			UNION ALL SELECT concat_ws(' ', 'index', indexdef) FROM pg_indexes WHERE schemaname = 'platform'
			UNION ALL SELECT concat_ws(' ', 'trigger', tgenabled, pg_get_triggerdef(g.oid))
			FROM pg_trigger g JOIN pg_class c ON c.oid = tgrelid
			WHERE NOT tgisinternal AND relnamespace = 'platform'::regnamespace
			UNION ALL SELECT concat_ws(' ', 'policy', p.*) FROM pg_policies p WHERE schemaname = 'platform'
			UNION ALL SELECT concat_ws(' ', 'security', relname, relrowsecurity, relforcerowsecurity, reloptions)
			FROM pg_class WHERE relnamespace = 'platform'::regnamespace AND relkind IN ('r', 'p', 'v')
			UNION ALL SELECT concat_ws(' ', 'view', viewname, definition) FROM pg_views WHERE schemaname = 'platform'
			UNION ALL SELECT concat_ws(' ', 'grant', c.relname, a.grantee::regrole, a.privilege_type)
			FROM pg_class c, aclexplode(c.relacl) a
			WHERE c.relnamespace = 'platform'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND a.grantee = to_regrole('member')
			UNION ALL SELECT concat_ws(' ', 'execute', p.oid::regprocedure)
			FROM pg_proc p WHERE p.pronamespace = 'platform'::regnamespace AND has_function_privilege('member', p.oid, 'EXECUTE')
		) s (line) ORDER BY line COLLATE "C"});
}

# A root key file, before the server starts.
sub give_root_key
{
	my ($node) = @_;
	my $file = write_root_key($node, '1:' . '5c' x 32);

	$node->append_conf('postgresql.conf', "platform.root_key_file = '$file'\n");
	return;
}

# The line of that file; returns its name.
sub write_root_key
{
	my ($node, $line) = @_;
	my $file = $node->basedir . '/root_key';

	umask 077;
	open my $out, '>', $file or die "cannot write $file: $!";
	print $out "$line\n";
	close $out;
	return $file;
}

# Has the server this module?
sub has_library { return system("test -e \$(pg_config --pkglibdir)/$_[0].so") == 0; }

# A server that keeps and says as much as it can of statements and their parameters,
# with a root key and an installation; it runs.
sub talkative_node
{
	my ($name) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	my $preload = join ',', grep { has_library($_) } qw(pg_stat_statements auto_explain);

	$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
	$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = '$preload'
log_statement = all
log_min_duration_statement = 0
log_parameter_max_length = -1
log_parameter_max_length_on_error = -1
log_error_verbosity = verbose
log_min_messages = debug1
wal_level = logical
track_activity_query_size = 10000
});
	$node->append_conf('postgresql.conf', "auto_explain.log_min_duration = 0\nauto_explain.log_verbose = on\n") if $preload =~ /auto_explain/;
	give_root_key($node);
	$node->start;
	# without the plans of an installation, which are most of what there would be to search
	$node->safe_psql('postgres', 'SET auto_explain.log_min_duration = -1; CREATE EXTENSION platform; SELECT platform.install()');
	return $node;
}

# The command that runs statements with a secret input, twice; the secret is bound to
# :secret. Mode: extended or prepared.
sub bound_parameters
{
	my ($node, $secret, $mode, @statements) = @_;
	my $file = $node->basedir . '/bound.sql';

	open my $out, '>', $file or die "cannot write $file: $!";
	print $out "BEGIN;\nSELECT platform.begin_secret_input();\n", map({ "$_;\n" } @statements), "END;\n";
	close $out;
	return [ 'pgbench', '-n', '-h', $node->host, '-p', $node->port, '-M', $mode, '-t', '2', '-D', "secret=$secret", '-f', $file, 'postgres' ];
}

# Files of the server, its log among them, that hold one of the texts.
sub files_with
{
	my ($node, @texts) = @_;
	my $pattern = join '|', map { quotemeta } @texts;
	my @found;

	find({ no_chdir => 1, wanted => sub { push @found, $_ if -f && slurp_file($_) =~ /$pattern/ } },
		$node->data_dir, $node->logfile);
	return @found;
}

# None of the texts is in statistics, in a dump, in the server's files or in its log.
# Stops the server; then shows that the search would have found the first of them.
sub nowhere
{
	my ($node, @texts) = @_;
	my $pattern = join '|', map { quotemeta } @texts;
	my $dump = $node->basedir . '/dump.sql';

	if (has_library('pg_stat_statements'))
	{
		# backwards, since the log has this query, too, and its plan
		my $backwards = reverse $texts[0];
		is($node->safe_psql('postgres', "CREATE EXTENSION pg_stat_statements; SELECT count(*) > 10, count(*) FILTER (WHERE strpos(reverse(query), '$backwards') > 0) FROM pg_stat_statements"),
			't|0', 'not in pg_stat_statements');
	}
	$node->command_ok([ 'pg_dump', '-h', $node->host, '-p', $node->port, '-f', $dump, 'postgres' ], 'dump');
	unlike(slurp_file($dump), qr/$pattern/, 'not in it');
	$node->safe_psql('postgres', 'CHECKPOINT');
	$node->stop;
	is(join(' ', files_with($node, @texts)), '', 'nowhere in the data directory and the log');
	append_to_file($node->logfile, $texts[0]);
	is(scalar(files_with($node, @texts)), 1, 'where it would have been found');
	return;
}

# Waits for a server that restarts after a crash. Without a word on psql's standard
# input, which it may close.
sub wait_until_up
{
	my ($node) = @_;

	for (1 .. 300)
	{
		usleep(200_000);
		return if system('pg_isready', '-q', '-h', $node->host, '-p', $node->port) == 0;
	}
	die 'the server does not come back';
}

# Starts a server whose postmaster was killed: that leaves backends behind, which end
# when they notice.
sub start_again
{
	my ($node) = @_;

	for (1 .. 100)
	{
		return if $node->start(fail_ok => 1);
		$node->{_pid} = undef;
		usleep(200_000);
	}
	die 'the server does not start';
}

1;
