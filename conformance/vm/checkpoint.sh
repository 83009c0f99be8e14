#!/bin/sh
# Inside the machine: checkpoints of an engine on runt, with one manager of cgroups. checkpoint.sh RUNTIME podman|docker cgroupfs|systemd
set -eu
runtime=$1 engine=$2 manager=$3
work=$(mktemp -d)
trap clean_up EXIT
name=vm-checkpoint

# Counts the signals that it gets, in its memory, and tells of each.
teller='n=0; trap "n=\$((n+1)); echo n=\$n" USR1; trap "exit 7" TERM; echo ready; while :; do sleep 0.2; done'

clean_up() {
	for each in $name other; do call rm --force "$each" >/dev/null 2>&1 || :; done
	[ ! -e "$work/docker.pid" ] || kill "$(cat "$work/docker.pid")"
	wait
	rm -rf "$work"
}

call() {
	case $engine in
	podman) podman --runtime "$runtime" --cgroup-manager "$manager" --log-level error "$@" ;;
	docker) docker --host "unix://$work/docker.sock" "$@" ;;
	esac
}

expect() { [ "$2" = "$3" ] || { echo "not ok: $engine, $manager: $1: found \"$2\", expected \"$3\"" >&2; exit 1; }; echo "ok: $engine, $manager: $1"; }

# until_is EXPECTED COMMAND...: wait until it prints that
until_is() {
	expected=$1
	shift
	for _ in $(seq 300); do
		[ "$("$@" 2>/dev/null)" != "$expected" ] || return 0
		sleep 0.2
	done
	echo "not ok: $engine, $manager: $*: waited in vain for \"$expected\", found \"$("$@")\"" >&2
	exit 1
}

# dockerd starts containerd itself.
start_dockerd() {
	cat >"$work/daemon.json" <<-JSON
		{ "experimental": true, "runtimes": { "tested": { "path": "$runtime" } }, "default-runtime": "tested",
		  "exec-opts": ["native.cgroupdriver=$manager"], "bridge": "none", "iptables": false, "ip6tables": false,
		  "data-root": "$work/data", "exec-root": "$work/exec", "pidfile": "$work/docker.pid", "hosts": ["unix://$work/docker.sock"] }
	JSON
	dockerd --config-file "$work/daemon.json" >"$work/log" 2>&1 &
	for _ in $(seq 600); do
		! call version >/dev/null 2>&1 || return 0
		sleep 0.2
	done
	tail -n 20 "$work/log" >&2
	exit 1
}

make_image() {
	mkdir -p "$work/root/bin" "$work/root/etc" "$work/root/proc" "$work/root/sys" "$work/root/dev" "$work/root/tmp"
	cp /bin/busybox "$work/root/bin/"
	for applet in sh cat sleep; do ln -s busybox "$work/root/bin/$applet"; done
	tar -C "$work/root" -cf "$work/image.tar" .
	call import "$work/image.tar" localhost/box:1 >/dev/null 2>&1
}

last() { call logs "$1" | tail -n 1; }

# count NAME EXPECTED: its next signal is to be this one
count() {
	call kill --signal USR1 "$1" >/dev/null
	until_is "n=$2" last "$1"
	echo "ok: $engine, $manager: $1 counts n=$2"
}

save() {
	case $engine in
	podman) call container checkpoint "$@" $name ;;
	docker) call checkpoint create "$@" $name point ;;
	esac >/dev/null
}

go_on() {
	case $engine in
	podman) call container restore $name ;;
	docker) start_from_point ;;
	esac >/dev/null
}

# containerd may still have the images of the checkpoint itself: moby/moby#42900.
start_from_point() {
	for _ in $(seq 100); do
		! call start --checkpoint point $name 2>"$work/error" || return 0
		grep -q 'already exists' "$work/error" || break
		sleep 0.5
	done
	cat "$work/error" >&2
	exit 1
}

status() { call inspect --format '{{.State.Status}}' $name; }
# Where the kernel has the first process.
cgroup() { cut -d: -f3 "/proc/$(call inspect --format '{{.State.Pid}}' $name)/cgroup"; }
# Bytes of memory in a folder of images.
memory() { cat "$(dirname "$(call inspect --format '{{.OCIConfigPath}}' $name)")/$1"/pages-*.img | wc -c; }
limit() { cat "/sys/fs/cgroup$(cgroup)/memory.max"; }

[ $engine = podman ] || start_dockerd
make_image
call run --detach --name $name --network none --memory 64m localhost/box:1 sh -c "$teller" >/dev/null
until_is ready last $name
count $name 1
before=$(cgroup)
save
until_is exited status
expect 'its cgroup is gone' "$([ -e "/sys/fs/cgroup$before" ] || echo gone)" gone
go_on
expect 'it runs again' "$(status)" running
count $name 2
expect 'in the same cgroup' "$(cgroup)" "$before"
expect 'with its limit of memory' "$(limit)" $((64 * 1024 * 1024))
if [ $manager = systemd ]; then
	unit=${before##*/}
	expect 'which is a scope of systemd' "$(systemctl show "$unit" --value -p ActiveState)" active
	expect 'that knows the limit' "$(systemctl show "$unit" --value -p MemoryMax)" $((64 * 1024 * 1024))
fi
expect 'exec is in there' "$(call exec $name cat /proc/self/cgroup)" 0::/
if [ $engine = podman ]; then
	# This kernel keeps track of what changes.
	expect 'a pre-checkpoint has nothing to say' "$(save --pre-checkpoint --export "$work/first" 2>&1)" ''
	count $name 3
	save --with-previous --export "$work/second"
	expect 'what is saved twice is less' "$([ "$(memory checkpoint)" -lt "$(memory pre-checkpoint)" ] && echo less)" less
	call container restore --import-previous "$work/first" --import "$work/second" --name other >/dev/null
	count other 4
	go_on
	count $name 4
fi
call stop $name >/dev/null
expect 'it ends as it should' "$(call inspect --format '{{.State.ExitCode}}' $name)" 7
call rm $name >/dev/null
expect 'the cgroup is gone' "$([ -e "/sys/fs/cgroup$before" ] || echo gone)" gone
