# The gate of usage: whoever keeps it closes it for calls, and for calls only.
use strict;
use warnings;
use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $here = dirname(__FILE__);
my $library = PostgreSQL::Test::Utils::tempdir() . '/gate_probe.so';
chomp(my $include = `pg_config --includedir-server`);
my $compiler = $ENV{CC} // 'cc';
plan skip_all => 'no C compiler' if system("command -v $compiler >/dev/null") != 0;
system($compiler, '-O1', '-fPIC', '-shared', "-I$include", "-I$here/../../src",
	'-o', $library, "$here/gate_probe.c") == 0
  or die 'cannot compile gate_probe.c';

my $node = PostgreSQL::Test::Cluster->new('gate');
$node->init;
$node->append_conf('postgresql.conf', "session_preload_libraries = 'platform'");
$node->start;
$node->safe_psql('postgres', qq{
	CREATE EXTENSION platform;
	SELECT platform.install();
	INSERT INTO platform.organizations (id, name, settings) VALUES
		('9a7e0000-0000-4000-8000-000000000001', 'One', '{"features": {"callEnabled": true}}'),
		('9a7e0000-0000-4000-8000-000000000002', 'Two', '{"features": {"callEnabled": true}}');
	INSERT INTO platform.chatbots (id, organization_id, name, enabled_call) VALUES
		('9a7e0000-0000-4000-8000-0000000000c1', '9a7e0000-0000-4000-8000-000000000001', 'one', true),
		('9a7e0000-0000-4000-8000-0000000000c2', '9a7e0000-0000-4000-8000-000000000002', 'two', true);
	CREATE FUNCTION probe_stop(uuid) RETURNS void LANGUAGE c STRICT AS '$library'});

my $one = "'9a7e0000-0000-4000-8000-000000000001', '9a7e0000-0000-4000-8000-0000000000c1'";
my $two = "'9a7e0000-0000-4000-8000-000000000002', '9a7e0000-0000-4000-8000-0000000000c2'";
my $stop = q{SELECT probe_stop('9a7e0000-0000-4000-8000-000000000001')};

sub ask
{
	my ($question) = @_;
	my @lines = split /\n/, $node->safe_psql('postgres', "$stop; $question");
	return $lines[-1];
}

is($node->safe_psql('postgres', "SELECT * FROM platform.can_place_call($one)"), 't|OPEN|', 'nobody keeps the gate: open');
is(ask("SELECT * FROM platform.can_place_call($one)"), 'f|HARD_STOP|usage', 'closed, with its keeper\'s reason');
is(ask("SELECT * FROM platform.can_place_call($two)"), 't|OPEN|', 'not for another organization');
is(ask("SELECT * FROM platform.chatbot_capabilities($one)"), 't|f|HARD_STOP|usage', 'chat goes on');
is(ask("UPDATE platform.chatbots SET enabled_call = false, enabled_chat = true; SELECT * FROM platform.can_place_call($one)"),
	'f|NOT_ENABLED|chatbot', 'it is the last to be asked');
$node->safe_psql('postgres', 'UPDATE platform.chatbots SET enabled_call = true');

my ($out, $err);
$node->psql('postgres', "\\set VERBOSITY verbose\n$stop; SELECT platform.require_capability($one, 'call')", stdout => \$out, stderr => \$err);
like($err, qr/ERROR:  PT429: capability "call" is not available for this chatbot\nDETAIL:  Gate: usage\. Reason: HARD_STOP\./, 'PT429');

$node->stop;
done_testing();
