-- normalize_e164(): what people and providers write, by region, and what is no telephone number
\set ECHO none
\set QUIET 1
\ir ../kit/setup.sql
\set ECHO all

-- North America: ten digits, eleven with the prefix, more are international
SELECT phone, platform.normalize_e164(phone) AS e164 FROM unnest(ARRAY[
	'3125550100', '(312) 555-0100', '312.555.0100', ' 312 555 0100 ', '1-312-555-0100', '13125550100', '+13125550100',
	'+1 (312) 555-0100', '+15550100', '011 44 20 7183 8750', '442071838750', 'tel:+13125550100', 'whatsapp:+4915112345678',
	'TEL:3125550100', '+44 (0)20 7183 8750', '+493055501']) AS phone;
-- other regions: the prefixes for abroad and for at home
SELECT region, phone, platform.normalize_e164(phone, region) AS e164 FROM (VALUES
	('DE', '030 55501'), ('DE', '0049 30 55501'), ('DE', '+49 30 55501'), ('DE', '30 55501'), ('DE', '4915112345678'), ('DE', '011 44 20'),
	('de', '030/55501'), ('GB', '020 7183 8750'), ('GB', '00 1 312 555 0100'), ('FR', '01 23 45 67 89'), ('IT', '06 1234 5678'),
	('ES', '912 345 678'), ('AU', '0011 1 312 555 0100'), ('AU', '(02) 9999 9999'), ('JP', '010 1 312 555 0100'), ('JP', '03-1234-5678'),
	('RU', '8 495 123-45-67'), ('RU', '810 1 312 555 0100'), ('HU', '06 1 234 5678'), ('IN', '098765 43210'), ('CN', '138 0013 8000'),
	('CN', '8613800138000'), ('BR', '011 91234-5678'), ('XK', '038 123 456'), ('PR', '787 555 0100'), ('CA', '1 604 555 0100')) AS n (region, phone);
-- boundaries: 7 to 15 digits
SELECT phone, platform.normalize_e164(phone) AS e164 FROM unnest(ARRAY[
	'+123456', '+1234567', '+123456789012345', '+1234567890123456', '123456789', '1234567890', '2234567890', '12345678901234567890123456']) AS phone;
-- no telephone number
SELECT count(*) AS refused FROM unnest(ARRAY['', ' ', '+', 'anonymous', '+0123456789', '0123456789', '312-555-010O', '+1 312 555 0100 ext 5',
	'sip:ada@example.com', '3125550100;', '++13125550100', '312+5550100', '(0)3125550100x', E'312\t5550100', '911', 'tel:', repeat('1', 10000)]) AS phone
WHERE platform.normalize_e164(phone) IS NULL;
-- what comes out goes in again, and NULL is NULL
SELECT bool_and(platform.normalize_e164(e164, region) = e164) AS stable FROM unnest(ARRAY['+13125550100', '+493055501', '+8613800138000']) AS e164, unnest(ARRAY['US', 'DE', 'CN', 'AU']) AS region;
SELECT platform.normalize_e164(NULL) IS NULL AS no_phone, platform.normalize_e164('3125550100', NULL) IS NULL AS no_region;
SELECT platform.normalize_e164('3125550100', 'ZZ');
SELECT platform.normalize_e164('3125550100', 'USA');
SELECT platform.normalize_e164('3125550100', '');
-- every region that the table knows leads to a number
SELECT count(*) AS regions, count(*) FILTER (WHERE e164 ~ '^\+[1-9][0-9]{6,14}$') AS good FROM (
	SELECT platform.normalize_e164('2234567890', chr(a) || chr(b)) AS e164
	FROM generate_series(65, 90) a, generate_series(65, 90) b
	WHERE chr(a) || chr(b) = ANY (string_to_array('AC AD AE AF AG AI AL AM AO AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GT GU GW GY HK HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TA TC TD TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW', ' '))) AS r;
-- for everybody who is a member, nobody else
SET ROLE platform_test_member;
SELECT platform.normalize_e164('3125550100');
SET ROLE platform_test_stranger;
SELECT platform.normalize_e164('3125550100');
RESET ROLE;
