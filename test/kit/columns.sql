-- Which values do the columns of a table take? Silent, within a transaction; the test
-- fills in what a row of each table must have:
--
--	INSERT INTO least VALUES ('calls', '{"organization_id": "..."}');
--	SELECT pg_temp.answer('calls', '{"status": "busy"}'), pg_temp.try('calls', 'status', 'busy bored');
--
-- Nothing is left in the tables.
CREATE TEMP TABLE least (table_name text, row jsonb);
-- The row with other values: ok, or the constraint that refuses it, else the SQLSTATE.
CREATE FUNCTION pg_temp.answer(target text, other jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	v jsonb := (SELECT row FROM least WHERE table_name = target) || other;
	columns text := (SELECT string_agg(quote_ident(k), ', ') FROM jsonb_object_keys(v) k);
	refused text;
BEGIN
	EXECUTE format('INSERT INTO platform.%1$I (%2$s) SELECT %2$s FROM jsonb_populate_record(NULL::platform.%1$I, %3$L)', target, columns, v);
	RAISE EXCEPTION USING ERRCODE = 'TT000';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS refused = CONSTRAINT_NAME;
	RETURN CASE SQLSTATE WHEN 'TT000' THEN 'ok' ELSE coalesce(nullif(refused, ''), SQLSTATE) END;
END $$;
-- The same for each of the values of a column, which are separated by blanks: texts, ''
-- an empty one, or objects, lists and null of JSON.
CREATE FUNCTION pg_temp.try(target text, col text, list text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(w.value || CASE a.answer WHEN 'ok' THEN '' ELSE ' [' || a.answer || ']' END, ', ' ORDER BY w.n)
	FROM regexp_split_to_table(list, ' ') WITH ORDINALITY w (value, n),
		LATERAL (SELECT pg_temp.answer(target, jsonb_build_object(col, CASE WHEN w.value = '''''' THEN '""' WHEN w.value ~ '^[\[{]|^null$' THEN w.value::jsonb ELSE to_jsonb(w.value) END))) a (answer)
$$;
