# Calls with what they need and no more: no webhooks, no usage, no audit trail. Each
# is taken into account from the moment that it is installed, in open sessions too.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $org = 'ca7a10e0-0000-4000-8000-000000000001';
my $node = PostgreSQL::Test::Cluster->new('alone');
$node->init;
$node->start;

sub run_sql { return $node->safe_psql('postgres', $_[0]); }

run_sql('CREATE EXTENSION platform');
is(run_sql(q{SELECT string_agg(DISTINCT module, ',' ORDER BY module) FROM platform.install('{calls}')}),
	'calls,capabilities,credentials,features,migrate,tenants', 'calls bring what they need');
is(run_sql('SELECT name, detail FROM platform.verify() WHERE NOT passed'), '', 'sound');
run_sql(qq{
	INSERT INTO platform.organizations (id, name, settings) VALUES ('$org', 'Alone', '{"features": {"callEnabled": true}}');
	INSERT INTO platform.users (id, email) VALUES ('ca7a10e0-0000-4000-8000-0000000000a1', 'ada\@alone.example');
	INSERT INTO platform.chatbots (id, organization_id, name, enabled_call) VALUES ('ca7a10e0-0000-4000-8000-0000000000c1', '$org', 'Bot', true)});
my $bot = 'ca7a10e0-0000-4000-8000-0000000000c1';
is(run_sql("SELECT * FROM platform.chatbot_capabilities('$org', '$bot')"), 't|t|OPEN|', 'the gates of modules that are not there are open');

# One session through everything, a call from start to end for each state of the installation.
my $call = qq{
	SELECT id AS call FROM platform.start_call('$org', '$bot') \\gset
	SELECT outcome, talk_seconds FROM platform.advance_call('$org', :'call'::uuid, 'completed', duration => 5);
	SELECT outcome FROM platform.correct_call('$org', :'call', 'it failed', 'failed');
	SELECT platform.set_call_disposition('$org', :'call', 'sale') ->> 'disposition';
	SELECT platform.add_call_recording('$org', :'call', 'https://storage.example/1') IS NOT NULL;
	SELECT platform.add_transcript('$org', :'call', 'user', 'refund', 0, 5) IS NOT NULL;
	SELECT platform.complete_call_transcript('$org', :'call');
	SELECT s.status FROM platform.create_webrtc_session('$org', user_id => 'ca7a10e0-0000-4000-8000-0000000000a1') t, platform.authenticate_webrtc_session(t.session_token) s;
	SELECT platform.finish_dialer_job('$org', j.id, j.lease_id) FROM platform.enqueue_dialer_job('$org', '3125550100') q,
		LATERAL (SELECT * FROM platform.claim_dialer_jobs('$org') WHERE q IS NOT NULL) j;
};
my $course = "advanced|5\ncorrected\nsale\nt\nt\nt\ninitializing\ndone";
is(run_sql(qq{$call
	SELECT to_regclass('platform.webhook_events') IS NULL;
	SELECT count(*) FROM platform.install('{webhooks,ops}') WHERE action = 'applied' \\gset installed_
	$call
	SELECT string_agg(event_type, ' ' ORDER BY id) FROM platform.webhook_events;
	SELECT string_agg(action, ' ') FROM platform.audit_logs WHERE action = 'call_corrected';
	SELECT count(*) FROM platform.install('{usage}') WHERE action = 'applied' \\gset installed_
	SELECT changed FROM platform.apply_tier('$org', 'ca7a10e0-0000-4000-8000-0000000000a1', 'core');
	SELECT limit_state FROM platform.record_call_usage('$org', 'ca7a10e0-0000-4000-8000-0000000000a1', 'all', 1000000);
	SELECT * FROM platform.can_place_call('$org', '$bot')}),
	"$course\nt\n$course\ncall.started call.answered call.completed call.failed call.disposition_set recording.available transcript.completed recording.transcribed"
	. "\ncall_corrected\nt\nhard\nf|HARD_STOP|usage", 'webhooks, the audit trail and usage from when they are there');
is(run_sql('SELECT bool_and(passed) FROM platform.verify()'), 't', 'sound');

# and back
my ($version) = run_sql("SELECT max(version) FROM platform.schema_migrations WHERE module = 'calls'");
run_sql("SELECT count(*) FROM platform.rollback($version)");
is(run_sql($call), $course, 'without them again');

$node->stop;
done_testing();
