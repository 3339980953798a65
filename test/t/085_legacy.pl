# Module legacy: the 13 steps up, down and up again on a filled older schema, in
# schema chatapp and in platform: the dump before is the dump after; the rules of
# undoing; beside and before an installation of everything.
use strict;
use warnings;
use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
my $fixture = slurp_file(dirname(__FILE__) . '/../kit/older_schema.sql');
my ($database, $older);

# A database with an older schema; names: what its tables and columns are called.
sub older_database
{
	my ($name, $schema, %names) = @_;
	($database, $older) = ($name, $schema);
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	my $sql = $fixture;
	$sql =~ s/$_/$names{$_}/g for keys %names;
	run_sql("CREATE EXTENSION platform;\n\\set older $older\n$sql");
	return;
}
sub run_sql { return $node->safe_psql($database, $_[0]); }
sub refused
{
	my (undef, undef, $error) = $node->psql($database, "\\set VERBOSITY verbose\n$_[0]");
	return $error =~ /ERROR:\s+(\w+: [^\n]*)/ ? $1 : 'nothing';
}

# The dump of the older schema's structure. A column that comes back is the last of
# its table, so the lines of each table are sorted.
sub structure
{
	my ($dump) = run_command([ 'pg_dump', '--schema-only', '--no-owner', '-n', $older, '-T', "$older.schema_migrations",
		'-T', "$older.table_kinds", '-T', "$older.member_roles", '-h', $node->host, '-p', $node->port, $database ]);
	$dump =~ s/^\\(un)?restrict .*\n//mg;
	$dump =~ s{(CREATE TABLE \S+ \(\n)(.*?)(\n\);)}{$1 . join("\n", sort split(/,?\n/, $2)) . $3}gse;
	return $dump;
}
# Each row of the older tables, whatever the order of its columns.
sub rows
{
	return join "\n", map { run_sql(qq{SELECT '$_', to_jsonb(t) FROM $older.$_ t ORDER BY to_jsonb(t) ->> 'id'}) }
	  qw(users companies ai_models chatbot_packages chatbots);
}

my $up = q{SELECT string_agg(version::text || ' ' || action, ', ' ORDER BY version) FROM platform.install('{legacy}') WHERE module = 'legacy'};
my $applied = join ', ', map { "$_ applied" } 901 .. 913;
my $present = join ', ', map { "$_ present" } 901 .. 913;
my $down = q{SELECT count(*), bool_and(action = 'rolled back') FROM platform.rollback(1)};

for my $schema (qw(chatapp platform))
{
	older_database("older_$schema", $schema);
	if ($schema eq 'platform')
	{
		# so that the dumps compare: what install() makes besides
		run_sql(q{SELECT platform.install('{migrate}')});
	}
	my $before = structure();
	my $rows = rows();

	is(run_sql($up), $applied, "$schema: a row a step");
	is(run_sql($up), $present, "$schema: twice changes nothing");
	is(run_sql('SELECT name, detail FROM platform.verify() WHERE NOT passed'), '', "$schema: sound");
	is(run_sql(qq{SELECT string_agg(name || ' ' || enabled_chat || ' ' || enabled_call || ' ' || coalesce(settings #>> '{call,voiceId}', '-'), ', ' ORDER BY id) FROM $schema.chatbots}),
		'chats true false -, calls false true alloy, calls, without settings false true alloy, calls, with empty settings false true alloy, calls, with settings false true nova, deleted false true alloy',
		"$schema: types are capabilities");
	is(run_sql(qq{SELECT string_agg(name || ' ' || (settings #>> '{features,callEnabled}'), ', ' ORDER BY id) FROM $schema.companies}),
		'with features false, without features false, without settings false, calls already true, odd features false, null features false, deleted false',
		"$schema: companies say whether they may call");
	is(run_sql(qq{SELECT string_agg(model_name || ' ' || model_type, ', ' ORDER BY model_name) FROM $schema.ai_models}),
		'gemini-2.0-flash-exp call, gemini-pro chat, gpt-4 chat, gpt-4o-realtime-preview call, gpt-4o-realtime-preview-2024-10-01 call', "$schema: models");
	my $migrated = structure();

	# the new tables hold what they should
	run_sql(qq{
		INSERT INTO $schema.calls (company_id, chatbot_id, source, direction) VALUES
			('00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-0000000000d2', 'web', 'inbound');
		INSERT INTO $schema.call_transcripts (call_id, role, content, start_time, end_time, duration) SELECT id, 'user', 'Hi', 0, 5, 5 FROM $schema.calls});
	like(refused("INSERT INTO $schema.call_transcripts (call_id, role, content, start_time, end_time, duration) SELECT id, 'user', 'Hi', 5, 5, 0 FROM $schema.calls"),
		qr/^23514: /, "$schema: a turn takes time");
	like(refused("UPDATE $schema.chatbots SET enabled_chat = false, enabled_call = false"), qr/^23514: .*chatbots_capability_check/, "$schema: one capability stays");

	is(run_sql($down), '13|t', "$schema: down");
	is(structure(), $before, "$schema: the structure is what it was");
	is(rows(), $rows, "$schema: and so are the rows");
	is(run_sql($up), $applied, "$schema: up again");
	is(structure(), $migrated, "$schema: to the same structure");

	# a part of the way, and on
	is(run_sql('SELECT count(*) FROM platform.rollback(906)'), '7', "$schema: down to step 6");
	like(run_sql("SELECT string_agg(attname, ',') FROM pg_attribute WHERE attrelid = '$schema.chatbots'::regclass AND attnum > 0"), qr/enabled_call/, "$schema: flags stay");
	is(run_sql($up), join(', ', (map { "$_ present" } 901 .. 906), map { "$_ applied" } 907 .. 913), "$schema: the missing steps");
	is(run_sql('SELECT count(*) FROM platform.rollback(908)'), '5', "$schema: down to step 8");
	# what the platform's admin said later goes, what the company said before stays
	run_sql($up);
	run_sql(qq{UPDATE $schema.companies SET settings = jsonb_set(settings, '{features,callEnabled}', 'true') WHERE name = 'with features'});

	# a chatbot with both becomes chat
	run_sql(qq{UPDATE $schema.chatbots SET enabled_chat = true WHERE name = 'calls'});
	# long avatars
	run_sql(qq{UPDATE $schema.users SET avatar_url = repeat('y', 600) WHERE email = 'a\@example.com'});
	is(refused('SELECT platform.rollback(1)'), qq{PT409: table "$schema.users" has avatar URLs of more than 500 characters}, "$schema: long avatars are refused");
	is(run_sql('SELECT count(*) FROM platform.schema_migrations WHERE version > 900'), '13', "$schema: which undoes nothing");
	is(run_sql("SET platform.legacy_truncate_avatars = on; $down"), '13|t', "$schema: or cut");
	is(run_sql(qq{SELECT length(avatar_url), (SELECT chatbottype FROM $schema.chatbots WHERE name = 'calls') FROM $schema.users WHERE email = 'a\@example.com'}),
		'500|chat', "$schema: by the rules of undoing");
	run_sql(qq{UPDATE $schema.users SET avatar_url = 'https://example.com/a.png' WHERE email = 'a\@example.com';
		UPDATE $schema.chatbots SET chatbottype = 'call' WHERE name = 'calls'});
	is(structure(), $before, "$schema: the structure is what it was");
	is(rows(), $rows, "$schema: and so are the rows");
}

# ---- partly done by hand before ----
older_database('partly', 'chatapp');
run_sql(q{
	ALTER TABLE chatapp.chatbot_packages ADD COLUMN enable_chat boolean NOT NULL DEFAULT true;
	ALTER TABLE chatapp.chatbots ADD COLUMN enabled_chat boolean NOT NULL DEFAULT true, ADD COLUMN enabled_call boolean NOT NULL DEFAULT false;
	CREATE INDEX idx_chatbots_capabilities ON chatapp.chatbots (enabled_call);
	ALTER TABLE chatapp.ai_models ADD COLUMN model_type varchar(20);
	CREATE TABLE chatapp.integration_accounts (id uuid PRIMARY KEY, company_id uuid, account_type text, webhook_url text, status text, updated_at timestamptz, deleted_at timestamptz);
	CREATE INDEX idx_integration_accounts_company_id ON chatapp.integration_accounts (company_id);
	UPDATE chatapp.chatbots SET settings = '["odd"]' WHERE name = 'calls, with empty settings';
	UPDATE chatapp.chatbots SET settings = '"odd"' WHERE name = 'deleted'});
my $partly = structure();
is(run_sql($up), $applied, 'what is there is no hindrance');
is(run_sql('SELECT name FROM platform.verify() WHERE NOT passed'), '904 legacy: chatbots with calls have call settings', 'settings that are no object are named');
is(run_sql($down), '13|t', 'down');
is(structure(), $partly, 'and it stays');

# ---- optional ----
older_database('beside', 'chatapp');
is(run_sql(q{SELECT count(*) FROM platform.install() WHERE module = 'legacy'}), '0', 'install() leaves it out');
is(run_sql(q{SELECT count(*) FROM platform.migration_status() WHERE module = 'legacy' AND applied_at IS NULL}), '13', 'but knows it');
is(run_sql($up), $applied, 'beside an installation');
is(run_sql(q{SELECT string_agg(DISTINCT action, ',') FROM platform.install()}), 'present', 'install() then looks after it');
is(run_sql('SELECT name, detail FROM platform.verify() WHERE NOT passed'), '', 'sound');
run_sql('SELECT count(*) FROM platform.rollback(906)');
is(run_sql(q{SELECT string_agg(version::text, ',' ORDER BY version) FROM platform.install() WHERE action = 'applied'}), join(',', 907 .. 913), 'and completes it');
run_sql(q{SELECT count(*) FROM platform.rollback(0)});
is(run_sql(q{SELECT chatbottype FROM chatapp.chatbots WHERE name = 'calls'}), 'call', 'rollback of everything undoes it too');

# ---- no older schema ----
$node->safe_psql('postgres', 'CREATE DATABASE empty');
$database = 'empty';
run_sql('CREATE EXTENSION platform');
is(refused(q{SELECT platform.install('{legacy}')}), '55000: there is no older schema to migrate', 'nothing to migrate');

# ---- an installation over it ----
# The older tables are in platform and speak of organizations: install() adopts what
# the steps made, and undoing them then leaves it.
older_database('adopted', 'platform', companies => 'organizations', company_id => 'organization_id');
run_sql($up);
run_sql(q{INSERT INTO platform.calls (organization_id, chatbot_id, source, direction)
	VALUES ('00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-0000000000d2', 'web', 'inbound')});
is(run_sql(q{SELECT string_agg(module, ',' ORDER BY version) FROM platform.install() WHERE action = 'adopted' AND module IN ('tenants', 'capabilities', 'calls')}),
	'tenants,capabilities,calls', 'install() adopts the tables');
is(run_sql('SELECT name, detail FROM platform.verify() WHERE NOT passed'), '', 'sound');
is(run_sql(q{SELECT count(*) FROM platform.rollback((SELECT max(version) FROM platform.schema_migrations WHERE version < 900))}), '13', 'undoing the steps');
is(run_sql('SELECT name, detail FROM platform.verify() WHERE NOT passed'), '', 'leaves the tables of the installation sound');
is(run_sql(q{SELECT enabled_call FROM platform.chatbots WHERE name = 'calls'}), 't', 'with their rows');
is(run_sql(q{SELECT count(*) FROM platform.calls}), '1', 'all of them');
run_sql($up);
run_sql('SELECT count(*) FROM platform.rollback(0)');
is(run_sql(q{SELECT to_regclass('platform.chatbots') IS NULL}), 't', 'everything can be undone');

# ---- rights ----
older_database('rights', 'chatapp');
$node->safe_psql('postgres', 'CREATE ROLE somebody');
run_sql(q{GRANT CREATE, USAGE ON SCHEMA platform TO somebody;
	GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA platform TO somebody; GRANT SELECT ON ALL TABLES IN SCHEMA platform TO somebody; GRANT USAGE, CREATE ON SCHEMA chatapp TO somebody});
like(refused(qq{SET ROLE somebody; $up}), qr/^42501: must be owner of table users/, 'the steps run with the rights of their caller');

$node->stop;
done_testing();
