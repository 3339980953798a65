# The inbox under load and in crashes: sixteen sessions send the same events, workers
# process them, backends and the server are killed. What was answered with accepted is
# there, every event is there once, and its effect happened once.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);
use FindBin;
use lib "$FindBin::RealBin/lib";
use PlatformTest;

my $org = '75000000-0000-4000-8000-000000000001';
my $account = '75000000-0000-4000-8000-0000000000a1';
my $node = PostgreSQL::Test::Cluster->new('inbox');
$node->init;
give_root_key($node);
$node->append_conf('postgresql.conf', "max_connections = 60\nrestart_after_crash = on\nfsync = on");
$node->start;
$node->safe_psql('postgres', qq{
	CREATE EXTENSION platform;
	SELECT count(*) FROM platform.install();
	INSERT INTO platform.organizations (id, name) VALUES ('$org', 'Inbox');
	INSERT INTO platform.integration_accounts (id, organization_id, account_type, account_name, credentials, webhook_secret)
		VALUES ('$account', '$org', 'custom', 'c', '{}', 'secret');
	CREATE SCHEMA app;
	CREATE TABLE app.effects (webhook_id uuid);
	-- what the senders were told, each in the transaction after
	CREATE TABLE app.told (event text, status text, webhook_id uuid);
	CREATE FUNCTION app.handle(uuid, uuid, text, jsonb) RETURNS void LANGUAGE plpgsql AS \$\$
	BEGIN
		INSERT INTO app.effects VALUES (\$2);
		IF random() < 0.05 THEN RAISE 'by chance'; END IF;
	END \$\$;
	SELECT platform.register_inbound_handler('stripe', '*', 'app.handle');
	CREATE FUNCTION app.come(n bigint) RETURNS TABLE (id uuid, status text) LANGUAGE sql AS \$\$
		SELECT i.id, i.status FROM (SELECT convert_to(format('{"id": "evt_%s", "type": "t"}', n), 'UTF8') AS body) b,
			platform.ingest_webhook('stripe', '$account', platform.sign_webhook_request('stripe', b.body, ARRAY['secret']), b.body) i \$\$;
});

sub script
{
	my ($name, $text) = @_;
	my $file = $node->basedir . "/$name.sql";
	append_to_file($file, $text);
	return $file;
}

sub load
{
	my ($file, $clients, @options) = @_;
	return IPC::Run::start([ 'pgbench', '-n', '-h', $node->host, '-p', $node->port,
			'-c', $clients, @options, '-f', $file, 'postgres' ], '>', '/dev/null', '2>', '/dev/null');
}

sub count_of { return $node->safe_psql('postgres', "SELECT count(*) FROM $_[0]") }

# Sixteen sessions, the same hundred events in the same order: each comes in once.
my $sent = load(script('together', q{
SELECT count(*) FROM (SELECT app.come(g) FROM generate_series(1, 100) g) s;
INSERT INTO app.told SELECT g::text, (c).status, (c).id FROM (SELECT g, app.come(g) AS c FROM generate_series(1, 100) g) s;
}), 16, '-t', 1);
$sent->finish;
is(count_of(q{platform.webhook_queue WHERE status = 'received'}), '100', 'sixteen senders of a hundred events: each is there once');
is(count_of(q{platform.webhook_queue WHERE status NOT IN ('received', 'duplicate')}), '0', 'all others are duplicates');
is(count_of(q{(SELECT event FROM app.told GROUP BY event HAVING count(DISTINCT webhook_id) > 1) t}), '0', 'all senders of an event were told the same id');

# One request each time: waits, instead of batches in one transaction.
my $race = script('race', qq{
\\set n random(1001, 1300)
SELECT id, status FROM app.come(:n) \\gset
INSERT INTO app.told VALUES (:n, :'status', :'id');
});
my $process = script('process', "SELECT * FROM platform.process_inbound(20, 'stripe');\nUPDATE platform.webhook_queue SET due_at = now() WHERE status = 'failed' AND due_at > now();\n");
my @runs = (load($race, 16, '-t', 60), load($process, 4, '-T', 2));
$_->finish for @runs;
is(count_of(q{(SELECT idempotency_key FROM platform.webhook_queue WHERE first_id IS NULL GROUP BY 1 HAVING count(*) > 1) d}), '0', 'duplicates under sixteen sessions come in once');
is(count_of(q{(SELECT event FROM app.told GROUP BY event HAVING count(*) FILTER (WHERE status = 'accepted') > 1) t}), '0', 'accepted is said once');

sub check
{
	my ($name) = @_;
	is(count_of(q{(SELECT idempotency_key FROM platform.webhook_queue WHERE first_id IS NULL GROUP BY 1 HAVING count(*) > 1) d}), '0', "$name: every event is there once");
	is(count_of(q{app.told t WHERE status = 'accepted' AND NOT EXISTS (SELECT FROM platform.webhook_queue q WHERE q.id = t.webhook_id)}), '0', "$name: what was accepted is there");
	is(count_of(q{(SELECT webhook_id FROM app.effects GROUP BY 1 HAVING count(*) > 1) d}), '0', "$name: no effect happened twice");
	is(count_of(q{platform.webhook_queue q FULL JOIN app.effects e ON e.webhook_id = q.id WHERE (q.status = 'processed') IS DISTINCT FROM (e.webhook_id IS NOT NULL) AND q.status IS DISTINCT FROM 'duplicate'}), '0', "$name: processed and its effect are one");
	return;
}

my $more = script('more', qq{
\\set n random(2001, 6000)
SELECT id, status FROM app.come(:n) \\gset
INSERT INTO app.told VALUES (:n, :'status', :'id');
});
@runs = (load($more, 8, '-T', 2), load($process, 4, '-T', 2));
for (1 .. 2)
{
	usleep(700_000);
	my $pid = $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE query LIKE '%process_inbound%' AND pid <> pg_backend_pid()
		AND backend_type = 'client backend' LIMIT 1});
	next unless $pid;
	kill 'KILL', $pid;
	wait_until_up($node);
	push @runs, load($more, 8, '-T', 1), load($process, 4, '-T', 1);
}
$_->finish for @runs;
wait_until_up($node);
check('killed backends');

for my $how ('kill', 'immediate')
{
	@runs = (load($more, 8, '-T', 5), load($process, 4, '-T', 5));
	usleep(1_000_000);
	if ($how eq 'kill') { $node->kill9 }
	else { $node->stop('immediate') }
	$_->finish for @runs;
	start_again($node);
	check("server ended: $how");
}

# A worker that is killed with its claims: their leases end, another one completes them.
$node->safe_psql('postgres', q{SELECT platform.unregister_inbound_handler('stripe', '*')});
$node->safe_psql('postgres', 'SELECT n, (app.come(n)).status FROM generate_series(7001, 7020) n');
my $open = count_of('platform.webhook_queue WHERE due_at IS NOT NULL');
cmp_ok($open, '>=', 20, 'there are events for a worker');
my $claimed = $node->safe_psql('postgres', q{SELECT count(*) FROM platform.claim_inbound('dies', 1000, '1 second')});
is($claimed, $open, 'it claims them, and is never heard of again');
is($node->safe_psql('postgres', q{SELECT count(*) FROM platform.claim_inbound('early', 1000)}), '0', 'nobody else gets them before their leases end');
usleep(1_200_000);
is($node->safe_psql('postgres', q{SELECT count(*) FROM (SELECT platform.complete_inbound(organization_id, id, lease_id) AS status
	FROM platform.claim_inbound('second', 1000)) c WHERE status = 'processed'}), $open, 'then another worker has them, and completes them');
cmp_ok(count_of(q{app.told}), '>', 500, 'there was something to lose');
is(count_of('platform.verify() v WHERE NOT passed'), '0', 'the installation verifies');
$node->stop;
done_testing();
