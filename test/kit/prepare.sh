#!/bin/bash
# prepare.sh - makes this machine ready to build and test, says what it installs,
# and prints on its standard output the pg_config to use.
#
#	prepare.sh [peers]		peers: and for tests that ask other software's clients
#
# On Debian it installs the packages that are missing (root or sudo). A server
# that it installs gets no cluster, existing clusters are not touched. On other
# systems it checks and names what is missing.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
exec 3>&1 1>&2 </dev/null
export DEBIAN_FRONTEND=noninteractive

is_installed() {
	[ "$(dpkg-query -W -f '${Status}' "$1" 2>/dev/null)" = "install ok installed" ]
}

apt_install() {
	as_root env DEBIAN_FRONTEND=noninteractive LC_ALL=C \
		apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 \
		-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"
}

# Lists older than a day name versions that the mirror no longer has.
refresh_lists() {
	if [ -z "$(find /var/lib/apt/lists -name '*_Packages*' -mtime -1 2>/dev/null | head -1)" ]; then
		say "refreshing the package lists (apt-get update)"
		as_root apt-get update -qq
	fi
}

# The version that PG_CONFIG's path names, else the newest server here, else the
# distribution's; empty for a server that is not Debian's.
wanted_version() {
	local found
	if [ -n "${PG_CONFIG:-}" ]; then
		[[ $PG_CONFIG =~ ^/usr/lib/postgresql/([0-9]+)/bin/ ]] && echo "${BASH_REMATCH[1]}" || true
		return
	fi
	found=$(find_pg_config)
	if [ -n "$found" ]; then
		if [[ $(readlink -f "$("$found" --bindir)") =~ ^/usr/lib/postgresql/([0-9]+)/bin ]]; then
			echo "${BASH_REMATCH[1]}"
		fi
		return
	fi
	found=$(ls -d /usr/lib/postgresql/*/bin/postgres 2>/dev/null | cut -d/ -f5 | sort -n | tail -1)
	[ -n "$found" ] || found=$(apt-cache depends postgresql 2>/dev/null | sed -n 's/.*Depends: postgresql-\([0-9]*\)$/\1/p' | head -1)
	echo "${found:-15}"
}

# Packages of a server that we bring along get no cluster of their own.
install_server() {
	local conf=/etc/postgresql-common/createcluster.conf
	is_installed postgresql-common || apt_install postgresql-common
	as_root cp -p "$conf" "$conf.platform-saved"
	trap 'as_root mv "$conf.platform-saved" "$conf"' EXIT
	echo "create_main_cluster = false" | as_root tee -a "$conf" >/dev/null
	apt_install "$@"
	as_root mv "$conf.platform-saved" "$conf"
	trap - EXIT
}

if command -v apt-get >/dev/null; then
	missing=()
	for package in make gcc libc6-dev libssl-dev libjansson-dev libcurl4-openssl-dev perl libipc-run-perl libio-pty-perl; do
		is_installed "$package" || missing+=("$package")
	done
	if [[ ${1:-} == peers ]]; then
		command -v node >/dev/null || missing+=(nodejs)
		command -v npm >/dev/null || missing+=(npm)
		is_installed ca-certificates || missing+=(ca-certificates)
	fi
	if [ -z "$(ls -d /usr/lib/postgresql/*/bin/postgres 2>/dev/null)" ] && [ -z "${PG_CONFIG:-}" ]; then refresh_lists; fi
	version=$(wanted_version)
	server=()
	if [ -n "$version" ]; then
		for package in "postgresql-$version" "postgresql-server-dev-$version"; do
			is_installed "$package" || server+=("$package")
		done
	fi
	if [ $((${#missing[@]} + ${#server[@]})) -gt 0 ]; then
		say "installing Debian packages: ${missing[*]} ${server[*]}"
		refresh_lists
		log=$(mktemp)
		if ! { [ ${#missing[@]} = 0 ] || apt_install "${missing[@]}"; } >"$log" 2>&1 ||
			! { [ ${#server[@]} = 0 ] || install_server "${server[@]}"; } >>"$log" 2>&1; then
			cat "$log"
			die "the packages could not be installed"
		fi
		rm -f "$log"
	fi
	if [ -n "$version" ]; then PG_CONFIG=${PG_CONFIG:-/usr/lib/postgresql/$version/bin/pg_config}; fi
fi

PG_CONFIG=$(find_pg_config)
[ -n "$PG_CONFIG" ] || die "no PostgreSQL server with its development files was found: set PG_CONFIG"
[ -e "$("$PG_CONFIG" --pgxs)" ] || die "$PG_CONFIG has no PGXS: install the server's development files"
for command in make gcc perl; do
	command -v "$command" >/dev/null || die "missing: $command (needed besides: OpenSSL and jansson headers, Perl's IPC::Run)"
done
say "PostgreSQL: $("$PG_CONFIG" --version) ($PG_CONFIG)"
echo "$PG_CONFIG" >&3
