#!/bin/sh
# Where systemd has booted: Podman on runt with the systemd manager, as root and as an ordinary user. podman.sh RUNTIME [user]
set -eu
runtime=$1
[ $# = 1 ] || systemctl=--user
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/root/bin" "$work/root/etc"
cp /bin/busybox "$work/root/bin/"
for applet in sh cat sleep grep; do ln -s busybox "$work/root/bin/$applet"; done

run() { podman --runtime "$runtime" --runtime-flag "root=$work/state" --cgroup-manager systemd --log-level error "$@"; }
expect() { [ "$2" = "$3" ] || { echo "not ok: $1: found \"$2\", expected \"$3\"" >&2; exit 1; }; echo "ok: $1"; }
# On v2 the container sees itself at the root; on a hybrid tree the whole path.
PLACE='grep -h :memory: /proc/self/cgroup || cat /proc/self/cgroup'
known() { case $1 in 0::/ | *:memory:/machine.slice/libpod-*.scope) echo "in its scope" ;; *) echo "$1" ;; esac; }
[ -e /sys/fs/cgroup/cgroup.procs ] && memory=MemoryMax || memory=MemoryLimit
show() { systemctl ${systemctl:-} show "$unit" --value -p "$1"; }

expect 'a container ends, and is gone' "$(known "$(run run --rm --network none --rootfs "$work/root" sh -c "$PLACE")")" 'in its scope'
id=$(run run -d --name vm-test --network none --memory 64m --pids-limit 20 --rootfs "$work/root" sleep 1000)
unit=libpod-$id.scope
expect 'it has a scope' "$(show ActiveState)" active
expect 'with its limit of memory' "$(show $memory)" $((64 * 1024 * 1024))
expect 'and of processes' "$(show TasksMax)" 20
expect 'exec is in the scope' "$(known "$(run exec vm-test sh -c "$PLACE")")" 'in its scope'
run pause vm-test >/dev/null
expect 'it is paused' "$(run inspect --format '{{.State.Status}}' vm-test)" paused
run unpause vm-test >/dev/null
run update --memory 48m vm-test >/dev/null
expect 'an update is the scope'"'s" "$(show $memory)" $((48 * 1024 * 1024))
run rm --force --time 0 vm-test >/dev/null
expect 'the scope is gone' "$(show LoadState)" not-found
