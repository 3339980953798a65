# 32 workers on four endpoints, one of them with a rate, while events are emitted,
# attempts fail, workers give deliveries back, roll back, and die with their leases,
# subscriptions are paused and resumed, deliveries are replayed, and a
# session holds a snapshot: nobody gets what another has, each attempt is counted
# once, and nothing waits for ever.
use strict;
use warnings;
use IPC::Run;
use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use PlatformTest;
use Test::More;

my $workers = 32;
my $seconds = $ENV{WORKERS_SECONDS} // 4;
my $org = '94000000-0000-4000-8000-000000000001';
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
give_root_key($node);
$node->append_conf('postgresql.conf', "max_connections = 100\ndeadlock_timeout = 100ms\nlog_min_messages = fatal\n");
$node->start;

sub sql { return $node->safe_psql('postgres', $_[0]); }

sql('CREATE EXTENSION platform');
sql('SELECT platform.install()');
sql("INSERT INTO platform.organizations (id, name) VALUES ('$org', 'Workers')");
# what came before is for nobody
sql("SELECT count(platform.emit_event('$org', 'call.failed')) FROM generate_series(1, 100)");
sql("INSERT INTO platform.webhook_subscriptions (organization_id, name, url, events, retry_schedule, retry_policy, max_retries, max_in_flight, rate_per_second, timeout_ms)
	SELECT '$org', 'e' || i, 'https://e' || i || '.example/', '{call.*}', '{0}', 'fixed', 50, 40, CASE i WHEN 1 THEN 1000 END, 100 FROM generate_series(1, 4) i");
# who got what, in the transaction in which it was got
sql('CREATE TABLE got (delivery_id uuid, lease_id uuid, attempt integer, PRIMARY KEY (delivery_id, lease_id), UNIQUE (delivery_id, attempt))');
sql('CREATE TABLE told (outcome text)');

my $folder = PostgreSQL::Test::Utils::tempdir();

sub script
{
	my ($name, $text) = @_;

	append_to_file("$folder/$name.sql", $text);
	return "$folder/$name.sql";
}

# A hundredth of them rolls back, as many die, some give back what they have; a
# twentieth of the requests fails.
my $claim = <<'SQL';
SELECT coalesce(array_agg(delivery_id), '{}') AS ids, coalesce(array_agg(lease_id), '{}') AS leases,
	coalesce(array_agg(attempt), '{}') AS attempts FROM platform.claim_webhook_deliveries(:n, '1 second') \gset
INSERT INTO got SELECT * FROM unnest(:ids::uuid[], :leases::uuid[], :attempts::integer[]);
SQL
my $complete = <<'SQL';
INSERT INTO told SELECT outcome FROM platform.complete_webhook_deliveries(:ids::uuid[], :leases::uuid[],
	(SELECT coalesce(array_agg(CASE WHEN random() < :failing THEN 500 ELSE 200 END), '{}') FROM generate_series(1, cardinality(:ids::uuid[]))));
SQL
my $work = script('work', <<"SQL");
\\set n random(1, 20)
\\set r random(1, 100)
\\set ms random(0, 20)
\\set failing 0.05
BEGIN;
$claim
\\if :r = 1
ROLLBACK;
\\else
COMMIT;
\\sleep :ms ms
\\if :r = 2
SELECT 'dies';
\\elif :r < 8
BEGIN;
DELETE FROM got WHERE lease_id = ANY (:leases::uuid[]);
SELECT platform.release_webhook_deliveries(:ids::uuid[], :leases::uuid[]);
COMMIT;
\\else
$complete
\\endif
\\endif
SQL
my $emit = script('emit', <<"SQL");
\\set r random(1, 10)
BEGIN;
SELECT count(platform.emit_event('$org', 'call.completed', jsonb_build_object('n', i))) FROM generate_series(1, 5) i;
\\sleep 20 ms
\\if :r = 1
ROLLBACK;
\\else
COMMIT;
\\endif
SQL
my $meddle = script('meddle', <<'SQL');
\sleep 50 ms
SELECT id AS subscription FROM platform.webhook_subscriptions ORDER BY random() LIMIT 1 \gset
SELECT platform.pause_webhook_subscription(:subscription);
\sleep 20 ms
SELECT platform.resume_webhook_subscription(:subscription);
SELECT count(platform.replay_webhook_delivery(id)) FROM (SELECT min(id::text)::uuid AS id FROM platform.webhook_deliveries
	WHERE subscription_id = :subscription GROUP BY event_id HAVING bool_and(status = 'delivered') LIMIT 20) d;
SQL

sub start
{
	my ($clients, $file) = @_;
	my %run = (output => '');

	$run{handle} = IPC::Run::start([ 'pgbench', '-n', '-M', 'prepared', '-c', $clients, '-j', 2, '-T', $seconds, '-f', $file, $node->connstr('postgres') ],
		'<', \undef, '>&', \$run{output});
	return \%run;
}

my $holder = $node->background_psql('postgres');
$holder->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM platform.webhook_deliveries');
my %runs = (workers => start($workers, $work), emitters => start(2, $emit), meddlers => start(1, $meddle));
for my $name (sort keys %runs)
{
	ok($runs{$name}{handle}->finish, "$name: nobody fails") or diag $runs{$name}{output};
	unlike($runs{$name}{output}, qr/ERROR|deadlock/, "$name: no error");
	note "$name: $1" if $runs{$name}{output} =~ /actually processed: (\d+)/;
}
$holder->query_safe('COMMIT');
$holder->quit;

# The rest, when nobody fails any more; leases of the dead end after five seconds.
my $drain = script('drain', "\\set n 100\n\\set failing 0\n$claim$complete");
for my $i (1 .. 30)
{
	$seconds = 1;
	my $run = start(4, $drain);
	$run->{handle}->finish or diag $run->{output};
	last if sql('SELECT platform.next_webhook_wakeup() IS NULL') eq 't';
}
is(sql('SELECT count(*) FROM platform.webhook_deliveries WHERE finished_at IS NULL'), '0', 'nothing is left')
  or diag sql('SELECT to_jsonb(e) FROM platform.webhook_endpoints e');
is(sql("SELECT count(*) FROM platform.webhook_deliveries WHERE status <> 'delivered'"), '0', 'all are delivered');
is(sql("SELECT count(*) FROM platform.webhook_events e CROSS JOIN platform.webhook_subscriptions s
	LEFT JOIN platform.webhook_deliveries d ON d.event_id = e.id AND d.subscription_id = s.id AND d.replay = 0
	WHERE (d.id IS NULL) <> (e.event_type = 'call.failed')"), '0', 'each event to each subscription, but for those before it');
is(sql("SELECT count(*) FROM platform.webhook_deliveries d
	WHERE attempts <> (SELECT count(*) FROM platform.webhook_attempts a WHERE a.delivery_id = d.id)"), '0', 'each attempt has one result');
is(sql("SELECT count(*) FROM platform.webhook_attempts WHERE outcome = 'stale'"), '0', 'nobody had what was another\'s');
is(sql("SELECT max(d.attempts) FROM platform.webhook_deliveries d
	WHERE NOT EXISTS (SELECT FROM platform.webhook_attempts a WHERE a.delivery_id = d.id AND a.outcome <> 'delivered')"), '1', 'who failed nowhere was attempted once');
is(sql("SELECT count(*) FROM told WHERE outcome NOT IN ('delivered', 'retrying')"), '0', 'workers were told so');
note sql("SELECT string_agg(format('%s %s', outcome, n), ', ') FROM (SELECT outcome, count(*) AS n FROM platform.webhook_attempts GROUP BY 1 ORDER BY 1) o");
note sql('SELECT format(\'%s replays\', count(*)) FROM platform.webhook_deliveries WHERE replay > 0');
$node->stop;
done_testing();
