#!/bin/bash
# A throw-away Debian 12 virtual machine for tests that need what a container or
# an odd host kernel cannot give: systemd as pid 1, unified cgroup v2 with all
# controllers, CRIU, AppArmor, SELinux. It needs no KVM and no network.
# README.md beside this file tells how to use it.
set -euo pipefail

PACKAGES="systemd systemd-sysv dbus dbus-user-session libpam-systemd kmod procps
  iproute2 mount util-linux uidmap acl attr libcap2-bin e2fsprogs busybox-static
  runc crun podman conmon docker.io fuse-overlayfs slirp4netns iptables
  criu libseccomp2 apparmor selinux-utils secilc
  bats jq strace socat python3-minimal perl-base"

# Parts of the kernel's module tree that the machine keeps.
MODULES="arch/x86/crypto crypto lib mm block
  fs/9p fs/autofs fs/binfmt_misc.ko fs/btrfs fs/configfs fs/erofs fs/ext4 fs/fat
  fs/fscache fs/fuse fs/jbd2 fs/mbcache.ko fs/netfs fs/nls fs/overlayfs fs/squashfs fs/xfs
  net/9p net/802 net/8021q net/bridge net/core net/ipv4 net/ipv6 net/key net/llc
  net/netfilter net/netlink net/packet net/sched net/unix net/vmw_vsock net/xfrm
  drivers/virtio drivers/md drivers/block/brd.ko drivers/block/loop.ko
  drivers/block/null_blk drivers/block/virtio_blk.ko drivers/block/zram
  drivers/char/hw_random drivers/char/virtio_console.ko drivers/net/bonding
  drivers/net/dummy.ko drivers/net/ifb.ko drivers/net/ipvlan drivers/net/macvlan.ko
  drivers/net/macvtap.ko drivers/net/net_failover.ko drivers/net/tap.ko drivers/net/tun.ko
  drivers/net/veth.ko drivers/net/virtio_net.ko drivers/net/vrf.ko drivers/net/vxlan"

INITRD_MODULES="virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci
  virtio_blk virtio_console virtio-rng crc32c_generic crc16 mbcache jbd2 ext4"

usage() {
	cat <<'USAGE'
usage: vm.sh deps                      print the Debian packages this script needs
       vm.sh build [--force] [DIR]     make the image in DIR (default: $VM_DIR or ~/.cache/runt-vm)
       vm.sh run [OPTION...] -- COMMAND [ARG...]

options of run:
  --dir DIR          where the image is
  --share DIR        show DIR of the host at /mnt/host (also the working directory)
  --share-ro DIR     the same, read-only
  --env NAME=VALUE   set a variable for COMMAND (may be repeated)
  --timeout SECONDS  give up after this long and exit 124 (default 1800)
  --cgroup v2|hybrid|v1   cgroup layout that systemd sets up (default v2)
  --selinux          boot with SELinux, without a policy, in place of AppArmor
  --mem SIZE         memory, as qemu writes it (default 2G)
  --smp N            processors (default 2)
  --append WORDS     more words for the kernel's command line (implies --fresh)
  --fresh            boot, do not resume the saved state
  --console FILE     keep the console log here
COMMAND runs as root; `as-user COMMAND...` inside runs it as an ordinary user
("tester", uid 1000, subuids 100000-165535) in a delegated systemd user scope.
USAGE
}

die() { echo "vm.sh: $*" >&2; exit 125; }

# The mirrors are the ones that this machine's own apt uses.
apt_uri() { apt-get indextargets --format '$(RELEASE) $(SITE) $(REPO_URI)' 2>/dev/null | awk -v r="$1" '$1 == r { print $3; exit }'; }
mirrors() {
	[ -n "$(apt_uri bookworm-security)" ] || apt-get -qq update
	MIRROR=${VM_MIRROR:-$(apt_uri bookworm)} SECURITY_MIRROR=${VM_SECURITY_MIRROR:-$(apt_uri bookworm-security)}
	[ -n "$MIRROR" ] && [ -n "$SECURITY_MIRROR" ] || die "apt knows no mirror of bookworm: set VM_MIRROR and VM_SECURITY_MIRROR"
}

DIR=${VM_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/runt-vm}
QEMU=${VM_QEMU:-qemu-system-x86_64}
DISK_SIZE=${VM_DISK_SIZE:-4G}

need() {
	local missing=() t
	for t in "$@"; do command -v "$t" >/dev/null || missing+=("$t"); done
	[ ${#missing[@]} = 0 ] || die "missing: ${missing[*]}; try: apt-get install --no-install-recommends $(deps)"
}
deps() { echo qemu-system-x86 mmdebstrap e2fsprogs xz-utils perl-base; }

# The image is stale when this script or the list of extra packages changed.
stamp() { { cat "${BASH_SOURCE[0]}"; echo "${VM_EXTRA_PACKAGES:-}"; } | sha256sum | cut -c1-16; }
# A saved state fits one version of qemu and one way to run it.
# Emulation works everywhere; a /dev/kvm may be there and not be usable (nested, or too poor to boot this kernel).
accel() { echo "${VM_ACCEL:-tcg}"; }

### build ####################################################################

# configure_root ROOT: what the machine has beyond plain Debian packages.
configure_root() {
	local r=$1 u
	echo runtvm >"$r/etc/hostname"
	printf '127.0.0.1 localhost runtvm\n::1 localhost\n' >"$r/etc/hosts"
	: >"$r/etc/resolv.conf"
	echo 0123456789abcdef0123456789abcdef >"$r/etc/machine-id"
	printf '/dev/vda / ext4 rw,noatime 0 0\n' >"$r/etc/fstab"
	mkdir -p "$r/mnt/host"

	# Ordinary user with subordinate ids and a lingering systemd user manager.
	chroot "$r" useradd -m -u 1000 -U -s /bin/bash tester
	grep -q ^tester: "$r/etc/subuid" || echo tester:100000:65536 >>"$r/etc/subuid"
	grep -q ^tester: "$r/etc/subgid" || echo tester:100000:65536 >>"$r/etc/subgid"
	mkdir -p "$r/var/lib/systemd/linger" "$r/etc/systemd/system/user@.service.d"
	: >"$r/var/lib/systemd/linger/tester"
	printf '[Service]\nDelegate=cpu cpuset io memory pids\n' >"$r/etc/systemd/system/user@.service.d/delegate.conf"
	cat >"$r/usr/local/bin/as-user" <<'X'
#!/bin/sh
# Run a command as "tester", in a delegated scope of its systemd user manager.
cd /home/tester
exec setpriv --reuid=1000 --regid=1000 --init-groups --reset-env env \
	HOME=/home/tester USER=tester LOGNAME=tester LANG=C.UTF-8 PATH="$PATH" \
	XDG_RUNTIME_DIR=/run/user/1000 DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus \
	systemd-run --user --scope --quiet -p Delegate=yes -- "$@"
X
	chmod 755 "$r/usr/local/bin/as-user"

	# Podman without a network: accept any local image.
	mkdir -p "$r/etc/containers"
	echo '{"default":[{"type":"insecureAcceptAnything"}]}' >"$r/etc/containers/policy.json"

	# Emulation is slow: no unit that a test does not need, and patient timeouts.
	for u in getty.target getty@tty1.service console-getty.service serial-getty@ttyS0.service \
		apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
		e2scrub_reap.service fstrim.timer systemd-tmpfiles-clean.timer \
		systemd-random-seed.service systemd-update-utmp.service \
		systemd-update-utmp-runlevel.service systemd-journal-flush.service \
		systemd-pstore.service systemd-remount-fs.service systemd-sysusers.service \
		systemd-binfmt.service systemd-machine-id-commit.service systemd-firstboot.service \
		systemd-boot-system-token.service systemd-hwdb-update.service kmod-static-nodes.service \
		systemd-initctl.socket systemd-ask-password-console.path systemd-ask-password-wall.path \
		modprobe@dm_mod.service modprobe@fuse.service modprobe@loop.service modprobe@drm.service \
		modprobe@configfs.service modprobe@efi_pstore.service \
		dev-hugepages.mount sys-kernel-config.mount sys-kernel-debug.mount \
		sys-kernel-tracing.mount proc-sys-fs-binfmt_misc.automount apparmor.service \
		podman.service podman.socket podman-auto-update.service podman-auto-update.timer \
		podman-restart.service docker.service docker.socket containerd.service; do
		ln -sf /dev/null "$r/etc/systemd/system/$u"
	done
	mkdir -p "$r/etc/systemd/journald.conf.d" "$r/etc/systemd/system.conf.d"
	printf '[Journal]\nStorage=volatile\nRuntimeMaxUse=16M\nAudit=no\n' >"$r/etc/systemd/journald.conf.d/vm.conf"
	printf '[Manager]\nDefaultTimeoutStartSec=900\nDefaultTimeoutStopSec=300\nDefaultDeviceTimeoutSec=900\n' \
		>"$r/etc/systemd/system.conf.d/vm.conf"
	mkdir -p "$r/etc/systemd/user.conf.d"
	cp "$r/etc/systemd/system.conf.d/vm.conf" "$r/etc/systemd/user.conf.d/vm.conf"
	ln -sf /lib/systemd/system/multi-user.target "$r/etc/systemd/system/default.target"

	# The agent: takes one command from the host and runs it.
	mkdir -p "$r/etc/systemd/system/multi-user.target.wants"
	cat >"$r/etc/systemd/system/vm-agent.service" <<'X'
[Unit]
Description=Runs the command that the host sends
DefaultDependencies=no
After=multi-user.target dbus.service systemd-logind.service

[Service]
Type=exec
ExecStart=/usr/local/sbin/vm-agent
StandardInput=null
StandardOutput=journal+console
StandardError=journal+console
Delegate=yes
KillMode=process
OOMPolicy=continue
TasksMax=infinity
LimitNOFILE=1048576
LimitCORE=0

[Install]
WantedBy=multi-user.target
X
	ln -sf ../vm-agent.service "$r/etc/systemd/system/multi-user.target.wants/vm-agent.service"
	cat >"$r/usr/local/sbin/vm-agent" <<'X'
#!/usr/bin/perl
# Frames on the virtio-serial port: one letter, length (32 bit, big endian), payload.
# To the host: R ready, O/E output, X exit status. From the host: C command.
use strict; use warnings; use POSIX qw(:sys_wait_h setsid dup2);

system 'modprobe -a overlay fuse tun veth 9pnet_virtio 9p unix_diag inet_diag tcp_diag udp_diag netlink_diag af_packet_diag >/dev/null 2>&1';
for (1 .. 600) { last if -S '/run/user/1000/bus'; select undef, undef, undef, 0.2 }

my ($port) = map { m{([^/]+)/name$} } grep { open my $f, '<', $_; <$f> =~ /^vm-agent$/ } glob '/sys/class/virtio-ports/*/name';
open my $p, '+<', "/dev/$port" or die "/dev/$port: $!";

sub emit { my $b = pack 'aN/a', @_;
	while (length $b) { my $n = syswrite $p, $b; defined $n or die "write: $!"; substr $b, 0, $n, '' } }
sub take { my ($want, $b) = (shift, '');
	while (length $b < $want) {
		my $n = sysread $p, $b, $want - length $b, length $b;
		$n or select undef, undef, undef, 0.05; # 0: the host's end is not open
	}
	$b }

emit('R', '');
my ($type, $len) = unpack 'aN', take(5);
my ($now, $seed, $share, $cwd, $nenv, @rest) = split /\0/, take($len), -1;
my %set = map { split /=/, $_, 2 } splice @rest, 0, $nenv;

system 'date', '-s', "\@$now", '-u', '+' and warn "date: $?";
if (open my $r, '>', '/dev/urandom') { print $r pack 'H*', $seed }
system 'mount -o remount,rw /' and warn "remount: $?";
if ($share) {
	system "mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288,cache=loose,$share share /mnt/host"
		and emit('E', "vm.sh: the shared folder could not be mounted\n");
}

pipe my $or, my $ow; pipe my $er, my $ew;
my $pid = fork // die "fork: $!";
if (!$pid) {
	setsid;
	open my $null, '<', '/dev/null';
	dup2(fileno $null, 0); dup2(fileno $ow, 1); dup2(fileno $ew, 2);
	%ENV = (HOME => '/root', USER => 'root', LOGNAME => 'root', LANG => 'C.UTF-8', TERM => 'dumb',
		PATH => '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', %set);
	chdir $cwd or chdir '/';
	{ no warnings; exec { $rest[0] } @rest }
	my ($why, $code) = ("$!", $!{ENOENT} ? 127 : 126);
	syswrite STDERR, "vm.sh: $rest[0]: $why\n";
	POSIX::_exit($code);
}
close $ow; close $ew;
my %fd = (O => $or, E => $er);
my ($status, $end);
while (%fd) {
	my $in = ''; vec($in, fileno $_, 1) = 1 for values %fd;
	my $n = select $in, undef, undef, 0.2;
	for (keys %fd) {
		next unless $n > 0 && vec $in, fileno $fd{$_}, 1;
		if (sysread $fd{$_}, my $b, 32768) { emit($_, $b) } else { delete $fd{$_} }
	}
	if (!defined $status && waitpid($pid, WNOHANG) == $pid) { $status = $?; $end = time + 2 }
	# Something the command left behind may hold the pipes open; do not wait for it.
	last if defined $end && time > $end && $n <= 0;
}
if (!defined $status) { waitpid $pid, 0; $status = $? }
if ($share) { chdir '/'; system 'umount /mnt/host 2>/dev/null || { sync; umount -l /mnt/host; }' }
emit('X', $status & 127 ? 128 + ($status & 127) : $status >> 8);
sleep 30;
system 'poweroff', '-ff';
X
	chmod 755 "$r/usr/local/sbin/vm-agent"
}

# make_kernel ROOT OUT: fetch Debian's kernel, put its modules in ROOT, make OUT/{vmlinux,initrd}.
make_kernel() {
	local r=$1 out=$2 deb pkg k ver m f n
	pkg=$(chroot "$r" apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: *\(linux-image-[^ ]*\).*/\1/p' | head -1)
	[ -n "$pkg" ] || die "no kernel package found"
	k=$r/tmp/kernel
	mkdir -p "$k"
	chroot "$r" sh -c "cd /tmp/kernel && apt-get -qq -o APT::Sandbox::User=root download $pkg && dpkg-deb -x ./*.deb ."
	ver=${pkg#linux-image-}
	mkdir -p "$r/lib/modules/$ver/kernel"
	cp "$k/lib/modules/$ver"/modules.{order,builtin,builtin.modinfo} "$r/lib/modules/$ver/"
	(cd "$k/lib/modules/$ver/kernel" && for m in $MODULES; do [ ! -e "$m" ] || printf '%s\n' "$m"; done | tar -c -T -) |
		tar -x -C "$r/lib/modules/$ver/kernel"
	cp "$k/boot/config-$ver" "$r/boot/"
	chroot "$r" depmod "$ver"
	extract_vmlinux "$k/boot/vmlinuz-$ver" "$out/vmlinux"

	# A first root file system of busybox and a few modules.
	m=$r/tmp/initrd
	mkdir -p "$m"/{bin,dev,proc,root,modules}
	cp "$r/bin/busybox" "$m/bin/"
	n=10
	for f in $INITRD_MODULES; do
		cp "$(find "$r/lib/modules/$ver" -name "$f.ko" | head -1)" "$m/modules/$n-$f.ko"
		n=$((n + 1))
	done
	cat >"$m/init" <<'X'
#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t proc proc /proc
for m in /modules/*; do /bin/busybox insmod "$m"; done
/bin/busybox mount -t ext4 -o ro,noatime /dev/vda /root
/bin/busybox umount /proc
/bin/busybox mount -o move /dev /root/dev
exec /bin/busybox switch_root /root /sbin/init
X
	chmod 755 "$m/init"
	(cd "$m" && find . | "$r/bin/busybox" cpio -o -H newc 2>/dev/null) >"$out/initrd"
	rm -rf "$k" "$m"
}

# Unpack the kernel, so that the emulated machine need not (saves it several seconds).
extract_vmlinux() {
	local setup offset length
	num() { od -An -v -t "u$2" -j "$1" -N "$2" "$3" | tr -d ' '; }
	setup=$(num $((0x1f1)) 1 "$1") offset=$(num $((0x248)) 4 "$1") length=$(num $((0x24c)) 4 "$1")
	offset=$(((setup + 1) * 512 + offset))
	# The payload ends with four bytes that are not part of the stream.
	(set +o pipefail; tail -c +$((offset + 1)) "$1" | head -c $((length - 4)) | xz -dc >"$2" 2>/dev/null) || true
	# Another compression: let the kernel unpack itself.
	[ "$(head -c 4 "$2" | tail -c 3)" = ELF ] || cp "$1" "$2"
}

build() {
	local force= t0=$SECONDS w
	[ "${1:-}" != --force ] || { force=1; shift; }
	[ -z "${1:-}" ] || DIR=$1
	if [ -z "$force" ] && [ "$(cat "$DIR/stamp" 2>/dev/null)" = "$(stamp)" ]; then
		echo "vm.sh: $DIR is up to date" >&2
	else
		[ "$(id -u)" = 0 ] || die "build needs root"
		need mmdebstrap mke2fs xz perl "$QEMU"
		mirrors
		mkdir -p "$DIR"
		rm -rf "$DIR"/{stamp,disk.raw,vmlinux,initrd,work} "$DIR"/state-*
		w=$DIR/work
		mkdir -p "$w"
		echo "vm.sh: installing Debian packages" >&2
		# shellcheck disable=SC2086
		mmdebstrap --quiet --mode=root --variant=minbase \
			--include="$(echo $PACKAGES ${VM_EXTRA_PACKAGES:-} | tr ' ' ,)" \
			--aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' \
			--dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' \
			--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
			--dpkgopt='path-exclude=/usr/share/info/*' --skip=cleanup/apt/lists,cleanup/reproducible \
			bookworm "$w/root" \
			"deb $MIRROR bookworm main" "deb $MIRROR bookworm-updates main" \
			"deb $SECURITY_MIRROR bookworm-security main"
		echo "vm.sh: kernel and settings (after $((SECONDS - t0)) s)" >&2
		cp /etc/resolv.conf "$w/root/etc/resolv.conf"
		make_kernel "$w/root" "$w"
		configure_root "$w/root"
		chroot "$w/root" dpkg-query -W >"$w/packages.txt"
		rm -rf "$w/root"/var/lib/apt/lists/* "$w/root"/var/cache/apt/*.bin "$w/root"/tmp/*
		mke2fs -q -t ext4 -O ^has_journal -m 0 -L root -d "$w/root" "$w/disk.raw" "$DISK_SIZE"
		mkdir -p "$DIR/empty"
		mv "$w"/{disk.raw,vmlinux,initrd,packages.txt} "$DIR/"
		rm -rf "$w"
		stamp >"$DIR/stamp"
	fi
	save_state
	echo "vm.sh: ready in $((SECONDS - t0)) s, $(du -sh "$DIR" | cut -f1) in $DIR" >&2
}

### run ######################################################################

MEM=2G SMP=2 CGROUP=v2 SELINUX= APPEND= SHARE= SHARE_OPT= TIMEOUT=1800 FRESH= CONSOLE=

kernel_args() {
	local a="console=ttyS0 quiet ro panic=1 audit=0 mitigations=off init_on_alloc=0"
	a+=" nowatchdog rcupdate.rcu_cpu_stall_suppress=1 systemd.service_watchdogs=no systemd.show_status=no"
	[ "$(accel)" = kvm ] || a+=" tsc=reliable clocksource=tsc no_timer_check"
	case $CGROUP in
	v2) a+=" systemd.unified_cgroup_hierarchy=1" ;;
	hybrid) a+=" systemd.unified_cgroup_hierarchy=0 systemd.legacy_systemd_cgroup_controller=0" ;;
	v1) a+=" systemd.unified_cgroup_hierarchy=0 systemd.legacy_systemd_cgroup_controller=1" ;;
	*) die "--cgroup: $CGROUP?" ;;
	esac
	if [ -n "$SELINUX" ]; then a+=" lsm=landlock,yama,selinux selinux=1 enforcing=0"; else a+=" lsm=landlock,yama,apparmor"; fi
	echo "$a${APPEND:+ $APPEND}"
}

# qemu_args: sets ARGS. Devices must be the same when a state is saved and resumed.
qemu_args() {
	local cpu=${VM_CPU:-max,la57=off} accel=tcg,thread=multi
	[ "$(accel)" = tcg ] || cpu=host accel=kvm
	ARGS=(-name runt-vm -no-user-config -nodefaults -display none -nic none -no-reboot
		-machine pc,usb=off -accel "$accel" -cpu "$cpu" -smp "$SMP" -m "$MEM"
		-kernel "$DIR/vmlinux" -initrd "$DIR/initrd" -append "$(kernel_args)"
		-drive "file=$DIR/disk.raw,format=raw,if=virtio,cache=unsafe,snapshot=on"
		-device virtio-serial-pci
		-fsdev "local,id=share,path=${SHARE:-$DIR/empty},security_model=none,multidevs=remap${SHARE_OPT:+,readonly=on}"
		-device virtio-9p-pci,fsdev=share,mount_tag=share
		-device virtio-rng-pci)
}

state_file() {
	echo "$DIR/state-$({ "$QEMU" --version; accel; kernel_args; echo "$MEM $SMP"; } | sha256sum | cut -c1-12)"
}

# Boot once and keep the machine's memory at the point where it waits for a command.
save_state() {
	local s t0=$SECONDS
	s=$(state_file)
	[ ! -s "$s" ] || return 0
	echo "vm.sh: first boot" >&2
	SHARE='' SHARE_OPT='' qemu_args
	(driver save "$s.$$" 1200 "$QEMU" "${ARGS[@]}") || { rm -f "$s.$$"; die "the first boot failed"; }
	mv "$s.$$" "$s"
	echo "vm.sh: booted and saved in $((SECONDS - t0)) s" >&2
}

run() {
	local env=() s
	while [ $# -gt 0 ]; do
		case $1 in
		--dir) DIR=$2; shift ;;
		--share) SHARE=$2 SHARE_OPT=; shift ;;
		--share-ro) SHARE=$2 SHARE_OPT=ro; shift ;;
		--env) env+=("$2"); shift ;;
		--timeout) TIMEOUT=$2; shift ;;
		--cgroup) CGROUP=$2; shift ;;
		--selinux) SELINUX=1 ;;
		--mem) MEM=$2; shift ;;
		--smp) SMP=$2; shift ;;
		--append) APPEND=$2 FRESH=1; shift ;;
		--fresh) FRESH=1 ;;
		--console) CONSOLE=$2; shift ;;
		--) shift; break ;;
		-*) usage >&2; exit 125 ;;
		*) break ;;
		esac
		shift
	done
	[ $# -gt 0 ] || { usage >&2; exit 125; }
	need perl "$QEMU"
	[ -s "$DIR/stamp" ] || die "no image in $DIR; run: vm.sh build"
	if [ -n "$SHARE" ]; then
		[ -d "$SHARE" ] || die "--share: $SHARE is not a folder"
		SHARE=$(cd "$SHARE" && pwd)
	fi
	if [ -z "$FRESH" ]; then
		save_state
		s=$(state_file)
	fi
	qemu_args
	[ -n "$FRESH" ] || ARGS+=(-incoming "exec:cat '$s'")
	driver run "$TIMEOUT" "${SHARE:+${SHARE_OPT:-rw}}" ${#env[@]} ${env[@]+"${env[@]}"} "$@" -- "$QEMU" "${ARGS[@]}"
}

# driver save FILE TIMEOUT QEMU...        boot, save the state in FILE
# driver run TIMEOUT SHARE NENV ENV... COMMAND... -- QEMU...
driver() {
	CONSOLE=$CONSOLE exec perl -e '
use strict; use warnings; use Socket; use POSIX qw(:sys_wait_h);
my $mode = shift; my ($file, @cmd, @qemu, $timeout);
if ($mode eq "save") { ($file, $timeout, @qemu) = @ARGV }
else {
	my $i = $#ARGV; $i-- until $ARGV[$i] eq "--";
	@qemu = @ARGV[$i + 1 .. $#ARGV]; $timeout = shift; @cmd = @ARGV[0 .. $i - 2];
}
syscall 157, 1, 15; # PR_SET_PDEATHSIG: leave nothing behind
$| = 1; $^F = 255; # the sockets below stay open in qemu
my $log = $ENV{CONSOLE} || do { my $t = $ENV{TMPDIR} || "/tmp"; "$t/vm-console.$$" };
socketpair my $port, my $portq, AF_UNIX, SOCK_STREAM, 0 or die $!;
socketpair my $mon, my $monq, AF_UNIX, SOCK_STREAM, 0 or die $!;
my $qemu = fork // die $!;
if (!$qemu) {
	syscall 157, 1, 9;
	close $port; close $mon;
	open STDIN, "<", "/dev/null"; open STDOUT, ">&", \*STDERR;
	exec @qemu, "-serial", "file:$log",
		"-chardev", "socket,id=port,fd=" . fileno $portq, "-device", "virtserialport,chardev=port,name=vm-agent",
		"-chardev", "socket,id=mon,fd=" . fileno $monq, "-mon", "chardev=mon,mode=readline"
		or die "vm.sh: $qemu[0]: $!\n";
}
close $portq; close $monq;
sub finish { my ($code, $why) = @_;
	if (waitpid($qemu, WNOHANG) == 0) { kill "KILL", $qemu; waitpid $qemu, 0 }
	if ($why) {
		print STDERR "vm.sh: $why\n";
		if (open my $c, "<", $log) { my @l = <$c>; splice @l, 0, @l - 30 if @l > 30; print STDERR map { s/\r//gr } @l }
	}
	unlink $log unless $ENV{CONSOLE};
	exit $code }
$SIG{$_} = sub { finish(130, "stopped by a signal") } for qw(INT TERM HUP);
$SIG{ALRM} = sub { finish(124, "no end after $timeout s") };
$SIG{PIPE} = "IGNORE";
alarm $timeout;
sub take { my ($want, $b) = (shift, "");
	while (length $b < $want) {
		my $n = sysread $port, $b, $want - length $b, length $b;
		$n or finish(125, "the machine stopped unexpectedly");
	}
	$b }
sub frame { my ($t, $n) = unpack "aN", take(5); ($t, $n ? take($n) : "") }
sub put { my ($fh, $b) = @_; while (length $b) { my $n = syswrite $fh, $b; defined $n or return; substr $b, 0, $n, "" } }

if ($mode eq "save") {
	my ($t) = frame(); finish(125, "unexpected $t") if $t ne "R";
	sleep 3; # let it come to rest
	put($mon, "migrate_set_parameter max-bandwidth 100g\nmigrate \"exec:cat >\x27$file\x27\"\ninfo migrate\nquit\n");
	my $out = ""; 1 while sysread $mon, $out, 4096, length $out;
	waitpid $qemu, 0;
	finish(125, "saving failed: $out") unless $out =~ /Migration status: completed/;
	finish(0);
}
my ($share, $nenv) = splice @cmd, 0, 2;
open my $r, "<", "/dev/urandom"; sysread $r, my $seed, 64;
my $c = join "\0", time, unpack("H*", $seed), $share, ($share ? "/mnt/host" : "/root"), $nenv, @cmd;
put($port, pack "aN/a", "C", $c);
while (1) {
	my ($t, $d) = frame();
	if ($t eq "O") { put(\*STDOUT, $d) } elsif ($t eq "E") { put(\*STDERR, $d) }
	elsif ($t eq "X") { finish($d) }
}
' -- "$@"
}

case ${1:-} in
deps) deps ;;
build) shift; build "$@" ;;
run) shift; run "$@" ;;
*) usage; [ "${1:-}" = -h ] || [ "${1:-}" = --help ] || exit 125 ;;
esac
