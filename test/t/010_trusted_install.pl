# The owner of a database, who is no superuser, creates the extension and the
# tables; a schema that somebody else made first is refused; the tables keep one owner.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('trusted');
$node->init;
$node->start;
$node->safe_psql('postgres', q{
	CREATE ROLE app LOGIN;
	CREATE ROLE mallory LOGIN;
	CREATE ROLE deployer LOGIN;
	CREATE ROLE "O Brien" LOGIN;
	CREATE DATABASE app OWNER app;
	CREATE DATABASE planted OWNER app;
	GRANT CREATE ON DATABASE planted TO mallory;
	CREATE DATABASE spaced OWNER "O Brien";
	CREATE DATABASE handed OWNER app;
});

# As a role; returns what was printed, and dies on an error.
sub as_role
{
	my ($role, $database, $sql) = @_;
	return $node->safe_psql($database, $sql, extra_params => [ '-U', $role ]);
}

# As a role; returns the error.
sub refused
{
	my ($role, $database, $sql) = @_;
	my ($out, $err);
	my $status = $node->psql($database, "\\set VERBOSITY verbose\n$sql",
		stdout => \$out, stderr => \$err, extra_params => [ '-U', $role ]);
	return $status ? $err : "no error: $out";
}

# the owner of the database
as_role('app', 'app', 'CREATE EXTENSION platform');
is(as_role('app', 'app', q{SELECT bool_and(action = 'applied') FROM platform.install()}), 't', 'the owner installs');
is(as_role('app', 'app', q{SELECT name, detail FROM platform.verify() WHERE NOT passed}), '', 'and it is sound');
is(as_role('app', 'app', q{SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'platform'
	AND tablename = ANY (SELECT table_name FROM platform.table_kinds)}), 'app', 'tables belong to the owner');
is(as_role('app', 'app', q{SELECT DISTINCT r.rolsuper FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner
	WHERE p.pronamespace = 'platform'::regnamespace}), 't', 'functions belong to a superuser');
like(refused('mallory', 'app', 'SELECT platform.install()'), qr/42501/, 'others may not install');
like(refused('app', 'app', 'DELETE FROM platform.migrations WHERE version = 1'), qr/42501/,
	'the catalogue is read-only');
is(as_role('app', 'app', q{SELECT count(*) FROM platform.schema_migrations WHERE applied_by <> 'app'}), '0',
	'who applied it is recorded');

# a superuser installs for the owner, and gets no table of its own
$node->safe_psql('app', q{
	INSERT INTO platform.migrations (version, module, description, up)
	VALUES (9001, 'test_a', 'one more', 'CREATE TABLE platform.test_a (id integer)')});
is($node->safe_psql('app', q{SELECT version, action FROM platform.install() WHERE action <> 'present'}),
	'9001|applied', 'a superuser applies what is missing');
is(as_role('app', 'app', q{SELECT tableowner FROM pg_tables WHERE tablename = 'test_a'}), 'app',
	'the table is the owner\'s');
isnt(as_role('app', 'app', q{SELECT applied_by FROM platform.schema_migrations WHERE version = 9001}), 'app',
	'the caller is recorded');

# what hangs on the owner's tables gains nothing from the superuser who installs
as_role('app', 'app', q{
	CREATE TABLE public.caught (who text);
	CREATE FUNCTION public.catch() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN INSERT INTO public.caught SELECT current_user; RETURN NULL; END $$;
	CREATE TRIGGER schema_migrations_catch AFTER INSERT ON platform.schema_migrations
		FOR EACH ROW EXECUTE FUNCTION public.catch()});
$node->safe_psql('app', q{
	INSERT INTO platform.migrations (version, module, description, up)
	VALUES (9002, 'test_a', 'and one', 'SELECT 1'), (9003, 'test_a', 'escape', 'SELECT 2');
	SELECT * FROM platform.install()});
is(as_role('app', 'app', 'SELECT DISTINCT who FROM public.caught'), 'app', 'a trigger of the owner runs as the owner');
as_role('app', 'app', q{
	CREATE OR REPLACE FUNCTION public.catch() RETURNS trigger LANGUAGE plpgsql AS $$
		BEGIN SET SESSION AUTHORIZATION DEFAULT; RESET ROLE; RETURN NULL; END $$});
$node->safe_psql('app', q{
	INSERT INTO platform.migrations (version, module, description, up) VALUES (9004, 'test_a', 'escape', 'SELECT 3')});
my ($out, $err);
isnt($node->psql('app', 'SELECT * FROM platform.install()', stdout => \$out, stderr => \$err), 0, 'nor can it become another role');
like($err, qr/cannot set parameter "\w+" within security-/, 'and is told so');

# nor does what the owner put in place of a table
as_role('app', 'app', q{
	DROP TRIGGER schema_migrations_catch ON platform.schema_migrations;
	TRUNCATE public.caught;
	CREATE FUNCTION public.catch_reader() RETURNS text LANGUAGE plpgsql AS $$
		BEGIN INSERT INTO public.caught SELECT current_user; RETURN 'nobody'; END $$;
	DROP TABLE platform.member_roles;
	CREATE VIEW platform.member_roles AS SELECT public.catch_reader() AS role_name, now() AS granted_at});
$node->psql('app', 'SELECT * FROM platform.install()');
$node->psql('app', 'SELECT * FROM platform.verify()');
$node->psql('app', 'SELECT * FROM platform.migration_status()');
$node->psql('app', q{SELECT platform.grant_member('mallory')});
is(as_role('app', 'app', q{SELECT count(*) FROM public.caught WHERE who <> 'app'}), '0', 'a view of the owner runs as the owner');

# a schema that somebody else made first
as_role('mallory', 'planted', 'CREATE SCHEMA platform');
like(refused('app', 'planted', 'CREATE EXTENSION platform'), qr/42501.*schema "platform" belongs to role "mallory"/s,
	'a planted schema is refused');
($out, $err) = ('', '');
isnt($node->psql('planted', 'CREATE EXTENSION platform', stderr => \$err), 0, 'to a superuser as well');
like($err, qr/belongs to role "mallory"/, 'and it is said why');
$node->safe_psql('planted', 'ALTER SCHEMA platform OWNER TO app');
as_role('app', 'planted', 'CREATE EXTENSION platform');
pass('one that was handed over is not');
as_role('app', 'planted', 'DROP EXTENSION platform');
$node->safe_psql('planted', 'ALTER SCHEMA platform OWNER TO CURRENT_USER');
as_role('app', 'planted', 'CREATE EXTENSION platform');
pass('nor is a superuser\'s');

# a role name that needs quotes
as_role('O Brien', 'spaced', 'CREATE EXTENSION platform; SELECT platform.install()');
is(as_role('O Brien', 'spaced', 'SELECT bool_and(passed) FROM platform.verify()'), 't', 'a role name with a space');

# the extension by one role, the tables by another
as_role('app', 'handed', q{
	CREATE EXTENSION platform;
	GRANT USAGE, CREATE ON SCHEMA platform TO deployer;
	GRANT SELECT ON ALL TABLES IN SCHEMA platform TO deployer;
	GRANT EXECUTE ON ALL ROUTINES IN SCHEMA platform TO deployer});
like(refused('deployer', 'handed', 'SELECT platform.install()'), qr/42501.*btree_gist/s,
	'an extension that it needs is not the installer\'s to create');
as_role('app', 'handed', 'CREATE EXTENSION btree_gist');
as_role('deployer', 'handed', 'SELECT platform.install()');
is(as_role('deployer', 'handed', q{SELECT tableowner FROM pg_tables WHERE tablename = 'organizations'}), 'deployer',
	'tables belong to whoever called install()');
like(refused('app', 'handed', 'SELECT platform.install()'), qr/42501.*belong to role "deployer"/s,
	'the extension\'s owner is not the tables\' owner');

$node->stop;
done_testing();
