# core/crypto and core/base64: known answers, another implementation's answers
# over many lengths, and what a strict decoder refuses.
use strict;
use warnings;
use Digest::SHA;
use File::Basename qw(dirname);
use MIME::Base64 qw(encode_base64url);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $here = dirname(__FILE__);
my $library = PostgreSQL::Test::Utils::tempdir() . '/crypto_probe.so';
chomp(my $include = `pg_config --includedir-server`);
my $compiler = $ENV{CC} // 'cc';
plan skip_all => 'no C compiler' if system("command -v $compiler >/dev/null") != 0;
system($compiler, '-O1', '-fPIC', '-shared', "-I$include", "-I$here/../../src",
	'-o', $library, "$here/crypto_probe.c", map({ "$here/../../src/core/$_.c" } qw(crypto base64 base64_simd)), '-lcrypto') == 0
  or die 'cannot compile crypto_probe.c';

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->start;
$node->safe_psql('postgres', qq{
	CREATE FUNCTION probe_hash(integer, bytea) RETURNS bytea LANGUAGE c STRICT AS '$library';
	CREATE FUNCTION probe_hmac(integer, bytea, bytea) RETURNS bytea LANGUAGE c STRICT AS '$library';
	CREATE FUNCTION probe_equal(bytea, bytea) RETURNS boolean LANGUAGE c STRICT AS '$library';
	CREATE FUNCTION probe_random(integer) RETURNS bytea LANGUAGE c STRICT AS '$library';
	CREATE FUNCTION probe_encode(bytea) RETURNS text LANGUAGE c STRICT AS '$library';
	CREATE FUNCTION probe_decode(text) RETURNS bytea LANGUAGE c STRICT AS '$library';
});

sub ask { return $node->safe_psql('postgres', $_[0]); }
sub bytea { return "'\\x" . unpack('H*', $_[0]) . "'"; }

# ---- hashes: FIPS 180-4 examples ----
is(ask("SELECT probe_hash(0, 'abc')"), '\xa9993e364706816aba3e25717850c26c9cd0d89d', 'SHA-1');
is(ask("SELECT probe_hash(1, 'abc')"), '\xba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad', 'SHA-256');
is(ask("SELECT probe_hash(1, '')"), '\xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855', 'SHA-256 of nothing');

# ---- HMAC: RFC 4231 ----
is(ask("SELECT probe_hmac(1, " . bytea("\x0b" x 20) . ", 'Hi There')"),
	'\xb0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7', 'RFC 4231, case 1');
is(ask("SELECT probe_hmac(1, 'Jefe', 'what do ya want for nothing?')"),
	'\x5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843', 'case 2');
is(ask("SELECT probe_hmac(1, " . bytea("\xaa" x 131) . ", 'Test Using Larger Than Block-Size Key - Hash Key First')"),
	'\x60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54', 'case 6');

# ---- another implementation, around the block sizes, keys changing in one session ----
{
	my (@sql, @expected);
	for my $length (0, 1, 31, 32, 55, 56, 63, 64, 65, 111, 112, 127, 128, 129, 1000)
	{
		my $data = join '', map { chr(($_ * 7 + $length) % 256) } 1 .. $length;
		my $key = join '', map { chr(($_ * 13 + $length) % 256) } 1 .. $length;
		my @hashes = (\&Digest::SHA::sha1_hex, \&Digest::SHA::sha256_hex, \&Digest::SHA::sha384_hex, \&Digest::SHA::sha512_hex);
		my @macs = (\&Digest::SHA::hmac_sha1_hex, \&Digest::SHA::hmac_sha256_hex, \&Digest::SHA::hmac_sha384_hex, \&Digest::SHA::hmac_sha512_hex);
		for my $hash (0 .. 3)
		{
			push @sql, "SELECT probe_hash($hash, " . bytea($data) . ");",
			  "SELECT probe_hmac($hash, " . bytea($key) . ', ' . bytea($data) . ');';
			push @expected, '\x' . $hashes[$hash]->($data), '\x' . $macs[$hash]->($data, $key);
		}
		push @sql, 'SELECT probe_encode(' . bytea($data) . ');', "SELECT probe_decode('" . encode_base64url($data) . "');";
		push @expected, encode_base64url($data), '\x' . unpack('H*', $data);
	}
	is(ask(join "\n", @sql), join("\n", @expected), scalar(@sql) . ' answers');
}
is(ask("SELECT probe_hmac(1, convert_to(repeat('k', 1000000), 'UTF8'), convert_to(repeat('d', 1000000), 'UTF8'))"),
	'\x' . Digest::SHA::hmac_sha256_hex('d' x 1000000, 'k' x 1000000), '1 MB');

# ---- base64url: RFC 4648, section 10, and what is refused ----
is(ask("SELECT string_agg(probe_encode(s::bytea), ' ' ORDER BY s) FROM (VALUES ('f'), ('fo'), ('foo'), ('foob'), ('fooba'), ('foobar')) AS v (s)"),
	'Zg Zm8 Zm9v Zm9vYg Zm9vYmE Zm9vYmFy', 'RFC 4648');
is(ask("SELECT probe_encode('\\xfbff'), probe_decode('-_8')"), '-_8|\xfbff', 'the alphabet');
is(ask("SELECT count(probe_decode(t)) FROM unnest(ARRAY['A', 'AAAAA', 'Zg==', 'Zh', 'Zm9', '+/8', 'Z g', E'Zm9v\\n', 'Zm9v=', E'Zm\\u00e9', '.', 'Zm9v\$']) AS t"),
	'0', 'refused');
is(ask("SELECT count(*) FROM generate_series(1, 255) AS n, LATERAL (SELECT chr(n) AS c) AS c WHERE probe_decode('AAA' || c) IS NOT NULL"),
	'64', 'no other character');
# long ones go another way: every length, and every character at every place
{
	srand(20240229);
	my @bytes = map { my $length = $_; join '', map { chr rand 256 } 1 .. $length } 0 .. 200;
	is(ask(join "\n", map { 'SELECT probe_encode(' . bytea($_) . ');' } @bytes), join("\n", map { encode_base64url($_) } @bytes), '0 to 200 bytes encoded');
	is(ask(join "\n", map { "SELECT probe_decode('" . encode_base64url($_) . "');" } @bytes), join("\n", map { '\x' . unpack('H*', $_) } @bytes), 'and decoded');
	$node->safe_psql('postgres', "CREATE DATABASE bytes ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0");
	is($node->safe_psql('bytes', qq{
		CREATE FUNCTION probe_decode(text) RETURNS bytea LANGUAGE c STRICT AS '$library';
		SELECT count(*), count(decoded), bool_and(decoded IS NULL OR decoded = decode(translate(changed, '-_', '+/'), 'base64')) FROM generate_series(1, 44) AS place, generate_series(1, 255) AS n,
			LATERAL (SELECT overlay(repeat('Ab9-', 11) PLACING chr(n) FROM place) AS changed) c, LATERAL (SELECT probe_decode(changed) AS decoded) d}),
		44 * 255 . '|' . 44 * 64 . '|t', 'the 64 characters at each of 44 places, and no other');
}

# ---- the rest ----
is(ask("SELECT probe_equal('abc', 'abc'), probe_equal('abc', 'abd'), probe_equal('', '')"), 't|f|t', 'equal');
is(ask('SELECT count(DISTINCT probe_random(16)), max(length(probe_random(n))) FROM generate_series(1, 1000) AS n'), '1000|1000', 'random');
is(ask('SELECT probe_random(-8)'), '\x0000000000000000', 'wiped');

$node->stop;
done_testing();
