# The worker that doc/webhooks.md shows for where the sender cannot run, as it stands
# there: it delivers what a receiver verifies, says what failed, and who waits is sent later.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use PlatformPeers;
use PlatformReceiver;
use PlatformTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $reason = install_peers() // PlatformReceiver::missing();
plan skip_all => $reason if $reason;

my $org = '91000000-0000-4000-8000-000000000009';
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
give_root_key($node);
$node->append_conf('postgresql.conf', "platform.webhook_urls = any\n");
$node->start;

sub sql { return $node->safe_psql('postgres', $_[0]); }

sql('CREATE EXTENSION platform; SELECT platform.install(); CREATE ROLE worker LOGIN;
	GRANT USAGE ON SCHEMA platform TO worker;
	GRANT EXECUTE ON FUNCTION platform.claim_webhook_deliveries, platform.complete_webhook_deliveries TO worker');
sql("INSERT INTO platform.organizations (id, name) VALUES ('$org', 'Edge')");

my $receiver = PlatformReceiver->new;
for my $path ('ok/good', 'status/busy?code=429&after=7200', 'drop/broken')
{
	my ($name) = $path =~ m{/(\w+)};
	sql("INSERT INTO platform.webhook_event_types (event_type, description) VALUES ('$name.happened', 'A test')");
	my $secret = sql("SELECT secret FROM platform.create_webhook_subscription('$org', '$name', '" . $receiver->url($path) . "', ARRAY['$name.happened'])");
	$receiver->add_secret($name, $secret);
	sql("SELECT count(platform.emit_event('$org', '$name.happened', jsonb_build_object('n', n, 'text', 'é€😀'))) FROM generate_series(1, 3) n");
}

my ($worker) = slurp_file("$FindBin::RealBin/../../doc/webhooks.md") =~ /```typescript\n(.*?)```/s;
my $peers = "$FindBin::RealBin/../peers";
my $file = PostgreSQL::Test::Utils::tempdir() . '/worker.mjs';
my $host = $node->host;
my $port = $node->port;
append_to_file($file, <<"WORKER");
import { createRequire } from 'node:module';
const postgres = createRequire('$peers/package.json')('postgres');
const sql = postgres({ host: '$host', port: $port, user: 'worker', database: 'postgres', max: 1 });
$worker
await sql.end();
WORKER
$node->command_ok([ 'node', $file ], 'it runs');

is(scalar(grep { $_->{verdict} eq 'valid1' } $receiver->requests('good')), 3, 'what it sends is what was signed');
is(sql('SELECT event_type, status, attempts, response_status, last_error, count(*) FROM platform.webhook_deliveries GROUP BY 1, 2, 3, 4, 5 ORDER BY 1'),
	"broken.happened|pending|1||connect|3\nbusy.happened|pending|1|429|HTTP 429|3\ngood.happened|delivered|1|200||3", 'what came of it is known');
is(sql("SELECT bool_and(next_retry_at BETWEEN now() + interval '1:59' AND now() + interval '2:00') FROM platform.webhook_deliveries WHERE event_type = 'busy.happened'"), 't', 'Retry-After is honoured');
$node->command_ok([ 'node', $file ], 'with nothing to do, too');

done_testing();
