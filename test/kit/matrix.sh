#!/bin/bash
# matrix.sh - make matrix: runs make test on every PostgreSQL under
# /usr/lib/postgresql and in every Debian tree under MATRIX_DIR (default
# /var/tmp/platform-matrix). FETCH=yes makes the trees that are missing: trixie
# (PostgreSQL 17) and sid (18). Trees need root or sudo.
set -euo pipefail
cd "$(dirname "$0")/../.."
. test/kit/lib.sh
MATRIX_DIR=${MATRIX_DIR:-/var/tmp/platform-matrix}
mirror=http://deb.debian.org
summary=()
failed=0

record() {
	local name=$1 log=$2
	summary+=("$(printf '%-50s %s' "$name" "$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -1 || true)")")
}

fetch_tree() {
	local suite=$1 tree=$MATRIX_DIR/$1
	[ ! -e "$tree/etc/debian_version" ] || return 0
	if ! command -v debootstrap >/dev/null && [ ! -x /usr/sbin/debootstrap ]; then
		say "installing Debian packages: debootstrap"
		as_root apt-get install -y -qq --no-install-recommends debootstrap debian-archive-keyring \
			</dev/null >"$log" 2>&1 || { cat "$log"; die "debootstrap could not be installed"; }
	fi
	say "fetching Debian $suite into $tree"
	as_root mkdir -p "$tree"
	as_root env PATH="$PATH:/usr/sbin:/sbin" debootstrap --variant=minbase --include=ca-certificates,make \
		"$suite" "$tree" "$mirror/debian" </dev/null >"$log" 2>&1 || { cat "$log"; die "debootstrap failed"; }
	if [ "$suite" != sid ]; then
		echo "deb $mirror/debian-security $suite-security main" |
			as_root tee -a "$tree/etc/apt/sources.list" >/dev/null
		as_root find "$tree/var/lib/apt/lists" -type f -delete
	fi
}

leave_tree() {
	local tree=$1 mounted
	for mounted in dev/shm dev/pts dev proc; do
		if mountpoint -q "$tree/$mounted"; then as_root umount "$tree/$mounted"; fi
	done
}

# A copy of the source, without what was built here, tested inside the tree.
test_in_tree() {
	local tree=$1 status=0
	trap 'leave_tree "$tree"' EXIT
	mountpoint -q "$tree/proc" || as_root mount -t proc proc "$tree/proc"
	mountpoint -q "$tree/dev" || as_root mount --bind /dev "$tree/dev"
	mountpoint -q "$tree/dev/pts" || as_root mount --bind /dev/pts "$tree/dev/pts"
	mountpoint -q "$tree/dev/shm" || as_root mount -t tmpfs tmpfs "$tree/dev/shm"
	as_root cp /etc/resolv.conf "$tree/etc/resolv.conf"
	as_root rm -rf "$tree/root/platform"
	as_root mkdir -p "$tree/root/platform"
	tar -c --exclude='*.o' --exclude='*.bc' --exclude='*.so' --exclude=.git --exclude=.build_for . |
		as_root tar -x --no-same-owner -C "$tree/root/platform"
	as_root chroot "$tree" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive \
		sh -c 'command -v make >/dev/null || { apt-get update -qq && apt-get install -y -qq make; } >/dev/null 2>&1
			make -C /root/platform test' </dev/null || status=$?
	leave_tree "$tree"
	trap - EXIT
	return $status
}

log=$(mktemp)
for config in /usr/lib/postgresql/*/bin/pg_config; do
	[ -x "$config" ] && [ -e "$("$config" --pgxs)" ] || continue
	say "$config"
	PG_CONFIG=$config test/kit/test.sh 2>&1 </dev/null | tee "$log" || failed=1
	record "$("$config" --version)" "$log"
done
if [ "${FETCH:-}" = yes ]; then
	for suite in trixie sid; do fetch_tree "$suite"; done
fi
for tree in "$MATRIX_DIR"/*/; do
	tree=${tree%/}
	[ -e "$tree/etc/debian_version" ] || continue
	say "$tree"
	test_in_tree "$tree" 2>&1 | tee "$log" || failed=1
	record "$(sed -n 's/^== PostgreSQL: \(.*\) (\/.*/\1/p' "$log"), ${tree##*/}" "$log"
done
rm -f "$log"
printf '\n'
printf '%s\n' "${summary[@]:-no PostgreSQL was found}"
exit $failed
