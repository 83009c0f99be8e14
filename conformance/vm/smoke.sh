#!/bin/sh
# Inside the machine: one container whose cgroup systemd makes, from create to delete.
set -eu
runt() { /tmp/vm/runt --systemd-cgroup --root /tmp/smoke/state "$@"; }
is() { [ "$2" = "$3" ] || { echo "smoke: $1 is $2, not $3" >&2; exit 1; }; }
status() { runt state smoke | jq -r .status; }

echo "smoke: $(uname -r), $(systemctl --version | head -n 1)"
mkdir -p /tmp/smoke/rootfs/bin
cp /bin/busybox /tmp/smoke/rootfs/bin/sleep
cd /tmp/smoke
runt spec
jq '.process.terminal = false | .process.args = ["/bin/sleep", "1000"] | .linux.resources.pids.limit = 7
  | .linux.cgroupsPath = "system.slice:runt:smoke"' config.json >edited
mv edited config.json

runt create smoke </dev/null >/dev/null 2>&1
is status "$(status)" created
scope=runt-smoke.scope
is "$scope" "$(systemctl is-active $scope)" active
is TasksMax "$(systemctl show --property TasksMax --value $scope)" 7
is pids.max "$(cat /sys/fs/cgroup/system.slice/$scope/pids.max)" 7
runt start smoke
is status "$(status)" running
runt exec smoke /bin/sleep 0
runt kill smoke KILL
for _ in $(seq 100); do [ "$(status)" = stopped ] && break || sleep 0.1; done
is status "$(status)" stopped
runt delete smoke
is "$scope" "$(systemctl is-active $scope)" inactive
is list "$(runt list --quiet)" ''
echo 'smoke: create, start, exec, kill, delete: as they should be'
