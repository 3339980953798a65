# Sessions that check without pause while flags change: an answer is never older
# than a change whose COMMIT was reported before the question.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\nmax_connections = 30\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION platform;
	SELECT count(*) FROM platform.install();
	INSERT INTO platform.organizations (id, name) SELECT md5(i::text)::uuid, 'o' FROM generate_series(1, 300) i;
	INSERT INTO platform.org_feature_flags (organization_id, feature, enabled) SELECT id, 'survey', true FROM platform.organizations;

	-- What the changer has committed for sure: NULL while it is changing.
	CREATE TABLE published (n bigint NOT NULL, enabled boolean);
	INSERT INTO published VALUES (0, true);

	-- Switches survey off and on, by each of the tables in turn.
	CREATE PROCEDURE change(rounds integer) LANGUAGE plpgsql AS $$
	DECLARE
		switched_on boolean;
	BEGIN
		FOR i IN 1 .. rounds LOOP
			switched_on := i % 2 = 0;
			UPDATE published SET n = n + 1, enabled = NULL;
			COMMIT;
			CASE (i - 1) / 2 % 4
				WHEN 0 THEN UPDATE platform.global_feature_flags SET enabled = switched_on WHERE feature = 'survey';
				WHEN 1 THEN UPDATE platform.org_feature_flags SET enabled = switched_on WHERE feature = 'survey';
				WHEN 2 THEN UPDATE platform.organizations SET status = CASE WHEN switched_on THEN 'active' ELSE 'suspended' END WHERE true;
				ELSE INSERT INTO platform.tenant_feature_flags (organization_id, feature, enabled)
					SELECT id, 'survey', switched_on FROM platform.organizations
					ON CONFLICT (organization_id, feature) DO UPDATE SET enabled = excluded.enabled;
			END CASE;
			COMMIT;
			UPDATE published SET enabled = switched_on;
			COMMIT;
			PERFORM pg_sleep(0.005);
		END LOOP;
	END $$;

	-- Checks until the changer is done; counts what it could judge, and what was stale.
	CREATE FUNCTION observe(organizations integer, until bigint, OUT judged bigint, OUT stale bigint) LANGUAGE plpgsql AS $$
	DECLARE
		before published;
		after published;
		answer boolean;
		i integer := 0;
	BEGIN
		judged := 0;
		stale := 0;
		LOOP
			SELECT * INTO before FROM published;
			EXIT WHEN before.n >= until AND before.enabled IS NOT NULL;
			FOR k IN 1 .. 20 LOOP
				i := i + 1;
				answer := platform.is_feature_enabled(md5((i % organizations + 1)::text)::uuid, 'survey');
				SELECT * INTO after FROM published;
				EXIT WHEN before.n <> after.n OR before.enabled IS NULL OR after.enabled IS NULL;
				judged := judged + 1;
				stale := stale + (answer <> before.enabled)::integer;
			END LOOP;
		END LOOP;
	END $$;
});

my $rounds = 80;
my @sessions;
# one organization, some (read one by one), all (read in one scan)
for my $organizations (1, 10, 300, 300)
{
	my $session = $node->background_psql('postgres');
	$session->set_query_timer_restart;
	$session->query_until(qr/started/, "\\echo started\nSELECT 'result', judged > 0, stale FROM observe($organizations, $rounds);\n\\echo finished\n");
	push @sessions, $session;
}
$node->safe_psql('postgres', "CALL change($rounds)");
for my $session (@sessions)
{
	my $output = $session->query_until(qr/finished/, '');
	like($output, qr/^result\|t\|0$/m, 'no stale answer');
	$session->quit;
}
is($node->safe_psql('postgres', "SELECT n, enabled FROM published"), "$rounds|t", 'all changes were made');
$node->stop;
done_testing();
