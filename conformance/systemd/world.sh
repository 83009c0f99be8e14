#!/bin/sh
# world.sh TREE ROOT FOLDER COMMAND…: run a command on what looks like a machine that a systemd has booted, at native speed and
# without a virtual machine: namespaces, a cgroup tree of its own, and an /etc, /var, /run and /tmp whose changes go to
# FOLDER or vanish.
# When the command ends, all that was started ends.
#
# TREE    v2 (the unified hierarchy alone), or hybrid (those of v1 beside it), of which the machine has to have what is asked for
# ROOT    /, for the machine's own systemd, or a folder with another Debian, which gets this one's checkout at its place
#
# Only the units below are there, whatever the machine has installed. A user "tester" (1000) has a systemd and a bus of his own.
# On a v2 tree are those controllers alone that no hierarchy of v1 holds on this machine.
set -eu

CGROUPS=/sys/fs/cgroup
CHECKOUT=$(cd "$(dirname "$0")/../.." && pwd)
TESTER=1000

unified() { if [ -e $CGROUPS/cgroup.procs ]; then echo $CGROUPS; else echo $CGROUPS/unified; fi; }

# The hierarchies of this machine that TREE takes, without the links to them.
hierarchies() {
  [ "$1" = hybrid ] || { unified; return; }
  for hierarchy in $CGROUPS/*; do
    if [ ! -L "$hierarchy" ] && [ -e "$hierarchy/cgroup.procs" ]; then echo "$hierarchy"; fi
  done
}

unit() { cat >"/run/systemd/$1"; }

write_units() {
  mkdir -p /run/systemd/system /run/systemd/world/user
  for target in sysinit basic shutdown; do
    for manager in system world/user; do printf '[Unit]\nDefaultDependencies=no\n' | unit "$manager/$target.target"; done
  done
  unit system/default.target <<-UNIT
	[Unit]
	Requires=dbus.socket dbus.service user@$TESTER.service
	After=dbus.service user@$TESTER.service
	UNIT
  printf '[Socket]\nListenStream=/run/dbus/system_bus_socket\n' | unit system/dbus.socket
  unit system/dbus.service <<-UNIT
	[Unit]
	Requires=dbus.socket
	[Service]
	Type=notify
	ExecStart=/usr/bin/dbus-daemon --system --address=systemd: --nofork --nopidfile
	UNIT
  unit "system/user@$TESTER.service" <<-UNIT
	[Service]
	Type=notify
	User=$TESTER
	Slice=user-$TESTER.slice
	Delegate=yes
	Environment=XDG_RUNTIME_DIR=/run/user/$TESTER
	Environment=SYSTEMD_UNIT_PATH=/run/user/$TESTER/systemd/user.control:/run/user/$TESTER/systemd/transient:/run/systemd/world/user
	ExecStart=/lib/systemd/systemd --user
	UNIT
  printf '[Unit]\nRequires=dbus.service\nAfter=dbus.service\n' | unit world/user/default.target
  printf '[Socket]\nListenStream=%%t/bus\n' | unit world/user/dbus.socket
  unit world/user/dbus.service <<-UNIT
	[Unit]
	Requires=dbus.socket
	[Service]
	Type=notify
	ExecStart=/usr/bin/dbus-daemon --session --address=systemd: --nofork --nopidfile
	UNIT
}

# A user and group, where there are none of that name; who else has the number loses it.
account() {
  for line in "passwd:$1:x:$2:$2::/:/bin/sh" "group:$1:x:$2:"; do
    file=/etc/${line%%:*}
    grep -q "^$1:" "$file" 2>/dev/null && continue
    { grep -v "^[^:]*:[^:]*:$2:" "$file" 2>/dev/null || true; echo "${line#*:}"; } >"$file.new"
    mv "$file.new" "$file"
  done
}

# The mounts still show the machine's tree. What else of cgroups is mounted would be found by who looks for the first mount.
mount_cgroups() {
  lines=$(grep -E ' - cgroup2? ' /proc/self/mountinfo)
  grep -E ' - cgroup2? ' /proc/self/mountinfo | while read -r _ _ _ _ point _; do umount -l "$point"; done
  if [ "$1" = v2 ]; then
    umount -l $CGROUPS 2>/dev/null || true
    mount -t cgroup2 cgroup $CGROUPS
    return
  fi
  # Systemd adds folders to what the hierarchies are mounted on, and makes that file system read-only: not the machine's.
  links=$(find $CGROUPS -maxdepth 1 -type l -printf '%f %l\n')
  mount -t tmpfs -o mode=755 tmpfs $CGROUPS
  echo "$links" | while read -r name target; do [ -z "$name" ] || ln -s "$target" "$CGROUPS/$name"; done
  echo "$lines" | while read -r _ _ _ _ point _ rest; do
    case $point in $CGROUPS/*) ;; *) continue ;; esac
    mkdir -p "$point"
    type=${rest#*- } options=${rest##* }
    case ${type%% *} in
      cgroup2) mount -t cgroup2 cgroup "$point" ;;
      *) mount -t cgroup -o "${options#rw,}" cgroup "$point" ;;
    esac
  done
}

inside() {
  tree=$1 root=$2 folder=$3
  mount_cgroups "$tree"
  if [ "$root" != / ]; then
    mount --bind "$root" "$root"
    for shown in /proc /sys /dev "$CHECKOUT" "$folder"; do
      mkdir -p "$root$shown"
      mount --rbind "$shown" "$root$shown"
    done
    cd "$root"
    pivot_root . .
    umount -l .
    cd /
  fi
  mount -t proc proc /proc
  for place in etc var; do
    mount -t overlay -o "lowerdir=/$place,upperdir=$folder/$place,workdir=$folder/$place.work" overlay /$place
  done
  account root 0 && account messagebus 990 && account tester $TESTER
  for file in subuid subgid; do echo tester:100000:65536 >/etc/$file; done
  mount -t tmpfs -o mode=755 tmpfs /run
  mount -t tmpfs -o mode=1777 tmpfs /dev/shm
  mkdir -p /run/user/$TESTER /run/lock
  chown $TESTER:$TESTER /run/user/$TESTER
  chmod 700 /run/user/$TESTER
  write_units
  echo world >/proc/sys/kernel/hostname
  : >"$folder/inside"
  control=/etc/systemd/system.control:/run/systemd/system.control
  exec env -i container=oci PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    SYSTEMD_UNIT_PATH=$control:/run/systemd/transient:/run/systemd/system SYSTEMD_GENERATOR_PATH=/run/systemd/none \
    /lib/systemd/systemd --system --log-target=null </dev/null
}

if [ "$1" = --inside ]; then
  shift
  inside "$@"
fi

tree=$1 root=$2 folder=$3
shift 3
name=runt-systemd-$$
mkdir "$folder/etc" "$folder/etc.work" "$folder/var" "$folder/var.work" "$folder/tmp"
chmod 1777 "$folder/tmp"

# A controller of v2 is handed on as far as the machine lets it be.
for hierarchy in $(hierarchies "$tree"); do
  group=$hierarchy/$name
  mkdir "$group"
  for file in cpuset.cpus cpuset.mems; do
    if [ -e "$group/$file" ] && [ "$hierarchy" != "$(unified)" ]; then cat "$hierarchy/$file" >"$group/$file"; fi
  done
  [ ! -e "$group/cgroup.clone_children" ] || echo 1 >"$group/cgroup.clone_children"
done

tidy() {
  [ -z "${init:-}" ] || kill -KILL "$init" 2>/dev/null || true
  [ -z "${outer:-}" ] || wait "$outer" 2>/dev/null || true
  for attempt in $(seq 50); do
    left=
    for hierarchy in $(hierarchies "$tree"); do
      find "$hierarchy/$name" -depth -type d -exec rmdir {} \; 2>/dev/null || true
      [ ! -e "$hierarchy/$name" ] || left=yes
    done
    [ -n "$left" ] || return 0
    sleep 0.1
  done
}
trap tidy EXIT
trap 'exit 130' INT TERM

HIERARCHIES=$(hierarchies "$tree") NAME=$name sh -c '
  for hierarchy in $HIERARCHIES; do echo $$ >"$hierarchy/$NAME/cgroup.procs"; done
  exec setpriv --pdeathsig KILL unshare --cgroup --mount --net --pid --ipc --uts --fork --kill-child=KILL --propagation private "$@"
' sh sh "$0" --inside "$tree" "$root" "$folder" >"$folder/log" 2>&1 &
outer=$!
for attempt in $(seq 200); do
  [ ! -e "$folder/inside" ] || break
  kill -0 $outer 2>/dev/null || { echo "world.sh: it can't be made: $(cat "$folder/log")" >&2; exit 125; }
  sleep 0.05
done
# Its child alone is meant: the root of a v2 tree with processes in it hands on no controllers.
own=$(sed -n 's/^0:://p' /proc/self/cgroup)
echo $outer >"$(unified)$own/cgroup.procs"
init=$(cat /proc/$outer/task/$outer/children)
init=${init%% *}
enter() { nsenter --target "$init" --mount --net --pid --ipc --uts --cgroup "$@"; }
for attempt in $(seq 300); do
  enter systemctl is-active --quiet default.target 2>/dev/null && break
  [ "$attempt" -lt 300 ] || { echo "world.sh: systemd does not boot: $(cat "$folder/log")" >&2; exit 125; }
  sleep 0.1
done
status=0
enter systemd-run --quiet --scope --property=Delegate=yes --unit=world-command --setenv=TMPDIR="$folder/tmp" \
  sh -c 'cd "$0" && exec "$@"' "$CHECKOUT" "$@" || status=$?
exit $status
