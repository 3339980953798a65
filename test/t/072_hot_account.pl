# One account that 64 sessions use up at once, in each mode: to the last token, none
# twice, nobody waits in a circle; with others that move tokens in and out meanwhile.
use strict;
use warnings;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $sessions = 64;
my $each = 25;
my $org = '00000000-0000-0000-0000-000000000000';
my $node = PostgreSQL::Test::Cluster->new('hot');
$node->init;
$node->append_conf('postgresql.conf', q{
max_connections = 100
deadlock_timeout = 50ms
fsync = on
log_min_messages = fatal
});
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION platform;
	SELECT count(*) FROM platform.install();
	CREATE TABLE told (account text, burned bigint, shortfall bigint, status text);
});

my $runs = 0;

# All sessions burn from the account what is said, each as often as is said; what
# they were told is written down in the same transaction.
sub burn_at_once
{
	my ($account, $amount, $mode) = @_;
	my $file = $node->basedir . '/burn' . ++$runs . '.sql';

	append_to_file($file, "INSERT INTO told SELECT '$account', burned, shortfall, status\n"
		. "FROM platform.burn_tokens('$org', '$account', $amount, idempotency_key => :client_id || ' ' || nextval('keys'), on_insufficient => '$mode');\n");
	return [ 'pgbench', '-n', '-M', 'prepared', '-h', $node->host, '-p', $node->port, '-c', $sessions, '-j', '2',
		'-t', $each, '-f', $file, 'postgres' ];
}

sub run
{
	my ($name, $command) = @_;
	my ($out, $err) = ('', '');

	ok(IPC::Run::run($command, '<', \undef, '>', \$out, '2>', \$err), "$name: nobody fails") or diag($err);
	unlike($err, qr/deadlock|ERROR/, "$name: no deadlock");
	return;
}

sub told
{
	my ($account) = @_;
	return $node->safe_psql('postgres', "SELECT status, count(*), sum(burned), sum(shortfall) FROM told WHERE account = '$account' GROUP BY 1 ORDER BY status COLLATE \"C\"");
}

sub state
{
	my ($account) = @_;
	return $node->safe_psql('postgres', "SELECT tokens_remaining, version FROM platform.user_accounts WHERE user_id = '$account'");
}

$node->safe_psql('postgres', 'CREATE SEQUENCE keys');
my $all = $sessions * $each;

# by ones: the last token is one session's
my $tokens = $all - 477;
$node->safe_psql('postgres', "INSERT INTO platform.user_accounts (user_id, tokens_remaining) VALUES ('ones', $tokens)");
run('by ones', burn_at_once('ones', 1, 'reject'));
is(told('ones'), "insufficient|477|0|477\nok|$tokens|$tokens|0", 'as many burns as tokens');
is(state('ones'), '0|' . ($tokens + 1), 'down to nothing');

# by twos, of an odd number: the remainder of one stays, and 64 who want what there is get it once
$node->safe_psql('postgres', "INSERT INTO platform.user_accounts (user_id, tokens_remaining) VALUES ('twos', 2 * $tokens + 1)");
run('by twos', burn_at_once('twos', 2, 'reject'));
is(told('twos'), "insufficient|477|0|954\nok|$tokens|" . 2 * $tokens . '|0', 'as many burns as pairs');
is(state('twos'), '1|' . ($tokens + 1), 'one token is left');
$node->safe_psql('postgres', 'TRUNCATE told');
run('the remainder', burn_at_once('twos', 2, 'partial'));
is(told('twos'), 'insufficient|' . ($all - 1) . '|0|' . 2 * ($all - 1) . "\npartial|1|1|1", 'one session gets the last token');
is(state('twos'), '0|' . ($tokens + 2), 'and nothing is left');

# by threes down to the overdraft limit, of which a remainder of one cannot be used
$node->safe_psql('postgres', "INSERT INTO platform.user_accounts (user_id, tokens_remaining, overdraft_limit) VALUES ('threes', 3 * $tokens, 31)");
run('by threes', burn_at_once('threes', 3, 'overdraft'));
is(told('threes'), 'insufficient|467|0|' . 3 * 467 . "\nok|$tokens|" . 3 * $tokens . "|0\noverdraft|10|30|0", 'ten burns more than there was');
is(state('threes'), '-30|' . ($tokens + 11), 'one token before the limit');

# while others put tokens in and take them out again, by transfers in both directions and holds
my $busy = $node->basedir . '/busy.sql';
append_to_file($busy, qq{
\\set way random(0, 3)
\\if :way = 0
SELECT FROM platform.transfer_tokens('$org', 'bank', 'shared', 2);
\\elif :way = 1
SELECT CASE WHEN available >= 1000 THEN (SELECT from_remaining FROM platform.transfer_tokens('$org', 'shared', 'bank', 1)) END FROM platform.token_balance('$org', 'shared');
\\elif :way = 2
SELECT coalesce(hold_id, platform.uuid7()) AS hold, coalesce(reserved, 0) AS reserved FROM platform.reserve_tokens('$org', 'shared', 3) \\gset
\\if :reserved
SELECT FROM platform.capture_tokens('$org', ':hold', 1);
\\endif
\\else
SELECT FROM platform.grant_tokens('$org', 'shared', 1, expires_at => clock_timestamp() + '10 ms');
\\endif
});
$node->safe_psql('postgres', "INSERT INTO platform.user_accounts (user_id, tokens_remaining) VALUES ('shared', 1500), ('bank', 100000)");
my ($out, $err) = ('', '');
my $others = IPC::Run::start([ 'pgbench', '-n', '-h', $node->host, '-p', $node->port, '-c', '8', '-j', '2', '-t', '60', '-f', $busy, 'postgres' ],
	'<', \undef, '>', \$out, '2>', \$err);
run('with others', burn_at_once('shared', 1, 'reject'));
IPC::Run::finish($others);
unlike($err, qr/deadlock|ERROR/, 'nor do the others fail');
is($node->safe_psql('postgres', "SELECT sum(burned) FROM told WHERE account = 'shared'"),
	$node->safe_psql('postgres', "SELECT sum(tokens_used) FROM platform.token_usage WHERE user_id = 'shared' AND kind = 'burn'"), 'what was told was burned');

is($node->safe_psql('postgres', 'SELECT * FROM platform.verify_token_accounts()'), '', 'invariants hold');
is($node->safe_psql('postgres', 'SELECT * FROM platform.reconcile_tokens()'), '', 'nothing to reconcile');
$node->stop;
done_testing();
