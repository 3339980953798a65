# A secret that went through the functions is found nowhere: not in the data directory
# with its WAL, not in the server's log at its most talkative, not in statistics, not in
# a dump. And what the log and a logical stream say of those who changed keys.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use PlatformTest;
use Test::More;

my $node = talkative_node('main');
sub ask { return $node->safe_psql('postgres', $_[0]); }

my $marker = 'MarkerOfASecret' . 'Xyzzy' x 3;
my $hex = unpack 'H*', $marker;
my $organization = '00000000-0000-0000-0000-000000000000';
my $place = "'$organization', 'vault.secret', '84000000-0000-4000-8000-000000000001'";

ask('CREATE TABLE vault (id uuid, secret text)');
ask("SELECT * FROM pg_create_logical_replication_slot('probe', 'test_decoding')")
	if has_library('test_decoding');

# ---- the search finds what is there ----
ask("SELECT 'Decoy$marker'");
is(scalar(files_with($node, "Decoy$marker")), 1, 'the search finds a text in the log');
# from here on the log is another file
$node->rotate_logfile;
$node->restart;

# ---- literals ----
my $secret = "'$marker'";
ask(qq{
	BEGIN;
	SELECT platform.begin_secret_input();
	INSERT INTO vault VALUES ('84000000-0000-4000-8000-000000000001', platform.encrypt_secret($place, $secret));
	UPDATE vault SET secret = platform.encrypt_secret($place, $secret) WHERE platform.decrypt_secret($place, secret) = $secret;
	SELECT platform.secret_index('$organization', 'vault.secret', $secret);
	SELECT plaintext FROM vault, platform.try_decrypt_secret($place, secret);
	SET LOCAL platform.secret_suite = 'aes-256-gcm';
	INSERT INTO vault VALUES ('84000000-0000-4000-8000-000000000002', platform.encrypt_secret($place, $secret));
	EXPLAIN ANALYZE VERBOSE SELECT platform.decrypt_secret($place, secret) FROM vault;
	SELECT query FROM pg_stat_activity;
	COMMIT});
# errors in the same way: details, contexts, the statement
for my $sql ("SELECT platform.decrypt_secret($place, $secret)", "SELECT platform.encrypt_secret('84000000-0000-4000-8000-000000000009', 'vault.secret', '84000000-0000-4000-8000-000000000001', $secret)",
	"SELECT platform.encrypt_secret($place, $secret) / 0", "SELECT platform.unlock('$marker')", "INSERT INTO vault VALUES ($secret, $secret)",
	"DO \$\$ BEGIN EXECUTE 'SELECT 1 / 0, platform.encrypt_secret($place, ''$marker'')'; END \$\$", "SELECT $secret FROM nowhere", "SELEC $secret")
{
	$node->psql('postgres', "BEGIN;\nSELECT platform.begin_secret_input();\n$sql", on_error_stop => 0);
}
# ---- bound parameters ----
for my $mode (qw(extended prepared))
{
	$node->command_ok(bound_parameters($node, $marker, $mode, "INSERT INTO vault VALUES ('84000000-0000-4000-8000-000000000001', platform.encrypt_secret($place, :secret))"),
		"$mode statements");
}
# ---- keys ----
ask(qq{BEGIN; SELECT platform.begin_secret_input(); SELECT platform.unlock('\\x${\('5d' x 32)}', 2); COMMIT; SELECT platform.rotate_root_key()});
write_root_key($node, '2:' . '5d' x 32);
ask("SELECT platform.rotate_data_key('$organization', 'vault.secret'); UPDATE vault SET secret = platform.reencrypt_secret($place, secret)");
$node->psql('postgres', "BEGIN; SELECT platform.destroy_data_key('$organization', 'vault.nothing', force => true); SELECT platform.rotate_data_key('$organization', 'vault.undone'); ROLLBACK");
is(ask("SELECT count(*), count(*) FILTER (WHERE plaintext = '" . 'x' . "'), bool_and(length(plaintext) = " . length($marker) . ") FROM vault, platform.try_decrypt_secret($place, secret)"),
	'6|0|t', 'the secrets are there');

# ---- who changed keys ----
my $log = slurp_file($node->logfile);
like($log, qr/LOG: .*logging of statements is off until the end of the transaction/, 'the log says that it was muted');
like($log, qr/secret access: action=rotate_data_key organization=$organization purpose=vault\.secret detail=key \d+ role=/, 'and who changed keys');
if (has_library('test_decoding'))
{
	# what was rolled back is not flushed by that
	ask('CHECKPOINT');
	my $stream = ask("SELECT data FROM pg_logical_slot_get_changes('probe', NULL, NULL)");
	like($stream, qr/message: transactional: 0 prefix: platform\.secret_access.*action=rotate_root_key/, 'the logical stream says so too');
	like($stream, qr/message: .*purpose=vault\.undone/, 'also what was rolled back');
	is(ask("SELECT count(*) FROM platform.secret_access_log WHERE purpose = 'vault.undone'"), '0', 'of which no row is left');
	unlike($stream, qr/$marker|$hex/, 'but no secret');
}
# ---- nowhere ----
nowhere($node, $marker, $hex, map({ ($_ x 32, pack('H*', $_ x 32)) } '5c', '5d'));

done_testing();
