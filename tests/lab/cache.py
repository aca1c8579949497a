"""The disks of a lab as they were after the domain was made, kept so that the next lab starts from them.

One archive, in a directory of root's alone under /var/tmp. Its name says what it was made from (the packages' versions and the
code that made it), its first line is the checksum of the rest: whatever is missing, torn or stale is simply made again. It is
written nameless and gets its name when it is whole; a lock lets one lab at a time make it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.lab.keeper import ROOM, Keeper

DIRECTORY = Path(os.environ.get("DTAM_LAB_CACHE", "/var/tmp/dtam-lab"))
PACKAGES = ("samba-ad-dc", "samba", "winbind", "samba-ad-provision", "krb5-user", "bind9")
MADE_BY = (
    "bind",
    "boot",
    "certificates",
    "controllers",
    "domain",
    "files",
    "hosts",
    "members",
    "places",
    "populate",
    "resetting",
    "baseline",
)
MAX_AGE_S = 20 * 86400  # well below what a directory forgets deleted objects after
KEPT = 2  # archives; older ones go when a new one is kept
ATTRIBUTES = [
    "--xattrs", "--acls", "--xattrs-include=*",
    *(f"--xattrs-exclude=trusted.overlay.{one}" for one in ("origin", "impure", "nlink", "uuid")),
]  # fmt: skip
DIGEST_BYTES = 64


def key() -> str:
    """What the archive's content depends on, as a short name."""
    digest = hashlib.sha256()
    shown = subprocess.run(["dpkg-query", "-W", *PACKAGES], capture_output=True, check=False).stdout
    digest.update(shown)
    for name in MADE_BY:
        path = Path(__file__).with_name(name + (".sh" if name == "boot" else ".py"))
        digest.update(path.read_bytes())
    return digest.hexdigest()[:24]


@dataclass(frozen=True, slots=True)
class Store:
    """Where the archive of this key stands."""

    directory: Path
    key: str

    @property
    def path(self) -> Path:
        return self.directory / f"{self.key}.disks"

    def lay_out(self, keeper: Keeper) -> bool:
        """Put the kept disks into a new lab; False when there are none that are whole and young enough."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            return False
        with open(descriptor, "rb") as archive:
            if os.fstat(archive.fileno()).st_mtime + MAX_AGE_S < time.time() or not _whole(archive):
                return False
            archive.seek(DIGEST_BYTES)
            os.lseek(archive.fileno(), DIGEST_BYTES, os.SEEK_SET)
            argv = [*keeper.inside("mount"), "tar", "-C", str(ROOM), "-xf", "-", "-p", *ATTRIBUTES]
            subprocess.run(argv, stdin=archive, check=True)
        return True

    def keep(self, keeper: Keeper) -> None:
        """Keep the disks of a lab whose hosts have no power. A full or read-only disk only costs the next lab time."""
        try:
            descriptor = os.open(self.directory, os.O_TMPFILE | os.O_RDWR, 0o600)
        except OSError:
            return
        with open(descriptor, "w+b") as archive:
            archive.write(b"0" * DIGEST_BYTES)
            archive.flush()
            argv = [
                *keeper.inside("mount"),
                "tar",
                "-C",
                str(ROOM),
                "-cf",
                "-",
                "-S",
                "--warning=no-file-ignored",
                *ATTRIBUTES,
                ".",
            ]
            if subprocess.run(argv, stdout=archive, check=False).returncode:
                return
            archive.seek(0)
            archive.write(_digest(archive).encode())
            archive.flush()
            os.fsync(archive.fileno())
            self._name(archive)

    def _name(self, archive: IO[bytes]) -> None:
        self.path.unlink(missing_ok=True)
        directory = os.open(self.directory, os.O_DIRECTORY)
        # With a directory given, Python follows the link in /proc to the nameless file; without one it does not.
        os.link(f"/proc/self/fd/{archive.fileno()}", self.path.name, dst_dir_fd=directory, follow_symlinks=True)
        os.close(directory)
        every = sorted(self.directory.glob("*.disks"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in every[KEPT:]:
            path.unlink(missing_ok=True)


def _digest(archive: IO[bytes]) -> str:
    archive.seek(DIGEST_BYTES)
    digest = hashlib.file_digest(archive, "sha256").hexdigest()
    archive.seek(0)
    return digest


def _whole(archive: IO[bytes]) -> bool:
    return archive.read(DIGEST_BYTES).decode(errors="replace") == _digest(archive)


def _directory_is_ours() -> bool:
    try:
        DIRECTORY.mkdir(0o700, exist_ok=True)
        status = os.lstat(DIRECTORY)
    except OSError:
        return False
    return not DIRECTORY.is_symlink() and status.st_uid == os.geteuid() and not status.st_mode & 0o077


def lay_out(keeper: Keeper) -> bool:
    """Put the kept disks into a new lab, if there are any that can be trusted."""
    return _directory_is_ours() and Store(DIRECTORY, key()).lay_out(keeper)


@contextmanager
def building() -> Iterator[Store]:
    """The right to make the disks and keep them: one lab at a time, the others wait. Where nothing can be kept, at once."""
    store = Store(DIRECTORY, key())
    if not _directory_is_ours():
        yield store
        return
    with open(os.open(DIRECTORY / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield store
