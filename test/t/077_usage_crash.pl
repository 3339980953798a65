# Usage recorded by ten sessions while backends and the server are killed. Each report of
# a call or message is sent by two sessions, in their own orders, corrections among
# them, and sent again after the crash, as providers do: what was acknowledged is there,
# every report is there once, counters are the sums of their events, what was rolled
# back is not there, and indexes have every row.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use PlatformTest;
use Test::More;
use Time::HiRes qw(usleep);

my $sessions = 10;
my $customers = 25;
my $calls = $ENV{USAGE_CRASH_CALLS} // 500;
my $seed = $ENV{USAGE_CRASH_SEED} // time;
srand $seed;
note "seed $seed";

my $org = '7d700000-0000-4000-8000-000000000001';
my $node = PostgreSQL::Test::Cluster->new('usage_crash');
$node->init;
$node->append_conf('postgresql.conf', "max_connections = 50\nrestart_after_crash = on\nfsync = on\nlog_statement = none");
$node->start;

sub ask { return $node->safe_psql('postgres', $_[0]); }

ask(qq{
	CREATE EXTENSION platform;
	SELECT count(*) FROM platform.install();
	INSERT INTO platform.organizations (id, name) VALUES ('$org', 'Crash');
	INSERT INTO platform.users (id, email)
		SELECT ('7d700000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid, 'crash-' || i || '\@example.com' FROM generate_series(1, $customers) i;
	SELECT count(platform.apply_tier('$org', id, 'core', starts_at => now() - interval '40 days')) FROM platform.users WHERE email LIKE 'crash-%';
	SELECT count(platform.apply_top_up('$org', id, 'sms_1000', 'crash-' || id)) FROM platform.users WHERE email LIKE 'crash-%';
	CREATE TABLE acknowledged (round integer, kind text, event text, id uuid);
});
my $has_amcheck = ($node->psql('postgres', 'CREATE EXTENSION amcheck'))[0] == 0;

sub user { return sprintf "'7d700000-0000-4000-8000-%012d'", 1 + $_[0] % $customers; }

# Reports of a round: text of a statement that answers "kind|event|id", by its name.
sub reports
{
	my ($round) = @_;
	my %reports;
	for my $call (1 .. $calls)
	{
		my $user = user($call);
		my $at = rand() < 0.1 ? q{now() - interval '35 days'} : 'NULL';
		for my $report (1 .. 1 + int rand 2.5)
		{
			my $event = "$round-$call-$report";
			my $seconds = int rand 60;
			$reports{"c$event"} = rand() < 0.7
				? "SELECT 'call', '$event', id FROM platform.record_call_usage('$org', $user, 'call-$round-$call', $seconds, $at, event_id => '$event');"
				: "SELECT 'sms', '$event', id FROM platform.record_sms_usage('$org', $user, 'sms-$round-$call-$report', 1 + $seconds % 3, event_id => '$event');";
		}
	}
	for my $number (1 .. $calls / 10)
	{
		my $user = user($number);
		# set aside, then sent
		$reports{"r$number"} = qq{SELECT 'sms', '$round-r-$number', c.id FROM platform.reserve_sms('$org', $user, 2, '1 day', 'k-$round-$number') r,
			LATERAL platform.commit_sms('$org', r.reservation_id, 'sent-$round-$number', 2) c WHERE r.allowed;};
		# changed its mind
		$reports{"x$number"} = "BEGIN; SELECT 'x' FROM platform.record_call_usage('$org', $user, 'phantom-$round-$number', 30); ROLLBACK;";
	}
	return %reports;
}

# One file a session; each report is in two of them.
sub scripts
{
	my ($round, %reports) = @_;
	my @of_session = map { [] } 1 .. $sessions;
	for my $name (sort keys %reports)
	{
		my $first = int rand $sessions;
		push @{ $of_session[$first] }, $reports{$name};
		push @{ $of_session[ ($first + 1 + int rand($sessions - 1)) % $sessions ] }, $reports{$name};
	}
	my @files;
	for my $session (0 .. $sessions - 1)
	{
		my $file = $node->basedir . "/round$round-$session.sql";
		append_to_file($file, join "\n", sort { rand() <=> 0.5 } @{ $of_session[$session] });
		push @files, $file;
	}
	return @files;
}

sub send_reports
{
	my ($round, @files) = @_;
	my @runs;
	for my $file (@files)
	{
		# psql writes an answer out before it asks the next thing, and survives the server
		push @runs, IPC::Run::start([ 'psql', '-X', '-q', '-A', '-t', '-h', $node->host, '-p', $node->port, '-d', 'postgres', '-f', $file ],
			'<', \undef, '>>', "$file.out", '2>>', "$file.err");
	}
	return @runs;
}

sub read_answers
{
	my ($round, @files) = @_;
	my $copy = $node->basedir . "/answers$round.csv";
	my (%seen, %answers);
	for my $file (@files)
	{
		for my $line (split /\n/, slurp_file("$file.out"))
		{
			next unless $line =~ /^(call|sms)\|([^|]+)\|([0-9a-f-]{36})$/;
			$seen{"$1|$2"} = 1;
			$answers{"$round|$1|$2|$3"} = 1;
		}
	}
	open my $out, '>', $copy or die $!;
	print $out "$_\n" for sort keys %answers;
	close $out;
	ask("DELETE FROM acknowledged WHERE round = $round");
	ask("\\copy acknowledged FROM '$copy' WITH (DELIMITER '|')");
	return scalar keys %seen;
}

sub check
{
	my ($name) = @_;
	is(ask(q{SELECT count(*) FROM acknowledged a WHERE NOT EXISTS (
			SELECT FROM platform.call_events e WHERE a.kind = 'call' AND e.id = a.id
			UNION ALL SELECT FROM platform.sms_events e WHERE a.kind = 'sms' AND e.id = a.id)}),
		'0', "$name: every event that was answered is there");
	is(ask(q{SELECT count(*) FROM acknowledged a WHERE a.event NOT LIKE '%-r-%' AND NOT EXISTS (
			SELECT FROM platform.call_events e WHERE a.kind = 'call' AND e.event_id = a.event
			UNION ALL SELECT FROM platform.sms_events e WHERE a.kind = 'sms' AND e.event_id = a.event)}),
		'0', "$name: and every report that was acknowledged");
	is(ask(q{SELECT count(*) FROM (SELECT event_id FROM platform.call_events WHERE event_id IS NOT NULL GROUP BY 1 HAVING count(*) > 1
			UNION ALL SELECT event_id FROM platform.sms_events WHERE event_id IS NOT NULL GROUP BY 1 HAVING count(*) > 1) e}),
		'0', "$name: no report is there twice");
	is(ask(q{SELECT count(*) FROM platform.usage_periods p LEFT JOIN platform.usage_limits l ON l.period_id = p.id
			WHERE coalesce(l.call_used_seconds, p.call_used_seconds) <> coalesce((SELECT sum(seconds) FROM platform.call_events e WHERE e.period_id = p.id), 0)
			OR coalesce(l.sms_used, p.sms_used) <> coalesce((SELECT sum(segments) FROM platform.sms_events e WHERE e.period_id = p.id), 0)}),
		'0', "$name: counters are the sums of their events");
	is(ask(q{SELECT count(*) FROM (SELECT call_id, max(sequence) <> count(*) OR sum(seconds) <> (array_agg(total_seconds ORDER BY sequence DESC))[1] AS wrong
			FROM platform.call_events GROUP BY call_id) c WHERE wrong}),
		'0', "$name: the corrections of a call add up to its length");
	is(ask(q{SELECT count(*) FROM platform.usage_limits l WHERE sms_reserved <>
			(SELECT coalesce(sum(segments), 0) FROM platform.sms_reservations r WHERE r.user_id = l.user_id AND status = 'open')}),
		'0', "$name: what is set aside is what is open");
	is(ask(q{SELECT count(*) FROM platform.call_events WHERE call_id LIKE 'phantom%'}), '0', "$name: what was rolled back is not there");
	is(ask(q{SELECT (SELECT count(*) FROM platform.usage_alerts) - (SELECT count(*) FROM platform.webhook_events WHERE event_type LIKE 'usage.%')}),
		'0', "$name: an event for each alert");
  SKIP:
	{
		skip 'no amcheck', 1 unless $has_amcheck;
		is(ask(q{SELECT count(*) FROM (SELECT bt_index_check(i.indexrelid, true) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
				WHERE c.relnamespace = 'platform'::regnamespace AND c.relname IN ('usage_limits', 'usage_periods', 'call_events', 'sms_events', 'usage_alerts')) x}) > 0,
			1, "$name: indexes have every row");
	}
	return;
}

my $count_reports = 'SELECT (SELECT count(*) FROM platform.call_events WHERE event_id IS NOT NULL) + (SELECT count(*) FROM platform.sms_events WHERE event_id IS NOT NULL)';
my $recorded = 0;
my $round = 0;
for my $how ('backend', 'postmaster', 'immediate')
{
	my %reports = reports(++$round);
	my @files = scripts($round, %reports);
	my @runs = send_reports($round, @files);
	my $batch;

	# somewhere in the middle
	my $enough = $recorded + (0.1 + rand 0.4) * grep { !/^[xr]/ } keys %reports;
	usleep(10_000) while ask($count_reports) < $enough;
	if ($how eq 'backend')
	{
		my $pid = ask(q{SELECT pid FROM pg_stat_activity WHERE query LIKE '%record_%_usage%' AND pid <> pg_backend_pid()
			AND backend_type = 'client backend' ORDER BY random() LIMIT 1});
		ok($pid && kill('KILL', $pid), "round $round: a backend is killed");
		$_->finish for @runs;
		wait_until_up($node);
	}
	else
	{
		# a reconciliation in batches ends with the server
		$batch = ask("SELECT run_id FROM platform.reconcile_usage(max_customers => 5)");
		if ($how eq 'postmaster') { $node->kill9 }
		else { $node->stop('immediate') }
		$_->finish for @runs;
		start_again($node);
	}
	my $acknowledged = read_answers($round, @files);
	cmp_ok($acknowledged, '>', 0, "round $round: there was something to lose");
	cmp_ok($acknowledged, '<', scalar(grep { !/^x/ } keys %reports), "round $round: and the end came in the middle");
	check("round $round, $how");

	if ($batch)
	{
		is(ask("SELECT status FROM platform.reconciliation_runs WHERE id = '$batch'"), 'running', "round $round: a run was cut off");
		is(ask('SELECT status, discrepancies_found FROM platform.reconcile_usage()'), 'completed|0', "round $round: the next run finds nothing");
		is(ask("SELECT status FROM platform.reconciliation_runs WHERE id = '$batch'"), 'failed', "round $round: and says that the other one failed");
		is(ask("SELECT status, records_checked FROM platform.resume_reconciliation('$batch')"), 'completed|' . 2 * $customers, "round $round: which goes on where it was");
	}

	# all of it again
	@runs = send_reports($round, @files);
	$_->finish for @runs;
	is(read_answers($round, @files), scalar(grep { !/^x/ } keys %reports), "round $round: sent again, everything is acknowledged");
	check("round $round, sent again");
	$recorded += grep { !/^[xr]/ } keys %reports;
	is(ask($count_reports), $recorded, "round $round: every report is there");
}
note ask('SELECT count(*) FROM platform.call_events') . ' events of calls';

# Without module webhooks the same alerts, and nobody to tell.
ask('CREATE DATABASE alone');
sub ask_alone { return $node->safe_psql('alone', $_[0]); }
ask_alone(qq{
	CREATE EXTENSION platform;
	SELECT count(*) FROM platform.install(ARRAY['tenants', 'ops', 'usage']);
	INSERT INTO platform.organizations (id, name) VALUES ('$org', 'Alone');
	INSERT INTO platform.users (id, email) VALUES (${\user(0)}, 'alone\@example.com');
	SELECT platform.apply_tier('$org', ${\user(0)}, 'core');
});
is(ask_alone("SELECT to_regclass('platform.webhook_events') IS NULL"), 't', 'module webhooks is not installed');
is(ask_alone("SELECT limit_state, hard_stop_active FROM platform.record_call_usage('$org', ${\user(0)}, 'c', 9600)"), 'hard|t', 'recorded without it');
is(ask_alone("SELECT string_agg(alert_type, ' ' ORDER BY alert_type) FROM platform.usage_alerts"), 'call_block call_hard call_soft', 'and alerted');
$node->stop;
done_testing();
