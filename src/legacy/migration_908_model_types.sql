-- migration 908 legacy: step 8 of 13, models so far are for chats
-- requires: migrate
-- optional

-- up

-- A column that was there before may hold nulls.
SELECT platform.run_legacy('ai_models', $$UPDATE {ai_models} SET model_type = 'chat' WHERE model_type IS NULL$$);

-- down

-- The column goes with step 7; the models of step 13 are gone.
SELECT platform.legacy_relation('ai_models');

-- checks

-- check: every model has a type
SELECT WHERE platform.count_legacy('SELECT FROM {ai_models} WHERE model_type IS NULL') > 0;
