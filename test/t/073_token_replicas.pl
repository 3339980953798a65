# Accounts and entries elsewhere: a logical subscriber gets what the functions wrote past
# the executor, and works on from there; one organization alone; a standby reads.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $org = '73000000-0000-4000-8000-000000000001';
my $other = '73000000-0000-4000-8000-000000000002';
my @tables = qw(organizations user_accounts token_usage token_grants token_holds token_purchases low_balance_events call_sessions unbilled_usage);
my $install = 'CREATE EXTENSION platform; SELECT count(*) FROM platform.install();';

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 'logical');
$primary->start;
$primary->safe_psql('postgres', $install);
$primary->safe_psql('postgres', "INSERT INTO platform.organizations (id, name) VALUES ('$org', 'One'), ('$other', 'Two')");
$primary->safe_psql('postgres', 'CREATE PUBLICATION ledger FOR TABLE ' . join(', ', map { "platform.$_" } @tables));
# (the tables' primary keys hold the organization, so a filter may name it)
$primary->safe_psql('postgres', 'CREATE PUBLICATION one FOR TABLE ' . join(', ', map {
	my $column = $_ eq 'organizations' ? 'id' : 'organization_id';
	"platform.$_ WHERE ($column = '$org')" } @tables));

sub subscriber
{
	my ($name, $publication) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init;
	$node->start;
	$node->safe_psql('postgres', $install);
	$node->safe_psql('postgres', 'DELETE FROM platform.organizations');
	$node->safe_psql('postgres', "CREATE SUBSCRIPTION $name CONNECTION \$\$" . $primary->connstr('postgres') . "\$\$ PUBLICATION $publication");
	$node->wait_for_subscription_sync($primary, $name);
	return $node;
}
my $all = subscriber('all_of_it', 'ledger');
my $part = subscriber('part', 'one');

$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

# every way in which rows are written: one by one, many at once, updates on the page and beyond it
for my $o ($org, $other)
{
	$primary->safe_psql('postgres', qq{
		INSERT INTO platform.user_accounts (organization_id, user_id, tokens_remaining, low_balance_thresholds) SELECT '$o', 'user' || i, 1000, '{990}' FROM generate_series(1, 20) i;
		SELECT FROM generate_series(1, 300) i, platform.burn_tokens('$o', 'user' || 1 + i % 20, 1 + i % 3, idempotency_key => 'k' || i);
		SELECT FROM platform.grant_tokens('$o', 'user1', 50, expires_at => now() + '1 day', reason => repeat('x', 3000));
		SELECT FROM platform.transfer_tokens('$o', 'user1', 'user2', 60);
		SELECT FROM platform.reserve_tokens('$o', 'user3', 10) h, platform.capture_tokens('$o', h.hold_id, 4);
		SELECT FROM platform.reserve_tokens('$o', 'user4', 10);
		SELECT FROM platform.purchase_tokens('$o', 'user5', '100 tokens', 'pi $o');
		SELECT FROM platform.refund_tokens('$o', (SELECT id FROM platform.token_usage WHERE organization_id = '$o' AND idempotency_key = 'k7'));
		BEGIN; SELECT FROM platform.burn_tokens('$o', 'user6', 5); ROLLBACK;
		INSERT INTO platform.call_sessions (organization_id, room_id, mode, user_id, start_time) SELECT '$o', 'room', 'video', 'user' || 1 + i % 25, now() - interval '100 s' FROM generate_series(1, 200) i;
	});
}
is($primary->safe_psql('postgres', 'SELECT metered, tokens, unbilled FROM platform.meter_active_sessions()'), '400|1280|320', 'calls are metered, those without an account as debts');

sub sums
{
	my ($node, $of) = @_;
	my $where = "organization_id = '$of'";

	return $node->safe_psql('postgres', "SELECT user_id, tokens_remaining, held, version, open_grants FROM platform.user_accounts WHERE $where ORDER BY 1;
		SELECT count(*), sum(amount), sum(balance_after), sum(version), md5(string_agg(id::text || user_id || coalesce(session_id, '') || coalesce(reason, ''), ',' ORDER BY id)) FROM platform.token_usage WHERE $where;
		SELECT count(*), sum(charged), sum(sequence) FROM platform.call_sessions WHERE $where; SELECT count(*), sum(tokens) FROM platform.unbilled_usage WHERE $where;
		SELECT count(*) FROM platform.low_balance_events WHERE $where");
}
$primary->wait_for_catchup($_) for qw(all_of_it part standby);
for my $of ($org, $other)
{
	my $expected = sums($primary, $of);
	is(sums($all, $of), $expected, "the subscriber has the rows of $of");
	is(sums($standby, $of), $expected, "the standby has the rows of $of");
}
is(sums($part, $org), sums($primary, $org), 'one organization alone');
is($part->safe_psql('postgres', "SELECT count(*) FROM platform.token_usage WHERE organization_id <> '$org'"), '0', 'and nothing of another');
for my $node ($primary, $standby, $all, $part)
{
	is($node->safe_psql('postgres', 'SELECT * FROM platform.verify_token_accounts()'), '', $node->name . ': invariants hold');
}

# a standby reads and refuses to write
like($standby->safe_psql('postgres', "SELECT balance, available FROM platform.token_balance('$org', 'user4'); SELECT count(*) > 10 FROM platform.token_statement('$org', 'user4'); SELECT platform.token_balance_at('$org', 'user4', 'infinity') > 0"),
	qr/^\d+\|\d+\nt\nt$/, 'balances and statements on a standby');
my ($code, $out, $err) = $standby->psql('postgres', "SELECT platform.burn_tokens('$org', 'user1', 1)");
like($err, qr/cannot execute .* in a read-only transaction/, 'no burn on a standby');

# the organization that moved goes on where it is: keys are known, calls are metered from where they were
$part->safe_psql('postgres', 'ALTER SUBSCRIPTION part DISABLE; ALTER SUBSCRIPTION part SET (slot_name = NONE); DROP SUBSCRIPTION part');
is($part->safe_psql('postgres', "SELECT burned, duplicate FROM platform.burn_tokens('$org', 'user2', 2, idempotency_key => 'k1')"), '2|t', 'a key is known where the account moved');
is($part->safe_psql('postgres', 'SELECT metered, tokens FROM platform.meter_active_sessions()'), '0|0', 'what was metered stays metered');
is($part->safe_psql('postgres', "SELECT count(*), sum((platform.end_call_session(id)).charged) FROM platform.call_sessions"), '200|800', 'calls end there');
is($part->safe_psql('postgres', 'SELECT * FROM platform.verify_token_accounts()'), '', 'invariants hold');

$_->stop for $part, $all, $standby, $primary;
done_testing();
