-- migration 907 legacy: step 7 of 13, models have a type
-- requires: migrate
-- optional

-- up

SELECT platform.remember_legacy_additions(7, 'ai_models', '{model_type}', '{ai_models_model_type_check}', '{idx_ai_models_model_type}');
SELECT platform.run_legacy('ai_models', $$ALTER TABLE {ai_models} ADD COLUMN IF NOT EXISTS model_type varchar(20) NOT NULL DEFAULT 'chat'$$);
SELECT platform.run_legacy('ai_models', $$ALTER TABLE {ai_models}
	ADD CONSTRAINT ai_models_model_type_check CHECK (model_type IN ('chat', 'call', 'both'))$$)
WHERE NOT EXISTS (SELECT FROM pg_constraint
	WHERE conrelid = platform.legacy_relation('ai_models') AND conname = 'ai_models_model_type_check');
SELECT platform.run_legacy('ai_models', 'CREATE INDEX IF NOT EXISTS idx_ai_models_model_type
	ON {ai_models} (model_type, provider) WHERE {ai_models:live}');

-- down

SELECT platform.undo_legacy_additions(7, 'ai_models');
DELETE FROM platform.legacy_memory WHERE step = 7;

-- checks

-- check: the column, its constraint and its index are there
SELECT FROM (VALUES
	(platform.legacy_column('ai_models', 'model_type') IS NOT NULL),
	(EXISTS (SELECT FROM pg_constraint
		WHERE conrelid = platform.legacy_relation('ai_models') AND conname = 'ai_models_model_type_check')),
	(EXISTS (SELECT FROM pg_index
		WHERE indrelid = platform.legacy_relation('ai_models') AND indexrelid::regclass::text LIKE '%idx_ai_models_model_type'))) AS o (present)
WHERE NOT o.present;
