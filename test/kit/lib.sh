# lib.sh - shell functions that the scripts of test/kit and test/bench share.
# To be sourced by bash. All of them work as root (servers then run as user
# postgres) and as an ordinary user (servers run as that user; sudo where the
# system must be changed).

PATH=$PATH:/usr/sbin:/sbin

say() { printf '== %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Runs a command with root's rights.
as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"
	elif command -v sudo >/dev/null; then sudo "$@"
	else die "this needs root or sudo: $*"
	fi
}

# Runs a command as the user who runs throw-away servers: never root.
as_server() {
	if [ "$(id -u)" = 0 ]; then
		env -u XDG_RUNTIME_DIR runuser -u postgres -- "$@"
	else "$@"
	fi
}

# Prints the pg_config to use: PG_CONFIG, else the newest server of Debian's
# layout that can build extensions, else the one on PATH.
find_pg_config() {
	local found
	if [ -n "${PG_CONFIG:-}" ]; then
		command -v "$PG_CONFIG" || die "PG_CONFIG=$PG_CONFIG does not exist"
		return
	fi
	for found in $(ls -d /usr/lib/postgresql/*/bin/pg_config 2>/dev/null | sort -t/ -k5,5nr); do
		if [ -e "$("$found" --pgxs)" ] && [ -x "${found%/*}/postgres" ]; then
			echo "$found"
			return
		fi
	done
	command -v pg_config || true
}

# The server of benchmarks: what they work on fits into its buffers.
BENCH_SETTINGS=(max_connections=120 shared_buffers=2GB max_wal_size=4GB)

# cluster_start DIR [OPTION...]: makes a cluster in DIR, which must exist and be
# empty, on the socket DIR and nothing else; superuser postgres. It has a root key
# of its own, DIR/root_key. OPTIONs are settings, name=value. Exports PGHOST,
# PGUSER and PGPORT.
cluster_start() {
	local dir=$1 bin setting
	shift
	bin=$("$PG_CONFIG" --bindir)
	if [ "$(id -u)" = 0 ]; then chown postgres "$dir"; fi
	(cd "$dir" && as_server "$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 \
		--locale=C --no-sync --no-instructions) >"$dir/initdb.log" 2>&1 </dev/null \
		|| { cat "$dir/initdb.log" >&2; die "initdb failed"; }
	(umask 077; printf '1:%s\n' "$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')" >"$dir/root_key")
	if [ "$(id -u)" = 0 ]; then chown postgres "$dir/root_key"; fi
	{
		echo "platform.root_key_file = '$dir/root_key'"
		echo "listen_addresses = ''"
		echo "unix_socket_directories = '$dir'"
		echo "port = 5432"
		for setting in "$@"; do echo "$setting"; done
	} | as_server tee -a "$dir/data/postgresql.conf" >/dev/null
	cluster_control "$dir" start
	export PGHOST=$dir PGUSER=postgres PGPORT=5432
	unset PGPASSWORD PGSERVICE PGOPTIONS PGDATABASE
}

# cluster_control DIR start|restart
cluster_control() {
	(cd "$1" && as_server "$("$PG_CONFIG" --bindir)/pg_ctl" -D "$1/data" -l "$1/data/server.log" -w -t 60 -s "$2") \
		>"$1/start.log" 2>&1 </dev/null \
		|| { cat "$1/start.log" "$1/data/server.log" >&2; die "the server did not start"; }
}

cluster_stop() {
	(cd "$1" && as_server "$("$PG_CONFIG" --bindir)/pg_ctl" -D "$1/data" -m fast -w -s stop) </dev/null >/dev/null 2>&1 || true
}

# Builds the library with $PG_CONFIG and puts it where that server looks;
# silent, unless it fails.
build_and_install() {
	local log target
	log=$(mktemp)
	target=$("$PG_CONFIG" --pkglibdir)
	say "building"
	make -j"$(nproc)" PG_CONFIG="$PG_CONFIG" all >"$log" 2>&1 </dev/null || { cat "$log" >&2; die "the build failed"; }
	grep -E 'warning:' "$log" || true
	say "installing into $target"
	if [ -w "$target" ] && [ -w "$("$PG_CONFIG" --sharedir)/extension" ]; then
		make PG_CONFIG="$PG_CONFIG" install >"$log" 2>&1 </dev/null || { cat "$log" >&2; die "make install failed"; }
	else
		as_root make PG_CONFIG="$PG_CONFIG" install >"$log" 2>&1 </dev/null || { cat "$log" >&2; die "make install failed"; }
	fi
	rm -f "$log"
}

# receiver_start DIR: a receiver of webhooks (test/peers/receiver.mjs), which notes in
# DIR what it gets. Exports RECEIVER_PORT, RECEIVER_LOG and RECEIVER_SECRETS; fails
# where there is no node. It ends with receiver_stop, or with this script.
receiver_start() {
	local node
	node=$(node --version 2>/dev/null | sed -n 's/^v\([0-9]*\)\..*/\1/p')
	[ "${node:-0}" -ge 18 ] || return 1
	mkfifo "$1/receiver_input"
	node test/peers/receiver.mjs --log "$1/receiver_log" --secrets "$1/receiver_secrets" \
		<"$1/receiver_input" >"$1/receiver_output" 2>&1 &
	exec 9>"$1/receiver_input"
	until grep -q '^listening' "$1/receiver_output"; do
		kill -0 $! 2>/dev/null || return 1
		sleep 0.1
	done
	RECEIVER_PORT=$(sed -n 's/^listening //p' "$1/receiver_output")
	export RECEIVER_PORT RECEIVER_LOG=$1/receiver_log RECEIVER_SECRETS=$1/receiver_secrets
}

receiver_stop() { exec 9>&-; }
