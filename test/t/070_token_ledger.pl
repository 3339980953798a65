# A random workload of 32 sessions on accounts, with rollbacks, savepoints, repeated
# keys, lock timeouts and higher isolation levels, while backends and the postmaster
# are killed: invariants hold, no acknowledged change is missing, none is double.
use strict;
use warnings;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

my $sessions = 32;
my $statements = 700;
my $seconds = 4;
my $org = '00000000-0000-0000-0000-000000000000';
my @users = map { "user$_" } 0 .. 11;

my $node = PostgreSQL::Test::Cluster->new('ledger');
$node->init;
$node->append_conf('postgresql.conf', q{
max_connections = 60
restart_after_crash = on
wal_writer_delay = 10s
deadlock_timeout = 100ms
log_min_messages = fatal
});
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION platform;
	SELECT count(*) FROM platform.install();
	INSERT INTO platform.token_packages (name, tokens, price_cents, valid_days) VALUES ('brief', 40, 100, 1);
});
$node->safe_psql('postgres', "INSERT INTO platform.user_accounts (user_id, tokens_remaining, overdraft_limit, low_balance_thresholds)
	SELECT 'user' || i, 3000, CASE WHEN i % 3 = 0 THEN 50 ELSE 0 END, CASE WHEN i % 4 = 0 THEN '{2000,100}'::bigint[] END FROM generate_series(0, 11) i");

# Half of the work meets on one account.
sub user { return rand() < 0.5 ? $users[0] : $users[int rand @users]; }
sub pick { return $_[int rand @_]; }

# One session's script. Lines of its output that begin with "ack" tell what was
# acknowledged; "undone" are keys that must not be found.
sub script
{
	my ($round, $session) = @_;
	my $n = 0;
	my @burns;
	my $sql = join "\n", '\pset format unaligned', '\pset tuples_only on', '\pset fieldsep |',
		"SET lock_timeout = '" . pick('0', '0', '0', '20ms') . "';",
		'SET default_transaction_isolation = \'' . pick('read committed', 'read committed', 'repeatable read', 'serializable') . "';", '';
	my $ack = sub { "SELECT 'ack', '$_[1]', '$_[2]', s.* FROM $_[0] s;\n" };
	my $burn = sub {
		my ($user, $key, $amount, $mode) = @_;
		return "platform.burn_tokens('$org', '$user', $amount, '" . ($amount % 2 ? 'voice' : 'video')
			. "', true, 'call $session', '$key', '$mode')";
	};
	my %do = (
		burn => sub {
			my @burn = (user(), "b $round $session " . $n++, 1 + int rand 9, pick(qw(reject reject partial overdraft)));
			push @burns, \@burn;
			return $ack->($burn->(@burn), 'burn', $burn[1]);
		},
		again => sub {
			return '' unless @burns;
			my @burn = @{ pick(@burns) };
			return $ack->($burn->(@burn), 'burn', $burn[1]);
		},
		undone => sub {
			my $key = "u $round $session " . $n++;
			return "BEGIN;\nSELECT FROM " . $burn->(user(), $key, 3, 'partial') . ";\nROLLBACK;\n\\echo undone|$key\n";
		},
		savepoint => sub {
			my ($lost, $kept) = ("u $round $session " . $n++, "s $round $session " . $n++);
			my ($one, $two) = (user(), user());
			return "BEGIN;\nSAVEPOINT a;\nSELECT FROM " . $burn->($one, $lost, 5, 'partial') . ";\nROLLBACK TO a;\n"
				. "SELECT FROM " . $burn->($two, $kept, 2, 'reject') . ";\nSELECT pg_sleep(0.002);\nCOMMIT;\n"
				. "SELECT 'ack', 'found', '$kept', tokens_used FROM platform.token_usage WHERE idempotency_key = '$kept';\n\\echo undone|$lost\n";
		},
		caught => sub {
			my $key = "u $round $session " . $n++;
			return "DO \$\$ BEGIN PERFORM " . $burn->(user(), $key, 4, 'partial') . "; RAISE 'no'; EXCEPTION WHEN raise_exception THEN NULL; END \$\$;\n\\echo undone|$key\n";
		},
		grant => sub {
			my $key = "g $round $session " . $n++;
			my $expires = pick('NULL', "clock_timestamp() + '0.3 s'", "clock_timestamp() + '2 s'", "'2999-01-01'");
			return $ack->("platform.grant_tokens('$org', '" . user() . "', " . (1 + int rand 40) . ", 'test', $expires, "
					. pick(50, 100, 200, 250) . ", '$key')", 'grant', $key);
		},
		purchase => sub {
			my $payment = "pay $round " . int rand 40;
			return $ack->("platform.purchase_tokens('$org', '$users[length($payment) % 3]', 'brief', '$payment')", 'purchase', $payment);
		},
		hold => sub {
			my $hold = "\\unset hold\nSELECT coalesce(hold_id, platform.uuid7()) AS hold FROM platform.reserve_tokens('$org', '" . user() . "', " . (1 + int rand 30)
				. ", '" . pick('0.1 s', '1 s', '1 min') . "', 'h $round $session " . $n++ . "') \\gset\n\\if :{?hold}\n";
			my $end = pick("SELECT 'ack', 'capture', :'hold', s.captured FROM platform.capture_tokens('$org', :'hold') s;\n" x 2,
				"SELECT 'ack', 'capture', :'hold', s.captured FROM platform.capture_tokens('$org', :'hold', 1) s;\n",
				"SELECT platform.release_tokens('$org', :'hold');\n", '');
			return "$hold${end}\\endif\n";
		},
		refund => sub {
			my $key = "r $round $session " . $n++;
			my $of = @burns ? pick(@burns)->[1] : 'none';
			return "\\unset entry\nSELECT id AS entry FROM platform.token_usage WHERE idempotency_key = '$of' \\gset\n\\if :{?entry}\n"
				. $ack->("platform.refund_tokens('$org', :'entry', " . pick('NULL', 1, 2) . ", '$key')", 'refund', $key) . "\\endif\n";
		},
		transfer => sub {
			my $key = "t $round $session " . $n++;
			my ($one, $two) = (user(), user());
			return '' if $one eq $two;
			return $ack->("platform.transfer_tokens('$org', '$one', '$two', " . (1 + int rand 20) . ", '$key')", 'transfer', $key);
		},
		adjust => sub {
			my $key = "a $round $session " . $n++;
			return $ack->("platform.adjust_tokens('$org', '" . user() . "', " . pick(-2, 1, 30) . ", 'test', '$key')", 'adjust', $key);
		},
		expire => sub { return "SELECT platform.expire_tokens(20);\n" },
	);
	my @kinds = ((('burn') x 8), qw(again again undone savepoint caught grant grant purchase hold hold refund transfer adjust expire));

	$sql .= $do{ pick(@kinds) }->() for 1 .. $statements;
	return $sql;
}

my (%acknowledged, %undone);

# Starts the sessions, lets $disturb happen, collects what they were told.
sub run_round
{
	my ($round, $disturb) = @_;
	my @running;

	for my $session (1 .. $sessions)
	{
		my $file = $node->basedir . "/session$session.sql";
		my $run = { out => '', err => '' };
		PostgreSQL::Test::Utils::append_to_file($file, '') unless -e $file;
		open my $handle, '>', $file or die;
		print $handle script($round, $session);
		close $handle;
		$run->{harness} = IPC::Run::start([ 'psql', '-X', '-q', '-d', $node->connstr('postgres'), '-f', $file ],
			'<', \undef, '>', \$run->{out}, '2>', \$run->{err});
		push @running, $run;
	}
	$disturb->();
	IPC::Run::finish($_->{harness}) for @running;

	for my $run (@running)
	{
		for my $line (split /\n/, $run->{out})
		{
			$undone{ $1 } = 1 if $line =~ /^undone\|(.*)$/;
			next unless $line =~ /^ack\|([a-z]+)\|([^|]*)\|(.*)$/;
			my ($kind, $key, $answer) = ($1, $2, $3);
			my @answer = split /\|/, $answer, -1;
			next if $kind eq 'burn' && $answer[0] == 0;
			push @{ $acknowledged{"$kind|$key"} }, \@answer;
		}
	}
	# deadlocks, serialization failures, timeouts and refusals are answers; internal errors are not
	my @strange = grep { /ERROR/ && !/deadlock|could not serialize|lock timeout|not enough|hold |no such hold|exceeds|expired|aborted|unable|must be in the future|starting up|connection|administrator|recovery/ }
		map { split /\n/, $_->{err} } @running;
	is(join("\n", @strange[0 .. ($#strange > 9 ? 9 : $#strange)]), '', "round $round: no strange errors");
	return;
}

sub check_round
{
	my ($round) = @_;

	is($node->safe_psql('postgres', 'SELECT * FROM platform.verify_token_accounts()'), '', "round $round: invariants hold");
	is($node->safe_psql('postgres', 'SELECT * FROM platform.reconcile_tokens()'), '', "round $round: nothing to reconcile");
	is($node->safe_psql('postgres', 'SELECT user_id, idempotency_key, count(*) FROM platform.token_usage WHERE idempotency_key IS NOT NULL GROUP BY 1, 2 HAVING count(*) > 1'),
		'', "round $round: no key twice");
	is($node->safe_psql('postgres', 'SELECT payment_id FROM platform.token_purchases GROUP BY 1 HAVING count(*) > 1'), '', "round $round: no payment twice");

	# the sum of all entries, added up here, is every figure shown
	my (%balance, %used);
	my $total = 0;
	for my $line (split /\n/, $node->safe_psql('postgres', 'SELECT user_id, amount, tokens_used FROM platform.token_usage'))
	{
		my ($user, $amount, $tokens) = split /\|/, $line;
		$balance{$user} += $amount;
		$used{$user} += $tokens;
		$total += $tokens;
	}
	my @expected = map { "$_|" . join('|', ($balance{$_}) x 5) . '|' . ($used{$_} // 0) } sort keys %balance;
	is($node->safe_psql('postgres', q{SELECT a.user_id, a.tokens_remaining, b.balance, platform.token_balance_at(a.organization_id, a.user_id, 'infinity'),
			(SELECT s.balance_after FROM platform.token_statement(a.organization_id, a.user_id) s ORDER BY s.version DESC LIMIT 1),
			(SELECT sum(g.remaining) FROM platform.open_token_grants(a.organization_id, a.user_id) g), t.total_tokens_used
		FROM platform.user_accounts a, platform.token_balance(a.organization_id, a.user_id) b, platform.user_token_summary t
		WHERE t.organization_id = a.organization_id AND t.user_id = a.user_id ORDER BY a.user_id}),
		join("\n", @expected), "round $round: the sum of entries is every figure shown");
	is($node->safe_psql('postgres', 'SELECT sum(total_tokens) FROM platform.daily_token_usage'), $total, "round $round: of all accounts too");

	my %entry = map { my ($key, $id, $amount) = split /\|/; ($key => [ $id, $amount ]) } split /\n/,
		$node->safe_psql('postgres', 'SELECT idempotency_key, id, amount FROM platform.token_usage WHERE idempotency_key IS NOT NULL');
	my %captured = map { $_ => 1 } split /\n/, $node->safe_psql('postgres', q{SELECT id FROM platform.token_holds WHERE status = 'captured'});
	my (@missing, @differ);
	for my $name (keys %acknowledged)
	{
		my ($kind, $key) = split /\|/, $name, 2;
		if ($kind eq 'capture') { push @missing, $name unless $captured{$key}; next; }
		my $entry = $entry{ $kind eq 'purchase' ? "purchase stripe/$key" : $key };
		if (!$entry) { push @missing, $name; next; }
		for my $answer (@{ $acknowledged{$name} })
		{
			push @differ, $name if $kind eq 'burn' && ($answer->[4] ne $entry->[0] || $answer->[0] != -$entry->[1]);
			push @differ, $name if $kind eq 'refund' && $answer->[0] != $entry->[1];
			push @differ, $name if $kind eq 'transfer' && $answer->[2] ne $entry->[0];
		}
	}
	my $count = keys %acknowledged;
	@missing = grep { !/^refund/ || $acknowledged{$_}[0][0] > 0 } @missing;
	is(scalar @missing, 0, "round $round: $count acknowledged changes are there") or diag(join "\n", @missing[0 .. ($#missing > 9 ? 9 : $#missing)]);
	is(scalar @differ, 0, "round $round: as they were told");
	is(join(',', grep { $entry{$_} } keys %undone), '', "round $round: what was rolled back is not there");
	return;
}

# Waits until the server answers again.
sub wait_for_server
{
	for (1 .. 300)
	{
		my $answer = eval { $node->psql('postgres', 'SELECT 1') };
		return if defined $answer && $answer == 0;
		sleep 0.1;
	}
	die 'the server does not come back';
}

sub start_again
{
	for (1 .. 100)
	{
		return if $node->start(fail_ok => 1);
		# the old one's children still have its shared memory
		$node->{_pid} = undef;
		sleep 0.1;
	}
	die 'the server does not start';
}

run_round('killed-backend', sub {
	sleep $seconds;
	my $pid = $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1});
	kill 9, $pid if $pid;
});
wait_for_server();
check_round('killed-backend');

for my $round (1 .. 2)
{
	run_round("killed-postmaster-$round", sub {
		sleep $seconds / 2;
		$node->kill9;
	});
	start_again();
	check_round("killed-postmaster-$round");
}

run_round('immediate', sub { sleep $seconds / 2; $node->stop('immediate'); });
start_again();
check_round('immediate');

run_round('undisturbed', sub { });
check_round('undisturbed');

cmp_ok(scalar(keys %acknowledged), '>', 1000, 'there was something to lose');
is($node->safe_psql('postgres', 'SELECT count(DISTINCT kind) FROM platform.token_usage'), '7', 'entries of every kind were made');
$node->stop;
done_testing();
