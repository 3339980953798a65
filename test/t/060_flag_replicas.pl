# Kill switches beyond one server's sessions: on a logical subscriber, on a
# physical standby, and by the setting for the day the tables cannot be written.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $organization = 'f1a80000-0000-4000-8000-000000000001';
my $check = "SELECT platform.is_feature_enabled('$organization', 'recording')";
my $why = "SELECT reason, layer FROM platform.explain_feature('$organization', 'recording')";

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 'logical');
$primary->start;
my $install = 'CREATE EXTENSION platform; SELECT count(*) FROM platform.install();';
$primary->safe_psql('postgres', $install);
$primary->safe_psql('postgres', qq{
	INSERT INTO platform.organizations (id, name) VALUES ('$organization', 'Replicated');
	CREATE PUBLICATION flags FOR TABLE platform.organizations, platform.global_feature_flags, platform.tier_features,
		platform.org_feature_flags, platform.tenant_feature_flags, platform.feature_credits,
		platform.feature_flag_history, platform.global_feature_flag_history;
});

sub primary { return $primary->safe_psql('postgres', $_[0]); }

# Asks until the answer is as expected; fails with the last one after a while.
sub becomes
{
	my ($session, $query, $expected, $name) = @_;
	my $answer;
	for (1 .. 100 * $PostgreSQL::Test::Utils::timeout_default / 60)
	{
		$answer = $session->query_safe($query);
		last if $answer eq $expected;
		select(undef, undef, undef, 0.1);
	}
	return is($answer, $expected, $name);
}

# ---- logical replication ----
my $subscriber = PostgreSQL::Test::Cluster->new('subscriber');
$subscriber->init;
$subscriber->start;
$subscriber->safe_psql('postgres', $install);
# what both have made for themselves comes from the publisher
$subscriber->safe_psql('postgres', 'DELETE FROM platform.global_feature_flags; DELETE FROM platform.organizations');
$subscriber->safe_psql('postgres', 'CREATE SUBSCRIPTION flags CONNECTION $$' . $primary->connstr('postgres') . '$$ PUBLICATION flags');
$subscriber->wait_for_subscription_sync($primary, 'flags');

my $open = $subscriber->background_psql('postgres');
my $repeatable = $subscriber->background_psql('postgres');
is($open->query_safe($check), 't', 'subscriber: enabled');
$repeatable->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
is($repeatable->query_safe($check), 't', 'subscriber: enabled in a transaction');

my $recorded = "SELECT count(*) FROM platform.global_feature_flag_history WHERE feature = 'recording' AND reason = 'incident'";
primary("SELECT platform.set_global_feature_flag('recording', false, 'incident')");
$primary->wait_for_catchup('flags');
is($open->query_safe($check), 'f', 'subscriber: killed in an open session');
is($repeatable->query_safe($check), 'f', 'subscriber: killed in an open REPEATABLE READ transaction');
is($open->query_safe($recorded), '1', 'subscriber: the history has it once');
primary("SELECT platform.set_global_feature_flag('recording', true)");
$primary->wait_for_catchup('flags');
is($open->query_safe($check), 't', 'subscriber: lifted');

primary("SELECT platform.set_feature_flag('$organization', 'recording', false)");
$primary->wait_for_catchup('flags');
is($open->query_safe($why), 'ORG_OVERRIDE|org_feature_flags', 'subscriber: an organization\'s row');
is($repeatable->query_safe($check), 'f', 'subscriber: in the transaction too');
primary("DELETE FROM platform.org_feature_flags");
$primary->wait_for_catchup('flags');
is($open->query_safe($check), 't', 'subscriber: the row is gone');
primary("UPDATE platform.organizations SET status = 'suspended' WHERE id = '$organization'");
$primary->wait_for_catchup('flags');
is($open->query_safe($why), 'ORG_INACTIVE|organizations', 'subscriber: an organization\'s state');
primary("UPDATE platform.organizations SET status = 'active' WHERE id = '$organization'");
primary("INSERT INTO platform.tier_features (tier, feature, enabled) VALUES ('core', 'recording', false)");
$primary->wait_for_catchup('flags');
is($open->query_safe($why), 'PLAN|tier_features', 'subscriber: a plan');
# a TRUNCATE that the publisher lets through; it waits for who has read the table
$repeatable->query_safe('COMMIT');
primary('ALTER TABLE platform.tier_features DISABLE TRIGGER tier_features_refuse_truncate; TRUNCATE platform.tier_features;
	ALTER TABLE platform.tier_features ENABLE TRIGGER tier_features_refuse_truncate');
$primary->wait_for_catchup('flags');
is($open->query_safe($why), 'DEFAULT|default', 'subscriber: a TRUNCATE');
$open->quit;
$repeatable->quit;
$subscriber->stop;
primary("SELECT pg_drop_replication_slot('flags')");

# ---- a hot standby ----
$primary->backup('standby');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'standby', has_streaming => 1);
$standby->start;
$open = $standby->background_psql('postgres');
$repeatable = $standby->background_psql('postgres');
is($open->query_safe($check), 't', 'standby: enabled');
$repeatable->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
is($repeatable->query_safe($check), 't', 'standby: enabled in a transaction');
primary("SELECT platform.set_global_feature_flag('recording', false)");
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('flush'));
is($open->query_safe($check), 'f', 'standby: killed in an open session');
is($repeatable->query_safe($check), 'f', 'standby: killed in an open REPEATABLE READ transaction');
is($open->query_safe("SELECT count(*) FROM platform.organizations_with_feature('recording')"), '0', 'standby: lists');
is($open->query_safe("SELECT enabled, reason FROM platform.feature_state_at('$organization', 'recording', now())"), 'f|KILLED', 'standby: history');
primary("SELECT platform.set_global_feature_flag('recording', true)");
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('flush'));
is($open->query_safe($check), 't', 'standby: lifted');

# ---- the setting, where nothing can be written ----
$standby->append_conf('postgresql.conf', "platform.kill_switches = 'survey, Recording'\n");
$standby->reload;
becomes($open, $check, 'f', 'setting: killed in an open session');
is($open->query_safe($why), 'KILLED|platform.kill_switches', 'setting: explained');
becomes($repeatable, $check, 'f', 'setting: in an open transaction');
is($open->query_safe("SELECT platform.is_feature_enabled('$organization', 'webhooks')"), 't', 'setting: others are not killed');
# a list that is not well written kills what it names all the same
$standby->append_conf('postgresql.conf', qq(platform.kill_switches = 'webhooks,,no such; "Survey"'\n));
$standby->reload;
becomes($open, "$check, " . join(', ', map { "platform.is_feature_enabled('$organization', '$_')" } qw(webhooks survey translation)),
	't|f|f|t', 'setting: other features');
$standby->append_conf('postgresql.conf', "platform.kill_switches = ''\n");
$standby->reload;
becomes($open, $check, 't', 'setting: lifted');

# ---- by SQL on the primary ----
my $session = $primary->background_psql('postgres');
is($session->query_safe($check), 't', 'primary: enabled');
primary("LOAD 'platform'; ALTER SYSTEM SET platform.kill_switches = recording, survey");
$primary->reload;
becomes($session, $check, 'f', 'ALTER SYSTEM: killed');
my ($code, $out, $err) = $primary->psql('postgres', "LOAD 'platform'; SET platform.kill_switches = ''");
like($err, qr/cannot be changed now/, 'no session lifts it for itself');
primary("LOAD 'platform'; ALTER SYSTEM RESET platform.kill_switches");
$primary->reload;
becomes($session, $check, 't', 'ALTER SYSTEM: lifted');

$_->quit for ($open, $repeatable, $session);
$standby->stop;
$primary->stop;
done_testing();
