-- tour 40 Operations: alerts that count up, a trail of every change
\echo
\echo The same trouble three times is one alert with a count, and the worst severity.
\echo
\set ECHO queries
SELECT occurrences FROM platform.raise_alert(NULL, 'delivery_failures', 'info', 'Webhooks fail', dedup_key => 'tour');
SELECT occurrences FROM platform.raise_alert(NULL, 'delivery_failures', 'critical', 'All webhooks fail', dedup_key => 'tour');
SELECT occurrences FROM platform.raise_alert(NULL, 'delivery_failures', 'warning', 'Some webhooks fail', dedup_key => 'tour');
SELECT severity, title, occurrences FROM platform.open_alerts();
\set ECHO none
\echo
\echo A trigger in C writes who changed what, of any table. Secrets are masked.
\echo
\set ECHO queries
CREATE TABLE public.api_keys (id integer PRIMARY KEY, label text, api_key text);
CREATE TRIGGER api_keys_audit AFTER INSERT OR DELETE OR UPDATE ON public.api_keys
	FOR EACH ROW EXECUTE FUNCTION platform.audit_changes('api_key');
INSERT INTO public.api_keys VALUES (1, 'first', 'sk_live_1');
UPDATE public.api_keys SET label = 'main', api_key = 'sk_live_2';
DELETE FROM public.api_keys;
SELECT action, changed, old, new FROM platform.audit_history('public.api_keys', '1');
\set ECHO none
\echo
\echo Nobody rewrites it, not even its owner.
\echo
\set ECHO queries
UPDATE platform.audit_logs SET actor = 'somebody else';
\set ECHO none
\echo
\echo Errors of one cause are one group, whatever numbers and names they have.
\echo
\set ECHO queries
SELECT platform.log_error(NULL, 'call 17 of ''Ann'' timed out', 'Timeout', endpoint => '/calls/17') IS NOT NULL AS logged;
SELECT platform.log_error(NULL, 'call 99 of ''Bob'' timed out', 'Timeout', endpoint => '/calls/99') IS NOT NULL AS logged;
SELECT error_type, message, occurrences, open FROM platform.error_groups();
SELECT platform.resolve_errors(fingerprint, 'more workers') FROM platform.error_groups();
DROP TABLE public.api_keys;
\set ECHO none
