#!/bin/sh
# What the machine of vm.sh shows of runt, part by part: test.sh [PART...]
set -eu
cd "$(dirname "$0")/../.."

# $options: words for the machine
inside() { conformance/vm/vm.sh run ${options:-} --share-ro "$PWD" --timeout ${seconds:-3600} --env PATIENCE=10 -- conformance/vm/inside.sh "$@"; }

# The machine's own criu is too old for connections of TCP.
newer_criu() { RUNT_CRIU_CACHE=$PWD/dist/criu bin/debian-criu >/dev/null; }

part() {
	options= seconds=
	case $1 in
	fs-cases) inside cases '' ;;
	systemd-cases) inside cases --systemd-cgroup ;;
	hybrid-cases) options='--cgroup hybrid'; inside cases --systemd-cgroup G1 G2 G4 G5 G6 G7 'cgroup' 'exec ' ;;
	smoke) seconds=900 options=--fresh; inside smoke ;;
	podman | checkpoint) inside "$1" ;;
	systemd) inside test conformance/systemd/scopes.ts ;;
	selinux) options='--selinux'; inside test conformance/selinux.test.ts ;;
	apparmor) inside test conformance/apparmor.test.ts ;;
	migration) newer_criu && inside criu cases '' K6 && inside criu migration --megabytes 16 --runs 1 ;;
	cgroups) inside test src/cgroup/fs.test.ts src/cgroup/exec.test.ts src/cgroup/oom.test.ts src/cgroup/stats.test.ts ;;
	*) echo "test.sh: no part $1" >&2; return 2 ;;
	esac
}

[ $# -gt 0 ] || set -- smoke cgroups apparmor selinux podman checkpoint systemd fs-cases systemd-cases hybrid-cases migration
failed=
for name; do
	echo "## $name"
	part "$name" || failed="$failed $name"
done
[ -z "$failed" ] || { echo "failed:$failed" >&2; exit 1; }
echo "all parts passed: $*"
