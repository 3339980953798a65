# core/crypto_aead, crypto_kdf and nonce: known answers, what is not authentic, and
# nonces that a fork does not repeat.
use strict;
use warnings;
use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $here = dirname(__FILE__);
my $library = PostgreSQL::Test::Utils::tempdir() . '/cipher_probe.so';
chomp(my $include = `pg_config --includedir-server`);
my $compiler = $ENV{CC} // 'cc';
plan skip_all => 'no C compiler' if system("command -v $compiler >/dev/null") != 0;
system($compiler, '-O1', '-fPIC', '-shared', "-I$include", "-I$here/../../src", '-o', $library, "$here/cipher_probe.c",
	map({ "$here/../../src/core/$_.c" } qw(crypto crypto_aead crypto_kdf key_memory nonce)), '-lcrypto') == 0
  or die 'cannot compile cipher_probe.c';

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$node->start;
$node->safe_psql('postgres', qq{
	CREATE FUNCTION probe_hkdf(bytea, bytea, bytea, integer) RETURNS bytea LANGUAGE c STRICT AS '$library';
	CREATE FUNCTION probe_seal(bytea, bytea, bytea, bytea) RETURNS bytea LANGUAGE c STRICT AS '$library';
	CREATE FUNCTION probe_open(bytea, bytea, bytea, bytea) RETURNS bytea LANGUAGE c STRICT AS '$library';
	CREATE FUNCTION probe_xaes_many(integer) RETURNS bytea LANGUAGE c STRICT AS '$library';
	CREATE FUNCTION probe_nonces(integer) RETURNS bytea LANGUAGE c STRICT PARALLEL SAFE AS '$library';
	CREATE FUNCTION probe_long_nonces(integer, integer) RETURNS bytea LANGUAGE c STRICT PARALLEL SAFE AS '$library';
	CREATE FUNCTION probe_fork(integer, integer) RETURNS bytea LANGUAGE c STRICT AS '$library';
});

sub ask { return $node->safe_psql('postgres', $_[0]); }
sub hex_range { my ($from, $to) = @_; return join '', map { sprintf '%02x', $_ } $from .. $to; }

# ---- HKDF-SHA256: RFC 5869, appendix A ----
sub hkdf
{
	my ($name, $salt, $key, $info, $length, $extracted, $expanded) = @_;
	is(ask("SELECT probe_hkdf('\\x$salt', '\\x$key', '\\x$info', $length)"), "\\x$extracted$expanded", "RFC 5869, $name");
	return;
}
hkdf('case 1', hex_range(0, 12), '0b' x 22, hex_range(0xf0, 0xf9), 42,
	'077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5',
	'3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865');
hkdf('case 2', hex_range(0x60, 0xaf), hex_range(0, 0x4f), hex_range(0xb0, 0xff), 82,
	'06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244',
	'b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87');
hkdf('case 3', '', '0b' x 22, '', 42,
	'19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04',
	'8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8');

# ---- AES-256-GCM: cases 13 to 16 of the submission to NIST; XAES-256-GCM: C2SP ----
my $key = 'feffe9928665731c6d6a8f9467308308' x 2;
my $plain = 'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255';
my $sealed = '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad';
my $nonce24 = unpack 'H*', 'ABCDEFGHIJKLMNOPQRSTUVWX';
my @vectors = (
	[ 'GCM case 13', '00' x 32, '00' x 12, '', '', '530f8afbc74536b9a963b4f1c4cb738b' ],
	[ 'GCM case 14', '00' x 32, '00' x 12, '', '00' x 16, 'cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919' ],
	[ 'GCM case 15', $key, 'cafebabefacedbaddecaf888', '', $plain, $sealed . 'b094dac5d93471bdec1a502270e3cc6c' ],
	[ 'GCM case 16', $key, 'cafebabefacedbaddecaf888', 'feedfacedeadbeeffeedfacedeadbeefabaddad2',
		substr($plain, 0, 120), substr($sealed, 0, 120) . '76fc6ece0f4e1768cddf8853bb2d551b' ],
	[ 'XAES, most significant bit 0', '01' x 32, $nonce24, '', unpack('H*', 'XAES-256-GCM'),
		'ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271' ],
	[ 'XAES, most significant bit 1', '03' x 32, $nonce24, unpack('H*', 'c2sp.org/XAES-256-GCM'), unpack('H*', 'XAES-256-GCM'),
		'986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d' ]);
for my $vector (@vectors)
{
	my ($name, $k, $n, $aad, $p, $s) = @$vector;
	is(ask("SELECT probe_seal('\\x$k', '\\x$n', '\\x$aad', '\\x$p')"), "\\x$s", "$name sealed");
	is(ask("SELECT probe_open('\\x$k', '\\x$n', '\\x$aad', '\\x$s')"), "\\x$p", "$name opened");
}
is(ask('SELECT probe_xaes_many(10000)'), '\xe6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939', 'XAES, 10,000 messages');

# ---- not authentic: every bit of key, nonce, AAD and sealed text; shorter and longer tags ----
for my $vector (@vectors[ 3, 5 ])
{
	my ($name, $k, $n, $aad, $p, $s) = @$vector;
	my @arguments = ($k, $n, $aad, $s);
	for my $changed (0 .. 3)
	{
		my $bits = length($arguments[$changed]) * 4;
		my @sql = map { my $i = $_; $i == $changed ? "set_bit('\\x$arguments[$i]'::bytea, b, 1 - get_bit('\\x$arguments[$i]'::bytea, b))" : "'\\x$arguments[$i]'" } 0 .. 3;
		is(ask('SELECT count(*), count(probe_open(' . join(', ', @sql) . ")) FROM generate_series(0, $bits - 1) b"), "$bits|0",
			"$name: " . (qw(key nonce AAD text))[$changed] . ' changed');
	}
	my $bytes = length($s) / 2;
	is(ask("SELECT count(probe_open('\\x$k', '\\x$n', '\\x$aad', substr('\\x$s'::bytea, 1, l))) FROM generate_series(0, $bytes - 1) l"), '0', "$name: shorter");
	is(ask("SELECT probe_open('\\x$k', '\\x$n', '\\x$aad', '\\x${s}00') IS NULL"), 't', "$name: longer");
}

# ---- empty, odd and large texts, keys changing in one session ----
is(ask(q{SELECT count(*) FROM generate_series(0, 300) n, LATERAL (SELECT decode(repeat(lpad(to_hex(n % 256), 2, '0'), 32), 'hex') AS k, convert_to(repeat('p', n), 'UTF8') AS p) v,
	(VALUES (12), (24)) size (l), LATERAL (SELECT decode(repeat('a7', l), 'hex') AS nonce) i
	WHERE probe_open(k, nonce, p, probe_seal(k, nonce, p, p)) = p}), '602', 'round trips');
is(ask(q{SELECT probe_open(k, k24, '', probe_seal(k, k24, '', p)) = p FROM (SELECT decode(repeat('11', 32), 'hex') AS k, decode(repeat('22', 24), 'hex') AS k24,
	convert_to(repeat('m', 10000000), 'UTF8') AS p) v}), 't', '10 MB');

# ---- nonces: never the same, in a session, a forked process, another session ----
sub pieces { my ($bytes) = @_; return unpack '(H48)*', pack('H*', substr($bytes, 2)); }
my @nonces = map { pieces(ask("SELECT probe_nonces(2000)")) } 1 .. 2;
push @nonces, pieces(ask('SELECT probe_fork(500, 0)'));
my %seen = map { $_ => 1 } @nonces;
is(scalar(@nonces), 5000, '5,000 nonces');
is(scalar(keys %seen), 5000, 'each of them once');

# ---- long ones: groups of 256 with a first half in common, and the rest as above ----
sub halves { my %count; $count{ substr $_, 0, 24 }++ for @_; return \%count; }
my @long = pieces(ask('SELECT probe_long_nonces(2560, 1)'));
is(join(' ', values %{ halves(@long) }), join(' ', (256) x 10), '256 with the same first half');
is(scalar(keys %{ halves(map { substr $_, 24 } @long) }), 2560, 'whose second halves all differ');
my @turns = pieces(ask('SELECT probe_long_nonces(500, 2)'));
is(scalar(keys %{ halves(@turns) }), 500, 'another key, another first half');
# a clone in the middle of a group
my @forked = pieces(ask('SELECT probe_long_nonces(100, 1), probe_fork(100, 1)') =~ s/^.*\|//r);
my ($child, $parent) = (halves(@forked[ 0 .. 99 ]), halves(@forked[ 100 .. 199 ]));
is(join(' ', scalar keys %$child, scalar(grep { $parent->{$_} } keys %$child)), '1 0', 'a clone begins a group of its own');
# parallel workers
ask('CREATE TABLE rows AS SELECT n FROM generate_series(1, 400) n; ALTER TABLE rows SET (parallel_workers = 3)');
my ($plan, @parallel) = split /\n/, ask(q{
	SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 3; SET parallel_leader_participation = off;
	CREATE FUNCTION pg_temp.plan() RETURNS text LANGUAGE plpgsql AS $$ DECLARE line text; answer text := 'alone';
		BEGIN FOR line IN EXECUTE 'EXPLAIN ANALYZE SELECT probe_long_nonces(10, 1) FROM rows' LOOP IF line ~ 'Workers Launched: [1-3]' THEN answer := 'workers'; END IF; END LOOP; RETURN answer; END $$;
	SELECT pg_temp.plan();
	SELECT probe_long_nonces(10, 1) FROM rows;
	SELECT probe_nonces(10) FROM rows});
is($plan, 'workers', 'parallel workers draw');
@parallel = map { pieces($_) } @parallel;
is(scalar(@parallel), 8000, '8,000 of them');
push @long, @turns, @forked, @parallel, map { pieces(ask('SELECT probe_long_nonces(300, 1)')) } 1 .. 3;
%seen = map { $_ => 1 } @long;
is(scalar(keys %seen), scalar(@long), 'each of ' . @long . ' once');

# ---- where keys are kept: out of core dumps, zero in a clone ----
SKIP:
{
	my $session = $node->background_psql('postgres');
	my ($pid) = $session->query('SELECT length(probe_long_nonces(1, 1)), pg_backend_pid()') =~ /\|(\d+)/;
	my $map = eval { slurp_file("/proc/$pid/smaps") } // '';
	$session->quit;
	skip 'needs /proc/PID/smaps', 1 unless $map =~ /^VmFlags:/m;
	is(scalar(grep { /^VmFlags:.* wf/m && /^VmFlags:.* dd/m } split /^(?=[0-9a-f]+-[0-9a-f]+ )/m, $map), 1, 'the buffer is marked so');
}

$node->stop;
done_testing();
