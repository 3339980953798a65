# Calls under load while backends and the server are killed: what was charged is
# what the entries say, nothing acknowledged is missing, nothing is billed twice.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use PlatformTest;
use Test::More;
use Time::HiRes qw(usleep);

my $org = '7c500000-0000-4000-8000-000000000001';
my $node = PostgreSQL::Test::Cluster->new('calls');
$node->init;
$node->append_conf('postgresql.conf', "max_connections = 50\nrestart_after_crash = on\nfsync = on");
$node->start;
$node->safe_psql('postgres', qq{
	CREATE EXTENSION platform;
	SELECT count(*) FROM platform.install();
	INSERT INTO platform.organizations (id, name) VALUES ('$org', 'Crash');
	INSERT INTO platform.user_accounts (organization_id, user_id, tokens_remaining)
		SELECT '$org', 'user' || i, 100000 FROM generate_series(1, 5) i;
	-- every second costs a token
	SELECT platform.set_token_rate(mode, turn, 60, 1) FROM (VALUES ('voice'), ('video')) m (mode), (VALUES (false), (true)) t (turn);
	-- answers that the clients got, each in the transaction after: at most what was charged
	CREATE TABLE seen (call uuid, charged bigint);
	SELECT count(platform.start_call_session('$org', 'room', 'voice', 'user' || (1 + i % 6), grace_seconds => NULL, at => clock_timestamp()))
		FROM generate_series(1, 60) i;
});

my $beat = $node->basedir . '/beat.sql';
append_to_file($beat, q{
\set n random(0, 59)
SELECT s.id AS call, coalesce(h.charged, 0) AS charged FROM (SELECT id FROM platform.call_sessions ORDER BY id OFFSET :n LIMIT 1) s,
	platform.heartbeat_call_session(s.id, random() < 0.3) h \gset
INSERT INTO seen VALUES (':call', :charged);
});
my $meter = $node->basedir . '/meter.sql';
append_to_file($meter, "SELECT * FROM platform.meter_active_sessions();\nSELECT * FROM platform.settle_unbilled_usage(10);\n\\sleep 20 ms\n");

sub load
{
	my ($file, $clients, $seconds) = @_;
	return IPC::Run::start([ 'pgbench', '-n', '-h', $node->host, '-p', $node->port,
			'-c', $clients, '-T', $seconds, '-f', $file, 'postgres' ], '>', '/dev/null', '2>', '/dev/null');
}

sub check
{
	my ($name) = @_;
	is($node->safe_psql('postgres', q{
		SELECT count(*) FROM platform.call_sessions s WHERE charged <>
			(SELECT coalesce(sum(tokens_used), 0) FROM platform.token_usage t WHERE t.session_id = s.id::text)
			+ (SELECT coalesce(sum(tokens), 0) FROM platform.unbilled_usage u WHERE u.session_id = s.id AND settled_at IS NULL)}),
		'0', "$name: every call is charged what its entries and debts say");
	is($node->safe_psql('postgres', q{
		SELECT count(*) FROM platform.user_accounts a WHERE tokens_remaining <>
			(SELECT sum(amount) FROM platform.token_usage t WHERE t.organization_id = a.organization_id AND t.user_id = a.user_id)}),
		'0', "$name: every balance is the sum of its entries");
	is($node->safe_psql('postgres', q{SELECT count(*) FROM seen v JOIN platform.call_sessions s ON s.id = v.call WHERE v.charged > s.charged}),
		'0', "$name: no answer was forgotten");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM platform.verify_token_accounts()'), '0', "$name: accounts verify");
	return;
}

# backends
my @runs = (load($beat, 8, 6), load($meter, 2, 6));
for (1 .. 3)
{
	usleep(700_000);
	my $pid = $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity
		WHERE query LIKE '%call_session%' AND pid <> pg_backend_pid() AND backend_type = 'client backend' LIMIT 1});
	next unless $pid;
	kill 'KILL', $pid;
	wait_until_up($node);
	push @runs, load($beat, 8, 3), load($meter, 2, 3);
}
$_->finish for @runs;
wait_until_up($node);
check('killed backends');

# the server: without a word to its backends, and at once
for my $how ('kill', 'immediate')
{
	@runs = (load($beat, 8, 10), load($meter, 2, 10));
	usleep(1_200_000);
	if ($how eq 'kill') { $node->kill9 }
	else { $node->stop('immediate') }
	$_->finish for @runs;
	start_again($node);
	check("server ended: $how");
}

# the end
$node->safe_psql('postgres', 'SELECT platform.end_call_session(id) FROM platform.call_sessions');
$node->safe_psql('postgres', "INSERT INTO platform.user_accounts (organization_id, user_id, tokens_remaining) VALUES ('$org', 'user6', 0)");
$node->safe_psql('postgres', 'SELECT platform.settle_unbilled_usage(NULL)');
check('ended');
is($node->safe_psql('postgres', 'SELECT count(*) FROM platform.unbilled_usage WHERE settled_at IS NULL'), '0', 'nothing is left unbilled');
is($node->safe_psql('postgres', q{SELECT count(*) FROM platform.call_sessions s WHERE charged <> (SELECT sum(x) FROM (
	SELECT tokens_used AS x FROM platform.token_usage t WHERE t.session_id = s.id::text) e) OR charged < duration_seconds}),
	'0', 'every second of every call is paid');
is($node->safe_psql('postgres', 'SELECT sum(held) FROM platform.user_accounts'), '0', 'nothing stays set aside');
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM seen'), '>', 100, 'there was something to lose');
$node->stop;
done_testing();
