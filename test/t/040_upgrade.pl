# A newer version of the extension: ALTER EXTENSION UPDATE brings functions and
# catalogues, install() upgrades the tables by exactly the new step, and the result
# is that of a fresh installation.
#
# The next version is built from a copy of the source with one migration and one
# function more. As servers before 18 look for extensions in one folder only, the
# test makes an installation of its own: binaries copied, the rest linked.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use File::Basename;
use File::Path qw(make_path);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use PlatformTest;
use Test::More;

delete @ENV{qw(MAKEFLAGS MAKEOVERRIDES MAKELEVEL MFLAGS)};

sub pg_config { my $value = `pg_config --$_[0]`; chomp $value; return $value; }

sub append
{
	my ($file, $text) = @_;
	open(my $handle, '>>', $file) or die "$file: $!";
	print $handle $text;
	close $handle;
	return;
}

my ($version) = slurp_file('platform.control') =~ /^default_version = '(.*)'/m;
my $next = "$version.1";

# the next version
my $source = PostgreSQL::Test::Utils::tempdir;
system_or_bail('cp', '-R', 'Makefile', 'platform.control', 'sql', 'src', $source);
append("$source/src/features/migration_999.sql", <<'SQL');
-- migration 999 features: a note for each flag
-- requires: tenants

-- up

ALTER TABLE platform.org_feature_flags ADD COLUMN IF NOT EXISTS note text NOT NULL DEFAULT 'none';

-- down

ALTER TABLE platform.org_feature_flags DROP COLUMN IF EXISTS note;

-- checks

-- check: notes are short
SELECT feature FROM platform.org_feature_flags WHERE length(note) > 100;
SQL
append("$source/src/core/functions.sql", <<'SQL');

CREATE OR REPLACE FUNCTION platform.new_one() RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT 1';
COMMENT ON FUNCTION platform.new_one() IS 'Of the next version.';
INSERT INTO platform.member_privileges VALUES ('function', 'new_one()', 'EXECUTE');
SQL
append("$source/sql/update--$version.sql", "DROP FUNCTION platform.uuid7_time(uuid);\n");
system_or_bail('sed', '-i', '/FUNCTION platform.uuid7_time/,/uuid7_time(uuid)., .EXECUTE/d', "$source/src/core/functions.sql");
system_or_bail('make', '-s', '-C', $source, 'PG_CONFIG=' . pg_config('bindir') . '/pg_config', "EXTVERSION=$next",
	"sql/platform--$next.sql", 'update', "FROM=$version");

# the installation
my $root = PostgreSQL::Test::Utils::tempdir;
my ($bin, $lib, $share) = map { $root . pg_config($_) } qw(bindir pkglibdir sharedir);
make_path(dirname($bin), dirname($lib), "$share/extension");
system_or_bail('cp', '-RL', pg_config('bindir'), $bin);
symlink(pg_config('pkglibdir'), $lib) or die "$lib: $!" unless -e $lib;
for my $entry (glob(pg_config('sharedir') . '/*'), glob(pg_config('sharedir') . '/extension/*'))
{
	my $link = $root . $entry;
	symlink($entry, $link) or die "$link: $!" unless -e $link;
}
system_or_bail('cp', "$source/sql/platform--$next.sql", "$source/sql/platform--$version--$next.sql", "$share/extension");

my $node = PostgreSQL::Test::Cluster->new('upgrade', install_path => dirname($bin));
$node->init;
$node->start;
is($node->safe_psql('postgres', q{SELECT string_agg(version, ' ' ORDER BY version) FROM pg_available_extension_versions WHERE name = 'platform'}),
	"$version $next", 'both versions are on offer');
$node->safe_psql('postgres', q{
	CREATE ROLE app LOGIN;
	CREATE ROLE member NOLOGIN;
	CREATE DATABASE app OWNER app;
	CREATE DATABASE fresh OWNER app});

sub on
{
	my ($database) = @_;
	return sub { $node->safe_psql($database, "SET client_min_messages = error; $_[0]", extra_params => [ '-U', 'app' ]) };
}

my $run = on('app');
$run->("CREATE EXTENSION platform VERSION '$version'; SELECT platform.install()");
$run->(q{SELECT platform.grant_member('member')});
fill_tables($run);
my $organizations = $run->('SELECT count(*) FROM platform.organizations');
my $before = structure_signature($run);

# by a superuser, who is not the owner
$node->safe_psql('app', "ALTER EXTENSION platform UPDATE TO '$next'");
is($run->(q{SELECT version, module, description FROM platform.migration_status()
	WHERE applied_at IS NULL AND NOT optional}),
	'999|features|a note for each flag', 'the update brings the step');
is($run->('SELECT platform.new_one()'), '1', 'and the function, to the owner as well');
is($run->(q{SELECT to_regprocedure('platform.uuid7_time(uuid)') IS NULL}), 't', 'what is gone from the source is dropped');
is($run->('SELECT name FROM platform.verify() WHERE NOT passed'), '', 'the tables are still sound');

is($run->(q{SELECT version, module, action FROM platform.install() WHERE action <> 'present'}),
	'999|features|applied', 'install() applies exactly the new step');
is($run->(q{SELECT library_version FROM platform.schema_migrations WHERE version = 999}), $next, 'and records the version');
is($run->('SELECT count(*) FROM platform.organizations'), $organizations, 'no row is lost');
is($run->(q{SELECT name, passed FROM platform.verify() WHERE name LIKE '999 %' ORDER BY 1}),
	"999 features: notes are short|t\n999 features: org_feature_flags|t", 'the new step is checked');
is($run->(q{SELECT has_function_privilege('member', 'platform.new_one()', 'EXECUTE')}), 't', 'members get what is new');

# a fresh installation is the same
my $fresh = on('fresh');
$fresh->("CREATE EXTENSION platform VERSION '$next'; SELECT platform.install()");
$fresh->(q{SELECT platform.grant_member('member')});
$run->(q{
	DROP TABLE platform.my_own_table;
	DROP POLICY my_own_policy ON platform.organizations;
	DROP INDEX platform.my_own_idx;
	ALTER TABLE platform.organizations DROP COLUMN my_note});
is(structure_signature($run), structure_signature($fresh), 'updated and fresh tables are the same');
my $members = q{
	SELECT pg_describe_object(classid, objid, 0) COLLATE "C", md5(CASE classid WHEN 'pg_proc'::regclass
		THEN concat(pg_get_functiondef(objid), obj_description(objid, 'pg_proc'), (SELECT proacl FROM pg_proc WHERE oid = objid)) END)
	FROM pg_depend WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
		AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'platform')
	ORDER BY 1};
is($run->($members), $fresh->($members), 'so are the functions, their comments and grants');
for my $catalogue (qw(migrations member_privileges demo_data))
{
	my $content = "SELECT md5(string_agg(c::text, ' ' ORDER BY c::text COLLATE \"C\")) FROM platform.$catalogue c";
	is($run->($content), $fresh->($content), "so is the catalogue $catalogue");
}

# and back
is($run->('SELECT version, action FROM platform.rollback((SELECT max(version) FROM platform.schema_migrations WHERE version < 999))'),
	'999|rolled back', 'the step can be undone');
unlike(structure_signature($run), qr/org_feature_flags note/, 'the column is gone');

$node->stop;
done_testing();
