# Dump and restore by the owner of the database, who is no superuser, plain and
# custom with four jobs: the same rows, and all that the user added.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use PlatformTest;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('dump');
$node->init;
$node->start;
$node->safe_psql('postgres', q{
	CREATE ROLE app LOGIN;
	CREATE ROLE member NOLOGIN;
	CREATE DATABASE source OWNER app;
	CREATE DATABASE plain OWNER app;
	CREATE DATABASE custom OWNER app;
	CREATE DATABASE bare OWNER app});

sub on
{
	my ($database) = @_;
	return sub { $node->safe_psql($database, "SET timezone = 'UTC'; $_[0]", extra_params => [ '-U', 'app' ]) };
}

my $source = on('source');
$source->('CREATE EXTENSION platform; SELECT platform.install()');
$source->(q{SELECT platform.grant_member('member')});
fill_tables($source);
my $rows = table_signatures($source);
my $structure = structure_signature($source);
like($rows, qr/^end_users\|50\d\|/m, 'there is something to dump');
like($structure, qr/^execute platform\.current_organization_id/m, 'and members');

sub check_restored
{
	my ($name) = @_;
	my $restored = on($name);

	is(table_signatures($restored), $rows, "$name: identical rows");
	is(structure_signature($restored), $structure, "$name: identical structure");
	like(structure_signature($restored), qr/my_note.*my_own_idx.*my_own_policy/s, "$name: the user's column, index and policy");
	is($restored->('SELECT name, detail FROM platform.verify() WHERE NOT passed'), '', "$name: verify() finds nothing");
	is($restored->(q{SELECT bool_and(action = 'present') FROM platform.install()}), 't', "$name: install() has nothing to do");
	return;
}

my @as_app = ('-h', $node->host, '-p', $node->port, '-U', 'app');
my $dir = PostgreSQL::Test::Utils::tempdir;

$node->command_ok([ 'pg_dump', @as_app, '-f', "$dir/plain.sql", 'source' ], 'plain dump');
$node->command_ok([ 'psql', '-X', '-q', @as_app, '-v', 'ON_ERROR_STOP=1', '-f', "$dir/plain.sql", 'plain' ],
	'plain restore, no error');
check_restored('plain');

$node->command_ok([ 'pg_dump', @as_app, '-Fc', '-f', "$dir/custom.dump", 'source' ], 'custom dump');
$node->command_ok([ 'pg_restore', @as_app, '-j', '4', '--exit-on-error', '-d', 'custom', "$dir/custom.dump" ],
	'custom restore with four jobs, no error');
check_restored('custom');

# without privileges: install() grants the members anew, triggers and caches work
$node->command_ok([ 'pg_restore', @as_app, '-j', '4', '--no-privileges', '--exit-on-error', '-d', 'bare', "$dir/custom.dump" ],
	'restore without privileges');
my $bare = on('bare');
is(table_signatures($bare), $rows, 'bare: identical rows');
unlike(structure_signature($bare), qr/^execute/m, 'bare: no member may call anything');
$bare->('SELECT platform.install()');
is(structure_signature($bare), $structure, 'bare: install() grants the members what they had');
is($bare->(q{UPDATE platform.organizations SET name = 'Renamed' WHERE name = 'Deleted'
	RETURNING updated_at > '2020-01-01'}), 't', 'bare: triggers work');

$node->stop;
done_testing();
