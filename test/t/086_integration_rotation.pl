# Data keys are rotated and accounts re-encrypted while eight sessions write them: nothing
# is unreadable afterwards, nothing that was written is lost, and all stands under active keys.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use PlatformTest;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('rotation');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->append_conf('postgresql.conf', "max_connections = 30\nfsync = off\nlog_min_messages = error\n");
give_root_key($node);
$node->start;
my $dir = PostgreSQL::Test::Utils::tempdir;
sub ask { return $node->safe_psql('postgres', $_[0]); }

ask('CREATE EXTENSION platform; SELECT platform.install()');
ask(q{INSERT INTO platform.integration_accounts (id, account_type, account_name, credentials, access_token)
	SELECT ('86000000-0000-4000-8000-0000000' || 10000 + i)::uuid, 'twilio', 'n' || i, jsonb_build_object('authToken', 'token 0 of ' || i), 'access 0 of ' || i
	FROM generate_series(1, 200) i});

# each writes the next number into both secrets of an account, if it can read them
open my $out, '>', "$dir/write.sql" or die;
print $out q{\set n random(10001, 10200)
UPDATE platform.integration_accounts a SET account_name = account_name || '+', credentials = jsonb_build_object('authToken', format('token %s of %s', length(account_name) - length(rtrim(account_name, '+')) + 1, :n - 10000)),
	access_token = format('access %s of %s', length(account_name) - length(rtrim(account_name, '+')) + 1, :n - 10000) WHERE id = ('86000000-0000-4000-8000-0000000' || :n)::uuid;
SELECT 1 / (problem IS NULL)::integer FROM platform.try_reveal('00000000-0000-0000-0000-000000000000', ('86000000-0000-4000-8000-0000000' || :n)::uuid);
UPDATE platform.integration_accounts SET description = :client_id WHERE id = ('86000000-0000-4000-8000-0000000' || :n)::uuid;
};
close $out;
my ($stdout, $stderr) = ('', '');
my $writers = IPC::Run::start([ 'pgbench', '-n', '-c', '8', '-j', '2', '-T', '5', '-h', $node->host, '-p', $node->port, '-f', "$dir/write.sql", 'postgres' ],
	'>', \$stdout, '2>', \$stderr);
my ($rounds, $renewed) = (0, 0);
while ($writers->pumpable)
{
	ask("SELECT platform.rotate_data_key(organization_id, purpose) FROM platform.data_keys WHERE state = 'active' AND kind = 'secret'");
	$renewed += ask('SELECT platform.reencrypt_credentials(70)') for 1 .. 4;
	$rounds++;
	$writers->pump_nb;
}
ok($writers->finish, 'eight sessions wrote') or diag $stderr;
my ($transactions) = $stdout =~ /number of transactions actually processed: (\d+)/;
cmp_ok($transactions, '>', 100, 'often');
unlike($stderr, qr/ERROR|aborted/, 'and without an error');
cmp_ok($rounds, '>', 2, 'keys were rotated meanwhile');
cmp_ok($renewed, '>', 200, 'and accounts re-encrypted');

my $last = 1;
$last = ask('SELECT platform.reencrypt_credentials()') for 1 .. 3;
is($last, '0', 'in the end nothing is left to do');
is(ask("SELECT count(*) FROM platform.integration_accounts a, platform.try_reveal(organization_id, id) r WHERE r.problem IS NOT NULL"), '0', 'everything is readable');
is(ask("SELECT count(*) FROM platform.integration_accounts a WHERE NOT data_key_ids <@ ARRAY(SELECT id FROM platform.data_keys WHERE state = 'active')"), '0', 'under active keys');
is(ask(q{SELECT count(*) FROM platform.integration_accounts a, platform.reveal_credentials(organization_id, id) r
	WHERE r.credentials ->> 'authToken' <> format('token %s of %s', length(account_name) - length(rtrim(account_name, '+')), substr(rtrim(account_name, '+'), 2))
	OR r.access_token <> format('access %s of %s', length(account_name) - length(rtrim(account_name, '+')), substr(rtrim(account_name, '+'), 2))}),
	'0', 'and what was written last');
is(ask('SELECT name FROM platform.verify() WHERE NOT passed'), '', 'verify() finds nothing');
is(ask('SELECT count(*) FROM platform.verify_secrets() WHERE NOT readable'), '0', 'nor does verify_secrets()');

$node->stop;
done_testing();
