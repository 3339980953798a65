-- tour 20 Feature flags: checked, explained, killed, lifted
\echo
\echo Every answer has a reason. May Demo Voice Co record calls?
\echo
\set ECHO queries
SELECT platform.is_feature_enabled('d0000000-0000-4000-8000-000000000001', 'recording');
SELECT enabled, reason, layer
FROM platform.explain_feature('d0000000-0000-4000-8000-000000000001', 'recording');
\set ECHO none
\echo
\echo An incident: recording has to stop, for everybody, now. The kill switch overrides all
\echo else; the next statement of every session sees it.
\echo
\set ECHO queries
\o /dev/null
SELECT platform.set_global_feature_flag('recording', enabled => false, reason => 'storage incident');
\o
SELECT o.name, e.enabled, e.reason, e.detail ->> 'disabled_reason' AS why
FROM platform.organizations AS o, platform.explain_feature(o.id, 'recording') AS e
WHERE o.slug IN ('demo-voice-co', 'northside-dental') ORDER BY o.name;
\set ECHO none
\echo
\echo Code that must not go on without the feature asks so that it fails:
\echo
\set ECHO queries
SELECT platform.require_feature('d0000000-0000-4000-8000-000000000001', 'recording');
\set ECHO none
\echo
\echo Lifted: everything is as it was before.
\echo
\set ECHO queries
\o /dev/null
SELECT platform.set_global_feature_flag('recording', enabled => true);
\o
SELECT platform.is_feature_enabled('d0000000-0000-4000-8000-000000000001', 'recording');
\set ECHO none
\echo
\echo A new feature, rolled out to a quarter of the callers. A caller keeps its answer, and
\echo whoever is in at 25 percent stays in at 50.
\echo
\set ECHO queries
\o /dev/null
SELECT platform.set_global_feature_flag('smart_summaries', default_enabled => false, rollout => 25);
\o
SELECT count(*) FILTER (WHERE platform.is_feature_enabled('d0000000-0000-4000-8000-000000000001',
	'smart_summaries', 'caller-' || n)) AS enabled, count(*) AS callers
FROM generate_series(1, 10000) AS n;
