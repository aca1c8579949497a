#!/bin/sh
# Boot a real systemd as the first process of a host made of namespaces:
#
#   unshare --mount --pid --uts --ipc --net --fork --kill-child sh systemd_boot.sh NAME PLACE LOWER HIDDEN...
#
# The host's disk is an overlay over LOWER (another root, or / for the machine's own) whose changes lie in PLACE/upper, so that they
# outlive a power cut (SIGKILL of the first process). HIDDEN paths are not there at the first boot. Of the units that are enabled on
# LOWER none is started.
set -eu
name=$1 place=$2 lower=$3
shift 3

# A control group of its own, seen as the root of all: whatever hierarchy the machine runs, cgroup2 can be mounted once more.
mount --make-rprivate /
mkdir -p "$place/upper" "$place/work" "$place/root" "$place/cgroup"
mount -t cgroup2 cgroup2 "$place/cgroup"
mkdir -p "$place/cgroup/dtam-$name.${place##*/}"
echo 0 >"$place/cgroup/dtam-$name.${place##*/}/cgroup.procs"
umount "$place/cgroup"

root=$place/root
first=no
[ -e "$place/upper/etc" ] || first=yes
mount -t overlay -o "lowerdir=$lower,upperdir=$place/upper,workdir=$place/work" overlay "$root"
if [ $first = yes ]; then
    for one in "$@"; do rm -rf "${root:?}$one"; done
    rm -rf "$root"/etc/systemd/system/* "$root"/etc/fstab "$root"/etc/rc?.d/S* "$root"/lib/systemd/system/multi-user.target.wants/getty*
    for one in getty.target sys-kernel-debug.mount sys-kernel-tracing.mount systemd-networkd.service systemd-resolved.service systemd-timesyncd.service networking.service; do
        ln -s /dev/null "$root/etc/systemd/system/$one"
    done
    printf '%s\n' "$name" >"$root/etc/hostname"
    tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
fi

mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
clone=$(cd "$(dirname "$0")/../.." && pwd)
[ ! -d "$root$clone" ] || mount -t tmpfs tmpfs "$root$clone"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
cat /proc/sys/kernel/random/uuid >"$root/run/boot-id" # each boot is another, as on a machine of its own
mount --bind "$root/proc/sys" "$root/proc/sys"
mount --bind "$root/run/boot-id" "$root/proc/sys/kernel/random/boot_id"
mount -o remount,bind,ro "$root/proc/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for one in null zero full random urandom tty fuse loop-control $(cd /dev && ls -d loop[0-9]* 2>/dev/null); do
    [ ! -e "/dev/$one" ] || { : >"$root/dev/$one" && mount --bind "/dev/$one" "$root/dev/$one"; }
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
hostname "$name"
ip link set lo up
# shellcheck disable=SC2016  # the inner shell's own words
exec unshare --cgroup sh -c '
    mount -t sysfs -o ro sysfs "$1/sys"
    mount -t cgroup2 cgroup2 "$1/sys/fs/cgroup"
    cd "$1"
    mkdir -p run/old
    pivot_root . run/old
    umount -l /run/old
    rmdir /run/old
    exec env -i container=other PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb \
        /lib/systemd/systemd --unit=multi-user.target --show-status=no
' boot "$root"
