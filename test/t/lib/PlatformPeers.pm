# Real clients as judges: installs those of test/peers and asks them. They are
# node packages; without node, npm or a way to the registry there is nobody to ask.
package PlatformPeers;
use strict;
use warnings;
use Digest::SHA;
use Exporter 'import';
use File::Basename qw(dirname);
use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Utils;
our @EXPORT = qw(install_peers ask_peers);

my $folder = dirname(__FILE__) . '/../../peers';

# Output of a command, both streams; undef when it fails.
sub output_of
{
	my (@command) = @_;
	my $output = '';

	return IPC::Run::run(\@command, '<', \undef, '>&', \$output) ? $output : undef;
}

# Installs the packages of the lock file unless they are there. Returns why the
# clients cannot be asked, or nothing.
sub install_peers
{
	my $installed = "$folder/node_modules/.installed_from";
	my $lock = Digest::SHA->new(256)->addfile("$folder/package-lock.json")->hexdigest;
	my $version = eval { output_of('node', '--version') } // '';
	my $output = '';
	my @npm = ('npm', '--prefix', $folder, '--cache', PostgreSQL::Test::Utils::tempdir() . '/npm');

	return 'needs node 18 or newer' unless $version =~ /^v(\d+)\./ && $1 >= 18;
	return if -e $installed && slurp_file($installed) eq $lock;
	return 'needs npm' unless eval { output_of('npm', '--version') };
	if (!IPC::Run::run([ @npm, 'ci' ], '<', \undef, '>&', \$output))
	{
		return 'needs the npm registry, which cannot be reached' unless output_of(@npm, 'ping');
		die "npm ci failed:\n$output";
	}
	append_to_file($installed, $lock);
	return;
}

# A request as JSON. Its body is base64, which may be long and needs no escapes.
sub request_line
{
	my ($json, %request) = @_;
	my $body = delete $request{body};
	my $line = $json->encode(\%request);

	$line =~ s/\}\z/,"body":"$body"}/ if defined $body;
	return "$line\n";
}

# Answers to requests, in their order: each a hash with "answer" or "error".
sub ask_peers
{
	my ($requests) = @_;
	my $json = JSON::PP->new->ascii->utf8;
	my ($answers, $errors) = ('', '');
	my $in = join '', map { request_line($json, %$_) } @$requests;

	IPC::Run::run([ 'node', "$folder/peers.mjs" ], '<', \$in, '>', \$answers, '2>', \$errors)
	  or die "the clients failed:\n$errors";
	my @answers = map { $json->decode($_) } split /\n/, $answers;
	die 'the clients answered ' . @answers . ' of ' . @$requests . " requests\n" if @answers != @$requests;
	return \@answers;
}

1;
