-- tour 62 Tokens: who may call from a browser
\echo
\echo The media server and the database share a key. A browser gets a token for ten minutes
\echo and one room; the server, or the database itself, reads it back.
\echo
\set ECHO queries
SELECT encode(sha256('the key of this tour'), 'hex') AS key \gset
SELECT platform.webrtc_token(decode(:'key', 'hex'), 'ada', '10 minutes',
	'{"video": {"room": "support", "roomJoin": true}}', issuer => 'tour') AS token \gset
SELECT valid, reason, claims ->> 'sub' AS identity, claims -> 'video' AS may
FROM platform.jwt_check(:'token', ARRAY[decode(:'key', 'hex')], '{HS256}', issuer => 'tour');
\set ECHO none
\echo
\echo An hour later, or with another algorithm than the one that was agreed, it is worth nothing.
\echo
\set ECHO queries
SELECT a.algorithm, t.later, c.valid, c.reason
FROM (VALUES ('HS256'), ('HS512')) AS a (algorithm), (VALUES ('1 minute'::interval), ('1 hour')) AS t (later),
	platform.jwt_check(:'token', ARRAY[decode(:'key', 'hex')], ARRAY[a.algorithm], now => now() + t.later) AS c;
\set ECHO none
\echo
\echo To get through a firewall it needs a TURN server, which knows nobody: the user name says
\echo until when it is good, and the password proves it.
\echo
\set ECHO queries
SELECT username, length(credential) AS credential, ice_servers -> 0 -> 'urls' AS urls
FROM platform.turn_credentials('secret of the TURN server', 'ada', '10 minutes', '{turn:turn.example.com:3478}', now => '2024-01-01 00:00+00');
\set ECHO none
