#!/bin/sh
# Inside the machine, in the project's folder: copy what is run often to the machine's own disk, then run a command with it.
#
#   cases [FLAGS [WORD...]]   the container cases on runt with these global flags
#   test FILE...              files of tests
#   smoke                     one container with a scope of systemd
#   podman                    Podman with the systemd manager
#   checkpoint                checkpoints of Podman and Docker, with both managers
#   migration [FLAG...]       containers that move from host to host
#   criu WORD...              any of these with the CRIU of dist/criu, which is newer than the machine's own
set -eu
mkdir -p /tmp/vm
[ -e /tmp/vm/bun ] || cp -L node_modules/.bin/bun /tmp/vm/bun
[ -e /tmp/vm/runt ] || cp dist/runt dist/runt-engine dist/ffi-rs.node /tmp/vm/
what=$1
shift
case $what in
cases)
	flags=${1:-}
	[ $# = 0 ] || shift
	exec /tmp/vm/bun conformance/main.ts --watch --runtime "/tmp/vm/runt $flags" "$@"
	;;
test)
	status=0
	for file; do
		echo "# $file"
		/tmp/vm/bun "$file" || status=1
	done
	exit $status
	;;
migration)
	exec /tmp/vm/bun conformance/migration.ts --runtime /tmp/vm/runt --runtime /usr/sbin/runc "$@"
	;;
criu)
	[ -e /tmp/vm/criu ] || cp -R dist/criu /tmp/vm/
	PATH=/tmp/vm/criu:$PATH exec "$0" "$@"
	;;
smoke)
	exec conformance/vm/smoke.sh
	;;
podman)
	chmod 755 /tmp/vm
	conformance/vm/podman.sh /tmp/vm/runt
	exec as-user "$PWD/conformance/vm/podman.sh" /tmp/vm/runt user
	;;
checkpoint)
	status=0
	for manager in cgroupfs systemd; do
		for engine in podman docker; do
			conformance/vm/checkpoint.sh /tmp/vm/runt $engine $manager || status=1
		done
	done
	exit $status
	;;
esac
echo "inside.sh: $what?" >&2
exit 2
