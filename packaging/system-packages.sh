#!/bin/sh
# Install, as root on Debian, the system packages that a purpose needs; elsewhere say plainly what will be missing.
#
#   packaging/system-packages.sh capture|test
#
# "capture" is what builds and mounts the capturing file system; "test" adds what the tests run against.
set -eu

capture="gcc libc6-dev libfuse3-dev fuse3 libxxhash-dev pkg-config"
test="$capture git postgresql sqlite3 bind9 bind9-dnsutils rsync stunnel4 openssl shellcheck iproute2 iputils-ping attr acl util-linux
    openssh-server openssh-client systemd btrfs-progs xfsprogs"
# The lab: a real domain, its members and its clients.
lab="samba samba-ad-dc samba-ad-provision samba-dsdb-modules samba-vfs-modules winbind libnss-winbind krb5-user ldb-tools smbclient
    ldap-utils libsasl2-modules-gssapi-mit iputils-arping nftables libkrb5-dev tdsodbc libodbc2"
test="$test $lab"

case ${1:-capture} in
    capture) packages=$capture ;;
    test) packages=$test ;;
    *) echo "system-packages: unknown purpose '$1': capture or test" >&2; exit 2 ;;
esac

missing=""
for package in $packages; do
    dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
[ -z "$missing" ] && exit 0

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "not installed (needs root on Debian):$missing" >&2
    echo "  what needs them is left out and named; as root: apt-get install --no-install-recommends$missing" >&2
    exit 0
fi
echo "installing:$missing" >&2
apt-get -qq update >/dev/null
# PostgreSQL's own cluster is not wanted: the tests make theirs.
mkdir -p /etc/postgresql-common
[ -e /etc/postgresql-common/createcluster.conf ] || echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
# Nothing that is installed for a test is started: what a test needs of it, it starts itself.
policy=/usr/sbin/policy-rc.d
made_policy=no
[ -e $policy ] || { made_policy=yes && printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy; }
trap '[ $made_policy = no ] || rm -f $policy' EXIT
# shellcheck disable=SC2086  # a list of words on purpose
DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends $missing >/dev/null
case " $missing " in *" openssh-server "*) systemctl disable ssh.service >/dev/null 2>&1 || true ;; esac
