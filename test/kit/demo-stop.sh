#!/bin/bash
# demo-stop.sh - make demo-stop: stops the server that make demo left running and
# removes its folder.
set -euo pipefail
cd "$(dirname "$0")/../.."
. test/kit/lib.sh

if [ ! -e .demo ]; then
	[ "${1:-}" = quietly ] || say "no demo is running"
	exit 0
fi
{ read -r dir; read -r PG_CONFIG; } <.demo
if [[ $dir == */platform-demo.?????? && -d $dir ]]; then
	say "stopping the demo in $dir"
	cluster_stop "$dir"
	rm -rf "$dir"
fi
rm -f .demo
