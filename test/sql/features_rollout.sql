-- Rollout: known answers of the hash, buckets, 0 and 100 percent, monotone growth, variants
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all
-- published vectors of MurmurHash3 x86_32, every length of the last block
SELECT convert_from(data, 'UTF8') AS data, seed, to_hex(platform.murmur3(data, seed)) AS murmur3, expected,
	to_hex(platform.murmur3(data, seed)) = expected AS same
FROM (VALUES
	(''::bytea, 0::bigint, '0'),
	('', 1, '514e28b7'),
	('', 4294967295, '81f16f39'),
	('test', 0, 'ba6bd213'),
	('test', 2538058380, '704b81dc'),
	('Hello, world!', 0, 'c0363e43'),
	('Hello, world!', 2538058380, '24884cba'),
	('hello', 0, '248bfa47'),
	('hello, world', 0, '149bbb7f'),
	('The quick brown fox jumps over the lazy dog', 0, '2e4ff723'),
	('The quick brown fox jumps over the lazy dog', 2538058380, '2fa826cd'),
	('aaaa', 2538058380, '5a97808a'),
	('aaa', 2538058380, '283e0130'),
	('aa', 2538058380, '5d211726'),
	('a', 2538058380, '7fa09ea6'),
	('abcd', 2538058380, 'f0478627'),
	('abc', 2538058380, 'c84a62dd'),
	('ab', 2538058380, '74875592')) v (data, seed, expected);
SELECT to_hex(platform.murmur3('\xff')) AS ff, to_hex(platform.murmur3('\xffffffff')) AS ffffffff, to_hex(platform.murmur3('\x21436587', 1350757870)) AS seeded,
	to_hex(platform.murmur3('\x00000000')) AS zeros, to_hex(platform.murmur3('\x0000')) AS two_zeros;
-- Unleash: normalized value of (groupId:identifier) % 100 + 1
SELECT platform.murmur3('gr1:123') % 100 + 1 AS gr1_123, platform.murmur3('groupX:999') % 100 + 1 AS groupx_999;
SELECT platform.murmur3(convert_to(repeat('x', 1000000), 'UTF8')) IS NOT NULL AS megabyte;
SELECT platform.murmur3(NULL), platform.murmur3('', NULL), platform.rollout_bucket(NULL, 'k'), platform.rollout_bucket('s', NULL);
SELECT platform.murmur3('', -1);
SELECT platform.murmur3('', 4294967296);

-- the bucket is (hash of salt:key) * 100000 / 2^32
SELECT platform.rollout_bucket('gr1', '123') AS bucket, (platform.murmur3('gr1:123') * 100000) >> 32 AS by_hand;
SELECT platform.rollout_bucket('', ''), platform.rollout_bucket('salt', ''), platform.rollout_bucket('ünï', 'çødé') = (platform.murmur3(convert_to('ünï:çødé', 'UTF8')) * 100000) >> 32 AS utf8;
SELECT min(b) >= 0 AND max(b) < 100000 AS in_range, count(*) FILTER (WHERE b < 50000) BETWEEN 4800 AND 5200 AS even
FROM (SELECT platform.rollout_bucket('flags', i::text) AS b FROM generate_series(1, 10000) i) s;
-- two features with the same keys are independent
SELECT count(*) FILTER (WHERE platform.rollout_bucket('flags_x', i::text) < 50000 AND platform.rollout_bucket('flags_y', i::text) < 50000) BETWEEN 2300 AND 2700 AS independent
FROM generate_series(1, 10000) i;

BEGIN;
\set one '''f1a62000-0000-4000-8000-000000000001'''
INSERT INTO platform.organizations (id, name) VALUES (:one, 'Rollout');
SELECT platform.set_global_feature_flag('flags_r', rollout => 0);
SELECT count(*) FILTER (WHERE platform.is_feature_enabled(:one, 'flags_r', i::text)) FROM generate_series(1, 2000) i;
SELECT platform.set_global_feature_flag('flags_r', rollout => 100);
SELECT count(*) FILTER (WHERE platform.is_feature_enabled(:one, 'flags_r', i::text)) FROM generate_series(1, 2000) i;
-- by the key when there is one, else by the organization's id; the same as by hand
SELECT platform.set_global_feature_flag('flags_r', rollout => 37.5);
SELECT count(*) AS different FROM generate_series(1, 2000) i
WHERE platform.is_feature_enabled(:one, 'flags_r', i::text) <> (platform.rollout_bucket('flags_r', i::text) < 37500);
SELECT platform.is_feature_enabled(:one, 'flags_r') = (platform.rollout_bucket('flags_r', :one) < 37500) AS by_id,
	platform.is_feature_enabled(:one, 'flags_r') = platform.is_feature_enabled(:one, 'flags_r', :one) AS same;
SELECT enabled, reason, (detail ->> 'bucket')::integer = platform.rollout_bucket('flags_r', 'k') AS bucket FROM platform.explain_feature(:one, 'flags_r', 'k');
SELECT platform.set_global_feature_flag('flags_r', rollout => 0.001);
SELECT count(*) AS different FROM generate_series(1, 2000) i
WHERE platform.is_feature_enabled(:one, 'flags_r', i::text) <> (platform.rollout_bucket('flags_r', i::text) < 1);
-- who has it keeps it while it grows
CREATE TEMP TABLE had (key text, percent numeric);
DO $$
BEGIN
	FOR percent IN 0 .. 100 BY 10 LOOP
		PERFORM platform.set_global_feature_flag('flags_r', rollout => percent);
		INSERT INTO had SELECT i::text, percent FROM generate_series(1, 500) i
		WHERE platform.is_feature_enabled('f1a62000-0000-4000-8000-000000000001', 'flags_r', i::text);
	END LOOP;
END $$;
SELECT count(*) AS lost FROM had a WHERE percent < 100 AND NOT EXISTS (SELECT FROM had b WHERE b.key = a.key AND b.percent = a.percent + 10);
SELECT percent, count(*) > 0 AS some FROM had GROUP BY percent ORDER BY percent;
-- -1 removes it; the salt is the first name and stays
SELECT platform.set_global_feature_flag('flags_r', rollout => -1);
SELECT enabled, reason FROM platform.explain_feature(:one, 'flags_r');
UPDATE platform.global_feature_flags SET feature = 'flags_renamed', rollout = 50 WHERE feature = 'flags_r';
SELECT feature, salt FROM platform.global_feature_flags WHERE feature = 'flags_renamed';
SELECT count(*) AS different FROM generate_series(1, 500) i
WHERE platform.is_feature_enabled(:one, 'flags_renamed', i::text) <> (platform.rollout_bucket('flags_r', i::text) < 50000);
SELECT platform.is_feature_enabled(:one, 'flags_r');

-- variants: sticky, by weight, with another seed than the rollout
SELECT platform.set_global_feature_flag('flags_v', variants => '[{"name": "red", "weight": 1, "payload": {"color": "#f00"}}, {"name": "green", "weight": 3, "payload": "plain"}, {"name": "none", "weight": 0}]');
SELECT platform.feature_variant(:one, 'flags_v', 'k') = platform.feature_variant(:one, 'flags_v', 'k') AS sticky;
SELECT v.variant, v.payload, count(*) BETWEEN 0.9 * 4000 * share AND 1.1 * 4000 * share AS as_weighted
FROM generate_series(1, 4000) i, LATERAL platform.feature_variant(:one, 'flags_v', i::text) v
JOIN (VALUES ('red', 0.25), ('green', 0.75)) w (name, share) ON w.name = v.variant
GROUP BY v.variant, v.payload, share ORDER BY 1;
SELECT count(*) AS different FROM generate_series(1, 1000) i
WHERE (platform.feature_variant(:one, 'flags_v', i::text)).variant
	<> CASE WHEN (platform.murmur3(convert_to('flags_v:' || i, 'UTF8'), 86028157) * 4) >> 32 = 0 THEN 'red' ELSE 'green' END;
SELECT variant = (platform.feature_variant(:one, 'flags_v')).variant AS same FROM platform.explain_feature(:one, 'flags_v');
SELECT variant = (platform.feature_variant(:one, 'flags_v')).variant AS same FROM platform.organization_features(:one) WHERE feature = 'flags_v';
-- none when it is off, or has none
SELECT platform.set_feature_flag(:one, 'flags_v', false);
SELECT * FROM platform.feature_variant(:one, 'flags_v', 'k');
SELECT * FROM platform.feature_variant(:one, 'recording', 'k');
SELECT * FROM platform.feature_variant(:one, 'no such feature', 'k');
-- definitions that break a rule
\set SHOW_CONTEXT never
SAVEPOINT s;
SELECT platform.set_global_feature_flag('flags_v', variants => '{"name": "red"}');
ROLLBACK TO s;
INSERT INTO platform.global_feature_flags (feature, variants) VALUES ('flags_w', '[1]');
ROLLBACK TO s;
INSERT INTO platform.global_feature_flags (feature, variants) VALUES ('flags_w', '[{"weight": 1}]');
ROLLBACK TO s;
INSERT INTO platform.global_feature_flags (feature, variants) VALUES ('flags_w', '[{"name": "", "weight": 1}]');
ROLLBACK TO s;
INSERT INTO platform.global_feature_flags (feature, variants) VALUES ('flags_w', '[{"name": "a"}]');
ROLLBACK TO s;
INSERT INTO platform.global_feature_flags (feature, variants) VALUES ('flags_w', '[{"name": "a", "weight": 0.5}]');
ROLLBACK TO s;
INSERT INTO platform.global_feature_flags (feature, variants) VALUES ('flags_w', '[{"name": "a", "weight": -1}]');
ROLLBACK TO s;
INSERT INTO platform.global_feature_flags (feature, variants) VALUES ('flags_w', '[{"name": "a", "weight": 1e30}]');
ROLLBACK TO s;
INSERT INTO platform.global_feature_flags (feature, variants) VALUES ('flags_w', '[{"name": "a", "weight": 0}]');
ROLLBACK TO s;
INSERT INTO platform.global_feature_flags (feature, variants) VALUES ('flags_w', '[{"name": "a", "weight": 1}, {"name": "a", "weight": 1}]');
ROLLBACK TO s;
INSERT INTO platform.global_feature_flags (feature, variants)
SELECT 'flags_w', jsonb_agg(jsonb_build_object('name', i::text, 'weight', 1)) FROM generate_series(1, 101) i;
ROLLBACK TO s;
UPDATE platform.global_feature_flags SET variants = '"text"' WHERE feature = 'flags_v';
ROLLBACK;
