# jose and jsonwebtoken read what jwt_sign() makes and jwt_verify() reads what they
# make; verdicts on times, audience and forged tokens agree; Twilio's library makes
# the same access tokens.
use strict;
use warnings;
use File::Basename qw(dirname);
use lib dirname(__FILE__) . '/lib';
use JSON::PP;
use MIME::Base64 qw(encode_base64 encode_base64url decode_base64url);
use PlatformPeers;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $missing = install_peers();
plan skip_all => $missing if $missing;

my $json = JSON::PP->new->canonical->ascii->utf8->allow_nonref;
my $seed = $ENV{PEERS_SEED} // 20240501;
srand $seed;
note "PEERS_SEED=$seed";

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION platform;
	CREATE TABLE given (number integer PRIMARY KEY, value jsonb NOT NULL);
});

# Puts each value in a row, runs a query over them and returns its rows, of JSON.
sub ask_server
{
	my ($values, $query) = @_;
	my $number = 0;
	my $file = PostgreSQL::Test::Utils::tempdir() . '/values';
	open my $out, '>', $file or die $!;
	for my $value (@$values)
	{
		(my $line = $json->encode($value)) =~ s/\\/\\\\/g;
		print $out $number++ . "\t$line\n";
	}
	close $out;
	my $rows = $node->safe_psql('postgres',
		"TRUNCATE given;\n\\copy given FROM '$file'\nSELECT coalesce(to_json(answer), 'null') FROM ($query) AS q (number, answer) ORDER BY number");
	return [ map { $json->decode($_) } split /\n/, $rows ];
}

# ---- random claims ----
sub random_text
{
	my @alphabet = (0x20 .. 0x7e, 0xe9, 0x20ac, 0x4e2d, 0x1f600, 0x0a, 0x09, 0x01, 0x22, 0x5c, 0x2028, 0xffff);
	return join '', map { chr $alphabet[rand @alphabet] } 1 .. int rand(shift // 20);
}

sub random_value
{
	my ($depth) = @_;
	my $kind = int rand($depth > 3 ? 5 : 7);

	return random_text(40) if $kind == 0;
	return int(rand 2e9) - 1_000_000_000 if $kind == 1;
	return $kind == 2 ? JSON::PP::true : JSON::PP::false if $kind == 2 || $kind == 3;
	return undef if $kind == 4;
	return [ map { random_value($depth + 1) } 1 .. int rand 4 ] if $kind == 5;
	return { map { random_text(8) . $_ => random_value($depth + 1) } 1 .. int rand 4 };
}

sub random_claims
{
	my %claims = map { random_text(10) . $_ => random_value(0) } 1 .. int rand 5;
	$claims{sub} = random_text() if rand() < 0.5;
	$claims{exp} = 4_000_000_000 + int rand 1e6 if rand() < 0.5;
	$claims{iat} = int rand 2e9 if rand() < 0.5;
	return \%claims;
}

sub random_key { return join '', map { chr int rand 256 } 1 .. shift; }

my @algorithms = qw(HS256 HS384 HS512 EdDSA);
my @cases = map {
	my $algorithm = $algorithms[rand @algorithms];
	{ algorithm => $algorithm, claims => random_claims(),
		key => encode_base64(random_key($algorithm eq 'EdDSA' ? 32 : 32 + int rand 100), '') }
} 1 .. 1500;
push @cases, map { { algorithm => $_, claims => { text => 'x' . random_text(100) x 8_000 }, key => encode_base64(random_key(32), '') } } qw(HS256);

# ---- ours, read by theirs ----
my $signed = ask_server(\@cases, q{
	SELECT number, jsonb_build_object(
		'token', platform.jwt_sign(value -> 'claims', decode(value ->> 'key', 'base64'), value ->> 'algorithm'),
		'key', translate(encode(CASE value ->> 'algorithm'
			WHEN 'EdDSA' THEN platform.ed25519_public_key(decode(value ->> 'key', 'base64'))
			ELSE decode(value ->> 'key', 'base64') END, 'base64'), E'\n', '')) FROM given});
is(scalar @$signed, scalar @cases, 'all are signed');
my @readers = map { $_->{algorithm} eq 'EdDSA' || rand() < 0.5 ? 'jose' : 'jsonwebtoken' } @cases;
my $read = ask_peers([ map { { ask => "$readers[$_]_verify", algorithm => $cases[$_]{algorithm}, %{ $signed->[$_] } } } 0 .. $#cases ]);
my @differ = grep { ($json->encode($read->[$_]{answer} // $read->[$_])) ne $json->encode($cases[$_]{claims}) } 0 .. $#cases;
is(scalar @differ, 0, 'jose and jsonwebtoken read the claims')
  or diag explain [ map { [ $cases[$_], $signed->[$_], $read->[$_] ] } grep { defined } @differ[ 0 .. 1 ] ];

# ---- theirs, read by ours ----
my $theirs = ask_peers([ map { { ask => "$readers[$_]_sign", %{ $cases[$_] } } } 0 .. $#cases ]);
my $claims = ask_server([ map { { token => $theirs->[$_]{answer}, key => $signed->[$_]{key}, algorithm => $cases[$_]{algorithm} } } 0 .. $#cases ], q{
	SELECT number, platform.jwt_verify(value ->> 'token', ARRAY[decode(value ->> 'key', 'base64')], ARRAY[value ->> 'algorithm']) FROM given});
@differ = grep { $json->encode($claims->[$_]) ne $json->encode($cases[$_]{claims}) } 0 .. $#cases;
is(scalar @differ, 0, 'and theirs are read')
  or diag explain [ map { [ $cases[$_], $theirs->[$_], $claims->[$_] ] } grep { defined } @differ[ 0 .. 1 ] ];

# ---- verdicts ----
# What happens to a token on its way, and what is asked of it: both sides must agree.
my @asked = map {
	my ($now, $leeway) = (1_000_000 + int rand 4, int rand 3);
	my %claims = (sub => 'x');
	$claims{exp} = 1_000_000 + int rand 8 if rand() < 0.7;
	$claims{nbf} = 1_000_000 + int rand 8 if rand() < 0.5;
	$claims{iss} = rand() < 0.5 ? 'me' : 'you' if rand() < 0.7;
	$claims{aud} = rand() < 0.5 ? 'a' : [ 'a', 'b' ] if rand() < 0.7;
	{ claims => \%claims, now => $now, leeway => $leeway, algorithm => 'HS256', key => $cases[0]{key},
		(rand() < 0.3 ? (issuer => 'me') : ()), (rand() < 0.3 ? (audience => rand() < 0.5 ? 'a' : 'b') : ()) }
} 1 .. 1000;
my $tokens = ask_server(\@asked, q{
	SELECT number, platform.jwt_sign(value -> 'claims', decode(value ->> 'key', 'base64')) FROM given});
for my $i (0 .. $#asked)
{
	my ($header, $payload, $signature) = split /\./, $tokens->[$i];
	my $change = int rand 16;
	substr($signature, rand 42, 1) = 'A' if $change == 0;
	$header = encode_base64url('{"alg":"none"}') if $change == 1;
	$header = encode_base64url('{"alg":"HS256","crit":["x"],"x":1}') if $change == 2;
	$payload = encode_base64url('{"sub":"y"}') if $change == 3;
	$signature = '' if $change == 4;
	$payload .= '.e30' if $change == 5;
	$asked[$i]{token} = join '.', $header, $payload, $signature;
}
my $ours = ask_server(\@asked, q{
	SELECT number, (platform.jwt_check(value ->> 'token', ARRAY[decode(value ->> 'key', 'base64')], '{HS256}', value ->> 'audience', value ->> 'issuer',
		make_interval(secs => (value ->> 'leeway')::integer), to_timestamp((value ->> 'now')::integer))).reason FROM given});
my %reasons;
$reasons{$_}++ for @$ours;
note explain \%reasons;
cmp_ok(scalar keys %reasons, '>=', 7, 'all kinds of verdicts');
for my $peer (qw(jose jsonwebtoken))
{
	my $verdicts = ask_peers([ map { { %$_, ask => "${peer}_verify" } } @asked ]);
	my @other = grep { (exists $verdicts->[$_]{answer}) != ($ours->[$_] eq 'VALID') } 0 .. $#asked;
	is(scalar @other, 0, "$peer judges the same")
	  or diag explain [ map { [ $asked[$_], $ours->[$_], $verdicts->[$_] ] } @other[ 0 .. 0 ] ];
}

# ---- Twilio's access token ----
my @access = map {
	my %voice;
	$voice{incomingAllow} = rand() < 0.5 ? JSON::PP::true : JSON::PP::false if rand() < 0.7;
	$voice{outgoingApplicationSid} = 'AP' . int rand 1000 if rand() < 0.7;
	$voice{outgoingApplicationParams} = { map { random_text(8) . $_ => random_text() } 1 .. int rand 3 }
	  if $voice{outgoingApplicationSid} && rand() < 0.5;
	$voice{pushCredentialSid} = 'CR' . int rand 1000 if rand() < 0.3;
	$voice{endpointId} = random_text() if rand() < 0.3;
	my %add = (voice => \%voice);
	$add{video} = { room => random_text(10) . 'x' } if rand() < 0.3;
	$add{chat} = { serviceSid => 'IS' . int rand 1000 } if rand() < 0.3;
	my %options = (identity => 'x' . random_text());
	$options{ttl} = 1 + int rand 86400 if rand() < 0.5;
	$options{region} = 'ie1' if rand() < 0.3;
	$options{nbf} = int rand 2e9 if rand() < 0.3;
	{ account => 'AC' . int rand 1000, key => 'SK' . int rand 1000, secret => 's' x 32, options => \%options,
		algorithm => $algorithms[rand 3], add => \%add, now => int rand 2e9 }
} 1 .. 500;
my $expected = ask_peers([ map { { ask => 'twilio_access_token', %$_ } } @access ]);
my $made = ask_server(\@access, q{
	SELECT number, jsonb_build_array(split_part(t.token, '.', 1), split_part(t.token, '.', 2))
	FROM given, LATERAL (SELECT value -> 'options' AS o, value -> 'add' AS a) AS v,
	LATERAL (SELECT platform.twilio_access_token(value ->> 'account', value ->> 'key', value ->> 'secret', o ->> 'identity',
		platform.twilio_voice_grant(a #>> '{voice,outgoingApplicationSid}', (a #>> '{voice,incomingAllow}')::boolean,
			a #> '{voice,outgoingApplicationParams}', a #>> '{voice,pushCredentialSid}', a #>> '{voice,endpointId}')
		|| CASE WHEN a ? 'video' THEN jsonb_build_object('video', jsonb_build_object('room', a #>> '{video,room}')) ELSE '{}' END
		|| CASE WHEN a ? 'chat' THEN jsonb_build_object('chat', jsonb_build_object('service_sid', a #>> '{chat,serviceSid}')) ELSE '{}' END,
		coalesce(make_interval(secs => (o ->> 'ttl')::integer), '1 hour'), o ->> 'region', to_timestamp((o ->> 'nbf')::bigint),
		value ->> 'algorithm', to_timestamp((value ->> 'now')::bigint))) AS t (token)});
@differ = grep {
	my ($header, $payload) = map { $json->decode(decode_base64url($_)) } @{ $made->[$_] };
	$json->encode({ header => $header, payload => $payload }) ne $json->encode($expected->[$_]{answer});
} 0 .. $#access;
is(scalar @differ, 0, 'access tokens are those of the twilio package')
  or diag explain [ map { [ $expected->[$_], map { decode_base64url($_) } @{ $made->[$_] } ] } @differ[ 0 .. 0 ] ];

$node->stop;
done_testing();
