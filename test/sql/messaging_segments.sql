-- Segments of messages: alphabets, boundaries, characters of two units that are not torn apart
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all

SELECT name, s.* FROM (VALUES
	(1, 'empty', ''), (2, 'one', 'a'), (3, 'full', repeat('a', 160)), (4, 'one more', repeat('a', 161)), (5, 'two full', repeat('a', 306)), (6, 'three', repeat('a', 307)),
	(7, 'longest', repeat('a', 1600)), (8, 'euro takes two', repeat('€', 80)), (9, 'and one more', repeat('€', 81)),
	(10, 'brackets', '[Business] hello'), (11, 'Latin letters of the alphabet', 'Ñandu è ò Å ß Ç'), (12, 'ç is not in it', 'façade'), (13, 'nor is a backtick', '`'), (14, 'nor a tab', E'a\tb'),
	(15, 'Greek capitals', 'ΔΦΓΛΩΠΨΣΘΞ'), (16, 'Greek letters', 'α'), (17, 'UCS-2 full', repeat('ж', 70)), (18, 'one more', repeat('ж', 71)), (19, 'two full', repeat('ж', 134)), (20, 'three', repeat('ж', 135)),
	(21, 'pictures take two', repeat('😀', 35)), (22, 'one more', repeat('😀', 36)), (23, 'a curly quote costs', repeat('a', 69) || '’'), (24, 'a curly quote costs more', repeat('a', 70) || '’'),
	(25, 'an escape is not torn apart', repeat('a', 152) || '€' || repeat('a', 10)), (26, 'nor is it with many', repeat('€', 154)), (27, 'nor a pair', repeat('ж', 66) || '😀' || repeat('ж', 5)),
	(28, 'lines', E'a\nb\r\nc'), (29, 'form feed', E'\f'), (30, 'all of the extension', '^{}\[~]|€')) AS t (n, name, body), platform.sms_segments(body) AS s ORDER BY n;
SELECT * FROM platform.sms_segments(NULL);

-- property: as many as the definition says, counted otherwise, in SQL
CREATE FUNCTION pg_temp.reference(body text) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
	wide CONSTANT text := E'^{}\\[~]|€\f';
	basic CONSTANT text := E'@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&''()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà';
	gsm boolean := translate(body, basic || wide, '') = '';
	units integer := 0;
	used integer := 0;
	parts integer := 1;
	width integer;
	c text;
BEGIN
	FOREACH c IN ARRAY string_to_array(body, NULL) LOOP
		width := CASE WHEN gsm THEN 1 + (position(c IN wide) > 0)::int ELSE 1 + (ascii(c) > 65535)::int END;
		units := units + width;
		IF used + width > (CASE WHEN gsm THEN 153 ELSE 67 END) THEN
			parts := parts + 1;
			used := 0;
		END IF;
		used := used + width;
	END LOOP;
	RETURN CASE WHEN units = 0 THEN 0 WHEN units <= CASE WHEN gsm THEN 160 ELSE 70 END THEN 1 ELSE parts END;
END $$;
SELECT count(*) AS bodies, count(*) FILTER (WHERE s.segments <> pg_temp.reference(body)) AS wrong, count(DISTINCT s.encoding) AS encodings
FROM (SELECT (SELECT string_agg(substr(CASE WHEN i % 3 = 0 THEN 'aбc😀€d' ELSE 'ab€cñÉ[]' END, 1 + ((i * 7 + j * 13 + j * j) % CASE WHEN i % 3 = 0 THEN 6 ELSE 8 END), 1), '') FROM generate_series(1, i) AS j) AS body
	FROM generate_series(1, 400) AS i) AS t, platform.sms_segments(body) AS s;
-- every character of the alphabet is in it, and each takes what it takes
SELECT count(*) FILTER (WHERE s.encoding = 'GSM-7' AND s.units = 1) AS single, count(*) FILTER (WHERE s.encoding = 'GSM-7' AND s.units = 2) AS double
FROM generate_series(1, 12000) AS code, platform.sms_segments(chr(code)) AS s WHERE code NOT BETWEEN 55296 AND 57343;
SET ROLE platform_test_member;
SELECT segments FROM platform.sms_segments('hello');
SET ROLE platform_test_stranger;
SELECT segments FROM platform.sms_segments('hello');
RESET ROLE;
