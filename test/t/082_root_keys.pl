# Root keys: where they may be and where not, files that change, commands, queries,
# the wrong key, a dump with and without the key. The server starts whatever they are.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(allows_streaming => 1, extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->append_conf('postgresql.conf', "platform.root_key_command_timeout = 1s\nmax_prepared_transactions = 5\nlog_min_messages = warning\n");
$node->start;
my $dir = PostgreSQL::Test::Utils::tempdir;
my $file = "$dir/root_key";
my @key = map { sprintf '%02x', $_ } 0x51 .. 0x5a;
my $place = "'00000000-0000-0000-0000-000000000000', 'test.secret', '00000000-0000-4000-8000-000000000001'";

sub write_key
{
	my ($mode, @lines) = @_;
	unlink $file;
	umask 077;
	open my $out, '>', $file or die;
	print $out map { "$_\n" } @lines;
	close $out;
	chmod $mode, $file;
	return;
}
sub line { my ($version) = @_; return "$version:" . $key[$version] x 32; }
sub ask { my ($sql, $database) = @_; return $node->safe_psql($database // 'postgres', $sql); }
# The SQLSTATE and the text of an error.
sub fails
{
	my ($sql, $database) = @_;
	my ($code, $out, $error) = $node->psql($database // 'postgres', "\\set VERBOSITY verbose\n$sql");
	return $error;
}
sub configure
{
	my ($name, $value) = @_;
	$node->append_conf('postgresql.conf', "platform.$name = '$value'\n");
	$node->reload;
	# until a new session has it
	for (1 .. 100)
	{
		last if ask("SET client_min_messages = error; LOAD 'platform'; SELECT current_setting('platform.$name')") eq $value;
		select undef, undef, undef, 0.05;
	}
	return;
}

# ---- none ----
ask('CREATE EXTENSION platform; SELECT platform.install()');
like(fails("SELECT platform.encrypt_secret($place, 'x')"), qr/F0000: no root key is configured.*HINT: .*generate_root_key.*root_key_file/s, 'no key: one error with a hint');
is(ask('SELECT count(*) FROM platform.organizations'), '1', 'other tables are read');
is(ask('SELECT kind, state, usable, reason FROM platform.key_status()'), 'root|new|f|NO_ROOT_KEY', 'key_status says so');

# ---- files ----
configure('root_key_file', $file);
like(fails("SELECT platform.encrypt_secret($place, 'x')"), qr/F0000: root keys are not available.*No such file/s, 'missing file');
for my $mode (0644, 0604, 0660, 0602, 0601)
{
	write_key($mode, line(1));
	like(fails("SELECT platform.encrypt_secret($place, 'x')"), qr/F0000: root keys are not available.*must not be writable by its group or accessible to others/s, sprintf 'mode %o', $mode);
}
for my $lines ([], ['# nothing'], ['1:ab'], [ '1:' . 'g' x 64 ], [ '0:' . 'a' x 64 ], [ '01:' . 'a' x 64 ], [ '1:' . 'a' x 64 . ' x' ],
	[ '99999999999:' . 'a' x 64 ], [ line(1), 'x' ], [ map { "$_:" . 'a' x 64 } 1 .. 65 ])
{
	write_key(0600, @$lines);
	my $error = fails("SELECT platform.encrypt_secret($place, 'x')");
	like($error, qr/F0000: (root keys cannot be read.*Line \d+ of file|no root key is configured.*There is no key in file)/s, 'malformed: ' . (@$lines ? substr($lines->[-1], 0, 12) : 'empty'));
	unlike($error, qr/aaaa|ggg|abab/, 'and not repeated');
}
write_key(0600, '# ' . 'x' x 20000);
like(fails("SELECT platform.encrypt_secret($place, 'x')"), qr/F0000.*too large/s, 'too large');
unlink $file;
mkdir $file;
like(fails("SELECT platform.encrypt_secret($place, 'x')"), qr/F0000.*not a regular file/s, 'a directory');
rmdir $file;

write_key(0640, '# the keys', '', '  ' . line(1) . "\t\r");
my $envelope = ask("SELECT platform.encrypt_secret($place, 'marmalade')");
is(ask("SELECT platform.decrypt_secret($place, '$envelope')"), 'marmalade', 'group-readable, with comments and spaces');
is(ask('SELECT id, state, usable FROM platform.key_status() WHERE kind = \'root\''), '1|active|t', 'recorded as active');

# ---- in the data directory ----
my $inside = $node->data_dir . '/root_key';
rename $file, $inside;
configure('root_key_file', $inside);
like(fails("SELECT platform.decrypt_secret($place, '$envelope')"), qr/F0000.*must not be in the data directory/s, 'in the data directory');
symlink $inside, $file;
configure('root_key_file', $file);
like(fails("SELECT platform.decrypt_secret($place, '$envelope')"), qr/F0000.*must not be in the data directory/s, 'by a link');
configure('root_key_in_data_directory', 'on');
is(ask("SELECT platform.decrypt_secret($place, '$envelope')"), 'marmalade', 'unless a setting allows it');
configure('root_key_in_data_directory', 'off');
unlink $file, $inside;

# ---- a wrong key, a file that changes under a session ----
write_key(0600, "1:" . $key[5] x 32);
my $error = fails("SELECT platform.decrypt_secret($place, '$envelope')");
like($error, qr/F0000: root key version 1 is not the one that this database was set up with/, 'wrong key');
like($error, qr/check value is [0-9a-f]{16}, expected is [0-9a-f]{16}; it comes from file "\Q$file\E"/, 'names values and source');
unlike($error, qr/(?:$key[5]){4}/, 'and no key');
is(ask("SELECT plaintext IS NULL, reason FROM platform.try_decrypt_secret($place, '$envelope')"), 't|WRONG_ROOT_KEY', 'a reason for listings');
like(fails("SELECT platform.encrypt_secret($place, 'x')"), qr/F0000: root key version 1 is not/, 'nothing is encrypted under it');
write_key(0600, line(2));
like(fails("SELECT platform.decrypt_secret($place, '$envelope')"), qr/F0000: root key version 1 is not available.*There are versions 2 in file/s, 'another version');

my $session = $node->background_psql('postgres', on_error_stop => 0);
sub in_session { my ($sql) = @_; my ($out) = $session->query($sql); return $out; }
write_key(0600, line(1));
is(in_session("SELECT platform.decrypt_secret($place, '$envelope');"), 'marmalade', 'an open session');
write_key(0600, line(1), line(2));
is(in_session("SELECT version, rewrapped FROM platform.rotate_root_key();"), '2|1', 'sees the new line without a reload');
write_key(0600, line(2));
is(in_session("SELECT platform.decrypt_secret($place, '$envelope');"), 'marmalade', 'the old key is no longer needed');
is(ask("SELECT platform.decrypt_secret($place, '$envelope')"), 'marmalade', 'nor by another session');
is(ask(q{SELECT id, state, usable, reason FROM platform.key_status() WHERE kind = 'root' ORDER BY id}), "1|decrypt_only|f|NO_ROOT_KEY\n2|active|t|", 'key_status tells');
write_key(0600, line(2), line(1));
like(fails('SELECT platform.rotate_root_key()'), qr/^$|rewrapped/, 'back to a version that is known');
is(ask(q{SELECT id, state FROM platform.key_status() WHERE kind = 'root' ORDER BY id}), "1|active\n2|decrypt_only", 'is possible');
write_key(0600, line(1), '3:' . $key[5] x 32, '2:' . $key[5] x 32);
like(fails('SELECT platform.rotate_root_key()'), qr/F0000: root key version 2 is not the one/, 'but not with another key of that version');
write_key(0600, line(3));
like(fails('SELECT platform.rotate_root_key()'), qr/F0000: root key version 1 is not available/, 'rotation needs the old key too');
write_key(0600, line(1));

# ---- the server starts whatever the key ----
unlink $file;
$node->restart;
is(ask('SELECT count(*) FROM platform.data_keys'), '1', 'starts without it');
like(fails("SELECT platform.decrypt_secret($place, '$envelope')"), qr/F0000/, 'and says so when it is needed');

# ---- unlock ----
is(ask("SELECT platform.unlock(decode(repeat('$key[1]', 32), 'hex')); SELECT platform.decrypt_secret($place, '$envelope')"), "1\nmarmalade", 'unlock');
like(fails("SELECT platform.unlock(decode(repeat('$key[4]', 32), 'hex'))"), qr/F0000: root key version 1 is not.*comes from platform\.unlock\(\)/s, 'not with a wrong key');
like(fails("SELECT platform.unlock(decode(repeat('$key[1]', 32), 'hex')); SELECT platform.unlock(); SELECT platform.decrypt_secret($place, '$envelope')"), qr/F0000: root keys are not available/, 'for as long as one likes');

# ---- a command ----
configure('root_key_file', '');
my $command = "$dir/command";
sub write_command { my ($text) = @_; open my $out, '>', $command or die; print $out "#!/bin/sh\n$text\n"; close $out; chmod 0700, $command; return; }
write_command("echo \$1 >>$dir/asked; echo '" . line(1) . "'");
configure('root_key_command', "$command %v 100%%");
is(ask("SELECT platform.decrypt_secret($place, '$envelope'); SELECT platform.decrypt_secret($place, '$envelope')"), "marmalade\nmarmalade", 'from a command');
is(slurp_file("$dir/asked"), "1\n", 'asked once, for the version that is needed');
write_command("echo \$1 >>$dir/asked; echo '" . line(1) . "'; [ \$1 = 1 ] || echo '" . line(2) . "'");
is(ask('SELECT root_version, usable FROM platform.check_root_key()'), '2|t', 'the newest');
is(slurp_file("$dir/asked"), "1\nlatest\n", 'is asked for as latest');
write_command('exit 3');
like(fails("SELECT platform.decrypt_secret($place, '$envelope')"), qr/F0000: command of platform\.root_key_command failed.*exit code 3/s, 'that fails');
write_command("echo x >>$dir/hung; sleep 60 & sleep 60");
my $start = time;
like(fails("SELECT reason FROM generate_series(1, 20), platform.try_decrypt_secret($place, '$envelope');\nSELECT platform.decrypt_secret($place, '$envelope')"), qr/F0000.*did not end within 1 s/s, 'that hangs');
cmp_ok(time - $start, '<', 10, 'is ended');
is(slurp_file("$dir/hung"), "x\nx\n", 'and run once a statement');
write_command('yes');
like(fails("SELECT platform.decrypt_secret($place, '$envelope')"), qr/F0000.*more than 16 kB/s, 'that prints without end');
configure('root_key_command', '/nonexistent/command');
like(fails("SELECT platform.decrypt_secret($place, '$envelope')"), qr/F0000.*exit code 127/s, 'that is not there');

# ---- a query ----
configure('root_key_command', '');
ask('CREATE TABLE vault (line text)');
configure('root_key_query', 'SELECT line FROM public.vault');
like(fails("SELECT platform.decrypt_secret($place, '$envelope')"), qr/F0000.*There is no key in platform\.root_key_query/s, 'a query without an answer');
ask("INSERT INTO vault VALUES (NULL), ('# text'), ('" . line(1) . "')");
is(ask("SELECT platform.decrypt_secret($place, '$envelope')"), 'marmalade', 'from a query');
ask("CREATE ROLE app LOGIN; GRANT USAGE ON SCHEMA platform TO app; GRANT EXECUTE ON FUNCTION platform.decrypt_secret TO app");
is(ask("BEGIN; SELECT platform.set_context('00000000-0000-0000-0000-000000000000', 'x'); SET LOCAL ROLE app; SELECT platform.decrypt_secret($place, '$envelope')"), "\nmarmalade", 'for callers who cannot read it');
configure('root_key_query', 'SELECT line FROM vault');
like(fails("SELECT platform.decrypt_secret($place, '$envelope')"), qr/F0000: query of platform\.root_key_query failed.*42P01/s, 'nothing is found along a search path');
is(ask("SELECT reason FROM platform.try_decrypt_secret($place, '$envelope'); SELECT 1"), "NO_ROOT_KEY\n1", 'its error ends no listing');
configure('root_key_query', 'DELETE FROM public.vault RETURNING line');
like(fails("SELECT platform.decrypt_secret($place, '$envelope')"), qr/F0000: query of platform\.root_key_query failed/, 'it only reads');
configure('root_key_query', '');

# ---- a dump, restored with the key, without it and with another ----
write_key(0600, line(1));
configure('root_key_file', $file);
ask("CREATE TABLE kept AS SELECT '$envelope' AS envelope");
$node->command_ok([ 'pg_dump', '-h', $node->host, '-p', $node->port, '-f', "$dir/dump.sql", 'postgres' ], 'dumped');
ask('CREATE DATABASE restored');
$node->command_ok([ 'psql', '-X', '-q', '-h', $node->host, '-p', $node->port, '-v', 'ON_ERROR_STOP=1', '-f', "$dir/dump.sql", 'restored' ], 'restored');
is(ask("SELECT platform.decrypt_secret($place, envelope) FROM kept", 'restored'), 'marmalade', 'with the key');
unlink $file;
is(ask("SELECT reason FROM kept, platform.try_decrypt_secret($place, envelope)", 'restored'), 'NO_ROOT_KEY', 'without it');
like(ask(q{SELECT string_agg(DISTINCT reason || ': ' || detail, ' ') FROM platform.key_status() WHERE state = 'active'}, 'restored'), qr/^NO_ROOT_KEY: root keys are not available: File/, 'key_status says what is the matter');
write_key(0600, "1:" . $key[6] x 32);
like(fails("SELECT platform.decrypt_secret($place, envelope) FROM kept", 'restored'), qr/F0000: root key version 1 is not the one that this database was set up with/, 'with another');

# ---- a standby ----
write_key(0600, line(1));
my $index = ask("SELECT platform.secret_index('00000000-0000-0000-0000-000000000000', 'test.secret', 'x')");
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
is($standby->safe_psql('postgres', "SELECT platform.decrypt_secret($place, '$envelope'), platform.decrypt_secret($place, platform.encrypt_secret($place, 'x')),
	platform.secret_index('00000000-0000-0000-0000-000000000000', 'test.secret', 'x') = '$index', platform.secret_index('00000000-0000-0000-0000-000000000000', 'test.nothing', 'x') IS NULL"),
	'marmalade|x|t|t', 'a standby reads, and encrypts with keys that are there');
my ($code, $out, $refused) = $standby->psql('postgres', "\\set VERBOSITY sqlstate\nSELECT platform.encrypt_secret('00000000-0000-0000-0000-000000000000', 'test.first', '00000000-0000-4000-8000-000000000001', 'x');\nSET platform.secret_suite = 'aes-256-gcm';\nSELECT platform.encrypt_secret($place, 'x');\nSELECT platform.rotate_data_key('00000000-0000-0000-0000-000000000000', 'test.secret');", on_error_stop => 0);
is(scalar(() = $refused =~ /25006/g), 3, 'it makes, counts and rotates none');
ask("SELECT platform.rotate_data_key('00000000-0000-0000-0000-000000000000', 'test.secret')");
my $newer = ask("SELECT platform.encrypt_secret($place, 'newer')");
$node->wait_for_catchup($standby, 'replay', $node->lsn('write'));
is($standby->safe_psql('postgres', "SELECT platform.decrypt_secret($place, '$newer')"), 'newer', 'and follows rotations');
$standby->stop;

# ---- another encoding ----
write_key(0600, line(1));
ask("CREATE DATABASE latin1 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
ask('CREATE EXTENSION platform; SELECT platform.install()', 'latin1');
my $utf8 = ask("SELECT platform.encrypt_secret($place, U&'Gr\\00f6\\00dfe'), platform.encrypt_secret($place, U&'\\79d8\\5bc6')");
my ($german, $japanese) = split /\|/, $utf8;
$node->command_ok([ 'sh', '-c', join(' ', 'pg_dump', '-h', $node->host, '-p', $node->port, '-a', '-t', 'platform.root_keys', '-t', 'platform.data_keys', 'postgres',
	'|', 'psql', '-X', '-q', '-h', $node->host, '-p', $node->port, '-v', 'ON_ERROR_STOP=1', 'latin1') ], 'keys go to a database in LATIN1');
is(ask("SELECT platform.decrypt_secret($place, '$german') = chr(71) || 'r' || chr(246) || chr(223) || 'e', length(platform.decrypt_secret($place, '$german'))", 'latin1'), 't|5', 'secrets are in UTF-8, whatever the database is in');
is(ask("SELECT reason FROM platform.try_decrypt_secret($place, '$japanese')", 'latin1'), 'BAD_ENCODING', 'what it cannot hold has a reason');
like(fails("SELECT platform.decrypt_secret($place, '$japanese')", 'latin1'), qr/22P05: secret is not a text of this database's encoding/, 'or an error');
is(ask("SELECT platform.secret_index('00000000-0000-0000-0000-000000000000', 'test.index', chr(246)) IS NOT NULL, platform.decrypt_secret($place, platform.encrypt_secret($place, chr(246))) = chr(246)", 'latin1'), 't|t', 'and back');

# ---- a key made in a prepared transaction may be rolled back ----
my $kept = ask(q{BEGIN; SELECT length(platform.encrypt_secret('00000000-0000-0000-0000-000000000000', 'test.prepared', '00000000-0000-4000-8000-000000000001', 'x')); PREPARE TRANSACTION 'p';
	ROLLBACK PREPARED 'p';
	SELECT platform.decrypt_secret('00000000-0000-0000-0000-000000000000', 'test.prepared', '00000000-0000-4000-8000-000000000001',
		platform.encrypt_secret('00000000-0000-0000-0000-000000000000', 'test.prepared', '00000000-0000-4000-8000-000000000001', 'kept'))});
like($kept, qr/kept$/, 'and is not used any more then');
is(ask("SELECT count(*) FROM platform.data_keys WHERE purpose = 'test.prepared'"), '1', 'a new one was made');

# ---- the warning at 2^30 ----
$error = fails("UPDATE platform.data_key_counts SET encryptions = (1::bigint << 30) - 1;\nSET platform.secret_suite = 'aes-256-gcm';\nSELECT platform.encrypt_secret($place, 'x');\nSELECT platform.encrypt_secret($place, 'x')");
like($error, qr/WARNING:.*data key \d+ has encrypted 2\^30 times/, 'warns at 2^30');
is(scalar(() = $error =~ /WARNING/g), 1, 'once');

$session->quit;
$node->stop;
done_testing();
