# A secret that went through the functions is found nowhere: not in the data directory
# with its WAL, not in the server's log at its most talkative, not in statistics, not in
# a dump. And what the log and a logical stream say of those who changed keys.
use strict;
use warnings;
use File::Find;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
my $dir = PostgreSQL::Test::Utils::tempdir;
my $preload = join ',', grep { -e "$dir/../../" && system("test -e \$(pg_config --pkglibdir)/$_.so") == 0 } qw(pg_stat_statements auto_explain);
$node->append_conf('postgresql.conf', qq{
shared_preload_libraries = '$preload'
log_statement = all
log_min_duration_statement = 0
log_parameter_max_length = -1
log_parameter_max_length_on_error = -1
log_error_verbosity = verbose
log_min_messages = debug1
wal_level = logical
track_activity_query_size = 10000
});
$node->append_conf('postgresql.conf', "auto_explain.log_min_duration = 0\nauto_explain.log_verbose = on\n") if $preload =~ /auto_explain/;
my $out;
sub write_key { my ($text) = @_; umask 077; open $out, '>', "$dir/root_key" or die; print $out $text; close $out; return; }
write_key('1:' . '5c' x 32 . "\n");
$node->append_conf('postgresql.conf', "platform.root_key_file = '$dir/root_key'\n");
$node->start;
sub ask { return $node->safe_psql('postgres', $_[0]); }

my $marker = 'MarkerOfASecret' . 'Xyzzy' x 3;
my $hex = unpack 'H*', $marker;
my $organization = '00000000-0000-0000-0000-000000000000';
my $place = "'$organization', 'vault.secret', '84000000-0000-4000-8000-000000000001'";

# Files that hold one of the texts.
sub files_with
{
	my @texts = @_;
	my $pattern = join '|', map { quotemeta } @texts;
	my @found;
	find({ no_chdir => 1, wanted => sub {
		return unless -f;
		my $text = slurp_file($_);
		push @found, $_ if $text =~ /$pattern/;
	} }, $node->data_dir, $node->logfile);
	return @found;
}

ask('CREATE EXTENSION platform; SELECT platform.install(); CREATE TABLE vault (id uuid, secret text)');
ask('CREATE EXTENSION pg_stat_statements') if $preload =~ /pg_stat_statements/;
ask("SELECT * FROM pg_create_logical_replication_slot('probe', 'test_decoding')")
	if system('test -e $(pg_config --pkglibdir)/test_decoding.so') == 0;

# ---- the search finds what is there ----
ask("SELECT 'Decoy$marker'");
is(scalar(files_with("Decoy$marker")), 1, 'the search finds a text in the log');
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
	open $out, '>', "$dir/bound.sql" or die;
	print $out "BEGIN;\nSELECT platform.begin_secret_input();\nINSERT INTO vault VALUES ('84000000-0000-4000-8000-000000000001', platform.encrypt_secret($place, :secret));\nEND;\n";
	close $out;
	$node->command_ok([ 'pgbench', '-n', '-h', $node->host, '-p', $node->port, '-M', $mode, '-t', '2', '-D', "secret=$marker", '-f', "$dir/bound.sql", 'postgres' ], "$mode statements");
}
# ---- keys ----
ask(qq{BEGIN; SELECT platform.begin_secret_input(); SELECT platform.unlock('\\x${\('5d' x 32)}', 2); COMMIT; SELECT platform.rotate_root_key()});
write_key('2:' . '5d' x 32 . "\n");
ask("SELECT platform.rotate_data_key('$organization', 'vault.secret'); UPDATE vault SET secret = platform.reencrypt_secret($place, secret)");
$node->psql('postgres', "BEGIN; SELECT platform.destroy_data_key('$organization', 'vault.nothing', force => true); SELECT platform.rotate_data_key('$organization', 'vault.undone'); ROLLBACK");
is(ask("SELECT count(*), count(*) FILTER (WHERE plaintext = '" . 'x' . "'), bool_and(length(plaintext) = " . length($marker) . ") FROM vault, platform.try_decrypt_secret($place, secret)"),
	'6|0|t', 'the secrets are there');

# ---- nowhere ----
if ($preload =~ /pg_stat_statements/)
{
	is(ask("SELECT count(*) FROM pg_stat_statements WHERE query LIKE '%Marker' || 'Of%'"), '0', 'pg_stat_statements');
}
$node->command_ok([ 'pg_dump', '-h', $node->host, '-p', $node->port, '-f', "$dir/dump.sql", 'postgres' ], 'dump');
unlike(slurp_file("$dir/dump.sql"), qr/$marker|$hex|(?:5d){32}|(?:5c){32}/, 'not in it');
my $log = slurp_file($node->logfile);
like($log, qr/LOG: .*logging of statements is off until the end of the transaction/, 'the log says that it was muted');
like($log, qr/secret access: action=rotate_data_key organization=$organization purpose=vault\.secret detail=key \d+ role=/, 'and who changed keys');
if (system('test -e $(pg_config --pkglibdir)/test_decoding.so') == 0)
{
	my $stream = ask("SELECT data FROM pg_logical_slot_get_changes('probe', NULL, NULL)");
	like($stream, qr/message: transactional: 0 prefix: platform\.secret_access.*action=rotate_root_key/, 'the logical stream says so too');
	like($stream, qr/message: .*purpose=vault\.undone/, 'also what was rolled back');
	is(ask("SELECT count(*) FROM platform.secret_access_log WHERE purpose = 'vault.undone'"), '0', 'of which no row is left');
	unlike($stream, qr/$marker|$hex/, 'but no secret');
}
ask('CHECKPOINT');
$node->stop;
is(join(' ', files_with($marker, $hex, '5d' x 32, '5c' x 32, pack('H*', '5d' x 32))), '', 'nowhere in the data directory and the log');

done_testing();
