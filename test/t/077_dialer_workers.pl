# 32 dialers at once, some of which are killed while they hold jobs: every job is
# done once, every claim is an attempt, what the dead held is due again.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $org = 'd1a1e000-0000-4000-8000-000000000001';
my $node = PostgreSQL::Test::Cluster->new('dialer');
$node->init;
$node->append_conf('postgresql.conf', "max_connections = 50\nfsync = off");
$node->start;
$node->safe_psql('postgres', qq{
	CREATE EXTENSION platform;
	SELECT count(*) FROM platform.install();
	INSERT INTO platform.organizations (id, name) VALUES ('$org', 'Dialers');
	INSERT INTO platform.dialer_queue (organization_id, to_number, max_attempts, priority)
		SELECT '$org', '+1312555' || lpad(i::text, 4, '0'), 100, i % 3 FROM generate_series(1, 2000) i;
	CREATE TABLE claims (job uuid, lease uuid, status text);
});

# A dialer notes what it took before it dials, and what became of it after.
my $script = $node->basedir . '/dialer.sql';
append_to_file($script, qq{
INSERT INTO claims SELECT id, lease_id, NULL FROM platform.claim_dialer_jobs('$org', 'dialer :client_id', 7, '1 second');
\\sleep 1 ms
UPDATE claims c SET status = coalesce(platform.finish_dialer_job('$org', job, lease, CASE WHEN random() < 0.2 THEN 'retry' ELSE 'done' END, retry_in => '0'), 'late')
	FROM platform.dialer_queue q WHERE c.status IS NULL AND q.id = c.job AND q.lease_id = c.lease AND q.claimed_by = 'dialer :client_id';
});

my $load = IPC::Run::start([ 'pgbench', '-n', '-h', $node->host, '-p', $node->port, '-c', 32, '-j', 2, '-T', 4, '-f', $script, 'postgres' ],
	'>', '/dev/null', '2>', '/dev/null');
my $killed = 0;
for (1 .. 8)
{
	usleep(100_000);
	$killed += $node->safe_psql('postgres', q{
		SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 2) p});
}
$load->finish;
cmp_ok($killed, '>', 8, 'dialers were killed');

# what is left: the leases of the dead have ended
usleep(1_100_000);
$node->safe_psql('postgres', qq{INSERT INTO claims SELECT id, lease_id, platform.finish_dialer_job(tenant, id, lease_id) FROM platform.claim_dialer_jobs('$org', 'last', 1000)})
  for 1 .. 3;
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT status, ',') FROM platform.dialer_queue}), 'done', 'every job is done');
is($node->safe_psql('postgres', q{SELECT count(*) FROM (SELECT job FROM claims WHERE status = 'done' GROUP BY job HAVING count(*) <> 1) x}), '0', 'once');
is($node->safe_psql('postgres', q{SELECT count(DISTINCT job) FROM claims WHERE status = 'done'}), '2000', 'as the dialers know');
is($node->safe_psql('postgres', q{SELECT count(*) - count(DISTINCT lease) FROM claims}), '0', 'no two claims have one lease');
is($node->safe_psql('postgres', q{SELECT count(*) FROM platform.dialer_queue q WHERE attempts <> (SELECT count(*) FROM claims c WHERE c.job = q.id)}), '0', 'every claim is an attempt');
cmp_ok($node->safe_psql('postgres', q{SELECT count(*) FROM platform.dialer_queue WHERE attempts > 1}), '>', 100, 'many were tried again');

$node->stop;
done_testing();
