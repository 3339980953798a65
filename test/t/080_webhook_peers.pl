# The providers' own clients verify what we sign and sign what we verify: random
# secrets, bodies, forms and URLs, and the same with something changed.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_hex);
use Encode qw(decode_utf8 encode_utf8);
use FindBin;
use lib "$FindBin::RealBin/lib";
use MIME::Base64 qw(encode_base64);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use PlatformPeers;
use Test::More;

my $reason = install_peers();
plan skip_all => $reason if $reason;

my $each = 300;    # cases a scheme
my $seed = $ENV{PEERS_SEED} // 20240229;
srand($seed);
note "seed $seed";

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION platform');
my $folder = PostgreSQL::Test::Utils::tempdir();

# ---- random things ----

sub pick { return $_[ rand @_ ]; }
sub base64 { return encode_base64($_[0], ''); }
sub random_bytes { return join '', map { chr(rand 256) } 1 .. $_[0]; }

# No surrogates: node sorts by UTF-16, we by bytes, and there they differ.
my @letters = ('a' .. 'z', 'A' .. 'Z', 0 .. 9, split(//, q{ '"%&+=?/\\#<>[]@:;.-_~!*(),$^|`} . "\t\n\r"),
	map({ chr } 0xa0, 0xdf, 0xe9, 0x3b1, 0x416, 0x5d0, 0x4e16, 0x754c, 0xd7ff));
my @emoji = map { chr } 0x1f389, 0x1f600, 0x10ffff;

sub random_text
{
	my ($length, @more) = @_;
	return encode_utf8(join '', map { pick(@letters, @more) } 1 .. $length);
}

# JSON, because svix parses what it verifies; nothing where the client takes that.
sub random_body
{
	my ($n, $scheme) = @_;
	return '' if $n == 3 && $scheme !~ /^(github|meta|stripe|svix)$/;
	return '"' . ('0123456789abcdef' x 65536) . '"' if $n == 1;
	return '""' if $n == 2;
	my $text = decode_utf8(random_text(int(rand pick(3, 30, 300)), @emoji));
	$text =~ s/(["\\\t\n\r])/sprintf '\\u%04x', ord $1/ge;
	return encode_utf8(pick("\"$text\"", "{\"a\": \"$text\",\n \"b\":[1, 2.50,  null]}\n", "[ \"$text\" ]"));
}

sub percent
{
	my ($text, $keep, $format) = @_;
	$text =~ s/([^$keep])/sprintf $format, ord $1/ge;
	return $text;
}

# As browsers and programs write forms: spaces either way, digits of either case.
sub form_encode
{
	my ($text, $bare) = @_;
	$text = percent($text, " A-Za-z0-9$bare", pick('%%%02X', '%%%02x'));
	my $space = pick('+', '%20');
	$text =~ s/ /$space/g;
	return $text;
}

# A form as names with values, and its encoding.
sub random_form
{
	my (%params, @pairs);
	for (1 .. rand 8)
	{
		my $name = pick('Body', 'From', 'To', 'CallSid', 'MediaUrl0', '10', '9', random_text(1 + int rand 4));
		my $value = random_text(int rand 20, $params{$name} ? () : @emoji);
		next if $params{$name} && grep { /[\xf0-\xff]/ } @{ $params{$name} };
		push @{ $params{$name} }, $value;
		push @pairs, form_encode($name, '') . '=' . form_encode($value, pick('', '*._-', "'()!~"));
		push @pairs, $pairs[-1] and push @{ $params{$name} }, $value if rand() < 0.1;
	}
	my %decoded;
	for my $name (keys %params)
	{
		my @values = map { decode_utf8($_) } @{ $params{$name} };
		$decoded{ decode_utf8($name) } = @values == 1 ? $values[0] : \@values;
	}
	return (\%decoded, join '&', @pairs);
}

# A URL that is normalised but for its query, which is written as node's
# querystring does: those are the URLs that Twilio's library takes in one way only.
sub random_url
{
	my $url = pick('http', 'https') . '://' . pick('example.com', 'my-company.example', 'localhost', '127.0.0.1', '[::1]') . pick('', '', ':8443', ':3000');
	$url .= join '', map { '/' . percent(random_text(1 + int rand 6), "A-Za-z0-9._~!\$()*+,;=:@'-", '%%%02X') } 1 .. 1 + rand 3;
	$url =~ s{/\.+(?=/|$)}{/dots}g;
	my %seen;
	my @query = map { my $name = 'k' . random_text(int rand 3); $seen{$name}++ ? () : percent($name, "A-Za-z0-9._~!*'()-", '%%%02X') . '=' . percent(random_text(int rand 8), "A-Za-z0-9._~!*'()-", '%%%02X') } 1 .. rand 4;
	return @query ? $url . '?' . join('&', @query) : $url . '/';
}

# How a proxy may hand that URL on.
sub respell
{
	my ($url) = @_;
	my ($origin, $rest) = $url =~ m{^(\w+://[^/]+)(.*)$}s;
	my $default = $origin =~ /^https:/ ? ':443' : ':80';
	$origin .= $default if $origin !~ /:\d+$/ && rand() < 0.3;
	$origin = uc $origin if rand() < 0.2;
	my ($path, $query) = split /\?/, $rest, 2;
	if (defined $query)
	{
		$query =~ s/'/%27/g if rand() < 0.3;
		$query =~ s/%20/+/g if rand() < 0.3;
		$query =~ s/(%[0-9A-F]{2})/lc $1/ge if rand() < 0.3;
	}
	$path =~ s{/}{/x/../}  if rand() < 0.2;
	$path =~ s{/}{/./} if rand() < 0.2;
	return $origin . $path . (defined $query ? "?$query" : '');
}

# What people and programs make of URLs. Left out is what versions of node normalise
# differently (^) and what is no UTF-8 once decoded.
sub wild_url
{
	my $word = sub { return join '', map { pick('a' .. 'f', 0 .. 9, qw(. - _ ~ ! $ * : @ [ ] { } < > ` | %20 %2F %2e %2E %C3%A9 %c3%a9 %25 %zz %E4%B8%96), ',', ';', '(', ')', '"', "'", ' ', "\xc3\xa9") } 1 .. rand $_[0] };
	my $url = pick('http', 'https', 'HTTPS', 'Http') . '://' . pick(('') x 5, 'user@', 'user:pa ss@', 'us"er:@', ':@', "o'k:p%27w\@") . pick('example.com', 'EXAMPLE.com', '[::1]', 'a-b.example')
	  . pick(('') x 4, ':443', ':80', ':8443', ':0443', ':');
	$url .= pick('', map { join '', map { pick('/', '/', '\\', '/./', '/../', '/%2E%2e/') . $word->(5) } 1 .. $_ } 1 .. 4);
	$url .= '?' . join pick('&', '&', '&&'), map { pick('a', 'b', '10', '9', '07', '4294967295', '+', "k'", $word->(4)) . pick('=', '=', '', '==') . pick('', 'x+y', 'a?b', '/', $word->(8)) } 1 .. rand 6 if rand() < 0.8;
	$url .= '#' . $word->(4) if rand() < 0.2;
	return pick(('') x 6, ' ', "\t") . $url . pick(('') x 6, ' ', "\n");
}

# ---- the cases ----

my $now = time;
my @cases;
for my $scheme (qw(standard svix ed25519 stripe twilio twilio_json meta github slack retell))
{
	for my $n (1 .. $each)
	{
		my %case = (scheme => $scheme, n => scalar @cases, id => '', url => '', body => random_body($n, $scheme));
		$case{secret} = $scheme =~ /^(standard|svix)$/ ? pick('', 'whsec_') . base64(random_bytes(1 + int rand 70)) :
		  $scheme eq 'ed25519' ? base64(random_bytes(32)) :
		  random_text(1 + int rand pick(10, 100), @emoji);
		$case{id} = 'msg_' . join '', map { pick('a' .. 'z', 0 .. 9, '_', '-') } 1 .. 1 + rand 40
		  if $scheme =~ /^(standard|svix|ed25519)$/;
		# these two ask the clock
		$case{timestamp} = $scheme =~ /^(standard|svix)$/ ? $now + int(rand 300) - 150 : int(rand 2_000_000_000);
		$case{url} = random_url() if $scheme =~ /^twilio/;
		($case{params}, $case{body}) = random_form() if $scheme eq 'twilio';
		push @cases, \%case;
	}
}

# Something changed: the signature's first digits, the body, the secret, the place.
sub change
{
	my ($case, $signature, $url) = @_;
	my %changed = (%$case, signature => $signature, url => $url);
	my @ways = qw(signature body secret);
	push @ways, 'id' if $case->{id};
	push @ways, 'url' if $url;
	@ways = qw(signature url) if $case->{scheme} eq 'twilio';
	my $way = pick(@ways);
	if ($way eq 'signature') { $changed{signature} =~ s{(^|v1a?,|[dv][01]?=|256=)([A-Za-z0-9+/])(?=[A-Za-z0-9+/=]{26,}$)}{$1 . ($2 eq 'b' ? 'c' : 'b')}e or die $signature; }
	elsif ($way eq 'body') { $changed{body} = $case->{body} . ' '; }
	elsif ($way eq 'secret') { $changed{secret} = $case->{scheme} =~ /^(standard|svix|ed25519)$/ ? base64(random_bytes(32)) : $case->{secret} . 'x'; }
	elsif ($way eq 'id') { $changed{id} .= 'x'; }
	else { $changed{url} =~ s{(://[^/]+/)}{$1other/}; }
	return \%changed;
}

# ---- asking ----

my %asked = (meta => 'github');    # the same bytes

sub request
{
	my ($verb, $case) = @_;
	my $name = $asked{ $case->{scheme} } // $case->{scheme};
	return { ask => "${verb}_${name}_webhook", id => $case->{id}, timestamp => $case->{timestamp}, url => $case->{url}, params => $case->{params},
		signature => $case->{signature}, body => base64($case->{body}),
		secret => $case->{scheme} =~ /^(standard|svix|ed25519)$/ ? $case->{secret} : decode_utf8($case->{secret}) };
}

# Slack has no client of its own that does only this.
sub slack
{
	my ($case) = @_;
	return 'v0=' . hmac_sha256_hex("v0:$case->{timestamp}:$case->{body}", $case->{secret});
}

# The clients' answers to requests of one kind for some cases; slack is asked here.
sub clients
{
	my ($verb, $cases) = @_;
	my $answers = ask_peers([ map { request($verb, $_) } grep { $_->{scheme} ne 'slack' } @$cases ]);
	return [ map {
		$_->{scheme} ne 'slack' ? shift @$answers : { answer => $verb eq 'sign' ? slack($_) : slack($_) eq $_->{signature} }
	} @$cases ];
}

# One session: the cases go in as a table, $query asks about each.
sub ours
{
	my ($query, $cases) = @_;
	my $file = "$folder/cases";
	open my $out, '>', $file or die $!;
	for my $case (@$cases)
	{
		print $out join("\t", $case->{n}, $case->{scheme}, $case->{timestamp},
			map({ '\\\\x' . unpack('H*', $_ // '') } @$case{qw(id url body secret signature)})), "\n";
	}
	close $out;
	my $answers = $node->safe_psql('postgres', qq{
		CREATE TEMP TABLE raw (n integer, scheme text, seconds bigint, id bytea, url bytea, body bytea, secret bytea, signature bytea);
		\\copy raw FROM '$file'
		CREATE TEMP VIEW cases AS SELECT n, scheme, seconds, to_timestamp(seconds) AS moment, convert_from(id, 'UTF8') AS id,
			convert_from(url, 'UTF8') AS url, body, convert_from(secret, 'UTF8') AS secret, convert_from(signature, 'UTF8') AS signature FROM raw;
		$query});
	return [ split /\n/, $answers ];
}

my $sign = q{
	SELECT CASE scheme
		WHEN 'standard' THEN platform.sign_standard_webhook(id, moment, body, ARRAY[secret])
		WHEN 'svix' THEN platform.sign_svix_webhook(id, moment, body, ARRAY[secret])
		WHEN 'ed25519' THEN platform.sign_standard_webhook(id, moment, body, ARRAY['whsk_' || secret])
		WHEN 'stripe' THEN platform.sign_stripe_webhook(body, ARRAY[secret], moment)
		WHEN 'twilio' THEN platform.sign_twilio_webhook(url, body, secret)
		WHEN 'twilio_json' THEN (SELECT signed_url || ' ' || s.signature FROM platform.sign_twilio_json_webhook(url, body, secret) s)
		WHEN 'meta' THEN platform.sign_meta_webhook(body, secret)
		WHEN 'github' THEN platform.sign_github_webhook(body, secret)
		WHEN 'slack' THEN platform.sign_slack_webhook(moment, body, secret)
		WHEN 'retell' THEN platform.sign_retell_webhook(body, secret, moment) END
	FROM cases ORDER BY n;
};
my $verify = q{
	SELECT CASE scheme
		WHEN 'standard' THEN platform.verify_standard_webhook(id, seconds::text, body, signature, ARRAY['whsec_b3RoZXI=', secret])
		WHEN 'svix' THEN platform.verify_svix_webhook(id, seconds::text, body, signature, ARRAY[secret, NULL])
		WHEN 'ed25519' THEN platform.verify_standard_webhook(id, seconds::text, body, signature, ARRAY[platform.webhook_public_key('whsk_' || secret)], moment)
		WHEN 'stripe' THEN platform.verify_stripe_webhook(body, signature, ARRAY[secret], moment)
		WHEN 'twilio' THEN platform.verify_twilio_webhook(url, body, signature, ARRAY['', secret])
		WHEN 'twilio_json' THEN platform.verify_twilio_webhook(url, body, signature, ARRAY[secret])
		WHEN 'meta' THEN platform.verify_meta_webhook(body, signature, ARRAY[secret])
		WHEN 'github' THEN platform.verify_github_webhook(body, signature, ARRAY['other', secret])
		WHEN 'slack' THEN platform.verify_slack_webhook(seconds::text, body, signature, ARRAY[secret], moment)
		WHEN 'retell' THEN platform.verify_retell_webhook(body, signature, ARRAY[secret], moment) END
	FROM cases ORDER BY n;
};

# Each answer must be what is expected; says of the first few that are not.
sub all_are
{
	my ($expected, $answers, $cases, $name) = @_;
	my @wrong = grep { ($answers->[$_] // 'nothing') ne $expected } 0 .. $#$cases;
	is(scalar @wrong, 0, "$name: " . scalar @$cases);
	for my $i (@wrong > 5 ? @wrong[ 0 .. 4 ] : @wrong)
	{
		my %case = %{ $cases->[$i] };
		$case{body} = substr($case{body}, 0, 300);
		diag "$answers->[$i]: " . join ' ', map { "$_=" . ($case{$_} // '') } qw(scheme secret id timestamp url body signature);
	}
}
sub truth { return [ map { $_->{answer} ? 't' : $_->{error} // 'f' } @{ $_[0] } ]; }

# What was signed: a case with its signature, for JSON at Twilio with its URL.
sub signed
{
	my ($case, $answer) = @_;
	my ($url, $signature) = ref $answer ? @$answer : $case->{scheme} eq 'twilio_json' ? split(/ /, $answer) : ($case->{url}, $answer);
	return { %$case, url => $url, signature => $signature };
}

my $mine = ours($sign, \@cases);
my @signed = map { signed($cases[$_], $mine->[$_]) } 0 .. $#cases;
my @signed_and_changed = map { change($_, $_->{signature}, $_->{url}) } @signed;
my $theirs = clients('sign', \@cases);
my @from_them = map { signed($cases[$_], $theirs->[$_]{answer} // die $theirs->[$_]{error}) } 0 .. $#cases;
my @from_them_and_changed = map { change($_, $_->{signature}, $_->{url}) } @from_them;

all_are('t', truth(clients('verify', \@signed)), \@signed, 'clients verify what we sign');
all_are('f', truth(clients('verify', \@signed_and_changed)), \@signed_and_changed, 'and refuse it changed');
all_are('t', ours($verify, \@from_them), \@from_them, 'we verify what clients sign');
all_are('f', ours($verify, \@from_them_and_changed), \@from_them_and_changed, 'and refuse it changed');
is(join("\n", map { "$_->{url} $_->{signature}" } @signed), join("\n", map { "$_->{url} $_->{signature}" } @from_them),
	'the signatures are the same');

# ---- Twilio: URLs spelt otherwise ----
{
	my @respelt = map { { %$_, url => respell($_->{url}) } } grep { $_->{scheme} eq 'twilio' } @signed;
	$respelt[$_]{n} = $_ for 0 .. $#respelt;
	all_are('t', truth(clients('verify', \@respelt)), \@respelt, 'Twilio\'s library knows a URL that was respelt');
	all_are('t', ours($verify, \@respelt), \@respelt, 'so do we');

	my @urls = map { wild_url() } 1 .. $each;
	my $spellings = ask_peers([ map { { ask => 'twilio_spellings', url => decode_utf8($_) } } @urls ]);
	my @spelt;
	for my $i (0 .. $#urls)
	{
		push @spelt, map { { scheme => 'twilio', n => 0, timestamp => 0, secret => 'token', url => $_, received => $urls[$i], params => {}, body => '' } }
		  @{ $spellings->[$i]{answer} // die "$urls[$i]: $spellings->[$i]{error}" };
	}
	my $signatures = clients('sign', \@spelt);
	my @wild = map { { %{ $spelt[$_] }, n => $_, url => $spelt[$_]{received}, signature => $signatures->[$_]{answer} } } 0 .. $#spelt;
	all_are('t', ours($verify, \@wild), \@wild, 'all that the library tries for a URL');
	$_->{url} = decode_utf8($_->{url}) for @wild;
	all_are('t', truth(clients('verify', \@wild)), \@wild, 'as it says itself');
}

# ---- key pairs ----
{
	my @keys = grep { $_->{scheme} eq 'ed25519' } @cases;
	my $publics = ask_peers([ map { { ask => 'ed25519_public_key', secret => $_->{secret} } } @keys ]);
	is(join("\n", @{ ours(q{SELECT platform.webhook_public_key('whsk_' || secret) FROM cases ORDER BY n}, \@keys) }),
		join("\n", map { "whpk_$_->{answer}" } @$publics), 'public keys');
}

# ---- another encoding: texts are signed in UTF-8 ----
$node->safe_psql('postgres', q{CREATE DATABASE latin1 TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'});
for my $database ('postgres', 'latin1')
{
	$node->safe_psql($database, 'CREATE EXTENSION IF NOT EXISTS platform');
	is($node->safe_psql($database, qq{
		SET client_encoding = 'UTF8';
		SELECT platform.sign_github_webhook('{}', 's\x{c3}\x{a9}cret'), platform.verify_github_webhook('{}', platform.sign_github_webhook('{}', 's\x{c3}\x{a9}cret'), ARRAY['s\x{c3}\x{a9}cret']);
		SELECT signed_url FROM platform.sign_twilio_json_webhook('https://example.com/\x{c3}\x{a9}', '', 's\x{c3}\x{a9}cret')}),
		'sha256=' . hmac_sha256_hex('{}', "s\xc3\xa9cret") . "|t\nhttps://example.com/\xc3\xa9?bodySHA256=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", $database);
}

$node->stop;
done_testing();
