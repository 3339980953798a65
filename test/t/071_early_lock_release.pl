# Early lock release: what is answered is durable, the caller's settings stay as
# they are, who waits for an account has it before the flush, and it is not used
# where the server waits for more than its own disk.
use strict;
use warnings;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('early');
$node->init(allows_streaming => 1);
# Nobody else flushes: what is on disk was flushed by a commit.
$node->append_conf('postgresql.conf', q{
wal_writer_delay = 10s
wal_writer_flush_after = 1GB
max_prepared_transactions = 5
autovacuum = off
checkpoint_timeout = 1h
bgwriter_delay = 10s
fsync = on
});
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION platform;
	SELECT count(*) FROM platform.install();
	INSERT INTO platform.user_accounts (user_id, tokens_remaining) VALUES ('ann', 1000000);
	CREATE TABLE t (id integer PRIMARY KEY, parent integer REFERENCES t DEFERRABLE INITIALLY DEFERRED);
	CHECKPOINT;
});
$node->safe_psql('postgres', 'SELECT pg_switch_wal()');

my $burn = q{SELECT burned FROM platform.burn_tokens('00000000-0000-0000-0000-000000000000', 'ann', 1)};
my $keyed = q{SELECT burned, duplicate FROM platform.burn_tokens('00000000-0000-0000-0000-000000000000', 'ann', 1, idempotency_key => 'key')};
# Where the log ends; and was it flushed beyond that point since? Nobody does but
# a commit that waits, and that flushes all up to its own record. (The end of the
# log at the moment of asking would not do: reading may write to it.)
my $mark = 'SELECT pg_current_wal_insert_lsn() AS mark \gset';
my $flushed = "SELECT pg_current_wal_flush_lsn() > :'mark';\n$mark\nSELECT 1 WHERE false";

sub answers
{
	my ($name, $expected, @statements) = @_;
	my ($out, $err) = ('', '');

	# one by one, each a transaction of its own unless it says otherwise
	$node->psql('postgres', "$mark\n" . join(";\n", @statements) . ";\n", stdout => \$out, stderr => \$err, on_error_stop => 0);
	is($out, $expected, $name);
	return $err;
}

answers('a burn is on disk when it is answered', "1\nt", $burn, $flushed);
answers('as is one in a transaction', "1\nt\non", "BEGIN", $burn, 'COMMIT', $flushed, 'SHOW synchronous_commit');
answers('so it is with the setting off', "1\nt", 'SET platform.early_lock_release = off', $burn, $flushed);
answers('a caller that does not wait goes on not waiting', "1\nf\noff", 'SET synchronous_commit = off', $burn, $flushed, 'SHOW synchronous_commit');
answers('a burn after it takes that to disk too', "1\nt", $burn, $flushed);
answers('local is a wait for the own disk', "1\nt\nlocal", 'SET synchronous_commit = local', $burn, $flushed, 'SHOW synchronous_commit');

# A burn that another session waits for, with a slow disk: does that session get the
# account before the burn is on disk? Only then is the lock released early; it takes
# a few attempts where the machine is too busy to look in time.
sub has_it_before_the_flush
{
	my ($setting) = @_;
	my $holder = $node->basedir . '/holder.sql';
	my ($out, $err) = ('', '');

	open my $file, '>', $holder or die;
	print $file "$mark\nSET commit_siblings = 0; SET commit_delay = 100000; SET platform.early_lock_release = $setting;\nBEGIN;\n$burn;\n"
		. 'DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND locktype = \'transactionid\') LOOP PERFORM pg_sleep(0.001); END LOOP; END $$;'
		. "\nCOMMIT;\n$flushed;\n";
	close $file;
	my $running = IPC::Run::start([ 'psql', '-X', '-A', '-t', '-q', '-d', $node->connstr('postgres') . ' application_name=holder',
			'-f', $holder ], '<', \undef, '>', \$out, '2>', \$err);
	$node->poll_query_until('postgres', "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'holder' AND backend_xid IS NOT NULL)") or die;
	my $seen = $node->safe_psql('postgres', "$mark\nBEGIN;\nSELECT FROM platform.user_accounts WHERE user_id = 'ann' FOR UPDATE;\nSELECT pg_current_wal_flush_lsn() <= :'mark';\n");
	IPC::Run::finish($running);
	is("$out$err", "1\nt\n", "with the setting $setting it is on disk when it is answered");
	return $seen =~ /t/;
}
my $attempts = 0;
$attempts++ until $attempts == 20 || has_it_before_the_flush('on');
cmp_ok($attempts, '<', 20, 'who waits has the account before the flush');
ok(!has_it_before_the_flush('off'), 'with the setting off after it');

# ways a transaction can end
answers('rolled back', "1\non\n1\nt", 'BEGIN', $burn, 'ROLLBACK', 'SHOW synchronous_commit', $burn, $flushed);
answers('rolled back to a savepoint', "1\nt\non", 'BEGIN', 'SAVEPOINT s', $burn, 'ROLLBACK TO s', "INSERT INTO t VALUES (1, 1)", 'COMMIT', $flushed, 'SHOW synchronous_commit');
answers('released savepoint', "1\n1\nt", 'BEGIN', 'SAVEPOINT s', $burn, 'RELEASE s', $burn, 'COMMIT', $flushed);
my $err = answers('refused at the commit', "1\non\n1\nt", 'BEGIN', $burn, 'INSERT INTO t VALUES (2, 99)', 'COMMIT', 'SHOW synchronous_commit', $burn, $flushed);
like($err, qr/violates foreign key/, 'with the error of the commit');
answers('prepared', "1\nt\nt\non\n1\nt", 'BEGIN', $burn, "PREPARE TRANSACTION 'p'", $flushed, "COMMIT PREPARED 'p'", $flushed, 'SHOW synchronous_commit', $burn, $flushed);
answers('refused burn', "0\non", q{SELECT burned FROM platform.burn_tokens('00000000-0000-0000-0000-000000000000', 'nobody', 1)}, 'SHOW synchronous_commit');

# a repeated key is an answer too: nobody may be told of what can still be lost
my $before = $node->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');
my $is_flushed = "SELECT pg_current_wal_flush_lsn() > '$before'";
answers('a key whose first burn does not wait', "1|f\nf", 'SET synchronous_commit = off', $keyed, $is_flushed);
answers('is on disk when it is answered again', "1|t\nt", $keyed, $is_flushed);
$node->stop('immediate');
$node->start;
is($node->safe_psql('postgres', $keyed), '1|t', 'and survives a crash');

# with a synchronous standby the commit waits for that
$node->append_conf('postgresql.conf', q{synchronous_standby_names = 'missing'});
$node->reload;
my ($out, $waiting_err) = ('', '');
my $waiting = IPC::Run::start([ 'psql', '-X', '-A', '-t', '-q', '-d', $node->connstr('postgres') . ' application_name=waiting', '-c', $burn ],
	'<', \undef, '>', \$out, '2>', \$waiting_err);
ok($node->poll_query_until('postgres', "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'waiting' AND wait_event = 'SyncRep')"),
	'a burn waits for a synchronous standby');
$node->append_conf('postgresql.conf', q{synchronous_standby_names = ''});
$node->reload;
IPC::Run::finish($waiting);
is($out, "1\n", 'and is answered when there is none any more');

is($node->safe_psql('postgres', 'SELECT * FROM platform.verify_token_accounts()'), '', 'invariants hold');
my ($code, $stdout, $stderr) = $node->psql('postgres', q{CREATE ROLE plain; SELECT platform.uuid7() IS NULL; SET ROLE plain; SET platform.early_lock_release = off});
like($stderr, qr/permission denied/, 'only a superuser changes the setting');
$node->stop;
done_testing();
