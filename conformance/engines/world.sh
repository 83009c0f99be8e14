#!/bin/sh
# world.sh FOLDER CGROUP COMMAND…: run a command in what looks like a machine of its own: namespaces, cgroup tree, network,
# /run, and an /etc and a /var whose changes go to FOLDER. When the command ends, all that it started is killed.
set -eu

TREE=/sys/fs/cgroup

is_v2() { [ -e $TREE/cgroup.procs ]; }

# From here on this cgroup is the root of what we see and may use.
join_cgroups() {
  for hierarchy in $(is_v2 && echo $TREE || echo $TREE/*/); do
    cgroup=$hierarchy/$1
    mkdir "$cgroup"
    for file in cpuset.cpus cpuset.mems; do
      [ ! -e "$cgroup/$file" ] || cat "$hierarchy/$file" >"$cgroup/$file"
    done
    [ ! -e "$cgroup/cgroup.clone_children" ] || echo 1 >"$cgroup/cgroup.clone_children"
    echo $$ >"$cgroup/cgroup.procs"
  done
}

# Whatever else of cgroups is mounted on this machine would be found by those who look for the first mount of a controller.
hide_other_cgroups() {
  grep -E ' - cgroup2? ' /proc/self/mountinfo | while read -r _ _ _ _ point _; do
    case $point in $TREE | $TREE/*) ;; *) umount -l "$point" ;; esac
  done
}

# The mounts still show the host's tree. A cgroup of v2 with processes in it can't pass controllers on, so we leave its root.
mount_cgroups() {
  if is_v2; then
    umount -R $TREE
    mount -t cgroup2 cgroup $TREE
    mkdir $TREE/engines
    echo 0 >$TREE/engines/cgroup.procs
    sed 's/\</+/g' $TREE/cgroup.controllers >$TREE/cgroup.subtree_control
    return
  fi
  grep " $TREE/" /proc/self/mountinfo | while read -r _ _ _ _ point _ rest; do
    type=${rest#*- } options=${rest##* }
    type=${type%% *}
    umount "$point"
    case $type in
      cgroup2) mount -t cgroup2 cgroup "$point" ;;
      *) mount -t cgroup -o "${options#rw,}" cgroup "$point" ;;
    esac
  done
}

if [ "$1" != --inside ]; then
  folder=$1 cgroup=$2
  shift 2
  join_cgroups "$cgroup"
  exec unshare --cgroup --mount --net --pid --ipc --uts --fork --kill-child=KILL --mount-proc --propagation private \
    sh "$0" --inside "$folder" "$@"
fi

folder=$2
shift 2
hide_other_cgroups
mount_cgroups
for name in etc var; do
  mkdir "$folder/$name" "$folder/$name.work"
  mount -t overlay -o "lowerdir=/$name,upperdir=$folder/$name,workdir=$folder/$name.work" overlay /$name
done
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mkdir -m 1777 "$folder/tmp" /run/lock
hostname engines
ip link set lo up

# Not exec: as the first process of its namespace, the shell buries the orphans.
env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TMPDIR="$folder/tmp" "$@"
exit $?
