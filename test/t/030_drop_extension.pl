# DROP EXTENSION is refused while tables need its functions; with CASCADE it takes
# triggers, policies and defaults and never a row; CREATE EXTENSION and install()
# bring everything back.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use PlatformTest;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('drop');
$node->init;
$node->start;
$node->safe_psql('postgres', q{
	CREATE ROLE app LOGIN;
	CREATE ROLE member NOLOGIN;
	CREATE DATABASE app OWNER app});
my $run = sub { $node->safe_psql('app', "SET client_min_messages = error; $_[0]", extra_params => [ '-U', 'app' ]) };

$run->('CREATE EXTENSION platform; SELECT platform.install()');
$run->(q{SELECT platform.grant_member('member')});
fill_tables($run);
my $rows = table_signatures($run);
my $structure = structure_signature($run);

my ($out, $err);
isnt($node->psql('app', 'DROP EXTENSION platform', stdout => \$out, stderr => \$err), 0, 'DROP EXTENSION is refused');
like($err, qr/cannot drop extension platform because other objects depend on it/, 'because tables need it');

$run->('DROP EXTENSION platform CASCADE');
is(table_signatures($run), $rows, 'CASCADE keeps every row');
my $left = structure_signature($run);
isnt($left, $structure, 'it takes what needs functions');
unlike($left, qr/^(trigger|default) .*platform\./m, 'triggers, for example');
like($left, qr/my_note.*my_own_idx.*my_own_policy/s, 'and leaves what the user added');

$run->('CREATE EXTENSION platform');
like($run->(q{SELECT string_agg(DISTINCT action, ',' ORDER BY action) FROM platform.install()}), qr/repaired/, 'install() repairs');
is(table_signatures($run), $rows, 'rows are as before');
is(structure_signature($run), $structure, 'so is everything else');
is($run->('SELECT name, detail FROM platform.verify() WHERE NOT passed'), '', 'verify() finds nothing');
is($run->(q{SELECT bool_and(action = 'present') FROM platform.install()}), 't', 'and install() nothing to do');
is($run->(q{INSERT INTO platform.end_users (organization_id) VALUES ('70000000-0000-4000-8000-000000000001')
	RETURNING id IS NOT NULL}), 't', 'defaults work');

# without tables nothing is in the way
$run->('DROP TABLE platform.my_own_table; DROP POLICY my_own_policy ON platform.organizations');
$run->('SELECT platform.rollback(0)');
$run->('DROP EXTENSION platform');
is($run->(q{SELECT count(*) FROM pg_class WHERE relnamespace = 'platform'::regnamespace}), '0', 'after rollback(0) nothing is left');

$node->stop;
done_testing();
