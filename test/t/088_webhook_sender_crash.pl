# The sender, backends and the server are killed at random moments while events flow:
# every committed event arrives at least once, what arrives twice has the same
# webhook-id and payload, and nothing arrives whose transaction did not commit.
# SENDER_EVENTS, 10000, is how many at least.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use PlatformReceiver;
use PlatformTest;
use Test::More;
use Time::HiRes qw(sleep);

my $reason = PlatformReceiver::missing();
plan skip_all => $reason if $reason;

my $events = $ENV{SENDER_EVENTS} // 10000;
my $seed = $ENV{SENDER_SEED} // time;
srand $seed;
note "seed $seed";
my $org = '92000000-0000-4000-8000-000000000001';
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
give_root_key($node);
$node->append_conf('postgresql.conf', <<'CONF');
shared_preload_libraries = 'platform'
platform.webhook_sender = on
platform.webhook_urls = any
restart_after_crash = on
log_statement = none
CONF
$node->start;

sub sql { return $node->safe_psql('postgres', $_[0]); }

# As long as the server comes back.
sub ask
{
	my ($query) = @_;

	for (1 .. 300)
	{
		my ($status, $out) = $node->psql('postgres', $query);
		return $out if defined $status && $status == 0;
		sleep 0.1;
	}
	die "no answer to: $query";
}

sql('CREATE EXTENSION platform');
my ($status, undef, $err) = $node->psql('postgres', 'SELECT platform.start_webhook_sender()');
if ($err =~ /built without/)
{
	plan skip_all => 'built without the sender';
}
sql('SELECT platform.install()');
sql("INSERT INTO platform.organizations (id, name) VALUES ('$org', 'Crash')");
my $receiver = PlatformReceiver->new;
for my $name ('a', 'b')
{
	sql("SELECT platform.create_webhook_subscription('$org', '$name', '" . $receiver->url("slow/$name?ms=5&echo") . "', ARRAY['*'], timeout_ms => 3000)");
}
ok($node->poll_query_until('postgres', 'SELECT count(*) = 1 FROM platform.webhook_sender_status()'), 'the sender starts with the server');

# Writers: five events a transaction, a tenth of them rolled back.
my $script = PostgreSQL::Test::Utils::tempdir() . '/emit.sql';
append_to_file($script, <<"SQL");
\\set r random(1, 10)
\\set n random(1, 1000000000)
BEGIN;
SELECT count(platform.emit_event('$org', 'call.completed', jsonb_build_object('n', :n + i, 'r', :r))) FROM generate_series(1, 5) i;
\\if :r = 1
ROLLBACK;
\\else
COMMIT;
\\endif
SQL

sub write_for
{
	my ($seconds) = @_;
	my $output = '';

	return IPC::Run::start([ 'pgbench', '-n', '-c', 4, '-R', 300, '-T', $seconds, '-f', $script, $node->connstr('postgres') ],
		'<', \undef, '>&', \$output);
}

# A process of the server, killed as soon as there is one.
sub kill_one
{
	my ($which) = @_;

	for (1 .. 50)
	{
		my ($status, $pid) = $node->psql('postgres', "SELECT pid FROM pg_stat_activity WHERE $which ORDER BY random() LIMIT 1");
		return kill 'KILL', $pid if defined $pid && $pid =~ /^\d+$/;
		sleep 0.1;
	}
	return 0;
}

my %kills;
my @order = ('sender', 'backend', 'server', 'sender', 'server', 'backend');
for my $victim (@order)
{
	my $writers = write_for(3);

	sleep 0.5 + rand 1.5;
	if ($victim eq 'server')
	{
		$node->kill9;
		$kills{$victim}++;
		for (1 .. 100)
		{
			sleep 0.2;
			last if $node->start(fail_ok => 1);
			# what it read is the killed one's
			$node->{_pid} = undef;
		}
	}
	else
	{
		$kills{$victim} += kill_one($victim eq 'sender' ? "backend_type = 'platform webhook sender'" : "backend_type = 'client backend' AND pid <> pg_backend_pid()");
	}
	$writers->finish;
	ask('SELECT 1');
}
is(join(' ', map { "$_ $kills{$_}" } sort keys %kills), 'backend 2 sender 2 server 2', 'killed');

# The rest, while the sender is stopped and started.
for (1 .. 100)
{
	my $left = $events - ask('SELECT count(*) FROM platform.webhook_events');
	last if $left <= 0;
	ask("SELECT count(platform.emit_event('$org', 'call.completed', jsonb_build_object('n', i))) FROM generate_series(1, least($left, 1000)) i");
}
$node->poll_query_until('postgres', 'SELECT count(*) = 1 FROM platform.webhook_sender_status()');
is(sql('SELECT platform.stop_webhook_sender()'), 't', 'stopped in the middle');
sql('SELECT platform.start_webhook_sender()');
ok($node->poll_query_until('postgres', q{
	SELECT count(*) FILTER (WHERE d.finished_at IS NOT NULL) = 2 * (SELECT count(*) FROM platform.webhook_events)
	FROM platform.webhook_deliveries d}), 'everything is delivered in the end')
  or diag sql('SELECT status, attempts, count(*) FROM platform.webhook_deliveries GROUP BY 1, 2 ORDER BY 1, 2');
is(sql("SELECT count(*) FROM platform.webhook_deliveries WHERE status <> 'delivered'"), '0', 'none failed');

my %committed = map { my ($id, $n) = split /\|/; $id => $n } split /\n/, sql("SELECT id, payload ->> 'n' FROM platform.webhook_events");
cmp_ok(scalar keys %committed, '>=', $events, 'events: ' . scalar keys %committed);
for my $name ('a', 'b')
{
	my (%arrived, @phantoms, @changed);
	my $requests = 0;

	for my $request ($receiver->requests($name))
	{
		my ($n) = $request->{data} =~ /"n":(\d+)/;
		$requests++;
		$arrived{ $request->{id} }++;
		push @phantoms, $request->{id} if !exists $committed{ $request->{id} };
		push @changed, $request->{id} if ($committed{ $request->{id} } // $n) != $n;
	}
	is(scalar(grep { !$arrived{$_} } keys %committed), 0, "$name: every committed event arrived");
	is("@phantoms", '', "$name: and nothing else");
	is("@changed", '', "$name: the same webhook-id is the same event");
	note "$name: $requests requests for " . scalar(keys %arrived) . ' events';
}
$node->stop;
$receiver->stop;
done_testing();
