"""A host of its own that is reached by ssh: own processes, mounts, name, /opt, /etc and /var, and a real sshd on a loopback address.

It is an overlay over this machine's root, whose changes lie in memory and go with it. The clone and what it built are hidden from
it, so that what runs there can only be what was installed there. systemd does not run in it.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.conftest import free_port, wait_for

CLONE = Path(__file__).parents[2]
HIDDEN = (str(CLONE), "/var/cache/dtam", "/var/lib/dtam", "/opt/dtam", "/etc/dtam")
BOOT = r"""
set -eu
name=$1 place=$2 sshd_config=$3
shift 3
mount --make-rprivate /
mount -t tmpfs -o size=4g,mode=755 tmpfs "$place"
mkdir "$place/upper" "$place/work" "$place/root"
root=$place/root
mount -t overlay -o "lowerdir=/,upperdir=$place/upper,workdir=$place/work" overlay "$root"
for hidden in "$@"; do rm -rf "$root$hidden" 2>/dev/null || mount -t tmpfs tmpfs "$root$hidden"; done
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mkdir -p "$root/run/sshd" "$root/var/tmp" "$root/root"
cp -r "$sshd_config" "$root/run/sshd-config"
hostname "$name"
cd "$root"
mkdir -p run/old
pivot_root . run/old
mv_upper=/run/upper
mkdir $mv_upper && mount --bind "/run/old$place/upper" $mv_upper
umount -l /run/old
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin /usr/sbin/sshd -D -e -f /run/sshd-config/sshd_config
"""
SSHD = """\
ListenAddress {address}:{port}
HostKey /run/sshd-config/host_key
AuthorizedKeysFile /run/sshd-config/authorized_keys
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
PidFile none
Subsystem sftp internal-sftp
"""
SSH = """\
Host {name}
  HostName {address}
  Port {port}
  User root
  IdentityFile {place}/key
  IdentitiesOnly yes
  UserKnownHostsFile {place}/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
"""


@dataclass
class SshHost:
    """One such host, by name, at an address of its own."""

    name: str
    address: str
    place: Path
    process: subprocess.Popen[bytes] | None = None
    port: int = 0
    log: Path = field(init=False)

    @property
    def ssh_config(self) -> Path:
        return self.place / "ssh_config"

    def boot(self) -> SshHost:
        self.place.mkdir(parents=True)
        self.log = self.place / "sshd.log"
        self.port = free_port(self.address)
        self._make_keys()
        root = self.place / "host"
        root.mkdir()
        unshare = ["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child"]
        words = ["sh", "-c", BOOT, "boot", self.name, str(root), str(self.place / "sshd"), *HIDDEN]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([*unshare, *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for(self._answers, 60, f"sshd of {self.name}")
        return self

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        return self.ssh("true").returncode == 0

    def _make_keys(self) -> None:
        sshd = self.place / "sshd"
        sshd.mkdir()
        for file in (self.place / "key", sshd / "host_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file)], check=True)
        (sshd / "authorized_keys").write_text((self.place / "key.pub").read_text())
        (sshd / "sshd_config").write_text(SSHD.format(address=self.address, port=self.port))
        key = (sshd / "host_key.pub").read_text().split()
        (self.place / "known_hosts").write_text(f"[{self.address}]:{self.port} {key[0]} {key[1]}\n")
        text = SSH.format(name=self.name, address=self.address, port=self.port, place=self.place)
        self.ssh_config.write_text(text)

    def ssh(self, command: str) -> subprocess.CompletedProcess[str]:
        words = ["ssh", "-F", str(self.ssh_config), "-o", "BatchMode=yes", self.name, command]
        return subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)

    def run(self, command: str) -> str:
        done = self.ssh(command)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout

    def popen(self, command: str) -> subprocess.Popen[str]:
        words = ["ssh", "-F", str(self.ssh_config), "-o", "BatchMode=yes", self.name, command]
        return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def changed(self) -> set[str]:
        """Everything below its root that is not as on this machine."""
        return {line for line in self.run("cd /run/upper && find . -mindepth 1").splitlines() if line}

    def power_off(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(30)
