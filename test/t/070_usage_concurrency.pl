# Consumption under load: 16 sessions with rollbacks and savepoints fill a
# limit to the last unit and never beyond, in both windows, while limits
# change; nobody deadlocks; a crash loses no acknowledged unit.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $organization = 'a5000000-0000-4000-8000-000000000001';
my $node = PostgreSQL::Test::Cluster->new('usage');
$node->init;
$node->append_conf('postgresql.conf', "fsync = on\ndeadlock_timeout = 200ms");
$node->start;
$node->safe_psql('postgres', qq{
	CREATE EXTENSION platform;
	SELECT count(*) FROM platform.install();
	INSERT INTO platform.organizations (id, name) VALUES ('$organization', 'Busy');
	CREATE TABLE counted (feature text, n integer);
	CREATE FUNCTION take(feature text, n integer) RETURNS void LANGUAGE sql AS
		\$\$ INSERT INTO counted SELECT feature, n WHERE platform.increment_feature_usage('$organization', feature, n) \$\$;
});

sub ask { return $node->safe_psql('postgres', $_[0]); }

sub limit
{
	my ($feature, $daily, $monthly) = @_;
	return ask(qq{
		INSERT INTO platform.org_feature_flags (organization_id, feature, daily_limit, monthly_limit)
		VALUES ('$organization', '$feature', $daily, $monthly)
		ON CONFLICT (organization_id, feature) DO UPDATE SET daily_limit = excluded.daily_limit, monthly_limit = excluded.monthly_limit});
}

# Files for pgbench, weighted: single statements, rollbacks, savepoints.
my $folder = PostgreSQL::Test::Utils::tempdir;

sub scripts
{
	my ($feature, $most) = @_;
	my %scripts = (
		'one@6' => "\\set n random(1, $most)\nSELECT take('$feature', :n::int);\n",
		'rolled_back@2' => "BEGIN;\nSELECT take('$feature', 2);\nROLLBACK;\n",
		'savepoint@2' => "BEGIN;\nSELECT take('$feature', 1);\nSAVEPOINT s;\nSELECT take('$feature', 3);\n"
			. "ROLLBACK TO s;\nSELECT take('$feature', 1);\nCOMMIT;\n");
	my @arguments;
	foreach my $name (sort keys %scripts)
	{
		my ($file, $weight) = split /@/, $name;
		append_to_file("$folder/$feature.$file", $scripts{$name});
		push @arguments, '-f', "$folder/$feature.$file\@$weight";
	}
	return @arguments;
}

sub load_command
{
	my ($clients, @more) = @_;
	return [ 'pgbench', '-n', '-M', 'prepared', '-c', $clients, '-j', 2,
		'-h', $node->host, '-p', $node->port, @more, 'postgres' ];
}

# Fills to the end: what pgbench's mix left over is less than its largest amount.
sub fill { return ask("SELECT count(take('$_[0]', 1)) FROM generate_series(1, 10)"); }

sub totals
{
	return ask(qq{
		SELECT concat_ws(' ', sum(used), sum((SELECT sum(d) FROM unnest(days) AS d)),
			(SELECT sum(n) FROM counted AS c WHERE c.feature = '$_[0]'), max(slots) > 0)
		FROM platform.feature_usage WHERE organization_id = '$organization' AND feature = '$_[0]'});
}

# ---- the limit, exactly ----
foreach my $case ([ 'recording', 'NULL', 2000, 2000 ], [ 'survey', 3000, 3500, 3000 ], [ 'webhooks', 40, 'NULL', 40 ],
	[ 'ai_features', 20000, 15000, 15000 ])
{
	my ($feature, $daily, $monthly, $expected) = @$case;
	limit($feature, $daily, $monthly);
	command_checks_all(load_command(16, '-t', int($expected / 12) + 30, scripts($feature, 3)),
		0, [qr/number of failed transactions: 0/], [qr/^$/], "$feature: 16 sessions, none fails");
	fill($feature);
	like(totals($feature), qr/^$expected $expected $expected /, "$feature: filled to the last unit of $expected, not beyond");
}
like(totals('ai_features'), qr/t$/, 'a busy counter was split');
is(ask(qq{SELECT string_agg(concat_ws(' ', period, threshold), ', ' ORDER BY period, threshold DESC)
	FROM platform.feature_usage_thresholds WHERE organization_id = '$organization' AND feature = 'ai_features'}),
	'month soft, month hard', 'each threshold was announced once');
is(ask('SELECT count(*) FROM platform.reconcile_feature_usage()'), '0', 'counters and events agree');

# ---- limits that change under load ----
limit('translation', 'NULL', 100000);
my ($out, $err) = ('', '');
my $load = IPC::Run::start(load_command(16, '-T', 4, scripts('translation', 3)), '>', \$out, '2>', \$err);
foreach my $limit (500, 4000, 100, 5000, 'NULL', 6000)
{
	limit('translation', 'NULL', $limit);
	select(undef, undef, undef, 0.5);
}
$load->finish;
like($out, qr/number of failed transactions: 0/, 'limits changed, none failed');
limit('translation', 'NULL', '(SELECT sum(n) + 100 FROM counted WHERE feature = \'translation\')');
my $used = ask(q{SELECT sum(n) FROM counted WHERE feature = 'translation'});
command_checks_all(load_command(16, '-t', 40, scripts('translation', 3)), 0, [qr/failed transactions: 0/], [qr/^$/],
	'and again');
fill('translation');
$used += 100;
like(totals('translation'), qr/^$used $used $used/, 'the last limit holds, exactly');

# ---- keyed: every key once ----
append_to_file("$folder/keyed", "\\set k random(1, 300)\n"
	. "SELECT platform.consume_feature('$organization', 'transcription', 2, 'key-' || :k);\n");
command_checks_all(load_command(16, '-t', 200, '-f', "$folder/keyed"), 0, [qr/failed transactions: 0/], [qr/^$/],
	'16 sessions with the same keys');
is(ask(qq{SELECT sum(used) = 2 * (SELECT count(DISTINCT idempotency_key) FROM platform.feature_usage_events WHERE feature = 'transcription')
	FROM platform.feature_usage WHERE feature = 'transcription'}), 't', 'each key counted once');

# ---- reservations among them ----
limit('bulk_upload', 'NULL', 1000);
append_to_file("$folder/reserve", qq{
SELECT platform.commit_feature('$organization', reservation_id, 1) FROM platform.reserve_feature('$organization', 'bulk_upload', 3) WHERE allowed;
SELECT platform.release_feature('$organization', reservation_id) FROM platform.reserve_feature('$organization', 'bulk_upload', 2) WHERE allowed;
SELECT platform.reserve_feature('$organization', 'bulk_upload', 2, '10 milliseconds');
SELECT platform.increment_feature_usage('$organization', 'bulk_upload');
});
command_checks_all(load_command(16, '-t', 40, '-f', "$folder/reserve"), 0, [qr/failed transactions: 0/], [qr/^$/],
	'16 sessions that reserve, commit, release and let expire');
select(undef, undef, undef, 0.05);
ask(qq{SELECT count(platform.increment_feature_usage('$organization', 'bulk_upload')) FROM generate_series(1, 1000)});
ask('SELECT platform.sweep_feature_reservations()');
is(ask(q{SELECT concat_ws(' ', sum(used), sum(reserved)) FROM platform.feature_usage WHERE feature = 'bulk_upload'}), '1000 0',
	'filled to the last unit, nothing stays reserved');
is(ask('SELECT count(*) FROM platform.reconcile_feature_usage()'), '0', 'counters and events agree');

# ---- kill -9 under load: what was acknowledged is there ----
append_to_file("$folder/crash", "SELECT platform.increment_feature_usage('$organization', 'live_translation');\n");
$load = IPC::Run::start(load_command(16, '-T', 60, '-l', "--log-prefix=$folder/acknowledged", '-f', "$folder/crash"),
	'>', \$out, '2>', \$err);
select(undef, undef, undef, 3);
$node->kill9;
$load->finish;
# orphaned backends may take a moment to notice
for (1 .. 100)
{
	last if $node->start(fail_ok => 1);
	$node->stop('fast', fail_ok => 1);
	select(undef, undef, undef, 0.1);
}
my $acknowledged = 0;
foreach my $log (glob "$folder/acknowledged*")
{
	$acknowledged += () = slurp_file($log) =~ /\n/g;
}
$used = ask(q{SELECT sum(used) FROM platform.feature_usage WHERE feature = 'live_translation'});
cmp_ok($acknowledged, '>', 0, 'sessions were answered before the crash');
cmp_ok($used, '>=', $acknowledged, 'and nothing that was acknowledged is lost');
cmp_ok($used, '<=', $acknowledged + 16, 'nor anything counted that nobody asked for');
$node->stop;
done_testing();
