-- Schema evil: operators, functions and types with the names of pg_catalog's; whoever
-- runs one is caught. Silent, within a transaction. Then
--
--	SET LOCAL search_path = evil, pg_catalog;
--
-- shows who looks something up along the caller's search_path.
CREATE SCHEMA evil;
CREATE FUNCTION evil.trap(what text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'caught: %', what; END $$;
DO $$
DECLARE
	a text;
	b text;
	name text;
	types text[] := '{text,uuid,boolean,integer,bigint,smallint,numeric,float8,timestamptz,date,interval,inet,jsonb,text[],bigint[]}';
BEGIN
	FOR a, b IN SELECT x, y FROM unnest(types) x, unnest(types) y LOOP
		FOREACH name IN ARRAY '{=,<>,<,<=,>,>=,+,-,*,/,||}'::text[] LOOP
			EXECUTE format('CREATE FUNCTION evil.%I(%s, %s) RETURNS %s LANGUAGE sql AS $f$ SELECT CASE WHEN evil.trap(%L) THEN NULL END::%4$s $f$',
				name || ' ' || a || ' ' || b, a, b, CASE WHEN name IN ('+', '-', '*', '/', '||') THEN a ELSE 'boolean' END, a || ' ' || name || ' ' || b);
			EXECUTE format('CREATE OPERATOR evil.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = evil.%I)', name, a, b, name || ' ' || a || ' ' || b);
		END LOOP;
	END LOOP;
	FOREACH name IN ARRAY '{now(),clock_timestamp(),uuid7(),count(),count(bigint),sum(bigint),sum(integer),max(bigint),min(bigint),coalesce(bigint),unnest(bigint),lag(bigint),sign(bigint),lower(text),"split_part(text, text, integer)","date_trunc(text, timestamptz, text)",jsonb_strip_nulls(jsonb)}'::text[] LOOP
		EXECUTE format('CREATE FUNCTION evil.%s RETURNS boolean LANGUAGE sql AS $f$ SELECT evil.trap(%L) $f$', regexp_replace(name, '^\w+', '"\&"'), name);
	END LOOP;
	CREATE DOMAIN evil.int4 AS text;
	CREATE DOMAIN evil.int8 AS text;
	CREATE DOMAIN evil.numeric AS text;
	CREATE DOMAIN evil.text AS pg_catalog.int4;
	CREATE DOMAIN evil.interval AS pg_catalog.int4;
END $$;
GRANT USAGE ON SCHEMA evil TO platform_test_member;
