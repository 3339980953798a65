# Identity at the border of a session: claims by login role as PostgREST hands
# them over, settings that were made before the library is loaded, and an
# extension whose creator is no superuser.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION platform;
	SELECT count(*) FROM platform.install();
	CREATE ROLE authenticated NOLOGIN;
	CREATE ROLE authenticator LOGIN NOINHERIT;
	CREATE ROLE "Gateway" LOGIN NOINHERIT;
	CREATE ROLE someone LOGIN NOINHERIT;
	GRANT authenticated TO authenticator, "Gateway", someone;
	SELECT platform.grant_member('authenticated');
});

my $organization = 'c0de0003-0000-4000-8000-000000000001';
my $claims = qq({"sub":"demo_user","app_metadata":{"organization_id":"$organization","platform_role":"platform_admin"}});
my $context = "E'$organization\\nowner\\n=forged'";
my $me = 'SELECT platform.current_organization_id(), platform.current_subject(), platform.is_admin()';
my $nobody = '||f';

# Output of a script as a login role, and its warnings.
sub as
{
	my ($role, $sql, %more) = @_;
	local $ENV{PGOPTIONS} = $more{options} // '';
	my ($code, $out, $err) = $node->psql($more{dbname} // 'postgres', $sql, on_error_stop => 0,
		extra_params => [ '-U', $role ]);
	return wantarray ? ($out, $err) : $out;
}

# What PostgREST sends for a request, and what is left after it.
sub request { return "SET ROLE authenticated; BEGIN; SET LOCAL request.jwt.claims = '$claims';\n$me;\nCOMMIT;\n$me;"; }

is(as('authenticator', request()), "$organization|demo_user|t\n$nobody", 'authenticator is trusted, until the end of the request');
is(as('someone', request()), "$nobody\n$nobody", 'another login role is not');
is(as('Gateway', request()), "$nobody\n$nobody", 'nor is this one yet');
is(as('someone', "SET SESSION AUTHORIZATION authenticator; SET request.jwt.claims = '$claims'; SET ROLE authenticated;\n$me;"), $nobody,
	'nobody becomes a trusted role');
is(as('someone', "SET ROLE authenticated; $me;", options => "-c request.jwt.claims=" . $claims =~ s/ /\\ /gr), $nobody,
	'nor by connection options');

# ---- the list ----
$node->append_conf('postgresql.conf', qq(platform.trusted_authenticators = 'other, "Gateway"'\n));
$node->reload;
is(as('Gateway', request()), "$organization|demo_user|t\n$nobody", 'listed, with its case');
is(as('authenticator', request()), "$nobody\n$nobody", 'no longer listed');
{
	my $session = $node->background_psql('postgres', extra_params => [ '-U', 'Gateway' ]);
	$session->query("SET ROLE authenticated; SET request.jwt.claims = '$claims'");
	is($session->query($me), "$organization|demo_user|t", 'trusted');
	$node->safe_psql('postgres', 'ALTER ROLE "Gateway" RENAME TO gateway');
	is($session->query($me), $nobody, 'a role that is renamed is not listed any more');
	$node->safe_psql('postgres', 'ALTER ROLE gateway RENAME TO "Gateway"');
	is($session->query($me), "$organization|demo_user|t", 'and listed again');
	$node->append_conf('postgresql.conf', "platform.trusted_authenticators = ''\n");
	$node->reload;
	my $answer;
	for (1 .. 100)
	{
		$answer = $session->query($me);
		last if $answer eq $nobody;
		select undef, undef, undef, 0.1;
	}
	is($answer, $nobody, 'an open session obeys the new list');
	$session->quit;
}
$node->append_conf('postgresql.conf', "platform.trusted_authenticators = 'authenticator'\n");
$node->reload;

# ---- settings made before the library is loaded ----
for my $setting ("platform.context = $context", "platform.trusted_authenticators = 'someone'",
	"platform.jwt_keys_file = '/tmp/mine'", "platform.jwt_issuer = 'mine'")
{
	my ($name) = $setting =~ /^(\S+)/;
	my ($out, $err) = as('someone', "SET $setting; SET request.jwt.claims = '$claims'; SET ROLE authenticated;\n$me;\n$me;");
	is($out, "$nobody\n$nobody", "$name is not adopted");
	like($err, qr/WARNING: .*\Q$name\E/, 'and a warning says so');
	$out = as('someone', "SET ROLE authenticated; BEGIN; SET LOCAL $setting; SET LOCAL request.jwt.claims = '$claims'; SAVEPOINT s; SET LOCAL $setting;\n$me;\nROLLBACK TO s;\n$me;\nCOMMIT;\n$me;");
	is($out, "$nobody\n$nobody\n$nobody", "$name, SET LOCAL");
	$out = as('someone', "SELECT set_config(" . $setting =~ s/^(\S+) = /'$1', /r . ", false) IS NULL; SET request.jwt.claims = '$claims'; SET ROLE authenticated;\n$me;");
	is($out, "f\n$nobody", "$name, set_config()");
}
is(as('someone', "SET request.jwt.claims = '$claims'; SET ROLE authenticated;\n$me;", options => '-c platform.trusted_authenticators=someone'),
	$nobody, 'list by connection option');
is(as('someone', "SET ROLE authenticated;\n$me;", options => "-c platform.context=$organization\\\nowner\\\n"),
	$nobody, 'context by connection option');
{
	# a role's own settings, and a function's, made while the library is not there
	as('someone', "ALTER ROLE someone SET platform.context = $context; ALTER ROLE someone SET platform.trusted_authenticators = 'someone';");
	my ($out) = as('someone', "SET request.jwt.claims = '$claims'; SET ROLE authenticated;\n$me;");
	is($out, $nobody, "a role's settings");
	$node->safe_psql('postgres', 'ALTER ROLE someone RESET ALL; CREATE SCHEMA theirs AUTHORIZATION someone; GRANT USAGE ON SCHEMA theirs TO authenticated;');
	as('someone', "CREATE FUNCTION theirs.forge() RETURNS text LANGUAGE plpgsql SET platform.context = $context AS \$\$ BEGIN RETURN platform.current_subject(); END \$\$;");
	my $err;
	($out, $err) = as('someone', 'SET ROLE authenticated; SELECT theirs.forge();');
	unlike($out, qr/forged/, "a function's setting, library not loaded");
	($out, $err) = as('someone', "SET ROLE authenticated; $me; SELECT theirs.forge();");
	unlike($out, qr/forged/, "a function's setting, library loaded");
}
{
	# even a superuser's are dropped: only the C functions write it
	my ($out, $err) = as($ENV{USER} // $ENV{PGUSER} // (getpwuid($<))[0], "SET platform.context = $context;\n$me;");
	is($out, '||t', 'superuser');
	like($err, qr/WARNING: .*platform\.context/, 'with a warning');
}

# ---- the library in shared_preload_libraries ----
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'platform'\n");
$node->restart;
is(as('authenticator', request()), "$organization|demo_user|t\n$nobody", 'preloaded: trusted');
is(as('someone', request()), "$nobody\n$nobody", 'preloaded: not trusted');
{
	my ($out, $err) = as('someone', "SET platform.context = $context;");
	like($err, qr/permission denied to set parameter "platform.context"/, 'preloaded: context');
	($out, $err) = as('someone', 'SELECT 1', options => "-c platform.context=x");
	like($err, qr/permission denied to set parameter "platform.context"/, 'preloaded: connection option');
}
$node->append_conf('postgresql.conf', "platform.context = 'x'\n");
{
	my $log = -s $node->logfile;
	$node->reload;
	is(as('authenticator', request()), "$organization|demo_user|t\n$nobody", 'context in the file is not adopted');
}

# ---- an owner who is no superuser ----
$node->safe_psql('postgres', 'CREATE ROLE tenant_owner LOGIN CREATEROLE; CREATE DATABASE theirs OWNER tenant_owner;');
{
	my ($out, $err) = as('tenant_owner', "CREATE EXTENSION platform;\nSELECT platform.is_operator();\nSELECT count(*) > 0 FROM platform.install();\nSELECT platform.is_operator();\nSELECT platform.grant_member('authenticated');", dbname => 'theirs');
	is($out, "t\nt\nt\n", 'creates, installs and grants') or diag($err);
	is(as('authenticator', request(), dbname => 'theirs'), "$organization|demo_user|t\n$nobody", 'a member there');
	is(as('someone', 'SELECT platform.is_operator()', dbname => 'theirs'), '', 'a stranger there');
	is(as('tenant_owner', "BEGIN; SELECT FROM platform.set_context('$organization');\nSET LOCAL ROLE authenticated;\n$me;\nROLLBACK;", dbname => 'theirs'),
		'', 'an owner acts as a role only when it may');
	is(as('tenant_owner', "BEGIN; SELECT FROM platform.set_context('$organization', 'x');\n$me;\nROLLBACK;", dbname => 'theirs'),
		"$organization|x|t", 'but sets the context');
	$node->safe_psql('theirs', "SELECT platform.grant_member('authenticated')");
	($out, $err) = as('tenant_owner', "SELECT platform.revoke_member('authenticated');", dbname => 'theirs');
	like($err, qr/WARNING: .*role "authenticated" keeps what role "\S+" granted it/, 'what another granted is told');
	(undef, undef, $err) = $node->psql('theirs', "SELECT platform.revoke_member('authenticated')");
	is($err, '', 'until it is revoked too');
	as('tenant_owner', "SELECT platform.grant_member('authenticated')", dbname => 'theirs');
	(undef, undef, $err) = $node->psql('theirs', "SELECT platform.revoke_member('authenticated')");
	like($err, qr/WARNING: .*role "authenticated" keeps what role "tenant_owner" granted it/, 'and the other way round');
	($out, $err) = as('tenant_owner', "SELECT platform.revoke_member('authenticated');\nSELECT has_function_privilege('authenticated', 'platform.uuid7()', 'EXECUTE');", dbname => 'theirs');
	is($out, "\nf", 'revokes') or diag($err);
}

$node->stop;
done_testing();
