# Every public function that takes a secret, found in the catalogue by the names of its
# arguments: a marker that goes through it, as a literal and as a bound parameter, is
# found nowhere, nor is what functions show once. A function that is new here needs a call.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use MIME::Base64 qw(encode_base64);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use PlatformTest;
use Test::More;

my $node = talkative_node('every');
sub ask { return $node->safe_psql('postgres', $_[0]); }

# 32 bytes, so that it is a key, too
my $marker = 'MarkerThatGoesThroughAllOfItXyzz';
my $base64 = encode_base64($marker, '') =~ s/=+$//r;
my @forms = ($marker, unpack('H*', $marker), $base64);
my $organization = "'00000000-0000-0000-0000-000000000000'::uuid";
my $id = "'84000000-0000-4000-8000-000000000001'::uuid";
my $place = "$organization, 'vault.secret', $id";

# The call for each of them. %s is the secret, a text. After => the SQLSTATE of those
# that can only refuse it.
my $bytes = q{convert_to(%s, 'UTF8')};
my $webhook = q{'whsec_' || encode(convert_to(%s, 'UTF8'), 'base64')};
my $text_list = 'ARRAY[%s]';
my $now = 'to_timestamp(1700000000)';
my %calls = (
	'authenticate(text)' => [ 'authenticate(%s)' => '28000' ],
	'check_jwt(text)' => ['check_jwt(%s)'],
	'unlock(bytea, integer)' => ["unlock($bytes, 9), platform.unlock()"],
	'encrypt_secret(uuid, text, uuid, text, text)' => ["encrypt_secret($place, %s)"],
	'decrypt_secret(uuid, text, uuid, text, text)' => ["decrypt_secret($place, platform.encrypt_secret($place, %s))"],
	'try_decrypt_secret(uuid, text, uuid, text, text)' => ["try_decrypt_secret($place, platform.encrypt_secret($place, %s))"],
	'reencrypt_secret(uuid, text, uuid, text, text)' => ["reencrypt_secret($place, platform.encrypt_secret($place, %s))"],
	'envelope_key_id(text)' => ['envelope_key_id(%s)'],
	'secret_index(uuid, text, text)' => ["secret_index($organization, 'vault.secret', %s)"],
	'encrypt_credentials(uuid, uuid, text, jsonb)' => ["encrypt_credentials($organization, $id, 'twilio', jsonb_build_object('authToken', %s))"],
	'encrypt_credentials(uuid, uuid, text, text)' => ["encrypt_credentials($organization, $id, 'twilio', '{\"authToken\": \"' || %s || '\"}')"],
	'import_legacy_credentials(text, text, text, text)' => [ 'import_legacy_credentials(%s, %s, %s, %s)' => '22023' ],
	'authenticate_webrtc_session(text)' => [ 'authenticate_webrtc_session(%s)' => 'PT404' ],
	'add_tracking_point(text, double precision, double precision, integer, timestamp with time zone)' => [ 'add_tracking_point(%s, 1, 1)' => 'PT404' ],
	'track(text)' => [ 'track(%s)' => 'PT404' ],
	'tracking_path(text, integer)' => [ 'tracking_path(%s)' => 'PT404' ],
	'verify_session(text)' => ['verify_session(%s)'],
	'touch_session(text, interval)' => ['touch_session(%s)'],
	'redact_secrets(jsonb)' => ["redact_secrets(jsonb_build_object('password', %s))"],
	'jwt_sign(jsonb, bytea, text, jsonb)' => ["jwt_sign('{}', $bytes)"],
	'jwt_verify(text, bytea[], text[], text, text, interval, timestamp with time zone)' => ["jwt_verify(platform.jwt_sign('{}', $bytes), ARRAY[$bytes], '{HS256}')"],
	'jwt_check(text, bytea[], text[], text, text, interval, timestamp with time zone)' => ["jwt_check(%s, ARRAY[$bytes], '{HS256}')"],
	'ed25519_public_key(bytea)' => ["ed25519_public_key($bytes)"],
	'webrtc_token(bytea, text, interval, jsonb, text, text, text, timestamp with time zone)' => ["webrtc_token($bytes, 'someone')"],
	'twilio_access_token(text, text, text, text, jsonb, interval, text, timestamp with time zone, text, timestamp with time zone)' =>
		["twilio_access_token('AC1', 'SK1', %s, 'someone', platform.twilio_voice_grant())"],
	'twilio_voice_grant(text, boolean, jsonb, text, text)' => ["twilio_voice_grant('AP1', push_credential_sid => %s)"],
	'turn_credentials(text, text, interval, text[], timestamp with time zone)' => ['turn_credentials(%s)'],
	'verify_turn_credentials(text, text, text[], timestamp with time zone)' => ["verify_turn_credentials('1', %s, $text_list)"],
	'check_turn_credentials(text, text, text[], timestamp with time zone)' => ["check_turn_credentials('1', %s, $text_list)"],
	'hmac(bytea, bytea, text)' => ["hmac('x', $bytes)"],
	'webhook_public_key(text)' => [ "webhook_public_key('whsk_' || encode($bytes, 'base64'))" ],
	'decode_base64url(text)' => ['decode_base64url(%s)'],
	'sign_webhook_request(text, bytea, text[], text, text, timestamp with time zone)' => ["sign_webhook_request('github', 'x', $text_list)"],
	'meta_challenge(text, text, text, text[])' => ["meta_challenge('subscribe', %s, 'x', $text_list)"],
	'create_webhook_subscription(uuid, text, text, text[], text, text, jsonb, text, integer, integer)' =>
		["create_webhook_subscription($organization, 'one', 'https://example.com/' || gen_random_uuid(), '{*}', %s)"],
);
for my $check (qw(verify check))
{
	$calls{"${check}_${_}_webhook(text, text, bytea, text, text[], timestamp with time zone)"} =
		["${check}_${_}_webhook('m', '1700000000', 'x', platform.sign_${_}_webhook('m', $now, 'x', ARRAY[$webhook]), ARRAY[$webhook], $now)"] for qw(standard svix);
	$calls{"${check}_${_}_webhook(bytea, text, text[])"} = ["${check}_${_}_webhook('x', platform.sign_${_}_webhook('x', %s), $text_list)"] for qw(meta github);
	$calls{"${check}_stripe_webhook(bytea, text, text[], timestamp with time zone)"} = ["${check}_stripe_webhook('x', platform.sign_stripe_webhook('x', $text_list), $text_list)"];
	$calls{"${check}_retell_webhook(bytea, text, text[], timestamp with time zone)"} = ["${check}_retell_webhook('x', platform.sign_retell_webhook('x', %s), $text_list)"];
	$calls{"${check}_slack_webhook(text, bytea, text, text[], timestamp with time zone)"} =
		["${check}_slack_webhook('1700000000', 'x', platform.sign_slack_webhook($now, 'x', %s), $text_list, $now)"];
	$calls{"${check}_twilio_webhook(text, bytea, text, text[])"} = ["${check}_twilio_webhook('https://x.example/', '', platform.sign_twilio_webhook('https://x.example/', '', %s), $text_list)"];
	$calls{"${check}_webhook_request(text, jsonb, bytea, text[], text, timestamp with time zone)"} =
		["${check}_webhook_request('github', platform.sign_webhook_request('github', 'x', $text_list), 'x', $text_list)"];
}
$calls{"sign_${_}_webhook(text, timestamp with time zone, bytea, text[])"} = ["sign_${_}_webhook('m', $now, 'x', ARRAY[$webhook])"] for qw(standard svix);
$calls{"sign_${_}_webhook(bytea, text)"} = ["sign_${_}_webhook('x', %s)"] for qw(meta github);
$calls{'sign_stripe_webhook(bytea, text[], timestamp with time zone)'} = ["sign_stripe_webhook('x', $text_list)"];
$calls{'sign_retell_webhook(bytea, text, timestamp with time zone)'} = ["sign_retell_webhook('x', %s)"];
$calls{'sign_slack_webhook(timestamp with time zone, bytea, text)'} = ["sign_slack_webhook($now, 'x', %s)"];
$calls{"sign_twilio${_}_webhook(text, bytea, text)"} = ["sign_twilio${_}_webhook('https://x.example/', '', %s)"] for '', '_json';

# What is stored in clear because its table is read by others: the room's token of a host.
my %in_clear = ('heartbeat_presence(uuid, text, text, boolean, text)' => 1);

# ---- none is forgotten ----
my @found = split /\n/, ask(q{
	SELECT DISTINCT p.proname || '(' || oidvectortypes(p.proargtypes) || ')'
	FROM pg_proc p, generate_subscripts(p.proargtypes, 1) n,
		LATERAL (SELECT p.proargnames[n + 1] AS name, p.proargtypes[n]::regtype::text AS type) a
	WHERE p.pronamespace = 'platform'::regnamespace AND type IN ('text', 'text[]', 'bytea', 'bytea[]', 'jsonb')
		AND (name ~ 'secret|token|password|credential|plaintext|jwt|private|envelope|encrypted|auth_tag|unlock'
			OR (name IN ('key', 'keys') AND type LIKE 'bytea%') OR name IN ('update_key', 'value') OR (name = 'document' AND p.proname ~ 'redact'))
	ORDER BY 1});
is(join("\n", grep { !$calls{$_} && !$in_clear{$_} } @found), '', 'every function that takes a secret has a call here');
my %is_found = map { $_ => 1 } @found;
is(join("\n", grep { !$is_found{$_} } sort(keys %calls, keys %in_clear)), '', 'and every call is of one that there is');
cmp_ok(scalar @found, '>', 60, scalar(@found) . ' functions');

# ---- each, as a literal; then with everything else missing, which most refuse ----
my $begin = "BEGIN;\nSELECT platform.begin_secret_input();\n";
for my $function (sort keys %calls)
{
	my ($call, $refused) = @{ $calls{$function} };
	my $sql = "SELECT platform.$call" =~ s/%s/'$marker'/gr;
	my ($code, $out, $error) = $node->psql('postgres', "\\set VERBOSITY sqlstate\n$begin$sql;\nCOMMIT", on_error_stop => 0);
	is($error =~ s/^.*ERROR:\s+(\w+).*$/$1/sr, $refused // '', $function);

	my ($name, $types) = $function =~ /^(\w+)\((.*)\)$/;
	my @arguments = map {
		/^text$/ ? "'$marker'" : /^bytea$/ ? "'$marker'::bytea" : /^text\[\]$/ ? "ARRAY['$marker']" : /^bytea\[\]$/ ? "ARRAY['$marker'::bytea]" :
		/^jsonb$/ ? "'{\"password\": \"$marker\"}'::jsonb" : "NULL::$_"
	} split /, /, $types;
	$node->psql('postgres', "${begin}SELECT platform.$name(" . join(', ', @arguments) . ');', on_error_stop => 0);
}

# ---- as bound parameters ----
sub bound
{
	return bound_parameters($node, $marker, 'extended', map { "SELECT platform.$_" =~ s/%s/CAST(:secret AS text)/gr } @_);
}
$node->command_ok(bound(map { $calls{$_}[1] ? () : $calls{$_}[0] } sort keys %calls), 'bound parameters');
$node->command_fails(bound($calls{$_}[0]), "bound and refused: $_") for grep { $calls{$_}[1] } sort keys %calls;

# ---- columns with secrets: what is written into the table in clear ----
my %rows = (
	'platform.integration_accounts' => "(account_type, account_name, credentials, access_token, refresh_token, webhook_secret, previous_webhook_secret)
		VALUES ('twilio', 'one', jsonb_build_object('authToken', '$marker'), '$marker', '$marker', '$marker', '$marker')",
	'platform.webhook_subscriptions' => "(name, url, events, secret, previous_secret, previous_secret_expires_at)
		VALUES ('two', 'https://example.com/two', '{*}', '$marker', '$marker', now() + interval '1 day')");
is(ask('SELECT DISTINCT schema_name || $$.$$ || table_name FROM platform.secret_columns ORDER BY 1'), join("\n", sort keys %rows), 'tables with secrets');
ask("${begin}INSERT INTO $_ $rows{$_};\nCOMMIT") for sort keys %rows;
is(ask('SELECT string_agg(DISTINCT table_name || $$.$$ || column_name, $$ $$) FROM platform.verify_secrets() WHERE NOT readable OR reason IS NOT NULL'), '', 'are encrypted');
is(ask('SELECT count(DISTINCT (table_name, column_name)) = (SELECT count(*) FROM platform.secret_columns) FROM platform.verify_secrets()'), 't', 'in all of their columns');

# ---- what is shown once ----
ask(qq{UPDATE platform.organizations SET settings = '{"features": {"callEnabled": true}}' WHERE id = $organization});
ask("INSERT INTO platform.users (id, email) VALUES ($id, 'someone\@example.com'); INSERT INTO platform.organization_members (organization_id, user_id, role) VALUES ($organization, $id, 'owner')");
my @shown = grep { length >= 20 } map { split /[|\n]/ } map { ask("SELECT $_") } (
	'(row_number() OVER ())::text, platform.generate_secret()',
	"split_part(platform.generate_root_key(), ':', 2)",
	"platform.create_session($organization, $id)",
	"platform.rotate_integration_secret(organization_id, id) FROM platform.integration_accounts",
	"platform.rotate_webhook_secret(id) FROM platform.webhook_subscriptions WHERE name = 'one' LIMIT 1",
	"secret FROM platform.create_webhook_subscription($organization, 'three', 'https://example.com/three', '{*}')",
	"session_token FROM platform.create_webrtc_session($organization, user_id => $id)",
	"token, update_key FROM platform.start_tracking($organization, customer_phone => '+15550100')");
cmp_ok(scalar @shown, '>=', 9, 'secrets that are shown once');
my ($session, $webrtc, $track, $update) = @shown[ 2, -3 .. -1 ];
is(ask("${begin}SELECT valid FROM platform.verify_session('$session'); SELECT platform.touch_session('$session');
	SELECT id IS NOT NULL FROM platform.authenticate_webrtc_session('$webrtc');
	SELECT platform.add_tracking_point('$update', 1, 1); SELECT lat FROM platform.track('$track'); SELECT count(*) FROM platform.tracking_path('$track'); COMMIT"), "\nt\nt\nt\nt\n1\n1", 'and used');

# ---- nowhere ----
nowhere($node, @forms, @shown);

done_testing();
