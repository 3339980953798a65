# check_usage() on a physical standby: it answers, also for a period that nobody has
# rolled, sees what was recorded, and nothing is written there; a session that goes on
# asking finds rows that moved meanwhile.
use strict;
use warnings;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $organization = 'f1a90000-0000-4000-8000-000000000001';
my $user = 'f1a90000-0000-4000-8000-0000000000a1';
my $check = "SELECT allowed, reason, used_seconds, remaining_seconds, resets_at > now() FROM platform.check_usage('$organization', '$user')";

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1);
$primary->start;
$primary->safe_psql('postgres', 'CREATE EXTENSION platform; SELECT count(*) FROM platform.install();');
$primary->safe_psql('postgres', qq{
	INSERT INTO platform.organizations (id, name) VALUES ('$organization', 'Standby');
	INSERT INTO platform.users (id, email) VALUES ('$user', 'standby\@example.com');
	INSERT INTO platform.usage_limits (organization_id, user_id, call_cap_seconds, grace_seconds, call_used_seconds, plan_status, tier, tier_snapshot_id, period_start, period_end, period_anchor)
	SELECT '$organization', '$user', 9000, 600, 9600, 'active', 'core', id, now() - interval '100 days', now() - interval '70 days', now() - interval '100 days'
	FROM platform.tier_snapshots WHERE tier_id = 'core';
});
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
# what a statement there may still want is not cleaned up, nor waited for
$standby->append_conf('postgresql.conf', "hot_standby_feedback = on\nwal_receiver_status_interval = 1");
$standby->start;
$primary->wait_for_catchup($standby);

is($standby->safe_psql('postgres', $check), 't|OK|0|18600|t', 'a period that is over counts as rolled');
is($standby->safe_psql('postgres', "SELECT call_used_seconds, period_end < now() FROM platform.usage_limits"), '9600|t', 'and is not');
my ($code, $out, $error) = $standby->psql('postgres', "SELECT platform.record_call_usage('$organization', '$user', 'c', 1)");
like($error, qr/read-only|recovery/, 'nothing is recorded');

$primary->safe_psql('postgres', "SELECT platform.record_call_usage('$organization', '$user', 'c', 18600)");
$primary->wait_for_catchup($standby);
is($standby->safe_psql('postgres', $check), 'f|HARD_STOP|18600|0|t', 'what is recorded is seen');
($code, $out, $error) = $standby->psql('postgres', "\\set VERBOSITY sqlstate\nSELECT platform.require_usage('$organization', '$user')");
like($error, qr/PT429/, 'require_usage() raises');
$primary->safe_psql('postgres', "SELECT platform.apply_top_up('$organization', '$user', 'call_300', 'standby')");
$primary->wait_for_catchup($standby);
is($standby->safe_psql('postgres', $check), 't|OK|18600|18000|t', 'what is bought is seen');

# One statement that asks sixty times, while the primary records and moves the row.
my $seen = '';
my $asks = IPC::Run::start([ 'psql', '-X', '-q', '-A', '-t', '-h', $standby->host, '-p', $standby->port, '-d', 'postgres', '-c',
		qq{SELECT (platform.check_usage('$organization', '$user')).used_seconds FROM generate_series(1, 60) i, LATERAL (SELECT pg_sleep(0.1 + i * 0)) s} ],
	'<', \undef, '>', \$seen);
usleep(1_500_000);	# the primary knows of it by then
for my $call (1 .. 12)
{
	$primary->safe_psql('postgres', qq{
		SELECT platform.record_call_usage('$organization', '$user', 'moved-$call', 1);
		UPDATE platform.usage_limits SET force_reason = repeat('x', 200 * $call), updated_at = now() WHERE user_id = '$user'});
	$primary->safe_psql('postgres', 'VACUUM platform.usage_limits') if $call % 4 == 0;
}
$asks->finish;
my @seen = grep { /\d/ } split /\n/, $seen;
is(scalar @seen, 60, 'every question is answered');
is(join(' ', @seen), join(' ', sort { $a <=> $b } @seen), 'no answer is older than the one before');
cmp_ok($seen[-1] - $seen[0], '>', 1, 'and they are of now, not of when the statement began');
$primary->wait_for_catchup($standby);
is($standby->safe_psql('postgres', $check), 't|OK|18612|17988|t', 'at the end all is seen');
done_testing();
