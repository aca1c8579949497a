#!/bin/sh
# Become a host of the lab: PID 1 in namespaces of its own over the overlay root given.
#   boot.sh LAB NAME ROOT PLACE...
# LAB is the number by which people choose among labs. PLACEs are directories of the machine that are shown as they are: the
# project, and what Python needs from other file systems than that of /.
set -eu
lab=$1 name=$2 root=$3
shift 3

hostname "$name"
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
mount -t tmpfs -o mode=0755 run "$root/run"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"
# After the file systems above: the project may lie in /tmp.
for place in "$@"; do
    mkdir -p "$root$place"
    mount --bind "$place" "$root$place"
    mount -o remount,ro,bind "$root$place"
done
mkdir -p "$root/run/lock" "$root/run/samba" "$root/run/named"
ip link set lo up

cd "$root"
pivot_root . .
umount -l .
exec env -i --ignore-signal=CHLD "DTAM_LAB=$lab" "DTAM_LAB_HOST=$name" /bin/sleep infinity
