# The examples load, twice, and the guided tour of make demo runs: the only errors
# in it are those it wants to show, of the class PT. The README's statements run.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::RealBin/lib";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use PlatformReceiver;
use PlatformTest;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('demo');
$node->init;
give_root_key($node);
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE demo');
$node->safe_psql('demo', 'CREATE EXTENSION platform; SELECT platform.install(); SELECT platform.load_demo_data();');
my $rows = 'SELECT count(*) FROM platform.organizations';
my $before = $node->safe_psql('demo', $rows);
$node->safe_psql('demo', 'SELECT platform.load_demo_data();');
is($node->safe_psql('demo', $rows), $before, 'loading the examples again changes nothing');

# with a receiver, where there can be one
my $receiver;
if (!PlatformReceiver::missing())
{
	my (undef, undef, $err) = $node->psql('demo', 'SELECT platform.start_webhook_sender(), platform.stop_webhook_sender()');
	if ($err !~ /0A000|built without|libcurl is missing/)
	{
		$receiver = PlatformReceiver->new;
		@ENV{qw(RECEIVER_PORT RECEIVER_LOG RECEIVER_SECRETS)} = @$receiver{qw(port log secrets)};
	}
}

my @parts = glob('src/*/tour*.sql');
ok(@parts > 0, 'there is a tour');
my %order;
for my $file (@parts)
{
	my ($head) = split /\n/, slurp_file($file);
	like($head, qr/^-- tour \d+ \S/, "$file has a place and a title");
	($order{$file}) = $head =~ /^-- tour (\d+)/;
}
for my $file (sort { $order{$a} <=> $order{$b} } @parts)
{
	my ($out, $err);
	$node->psql('demo', "\\set VERBOSITY verbose\n" . slurp_file($file),
		stdout => \$out, stderr => \$err, on_error_stop => 0, extra_params => ['-q']);
	unlike($err, qr/^psql:\S+ (?:ERROR|FATAL|PANIC):\s+(?!\s|PT\d{3}:|23P01:)/m, "$file: no unexpected error")
	  or diag $err;
	ok(length $out > 500, "$file shows something");
}
is($node->safe_psql('demo', 'SELECT name FROM platform.verify() WHERE NOT passed'), '', 'verify() finds nothing');

my ($example) = slurp_file('README.md') =~ /^## Sixty seconds of SQL\n.*?^```sql\n(.*?)^```/ms;
$node->safe_psql('postgres', 'CREATE DATABASE readme');
my $answers = $node->safe_psql('readme', $example . <<'SQL', extra_params => ['-q']);
SELECT platform.is_feature_enabled('00000000-0000-4000-8000-0000000000aa', 'recording');
SQL
is((grep { $_ eq 't' } split /\n/, $answers), 2, 'README: on, and counted');
like($answers, qr/^t\|DEFAULT\|/m, 'README: on by default');
like($answers, qr/^f\z/m, 'README: off after the kill switch');
$node->stop;
if ($receiver)
{
	like(join(' ', sort map { "$_->{name} $_->{verdict}" } $receiver->requests), qr/^(?:broken - )+(?:flaky - ){3}good valid1$/,
		'what the receiver was shown');
	$receiver->stop;
}
done_testing();
