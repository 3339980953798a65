-- migration 913 legacy: step 13 of 13, models for calls
-- requires: migrate
-- optional

-- up

-- Each model into the columns that the older table has; once.
INSERT INTO platform.legacy_memory (step, name, value)
SELECT 13, m ->> 'model_name', m::text
FROM jsonb_array_elements('[
	{"provider": "openai", "model_name": "gpt-4o-realtime-preview-2024-10-01", "display_name": "GPT-4 Realtime (Oct 2024)",
		"description": "OpenAI Realtime API: spoken conversation with interruptions and function calls",
		"input_cost_per_token": 0.000005, "output_cost_per_token": 0.000020,
		"audio_cost_per_second_input": 0.10, "audio_cost_per_second_output": 0.20, "context_window": 128000, "max_output_tokens": 4096},
	{"provider": "openai", "model_name": "gpt-4o-realtime-preview", "display_name": "GPT-4 Realtime (Latest)",
		"description": "OpenAI Realtime API, whatever its newest version is",
		"input_cost_per_token": 0.000005, "output_cost_per_token": 0.000020,
		"audio_cost_per_second_input": 0.10, "audio_cost_per_second_output": 0.20, "context_window": 128000, "max_output_tokens": 4096},
	{"provider": "google", "model_name": "gemini-2.0-flash-exp", "display_name": "Gemini 2.0 Flash Live (Experimental)",
		"description": "Google''s multimodal model with spoken conversation",
		"input_cost_per_token": 0.00000075, "output_cost_per_token": 0.0000030,
		"audio_cost_per_second_input": 0.05, "audio_cost_per_second_output": 0.10, "context_window": 1000000, "max_output_tokens": 8192}
]') AS m
WHERE platform.count_legacy(format('SELECT FROM {ai_models} WHERE provider::text = %L AND model_name = %L', m ->> 'provider', m ->> 'model_name')) = 0;
SELECT platform.run_legacy('', format('INSERT INTO {ai_models} (%1$s) SELECT %1$s FROM jsonb_populate_record(NULL::{ai_models}, %2$L)', k.columns, k.model))
FROM platform.legacy_memory m,
	LATERAL (SELECT m.value::jsonb || jsonb_build_object('id', gen_random_uuid(), 'model_type', 'call', 'supports_audio', true,
		'is_active', true, 'created_at', now(), 'updated_at', now()) AS model) AS v,
	LATERAL (SELECT v.model, string_agg(quote_ident(a.attname), ', ') AS columns
		FROM jsonb_object_keys(v.model) AS key
		JOIN pg_attribute a ON a.attrelid = platform.legacy_relation('ai_models') AND a.attname = key
		WHERE key <> 'id' OR a.atttypid = 'uuid'::regtype) AS k
WHERE m.step = 13;

-- down

SELECT platform.run_legacy('ai_models', format('DELETE FROM {ai_models} WHERE provider::text = %L AND model_name = %L', value::jsonb ->> 'provider', name))
FROM platform.legacy_memory WHERE step = 13;
DELETE FROM platform.legacy_memory WHERE step = 13;

-- checks

-- check: there are models for calls
SELECT WHERE platform.count_legacy($$SELECT FROM {ai_models} WHERE model_type IN ('call', 'both') AND {ai_models:live}$$) = 0;
