# authenticate() and check_jwt(): algorithms, forged and malformed tokens, claims,
# and the file of keys: rotated, missing, readable by others.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256 hmac_sha384 hmac_sha512);
use File::Basename qw(dirname);
use JSON::PP;
use MIME::Base64 qw(encode_base64url decode_base64url);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $json = JSON::PP->new->canonical;
my $vectors =
  $json->decode(slurp_file(dirname(__FILE__) . '/jwt_vectors.json'));
my $organization = 'c0de0002-0000-4000-8000-000000000001';
my $user = 'c0de0002-0000-4000-8000-0000000000aa';
my $secret = 'k' x 32;
my $other_secret = 'o' x 32;
my $long_secret = 'l' x 64;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
my $file = $node->data_dir . '/jwt_keys.json';
$node->append_conf('postgresql.conf', "platform.jwt_keys_file = 'jwt_keys.json'\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION platform;
	SELECT count(*) FROM platform.install();
	CREATE ROLE platform_test_member LOGIN;
	CREATE ROLE platform_test_stranger LOGIN;
	SELECT platform.grant_member('platform_test_member');
});

sub oct_key { my ($value, %more) = @_; return { kty => 'oct', k => encode_base64url($value), %more }; }

# Replaces the file as an operator should: in one step.
sub write_keys
{
	my ($keys, $mode) = @_;
	my $text = ref $keys ? $json->encode({ keys => $keys }) : $keys;
	open my $out, '>', "$file.new" or die $!;
	print $out $text;
	close $out;
	chmod $mode // 0600, "$file.new";
	rename "$file.new", $file or die $!;
}

sub sign
{
	my ($header, $payload, $key, $hmac) = @_;
	my $signed = join '.', map { encode_base64url(ref $_ ? $json->encode($_) : $_) } $header, $payload;
	return $signed . '.' . encode_base64url(($hmac // \&hmac_sha256)->($signed, $key // $secret));
}

# One statement as a member: its output, and SQLSTATE and message of an error.
sub ask
{
	my ($sql, $role) = @_;
	my ($code, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql",
		extra_params => [ '-U', $role // 'platform_test_member' ]);
	return $err =~ /ERROR:\s+(\w+: .*)/ ? $1 : $out;
}

# Each named token on a row of its own, in one session.
sub check
{
	my ($name, $expected, $token) = @_;
	is(ask("SELECT reason FROM platform.check_jwt('$token')"), $expected, $name);
}

my %claims = (
	sub => $user,
	exp => time + 3600,
	app_metadata => { organization_id => $organization, platform_role => 'owner' });

# ---- without keys ----
like(ask(q{SELECT platform.authenticate('x')}), qr/^28000: token is malformed/, 'structure is checked before keys');
like(ask("SELECT platform.check_jwt('" . sign({ alg => 'HS256' }, \%claims) . "')"),
	qr/^F0000: keys to verify tokens are not available/, 'missing file');

# ---- algorithms ----
write_keys([
	oct_key($secret, kid => 'one', alg => 'HS256'),
	oct_key($other_secret, kid => 'two'),
	oct_key($long_secret, kid => 'hs384', alg => 'HS384'),
	oct_key($long_secret, kid => 'hs512', alg => 'HS512'),
	{ %{ $vectors->{rsa} }, kid => 'rsa', alg => 'RS256', use => 'sig', key_ops => ['verify'] },
	{ %{ $vectors->{ec} }, kid => 'ec' },
	{ %{ $vectors->{ed} }, kid => 'ed', alg => 'EdDSA' },
	@{ $vectors->{rfc7515_keys} },
	# of no use, each for another reason
	oct_key('short', kid => 'short'),
	oct_key('s' x 47, kid => 'short384', alg => 'HS384'),
	oct_key($secret, kid => 'enc', use => 'enc'),
	oct_key($secret, kid => 'ops', key_ops => ['sign']),
	oct_key($secret, kid => 'mismatch', alg => 'RS256'),
	{ kty => 'oct', k => 'a=b', kid => 'padding' },
	{ %{ $vectors->{weak} }, kid => 'weak' },
	{ %{ $vectors->{rsa} }, kid => 'none', alg => 'none' },
	{ %{ $vectors->{rsa} }, kid => 'exponent', e => 'AQ' },
	{ %{ $vectors->{ec} }, kid => 'off', y => $vectors->{ec}{x} },
	{ %{ $vectors->{ec} }, kid => 'curve', crv => 'P-384' },
	{ kty => 'future', kid => 'future' },
	'no object', 7 ]);

check('HS256', 'VALID', sign({ alg => 'HS256', typ => 'JWT', kid => 'one' }, \%claims));
check('HS256, second key', 'VALID', sign({ alg => 'HS256', kid => 'two' }, \%claims, $other_secret));
check('HS256 without kid', 'VALID', sign({ alg => 'HS256' }, \%claims, $other_secret));
check('HS384', 'VALID', sign({ alg => 'HS384' }, \%claims, $long_secret, \&hmac_sha384));
check('HS512', 'VALID', sign({ alg => 'HS512' }, \%claims, $long_secret, \&hmac_sha512));
check($_, 'VALID', $vectors->{$_}) for qw(RS256 ES256 EdDSA);
check('ES256, number with leading zeroes', 'VALID', $vectors->{ES256short});
check("RFC 7515, $_", 'EXPIRED', $vectors->{"rfc7515_$_"}) for qw(A1 A2 A3);

# ---- forged ----
check('another secret', 'BAD_SIGNATURE', sign({ alg => 'HS256' }, \%claims, 'x' x 32));
check('another key than kid says', 'BAD_SIGNATURE', sign({ alg => 'HS256', kid => 'two' }, \%claims, $secret));
check('kid that nobody has', 'UNKNOWN_KEY', sign({ alg => 'HS256', kid => 'three' }, \%claims));
check("unusable key $_", 'UNKNOWN_KEY', sign({ alg => 'HS256', kid => $_ }, \%claims))
  for qw(enc ops mismatch padding);
check('short key', 'UNKNOWN_KEY', sign({ alg => 'HS256', kid => 'short' }, \%claims, 'short'));
check('short key', 'UNKNOWN_KEY', sign({ alg => 'HS384', kid => 'short384' }, \%claims, 's' x 47, \&hmac_sha384));
check('weak RSA key', 'UNKNOWN_KEY', $vectors->{RS256weak});
check("alg $_", 'UNSUPPORTED', sign({ alg => $_ }, \%claims)) for qw(none None NONE hs256 HS1 ES512 PS256), '';
check('alg of another key', 'BAD_SIGNATURE', sign({ alg => 'HS384' }, \%claims, $secret, \&hmac_sha256));
check('alg of another kid', 'UNKNOWN_KEY', sign({ alg => 'HS512', kid => 'one' }, \%claims, $secret, \&hmac_sha512));
{
	# a public key used as the secret
	my $der = decode_base64url($vectors->{rsa}{n});
	check('public key as secret', 'UNKNOWN_KEY', sign({ alg => 'HS256', kid => 'rsa' }, \%claims, $der));
	check('ECDSA signature as DER', 'BAD_SIGNATURE', $vectors->{ES256der});
	my ($header, $payload, $signature) = split /\./, sign({ alg => 'HS256' }, \%claims);
	my $none = encode_base64url('{"alg":"none"}');
	check('alg none without signature', 'MALFORMED', "$none.$payload.");
	check('alg none with a signature', 'UNSUPPORTED', "$none.$payload.$signature");
	my $forged = encode_base64url($json->encode({ %claims, sub => 'forged' }));
	check('another payload', 'BAD_SIGNATURE', "$header.$forged.$signature");
	check('another header', 'BAD_SIGNATURE', encode_base64url('{"alg":"HS256" }') . ".$payload.$signature");
	for my $algorithm (qw(RS256 ES256 EdDSA))
	{
		my ($h, undef, $s) = split /\./, $vectors->{$algorithm};
		check("$algorithm, another payload", 'BAD_SIGNATURE', "$h.$forged.$s");
		my $bytes = decode_base64url($s);
		check("$algorithm, signature cut", 'BAD_SIGNATURE', "$h.$payload." . encode_base64url(substr $bytes, 1));
		check("$algorithm, signature of zeroes", 'BAD_SIGNATURE',
			"$h.$payload." . encode_base64url("\0" x length $bytes));
		check("$algorithm, 1000 bytes", 'BAD_SIGNATURE', "$h.$payload." . encode_base64url("\1" x 1000));
	}

	# ---- malformed ----
	check('two segments', 'MALFORMED', "$header.$payload");
	check('four segments', 'MALFORMED', "$header.$payload.$signature.");
	check('five segments', 'MALFORMED', "$header.$payload.$signature.a.b");
	check('empty', 'MALFORMED', '');
	check('dots', 'MALFORMED', '..');
	check('no header', 'MALFORMED', ".$payload.$signature");
	check('no payload', 'MALFORMED', "$header..$signature");
	check('padding', 'MALFORMED', "$header.$payload.$signature=");
	check('white space', 'MALFORMED', "$header.$payload. $signature");
	check('line end', 'MALFORMED', "$header.$payload.$signature\n");
	check('characters of plain base64', 'MALFORMED', "$header.$payload." . ('+/' x 21) . 'A');
	check('stray bits', 'MALFORMED', "$header.$payload." . substr($signature, 0, 42) . 'B')
	  unless substr($signature, 42, 1) eq 'B';
	check('impossible length', 'MALFORMED', "$header.$payload.${signature}AA");
	check('1 MB', 'MALFORMED', 'a' x 1048576);
	check('1 MB of dots', 'MALFORMED', '.' x 1048576);
	check('Bearer prefix', 'MALFORMED', "Bearer $header.$payload.$signature");
}
check("header $_", 'MALFORMED', sign($_, \%claims))
  for '', '[]', '"x"', 'null', '{"alg":"HS256"', '{"alg":"HS256","alg":"none"}', '{"alg":1}', '{}', '{"alg":["HS256"]}',
  '{"alg":"HS256","kid":1}', "\xff", '{"alg":"HS256"} x', '[' x 30000;
check('crit', 'UNSUPPORTED', sign({ alg => 'HS256', crit => ['exp'] }, \%claims));
check('crit null', 'UNSUPPORTED', sign({ alg => 'HS256', crit => undef }, \%claims));
check("payload $_", 'MALFORMED', sign({ alg => 'HS256' }, $_))
  for '', '[]', '"x"', 'null', '{"exp":1,"exp":2}', '{"exp":"4102444800"}', '{"exp":true}', '{"exp":4102444800,"nbf":"1"}', "{\"sub\":\"\xff\"}";

# ---- claims ----
check('without exp', 'NO_EXPIRY', sign({ alg => 'HS256' }, { sub => $user }));
check('exp null', 'MALFORMED', sign({ alg => 'HS256' }, { sub => $user, exp => undef }));
check('expired within the leeway', 'VALID', sign({ alg => 'HS256' }, { %claims, exp => time - 30 }));
check('expired', 'EXPIRED', sign({ alg => 'HS256' }, { %claims, exp => time - 90 }));
check('expired long ago', 'EXPIRED', sign({ alg => 'HS256' }, { %claims, exp => -1e300 }));
check('exp with a fraction', 'VALID', sign({ alg => 'HS256' }, { %claims, exp => time + 1000.5 }));
check('nbf within the leeway', 'VALID', sign({ alg => 'HS256' }, { %claims, nbf => time + 30 }));
check('nbf', 'NOT_YET_VALID', sign({ alg => 'HS256' }, { %claims, nbf => time + 300 }));
check('a forged token tells nothing of its times', 'BAD_SIGNATURE',
	sign({ alg => 'HS256' }, { %claims, exp => 1 }, 'x' x 32));
check('nobody', 'BAD_CLAIMS', sign({ alg => 'HS256' }, { exp => time + 100 }));
check('user only', 'VALID', sign({ alg => 'HS256' }, { exp => time + 100, sub => 'demo_user' }));
check('organization only', 'VALID',
	sign({ alg => 'HS256' }, { exp => time + 100, app_metadata => { organization_id => $organization } }));
check('sub of a wrong type', 'BAD_CLAIMS', sign({ alg => 'HS256' }, { %claims, sub => [$user] }));
check('organization is no uuid', 'BAD_CLAIMS',
	sign({ alg => 'HS256' }, { %claims, app_metadata => { organization_id => 'acme' } }));
check('role with a line end', 'BAD_CLAIMS',
	sign({ alg => 'HS256' }, { %claims, app_metadata => { organization_id => $organization, platform_role => "a\nb" } }));
is(ask('SELECT reason FROM platform.check_jwt(NULL)'), 'MALFORMED', 'NULL');
is(ask('SELECT valid FROM platform.check_jwt(NULL)'), 'f', 'NULL is not valid');

# ---- authenticate ----
my $token = sign({ alg => 'HS256' }, \%claims);
my $me = 'SELECT platform.current_organization_id(), platform.current_user_id(), platform.current_subject(), platform.is_admin(), platform.is_platform_admin()';
is(ask("SELECT * FROM platform.authenticate('$token')"), "$organization|$user|$user|owner", 'answer');
is(ask("BEGIN; SELECT valid FROM platform.check_jwt('$token'); $me; ROLLBACK"), "t\n|||f|f", 'check_jwt changes nothing');
is(ask("BEGIN;\nSELECT FROM platform.authenticate('$token');\n$me;\nCOMMIT;\n$me;"),
	"$organization|$user|$user|t|f\n|||f|f", 'acts until the end of the transaction');
my $demo = sign({ alg => 'HS256' }, { sub => 'demo_user', exp => time + 100 });
is(ask("SELECT * FROM platform.authenticate('$demo')"), '||demo_user|member', 'defaults');
is(ask("BEGIN;\nSELECT FROM platform.authenticate('$token');\nSAVEPOINT s;\nSELECT FROM platform.authenticate('$demo');\n$me;\nROLLBACK TO s;\n$me;"),
	"||demo_user|f|f\n$organization|$user|$user|t|f", 'savepoint');
is(ask("BEGIN;\nSELECT FROM platform.authenticate('$token');\nSAVEPOINT s;\nSELECT platform.authenticate('x');\nROLLBACK TO s;\n$me;"),
	'28000: token is malformed', 'raises');
like(ask('SELECT platform.authenticate(NULL)'), qr/^28000: /, 'NULL');
like(ask("SELECT platform.authenticate('" . sign({ alg => 'HS256' }, { %claims, exp => 1 }) . "')"), qr/^PT410: token has expired/, 'PT410');
like(ask("SELECT platform.authenticate('" . sign({ alg => 'HS256', kid => 'x' }, \%claims) . "')"), qr/^28000: token is signed with an unknown key/, 'unknown key');
like(ask("SELECT platform.authenticate('$token')", 'platform_test_stranger'), qr/^42501: /, 'a stranger may not');
like(ask("SELECT platform.check_jwt('$token')", 'platform_test_stranger'), qr/^42501: /, 'nor ask');

# ---- issuer and audience ----
$node->append_conf('postgresql.conf', "platform.jwt_issuer = 'https://issuer.example'\nplatform.jwt_audience = 'platform'\n");
$node->reload;
my %named = (%claims, iss => 'https://issuer.example', aud => 'platform');
check('issuer and audience', 'VALID', sign({ alg => 'HS256' }, \%named));
check('audience in a list', 'VALID', sign({ alg => 'HS256' }, { %named, aud => [ 'other', 'platform' ] }));
check('no issuer', 'WRONG_ISSUER', sign({ alg => 'HS256' }, { %named, iss => undef }));
check('another issuer', 'WRONG_ISSUER', sign({ alg => 'HS256' }, { %named, iss => 'https://issuer.example/' }));
check('no audience', 'WRONG_AUDIENCE', sign({ alg => 'HS256' }, { %named, aud => undef }));
check('another audience', 'WRONG_AUDIENCE', sign({ alg => 'HS256' }, { %named, aud => ['plat'] }));
$node->append_conf('postgresql.conf', "platform.jwt_issuer = ''\nplatform.jwt_audience = ''\n");
$node->reload;

# ---- the file ----
# One session sees each version at its next call.
my $session = $node->background_psql('postgres');
my $ask = sub { return $session->query("SELECT reason FROM platform.check_jwt('$token');\n"); };
like($ask->(), qr/^VALID/m, 'before the rotation');
write_keys([ oct_key($other_secret) ]);
like($ask->(), qr/^BAD_SIGNATURE/m, 'a rotated key is gone at once');
write_keys([ oct_key($other_secret), oct_key($secret) ]);
like($ask->(), qr/^VALID/m, 'and back');
$session->quit;

my $not_available = qr/^F0000: keys to verify tokens are not available/;
for my $mode (0604, 0602, 0620, 0666)
{
	write_keys([ oct_key($secret) ], $mode);
	like(ask("SELECT platform.check_jwt('$token')"), $not_available, sprintf 'mode %04o', $mode);
}
write_keys([ oct_key($secret) ], 0640);
check('mode 0640', 'VALID', $token);
{
	my $log = -s $node->logfile;
	chmod 0644, $file;
	my (undef, undef, $err) = $node->psql('postgres', "SELECT platform.check_jwt('$token')");
	unlike($err, qr/jwt_keys\.json/, 'the path is not told');
	like(slurp_file($node->logfile, $log), qr/jwt_keys\.json.*accessible to others/, 'but logged');
}
for my $text ('', '{', '[]', '{}', '{"keys":{}}', '{"keys":[]}', '{"keys":[{"kty":"oct","k":"c2hvcnQ"}]}', '{"keys":[],"keys":[]}', 'x' x 1048577)
{
	write_keys($text);
	like(ask("SELECT platform.check_jwt('$token')"), $not_available, 'file ' . substr $text, 0, 40);
}
write_keys([ map { oct_key($secret, kid => "k$_") } 1 .. 65 ]);
like(ask("SELECT platform.check_jwt('$token')"), $not_available, 'too many keys');
unlink $file;
like(ask("SELECT platform.check_jwt('$token')"), $not_available, 'no file');
mkdir $file;
like(ask("SELECT platform.check_jwt('$token')"), $not_available, 'a folder');
rmdir $file;
$node->append_conf('postgresql.conf', "platform.jwt_keys_file = ''\n");
$node->reload;
like(ask("SELECT platform.check_jwt('$token')"), qr/^F0000: keys to verify tokens are not configured/, 'no setting');

# No part of a token or key reaches the log but as the text of a statement.
{
	my $log = slurp_file($node->logfile);
	my @told = grep { !/STATEMENT:|^\s|statement: / } split /\n/, $log;
	my ($header, $payload, $signature) = split /\./, $token;
	ok(!(grep { /\Q$payload\E|\Q$signature\E|\Q@{[encode_base64url($secret)]}\E/ } @told), 'the log keeps quiet');
	like($log, qr/key 11 of file "jwt_keys.json" is ignored: its secret is too short/, 'unusable keys are named');
}

# ---- a database in another encoding ----
# Tokens are UTF-8 whatever the database is; claims that it may not hold are refused.
{
	$node->safe_psql('postgres', q{CREATE DATABASE latin1 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0});
	$node->safe_psql('latin1', 'CREATE EXTENSION platform');
	my $verify = sub {
		my ($code, $out, $err) = $node->psql('latin1', "\\set VERBOSITY verbose\nSELECT platform.jwt_verify($_[0], ARRAY['$secret'::bytea], '{HS256}')");
		return $err =~ /ERROR:\s+(\w+: .*)/ ? $1 : $out;
	};
	is($verify->("platform.jwt_sign('{\"sub\": \"alice\"}', '$secret')"), '{"sub": "alice"}', 'ASCII in LATIN1');
	my $payload = (split /\./, $node->safe_psql('latin1', "SELECT platform.jwt_sign(jsonb_build_object('a', chr(233)), '$secret')"))[1];
	is(decode_base64url($payload), "{\"a\": \"\xc3\xa9\"}", 'what is signed is UTF-8');
	my $refused = '22P05: claims beyond ASCII need a database in UTF8';
	is($verify->("platform.jwt_sign(jsonb_build_object('a', chr(233)), '$secret')"), $refused, 'text beyond ASCII');
	is($verify->("'" . sign({ alg => 'HS256' }, '{"a":"\\u4e2d"}') . "'"), $refused, 'escaped, too');
}

$node->stop;
done_testing();
