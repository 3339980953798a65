# verify() and migration_status() write nothing and run on a standby; install() does not.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1);
$primary->start;
$primary->safe_psql('postgres', 'CREATE EXTENSION platform; SELECT platform.install()');
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

is($standby->safe_psql('postgres', 'SELECT bool_and(passed) FROM platform.verify()'), 't', 'verify() runs on a standby');
is($standby->safe_psql('postgres', 'SELECT bool_and(applied_at IS NOT NULL OR optional) FROM platform.migration_status()'), 't',
	'so does migration_status()');
my ($out, $err);
isnt($standby->psql('postgres', 'SELECT platform.install()', stdout => \$out, stderr => \$err), 0, 'install() does not');
like($err, qr/recovery is in progress/, 'and it is said why');

# what is broken on the primary is seen
$primary->safe_psql('postgres', 'ALTER TABLE platform.member_roles DISABLE ROW LEVEL SECURITY');
$primary->wait_for_catchup($standby);
is($standby->safe_psql('postgres', 'SELECT name, detail FROM platform.verify() WHERE NOT passed'),
	'1 migrate: member_roles|row security is disabled', 'what breaks on the primary is found');
$primary->safe_psql('postgres', 'SELECT platform.install()');
$primary->wait_for_catchup($standby);
is($standby->safe_psql('postgres', 'SELECT name, detail FROM platform.verify() WHERE NOT passed'), '', 'as is its repair');

$standby->stop;
$primary->stop;
done_testing();
