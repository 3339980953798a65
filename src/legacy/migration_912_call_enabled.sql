-- migration 912 legacy: step 12 of 13, companies have features.callEnabled
-- requires: migrate
-- optional

-- up

-- What a company has said already stays; deleted companies too.
SELECT platform.run_legacy('', $$INSERT INTO platform.legacy_memory (step, name, value)
	SELECT 12, id::text, CASE WHEN settings IS NULL THEN 'no settings' ELSE coalesce((settings -> 'features')::text, 'absent') END
	FROM {companies}
	WHERE settings IS NULL OR jsonb_typeof(settings) = 'object' AND settings #> '{features,callEnabled}' IS NULL$$);
SELECT platform.run_legacy('', $$UPDATE {companies} c
	SET settings = coalesce(settings, '{}') || jsonb_build_object('features',
		CASE WHEN jsonb_typeof(settings -> 'features') = 'object' THEN settings -> 'features' ELSE '{}' END || '{"callEnabled": false}')
	FROM platform.legacy_memory m WHERE m.step = 12 AND m.name = c.id::text$$);

-- down

SELECT platform.run_legacy('companies', $$UPDATE {companies} c
	SET settings = CASE
		WHEN m.value = 'no settings' AND settings #- '{features,callEnabled}' = '{"features": {}}' THEN NULL
		WHEN m.value IN ('no settings', 'absent') AND settings #- '{features,callEnabled}' -> 'features' = '{}' THEN settings - 'features'
		WHEN m.value LIKE '{%' OR m.value IN ('no settings', 'absent') THEN settings #- '{features,callEnabled}'
		ELSE jsonb_set(settings, ARRAY['features'], m.value::jsonb) END
	FROM platform.legacy_memory m
	WHERE m.step = 12 AND m.name = c.id::text AND jsonb_typeof(settings -> 'features') = 'object'$$);
DELETE FROM platform.legacy_memory WHERE step = 12;

-- checks

-- check: every company says whether it may call
SELECT WHERE platform.count_legacy($$SELECT FROM {companies}
	WHERE settings IS NULL OR jsonb_typeof(settings) = 'object' AND settings #> '{features,callEnabled}' IS NULL$$) > 0;
