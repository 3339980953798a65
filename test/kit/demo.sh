#!/bin/bash
# demo.sh - make demo: prepares the machine, builds, installs, starts a cluster of
# its own in a temporary folder, loads example data and gives a guided tour. The
# cluster stays up; make demo-stop stops and removes it.
#
# The tour is src/*/tour*.sql, in the order of their first lines: -- tour <order> <title>
set -euo pipefail
cd "$(dirname "$0")/../.."
. test/kit/lib.sh

bash test/kit/demo-stop.sh quietly
PG_CONFIG=$(test/kit/prepare.sh)
export PG_CONFIG
build_and_install

dir=$(mktemp -d "${TMPDIR:-/tmp}/platform-demo.XXXXXX")
printf '%s\n%s\n' "$dir" "$PG_CONFIG" >.demo
trap 'bash test/kit/demo-stop.sh' EXIT
say "starting a server in $dir"
cluster_start "$dir"
psql=$("$PG_CONFIG" --bindir)/psql
"$psql" -X -q -d postgres -c 'CREATE DATABASE demo'

heading() { printf '\n\n%s\n%s\n' "$1" "$(printf '%*s' ${#1} '' | tr ' ' '=')"; }

# Standard input, rather than -f, keeps file names out of the messages.
run() { PGOPTIONS='-c client_min_messages=warning' "$psql" -X -q -d demo -P border=1 "$@" 2>&1; }

heading "Installing"
run -v ON_ERROR_STOP=1 <<'SQL'
\echo
\echo The extension brings the functions; install() makes the tables, as ordinary
\echo tables that belong to you; load_demo_data() fills in two example customers.
\echo
\set ECHO queries
CREATE EXTENSION platform;
SELECT version, module, action FROM platform.install();
SELECT * FROM platform.load_demo_data();
SQL

if ! nm -D "$("$PG_CONFIG" --pkglibdir)/platform.so" | grep platform_sender_main >/dev/null; then
	say "the library was built without libcurl: no webhooks will be sent"
elif ! receiver_start "$dir"; then
	say "node 18 or newer is missing: no webhooks will be sent"
fi

grep -H '^-- tour [0-9]' src/*/tour*.sql | sed 's/^\([^:]*\):-- tour \([0-9]*\) \(.*\)/\2\t\1\t\3/' | sort -n |
	while IFS=$'\t' read -r _ file title; do
		heading "$title"
		run <"$file"
	done
receiver_stop

trap - EXIT
if command -v psql >/dev/null; then psql=psql; fi
heading "Your turn"
cat <<TEXT

The server keeps running. Connect to it:

    $psql -h $dir -U postgres demo

and ask it, for example:

    SELECT * FROM platform.organization_features('d0000000-0000-4000-8000-000000000001');
    \df platform.*

Stop it and remove everything it made:

    make demo-stop

TEXT
