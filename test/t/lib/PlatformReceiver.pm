# A receiver of webhooks, test/peers/receiver.mjs, for the tests of the sender.
package PlatformReceiver;
use strict;
use warnings;
use File::Basename qw(dirname);
use IPC::Run;
use PostgreSQL::Test::Utils;

my $script = dirname(__FILE__) . '/../../peers/receiver.mjs';

# Why there can be none, or nothing.
sub missing
{
	my $version = '';

	eval { IPC::Run::run([ 'node', '--version' ], '>', \$version) };
	return $version =~ /^v(\d+)\./ && $1 >= 18 ? undef : 'needs node 18 or newer';
}

# Starts it; %options: port, tls => [key, cert].
sub new
{
	my ($class, %options) = @_;
	my $folder = PostgreSQL::Test::Utils::tempdir();
	my $self = bless {
		log => "$folder/requests", secrets => "$folder/secrets",
		in => '', out => '', errors => '', scheme => $options{tls} ? 'https' : 'http' }, $class;
	my @command = ('node', $script, '--log', $self->{log}, '--secrets', $self->{secrets});

	append_to_file($self->{$_}, '') for qw(log secrets);
	push @command, '--port', $options{port} if $options{port};
	push @command, '--tls', @{ $options{tls} } if $options{tls};
	$self->{process} = IPC::Run::start(\@command, '<', \$self->{in}, '>', \$self->{out}, '2>', \$self->{errors},
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default * 4));
	$self->{process}->pump until $self->{out} =~ /^listening (\d+)\n/;
	$self->{port} = $1;
	return $self;
}

# The URL of a scenario with its options: "status/a?code=500".
sub url
{
	my ($self, $path, $host) = @_;

	return "$self->{scheme}://" . ($host // '127.0.0.1') . ":$self->{port}/$path";
}

sub add_secret
{
	my ($self, $name, $secret) = @_;

	return append_to_file($self->{secrets}, "$name $secret\n");
}

# Requests so far, of one name or all: hashes.
sub requests
{
	my ($self, $name) = @_;
	my @found;

	for my $line (split /\n/, slurp_file($self->{log}))
	{
		my %request;
		@request{qw(name id verdict length moment type data)} = split / /, $line, 7;
		push @found, \%request if !defined $name || $request{name} eq $name;
	}
	return @found;
}

sub stop
{
	my ($self) = @_;

	$self->{process}->finish;
	return;
}

1;
