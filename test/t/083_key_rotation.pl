# Eight sessions write and read secrets while root and data keys are rotated, what is
# under old keys is re-encrypted and old keys are destroyed: nothing is ever unreadable.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
my $dir = PostgreSQL::Test::Utils::tempdir;
my $file = "$dir/root_key";
sub write_key
{
	my (@versions) = @_;
	umask 077;
	open my $out, '>', "$file.new" or die;
	print $out map { "$_:" . sprintf('%02x', $_ + 16) x 32 . "\n" } @versions;
	close $out;
	rename "$file.new", $file or die;
	return;
}
write_key(1);
$node->append_conf('postgresql.conf', "platform.root_key_file = '$file'\nmax_connections = 30\nfsync = off\n");
$node->start;
sub ask { return $node->safe_psql('postgres', $_[0]); }

# Four organizations, of which the sessions make the keys, too.
ask(q{
	CREATE EXTENSION platform;
	SELECT platform.install();
	INSERT INTO platform.organizations (id, name) SELECT ('83000000-0000-4000-8000-00000000000' || n)::uuid, 'Organization ' || n FROM generate_series(1, 4) n;
	CREATE TABLE vault (id uuid NOT NULL, organization_id uuid NOT NULL, secret text NOT NULL, PRIMARY KEY (id, organization_id));
	INSERT INTO platform.secret_columns VALUES ('public', 'vault', 'secret', 'vault.secret')});
my $script = "$dir/write.sql";
open my $out, '>', $script or die;
print $out q{\set n random(1, 4)
\set r random(1, 200)
BEGIN;
INSERT INTO vault SELECT id, o, platform.encrypt_secret(o, 'vault.secret', id, 'secret')
FROM (SELECT lpad(to_hex(:r), 8, '0')::text || '-0000-4000-8000-000000000000' AS i, ('83000000-0000-4000-8000-00000000000' || :n)::uuid AS o) v,
	LATERAL (SELECT i::uuid AS id) w
ON CONFLICT (id, organization_id) DO UPDATE SET secret = excluded.secret;
SELECT platform.decrypt_secret(organization_id, 'vault.secret', id, secret) FROM vault
WHERE id = (lpad(to_hex(:r), 8, '0') || '-0000-4000-8000-000000000000')::uuid AND organization_id = ('83000000-0000-4000-8000-00000000000' || :n)::uuid;
COMMIT;
};
close $out;

my ($stdout, $stderr) = ('', '');
my $writers = IPC::Run::start([ 'pgbench', '-n', '-h', $node->host, '-p', $node->port, '-c', '8', '-j', '2', '-T', '6', '-f', $script, 'postgres' ],
	'>', \$stdout, '2>', \$stderr);

my ($destroyed, $refused) = (0, 0);
my $rounds = 4;
for my $round (1 .. $rounds)
{
	write_key($round, $round + 1);
	ask('SELECT platform.rotate_root_key()');
	write_key($round + 1);
	ask("SELECT platform.rotate_data_key(id, 'vault.secret') FROM platform.organizations WHERE name LIKE 'Organization%'");
	ask("UPDATE vault SET secret = platform.reencrypt_secret(organization_id, 'vault.secret', id, secret) WHERE true");
	# A session may have written under an old key meanwhile: then it is refused.
	my $sql = ask(q{SELECT format('SELECT platform.destroy_data_key(%L, %L, %s);', organization_id, purpose, id) FROM platform.data_keys WHERE state = 'decrypt_only'});
	my ($code, $result, $error) = $node->psql('postgres', "\\set VERBOSITY sqlstate\n$sql", on_error_stop => 0);
	$destroyed += () = $result =~ /^1$/mg;
	$refused += () = $error =~ /PT409/g;
	$error =~ s/^.*ERROR:  PT409\n?//mg;
	is($error, '', "round $round: destroyed or refused");
	select undef, undef, undef, 0.5;
}
$writers->finish;
is($writers->result(0), 0, 'no session failed') or diag($stderr);
like($stdout, qr/number of failed transactions: 0 /, 'no transaction failed');
like($stdout, qr/number of transactions actually processed: \d{2,}/, 'they wrote');
note("$destroyed data keys destroyed, $refused in use");
is(ask("SELECT version FROM platform.root_keys WHERE state = 'active'"), $rounds + 1, 'the root key was rotated');
cmp_ok($destroyed, '>', 4, 'data keys were destroyed');
is(ask('SELECT readable, reason, sum(secrets) = (SELECT count(*) FROM vault) FROM platform.verify_secrets() GROUP BY 1, 2'), 't||t', 'every secret can be read');
is(ask("SELECT count(*), bool_and(plaintext = 'secret') FROM vault, platform.try_decrypt_secret(organization_id, 'vault.secret', id, secret)"),
	ask('SELECT count(*) FROM vault') . '|t', 'and is what it was');
is(ask("SELECT count(DISTINCT root_version) FROM platform.data_keys WHERE wrapped IS NOT NULL"), '1', 'all keys are under one root key');
is(ask("SELECT max(n) FROM (SELECT count(*) AS n FROM platform.data_keys WHERE state = 'active' GROUP BY organization_id, purpose) s"), '1', 'one active key each');
is(ask('SELECT name, detail FROM platform.verify() WHERE NOT passed'), '', 'verify() finds nothing');

$node->stop;
done_testing();
