#!/bin/bash
# identity.sh - what it costs to know the caller: platform.current_organization_id()
# and current_user_id() beside the SQL function that reads the claims with
# current_setting()::jsonb, as hosted Supabase's auth.uid() does.
#
# First per call, then as a row security policy over 1M rows of which 1 % are
# the caller's. Claims have about 400 bytes, as a usual access token's.
. "$(dirname "$0")/lib.sh"

ROWS=1000000
CALLS=200000
ROUNDS=3
ORGANIZATION=c0de0004-0000-4000-8000-000000000007
CLAIMS='{"aal":"aal1","amr":[{"method":"password","timestamp":1790000000}],"app_metadata":{"organization_id":"'$ORGANIZATION'","platform_role":"member","provider":"email","providers":["email"]},"aud":"authenticated","email":"somebody@example.com","exp":4102444800,"iat":1790000000,"is_anonymous":false,"role":"authenticated","session_id":"5d5f3a2e-8d3b-4d0a-9f0e-0123456789ab","sub":"c0de0004-0000-4000-8000-0000000000aa","user_metadata":{}}'

# The login role that platform.trusted_authenticators names by default.
role_exists=$(q "SELECT count(*) FROM pg_roles WHERE rolname = 'authenticator'")
[ "$role_exists" = 1 ] || q "CREATE ROLE authenticator LOGIN NOINHERIT"
is_member=$(q "SELECT pg_has_role('authenticator', 'platform_test_member', 'MEMBER')")
[ "$is_member" = t ] || q "GRANT platform_test_member TO authenticator"
q "CREATE SCHEMA bench" "GRANT USAGE ON SCHEMA bench TO platform_test_member"
q "CREATE FUNCTION bench.uid() RETURNS uuid LANGUAGE sql STABLE AS \$\$
		SELECT coalesce(
			nullif(current_setting('request.jwt.claim.sub', true), ''),
			(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'))::uuid \$\$" \
	"CREATE FUNCTION bench.organization() RETURNS uuid LANGUAGE sql STABLE AS \$\$
		SELECT (nullif(current_setting('request.jwt.claims', true), '')::jsonb -> 'app_metadata' ->> 'organization_id')::uuid \$\$" \
	"CREATE FUNCTION bench.empty() RETURNS uuid LANGUAGE c STABLE STRICT AS '$(bench_c "$(dirname "$0")/support/support.c")', 'bench_empty_uuid'"

for policy in ours sql sql_once nobody; do
	q "CREATE UNLOGGED TABLE bench.rows_$policy (organization_id uuid NOT NULL, n integer)" \
		"INSERT INTO bench.rows_$policy SELECT ('c0de0004-0000-4000-8000-' || lpad((n % 100)::text, 12, '0'))::uuid, n FROM generate_series(1, $ROWS) n" \
		"VACUUM ANALYZE bench.rows_$policy" \
		"GRANT SELECT ON bench.rows_$policy TO platform_test_member"
done
for policy in ours=platform.current_organization_id sql=bench.organization; do
	q "ALTER TABLE bench.rows_${policy%=*} ENABLE ROW LEVEL SECURITY" \
		"CREATE POLICY member_select ON bench.rows_${policy%=*} FOR SELECT USING (organization_id = ${policy#*=}())"
done
q "ALTER TABLE bench.rows_sql_once ENABLE ROW LEVEL SECURITY" \
	"CREATE POLICY member_select ON bench.rows_sql_once FOR SELECT USING (organization_id = (SELECT bench.organization()))"

calls() {
	bench_sql $ROUNDS $CALLS \
		"empty C function" "SELECT count(bench.empty()) FROM generate_series(1, $CALLS)" \
		"platform.current_organization_id()" "SELECT count(platform.current_organization_id()) FROM generate_series(1, $CALLS)" \
		"platform.current_user_id()" "SELECT count(platform.current_user_id()) FROM generate_series(1, $CALLS)" \
		"platform.is_admin()" "SELECT count(platform.is_admin()) FROM generate_series(1, $CALLS)" \
		"SQL function like auth.uid()" "SELECT count(bench.uid()) FROM generate_series(1, $CALLS)"
}

policies() {
	bench_sql $ROUNDS $ROWS \
		"no policy, same filter" "SELECT count(*) FROM bench.rows_nobody WHERE organization_id = '$ORGANIZATION'" \
		"platform.current_organization_id()" "SELECT count(*) FROM bench.rows_ours" \
		"SQL function over the claims" "SELECT count(*) FROM bench.rows_sql" \
		"the same in a sub-select (once a query)" "SELECT count(*) FROM bench.rows_sql_once"
}

by_claims="SET SESSION AUTHORIZATION authenticator; SET ROLE platform_test_member; SET request.jwt.claims = '$CLAIMS';"
by_context="SET request.jwt.claims = '$CLAIMS'; BEGIN; SELECT platform.set_context('$ORGANIZATION', 'c0de0004-0000-4000-8000-0000000000aa'); SET ROLE platform_test_member;"

BENCH_PREAMBLE=$by_claims
bench_title "$CALLS calls, identity from claims (trusted login role)"
calls
BENCH_PREAMBLE=$by_context
bench_title "$CALLS calls, identity from set_context()"
calls
BENCH_PREAMBLE=$by_claims
bench_title "row security over 1M rows, identity from claims"
policies
BENCH_PREAMBLE=$by_context
bench_title "row security over 1M rows, identity from set_context()"
policies

if [ "$role_exists" = 0 ]; then q "DROP ROLE authenticator"
elif [ "$is_member" = f ]; then q "REVOKE platform_test_member FROM authenticator"
fi
