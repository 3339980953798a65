# Concurrent install() calls wait for each other; the later one finds the steps applied.
use strict;
use warnings;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('concurrent');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION platform');

# A session of its own, that runs its statements while the test goes on.
sub start_session
{
	my ($name, @statements) = @_;
	my $session = { out => '', err => '' };

	$session->{harness} = IPC::Run::start(
		[ 'psql', '-X', '-A', '-t', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres') . " application_name=$name",
			map { ('-c', $_) } @statements ],
		'<', \undef, '>', \$session->{out}, '2>', \$session->{err});
	return $session;
}

sub wait_until
{
	my ($name, $condition) = @_;

	$node->poll_query_until('postgres', "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = '$name' AND $condition)")
	  or die "session $name never came to: $condition";
	return;
}

my $steps = 'SELECT DISTINCT action FROM platform.install()';
my $first = start_session('first', 'BEGIN', $steps, 'SELECT pg_sleep(2) IS NULL', 'COMMIT');
wait_until('first', "wait_event = 'PgSleep'");
my $second = start_session('second', $steps);
# one whose snapshot is older than the first one's commit
my $third = start_session('third', 'BEGIN ISOLATION LEVEL REPEATABLE READ', 'SELECT count(*) > 0 FROM pg_class', $steps, 'COMMIT');
wait_until('second', "wait_event_type = 'Lock'");
wait_until('third', "wait_event_type = 'Lock'");
# what the first one does is nobody's business before it commits
is($node->safe_psql('postgres', q{SELECT to_regclass('platform.organizations') IS NULL}), 't', 'nothing to see yet');
IPC::Run::finish($_->{harness}) for ($first, $second, $third);

is($first->{out}, "applied\nf\n", 'the first applies');
is($second->{out}, "present\n", 'the second waits and finds all present');
is($third->{out}, "t\npresent\n", 'so does one in REPEATABLE READ');
is("$first->{err}$second->{err}$third->{err}", '', 'no error');
is($node->safe_psql('postgres', 'SELECT count(*) = count(DISTINCT version) FROM platform.schema_migrations'), 't', 'each step once');

# one that fails leaves nothing behind and lets the next one in
$node->safe_psql('postgres', q{
	INSERT INTO platform.migrations (version, module, description, up) VALUES
		(9001, 'test_a', 'fine', 'CREATE TABLE platform.test_a (id integer)'),
		(9002, 'test_a', 'fails', 'SELECT pg_sleep(1); SELECT 1 / 0')});
my $failing = start_session('failing', $steps);
wait_until('failing', "wait_event = 'PgSleep'");
my $next = start_session('next', 'DELETE FROM platform.migrations WHERE version = 9002',
	q{SELECT version, action FROM platform.install() WHERE action <> 'present'});
IPC::Run::finish($_->{harness}) for ($failing, $next);
like($failing->{err}, qr/division by zero.*migration 9002 of module "test_a"/s, 'the failing step is named');
is($next->{out}, "9001|applied\n", 'the next session applies what the failed one had to give up');

$node->stop;
done_testing();
