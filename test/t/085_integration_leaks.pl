# A secret that went through integration accounts is found nowhere: not in the data
# directory with its WAL, nor in the server's log at its most talkative, a logical stream
# or a dump; and the redacted forms are all that members get.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use PlatformTest;
use Test::More;

my $node = talkative_node('integrations');
my $decoding = has_library('test_decoding');
my $dir = PostgreSQL::Test::Utils::tempdir;
my $organization = '00000000-0000-0000-0000-000000000000';
my $id = '85000000-0000-4000-8000-000000000001';
my $marker = 'MarkerOfAnIntegration' . 'Plugh' x 3;
my $hex = unpack 'H*', $marker;
sub ask { return $node->safe_psql('postgres', $_[0]); }
sub muted { return ask("BEGIN;\nSELECT platform.begin_secret_input();\n$_[0];\nCOMMIT"); }

ask("SELECT pg_create_logical_replication_slot('probe', 'test_decoding')") if $decoding;

# ---- every way in ----
my $twilio = qq('{"accountSid": "AC1", "authToken": "$marker"}');
muted(qq{
	INSERT INTO platform.integration_accounts (id, account_type, account_name, credentials, access_token, refresh_token, webhook_secret)
	VALUES ('$id', 'twilio', 'one', $twilio, '$marker', '$marker', '$marker');
	UPDATE platform.integration_accounts SET credentials = $twilio, access_token = '$marker again' WHERE id = '$id';
	UPDATE platform.integration_accounts SET account_type = 'custom', credentials = '{"password": "$marker", "turnServers": [{"credential": "$marker"}]}' WHERE id = '$id';
	UPDATE platform.integration_accounts SET account_type = 'twilio', credentials = $twilio WHERE id = '$id';
	INSERT INTO platform.integration_accounts (account_type, account_name, credentials)
	SELECT 'twilio', 'n' || i, $twilio FROM generate_series(1, 500) i;
	SELECT platform.encrypt_credentials('$organization', '$id', 'twilio', $twilio)});
open my $out, '>', "$dir/rows" or die;
print $out "copied\twhatsapp\t{\"appSecret\": \"$marker\"}\t$marker\n";
close $out;
# Whatever is logged while COPY reads names the row, unless it is muted.
my $copy = "\\copy platform.integration_accounts (account_name, account_type, credentials, access_token) FROM '$dir/rows'";
$node->psql('postgres', "SET auto_explain.log_min_duration = -1;\n$copy");
muted("$copy\n");
# by bound parameters
$node->command_ok(bound_parameters($node, $marker, 'extended',
	"INSERT INTO platform.integration_accounts (account_type, account_name, credentials, refresh_token) VALUES ('twilio', 'bound', jsonb_build_object('authToken', :secret::text), :secret)"), 'bound parameters');
# refused for every reason there is
for my $sql ("INSERT INTO platform.integration_accounts (account_type, account_name, credentials, status) VALUES ('twilio', 'x', $twilio, 'broken')",
	"INSERT INTO platform.integration_accounts (account_type, account_name, credentials) VALUES ('telegram', 'x', $twilio)",
	"INSERT INTO platform.integration_accounts (account_type, account_name, credentials) VALUES ('twilio', NULL, $twilio)",
	"INSERT INTO platform.integration_accounts (account_type, account_name, credentials) VALUES ('twilio', 'x', '\"$marker\"')",
	"UPDATE platform.integration_accounts SET access_token = '$marker', webhook_url = ''",
	"SELECT platform.encrypt_credentials('$organization', '$id', 'twilio', '{\"authToken\": \"$marker}')",
	"SELECT platform.import_legacy_credentials('$hex', '$hex', '$hex', '$hex')")
{
	$node->psql('postgres', "BEGIN;\nSELECT platform.begin_secret_input();\n$sql", on_error_stop => 0);
}
# ---- every way out that shows it to the caller alone, and every use ----
is(ask("SELECT r.credentials ->> 'authToken' FROM platform.reveal_credentials('$organization', '$id', 'test') r"), $marker, 'revealed');
is(ask("SELECT count(*) FROM platform.integration_accounts a, platform.try_reveal('$organization', a.id) r WHERE r.problem IS NULL AND concat(r) ~ ('Marker' || 'Of')"), '505', 'all are readable');
ask("SELECT platform.verify_twilio_request('$organization', '$id', 'https://x.example/', '', 'x'), platform.verify_meta_request('$organization', '$id', '', 'x'), platform.verify_integration_request('$organization', '$id', '', 'x', scheme => 'github')");
ask("SELECT * FROM platform.integrations");
ask("SELECT platform.rotate_integration_secret('$organization', '$id')");
ask("SELECT platform.rotate_data_key('$organization', purpose) FROM platform.data_keys WHERE state = 'active'");
is(ask('SELECT platform.reencrypt_credentials()'), '505', 're-encrypted');
ask("EXPLAIN (ANALYZE, VERBOSE) UPDATE platform.integration_accounts SET account_name = 'renamed', credentials = credentials || '{}'");
is(ask("SELECT count(*) FROM platform.integrations WHERE credentials ->> 'authToken' = '****lugh'"), '503', 'redacted');
is(ask("SELECT detail FROM platform.secret_access_log WHERE action = 'reveal'"), 'test', 'recorded');

# ---- who looked ----
if ($decoding)
{
	my $stream = ask("SELECT data FROM pg_logical_slot_get_changes('probe', NULL, NULL)");
	like($stream, qr/table platform\.integration_accounts: INSERT.*\$enc/, 'the logical stream has the rows');
	like($stream, qr/platform\.secret_access.*action=reveal.*row=$id.*detail=test/, 'and who looked');
	unlike($stream, qr/$marker|$hex/, 'but no secret');
}
like(slurp_file($node->logfile), qr/secret access: action=reveal .*row=$id detail=test role=/, 'the log has who looked');
# ---- nowhere ----
nowhere($node, $marker, $hex);

done_testing();
