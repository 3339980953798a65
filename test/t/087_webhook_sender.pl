# The webhook sender against a receiver that answers well, badly, late and not at
# all: what arrives, what is said of each attempt, which addresses are refused, what
# happens to leases when it ends, and that neither secrets nor bodies get into the log.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use PlatformReceiver;
use PlatformTest;
use Test::More;

my $reason = PlatformReceiver::missing();
plan skip_all => $reason if $reason;

my $org = '91000000-0000-4000-8000-000000000001';
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
give_root_key($node);
$node->append_conf('postgresql.conf', "platform.webhook_urls = any\nplatform.webhook_sender_poll = 20\nlog_statement = none\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION platform');

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub refused
{
	my ($query) = @_;
	my ($status, $out, $err) = $node->psql('postgres', $query, extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);

	return $err =~ /(\w{5})$/ ? $1 : "none: $out";
}

my $without = refused('SELECT platform.start_webhook_sender()');
if ($without eq '0A000')
{
	plan skip_all => 'built without the sender';
}
is($without, '55000', 'nothing is installed: nothing to run');
sql('SELECT platform.install()');
sql("INSERT INTO platform.organizations (id, name) VALUES ('$org', 'Sender')");

my $receiver = PlatformReceiver->new;

# A subscription to its own events, "<name>.happened".
sub subscribe
{
	my ($name, $url, %options) = @_;
	my $more = join '', map { ", $_ => $options{$_}" } sort keys %options;

	sql("INSERT INTO platform.webhook_event_types (event_type, description) VALUES ('$name.happened', 'A test')");
	return sql("SELECT secret FROM platform.create_webhook_subscription('$org', '$name', '$url', ARRAY['$name.happened']$more)");
}

sub emit
{
	my ($name, $count) = @_;

	return sql("SELECT platform.emit_event('$org', '$name.happened', jsonb_build_object('n', n, 'marker', 'body-marker')) FROM generate_series(1, " . ($count // 1) . ') n');
}

# Waits until that is true of some delivery of the name, and says what there is.
sub wait_for
{
	my ($name, $condition) = @_;
	my $of = "FROM platform.webhook_deliveries WHERE event_type = '$name.happened'";

	$node->poll_query_until('postgres', "SELECT coalesce(bool_and($condition), false) $of") or diag "timed out: $name";
	return sql("SELECT DISTINCT concat_ws(' ', status, attempts, response_status, last_error) $of ORDER BY 1");
}

# ---- starting ----

my $pid = sql('SELECT platform.start_webhook_sender()');
like($pid, qr/^\d+$/, 'it starts');
ok($node->poll_query_until('postgres', 'SELECT count(*) = 1 FROM platform.webhook_sender_status()'), 'and runs');
is(sql('SELECT platform.start_webhook_sender()'), $pid, 'starting it again: the same');
is(sql('SELECT pid, runs_as = current_user FROM platform.webhook_sender_status()'), "$pid|t", 'its status');
sql('CREATE ROLE stranger LOGIN');
for my $function ('start_webhook_sender()', 'stop_webhook_sender()', 'webhook_sender_status()')
{
	is(refused("SET ROLE stranger; SELECT * FROM platform.$function"), '42501', "$function is not for everybody");
}

# ---- answers ----

my $secret = subscribe('good', $receiver->url('ok/good'));
$receiver->add_secret('good', $secret);
my $id = emit('good');
is(wait_for('good', "status = 'delivered'"), 'delivered 1 200', 'delivered');
is_deeply([ map { "$_->{id} $_->{verdict} $_->{type}" } $receiver->requests('good') ], ["$id valid1 good.happened"],
	'with its id, signed with its secret');

# name, path, options, condition, what is said
my @cases = (
	[ 'fails', 'status/fails?code=500', {}, "attempts = 1 AND status = 'pending'", 'pending 1 500 HTTP 500' ],
	[ 'later', 'status/later?code=429&after=7200', {}, "attempts = 1 AND status = 'pending'", 'pending 1 429 HTTP 429' ],
	[ 'moved', 'redirect/moved?to=/ok/target', {}, "attempts = 1 AND status = 'pending'", 'pending 1 302 HTTP 302: redirects are not followed' ],
	[ 'gone', 'status/gone?code=410', {}, "status = 'failed'", 'failed 1 410 HTTP 410' ],
	[ 'slow', 'slow/slow?ms=300', {}, "status = 'delivered'", 'delivered 1 200' ],
	[ 'large', 'large/large?bytes=50000000', {}, "status = 'delivered'", 'delivered 1 200' ],
	[ 'headers', 'headers/headers?bytes=200000', { retry_policy => "'none'" }, "status = 'failed'", qr/^failed 1 (?:too_large|connect): / ],
	[ 'hang', 'hang/hang', { timeout_ms => 300 }, "attempts = 1 AND status = 'pending'", 'pending 1 timeout' ],
	[ 'drip', 'drip/drip', { timeout_ms => 500 }, "attempts = 1 AND status = 'pending'", 'pending 1 timeout' ],
	[ 'drop', 'drop/drop', { retry_policy => "'none'" }, "status = 'failed'", qr/^failed 1 connect: / ],
	[ 'garbage', 'garbage/garbage', { retry_policy => "'none'" }, "status = 'failed'", qr/^failed 1 connect: / ],
	[ 'flaky', 'flaky/flaky?n=1', {}, "status = 'delivered'", 'delivered 2 200' ]);
for my $case (@cases)
{
	my ($name, $path, $options) = @$case;

	subscribe($name, $receiver->url($path), %$options);
	sql("UPDATE platform.webhook_subscriptions SET keep_responses = true, retry_schedule = " . ($name eq 'flaky' ? "'{0}'" : "'{600}'") . " WHERE name = '$name'");
	emit($name);
}
for my $case (@cases)
{
	my ($name, undef, undef, $condition, $said) = @$case;
	my $found = wait_for($name, $condition);

	ref $said ? like($found, $said, $name) : is($found, $said, $name);
}
is(scalar $receiver->requests('target'), 0, 'the redirect was not followed');
is(sql("SELECT next_retry_at - now() BETWEEN '1 hour 59 minutes' AND '2 hours' FROM platform.webhook_deliveries WHERE event_type = 'later.happened'"), 't', 'Retry-After is honoured');
is(sql("SELECT active, disabled_reason FROM platform.webhook_subscriptions WHERE name = 'gone'"), 'f|gone', '410 disables');
is(sql("SELECT length(response_body) FROM platform.webhook_deliveries WHERE event_type = 'large.happened'"), '2048', 'of a large answer the beginning is kept');
is(sql("SELECT response_body FROM platform.webhook_deliveries WHERE event_type = 'good.happened'"), '', 'nothing of it without keep_responses');
is(sql("SELECT response_time_ms BETWEEN 290 AND 10000 FROM platform.webhook_deliveries WHERE event_type = 'slow.happened'"), 't', 'how long it took');
is((my @same = map { $_->{id} } $receiver->requests('flaky')), 2, 'a retry');
is($same[0], $same[1], 'with the same webhook-id');

subscribe('closed', 'http://127.0.0.1:9/', retry_policy => "'none'");
emit('closed');
like(wait_for('closed', "status = 'failed'"), qr/^failed 1 connect: /, 'nobody listens');

# ---- addresses ----

subscribe('private', $receiver->url('ok/private', 'localhost'), retry_policy => "'none'");
subscribe('literal', $receiver->url('ok/literal'), retry_policy => "'none'");
subscribe('insecure', 'http://example.invalid/', retry_policy => "'none'");
$node->append_conf('postgresql.conf', 'platform.webhook_urls = http');
$node->reload;
$node->poll_query_until('postgres', "SELECT current_setting('platform.webhook_urls') = 'http'");
sleep 1;
emit('private');
emit('literal');
like(wait_for('private', "status = 'failed'"), qr/^failed 1 address: /, 'a name that resolves to a private address is refused when it connects');
like(wait_for('literal', "status = 'failed'"), qr/^failed 1 address: /, 'so is a private address');
is(scalar($receiver->requests('private')) + scalar($receiver->requests('literal')), 0, 'nothing arrived');
$node->append_conf('postgresql.conf', 'platform.webhook_urls = https');
$node->reload;
sleep 1;
emit('insecure');
like(wait_for('insecure', "status = 'failed'"), qr/^failed 1 address: /, 'http is refused where it is not allowed any more');
$node->append_conf('postgresql.conf', 'platform.webhook_urls = any');
$node->reload;

SKIP:
{
	my ($key, $cert) = map { PostgreSQL::Test::Utils::tempdir() . "/$_" } qw(key cert);
	skip 'needs openssl', 1
	  unless eval { IPC::Run::run([ 'openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=localhost', '-keyout', $key, '-out', $cert ], '>&', \my $output) };
	my $secure = PlatformReceiver->new(tls => [ $key, $cert ]);
	subscribe('tls', $secure->url('ok/tls', 'localhost'), retry_policy => "'none'");
	emit('tls');
	like(wait_for('tls', "status = 'failed'"), qr/^failed 1 tls: /, 'a certificate that nobody vouches for is refused');
	$secure->stop;
}

# ---- rotation in the middle of traffic: who knows either secret verifies ----

my $old = subscribe('rotating', $receiver->url('slow/rotating?ms=5'));
$receiver->add_secret('rotating', $old);
emit('rotating', 200);
my $new = sql("SELECT platform.rotate_webhook_secret(id) FROM platform.webhook_subscriptions WHERE name = 'rotating'");
$receiver->add_secret('rotating', $new);
emit('rotating', 200);
is(wait_for('rotating', "status = 'delivered'"), 'delivered 1 200', 'all are delivered');
my %verdicts;
$verdicts{ $_->{verdict} }++ for $receiver->requests('rotating');
is(($verdicts{valid1} // 0) + ($verdicts{'valid1+2'} // 0), 400, 'the old secret verifies all of them');
cmp_ok($verdicts{'valid1+2'} // 0, '>=', 200, 'and the new one what was sent since');

# ---- the kill switch holds, and drops nothing ----

subscribe('switched', $receiver->url('ok/switched'));
sql("SELECT platform.set_global_feature_flag('webhooks', false)");
emit('switched', 50);
sleep 1;
is(scalar $receiver->requests('switched'), 0, 'killed: nothing is sent');
sql("SELECT platform.set_global_feature_flag('webhooks', true)");
wait_for('switched', "status = 'delivered'");
is(scalar $receiver->requests('switched'), 50, 'on again: everything is');

# ---- ending ----

subscribe('held', $receiver->url('hang/held'));
emit('held', 5);
wait_for('held', "status = 'delivering'");
is(sql('SELECT platform.stop_webhook_sender()'), 't', 'it is stopped');
is(sql("SELECT DISTINCT status, attempts, lease_id IS NULL FROM platform.webhook_deliveries WHERE event_type = 'held.happened'"),
	'pending|0|t', 'and has given back what it had under way');
is(sql('SELECT platform.stop_webhook_sender(), (SELECT count(*) FROM platform.webhook_sender_status())'), 'f|0', 'stopping it again: nothing to do');
sql("UPDATE platform.webhook_subscriptions SET url = '" . $receiver->url('ok/held') . "' WHERE name = 'held'");
isnt(sql('SELECT platform.start_webhook_sender()'), $pid, 'another one starts');
is(wait_for('held', "status = 'delivered'"), 'delivered 1 200', 'and sends them');

is(sql('SELECT count(*) FROM platform.webhook_deliveries d JOIN platform.webhook_attempts a ON a.delivery_id = d.id WHERE d.attempts = 0'), '0', 'attempts are those that were made');
$node->stop('fast');
my @leaks = files_with($node, substr($secret, 6), substr($old, 6), substr($new, 6));
is("@leaks", '', 'no secret anywhere in clear');
unlike(slurp_file($node->logfile), qr/body-marker|whsec_|v1,/, 'no body, no signature in the log');
unlike(slurp_file($node->logfile), qr/ERROR:(?!.*(?:does not exist|not installed|permission denied))/, 'no error in the log');
$receiver->stop;
done_testing();
