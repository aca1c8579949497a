"""What the host says about itself: addresses, paths, listening ports. Read only, each time anew."""

from __future__ import annotations

import os
import pwd
import socket
import stat
import time
from contextlib import suppress
from pathlib import Path

import psutil

from orchestrator.engine.control.answers import Facts, InterfaceAddress, PathFacts

ENTRIES_MAX = 100_000
COUNTING_BUDGET_S = 2.0
KINDS = {
    stat.S_IFDIR: "directory",
    stat.S_IFREG: "file",
    stat.S_IFLNK: "symlink",
    stat.S_IFBLK: "block device",
    stat.S_IFCHR: "character device",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
}


def gather(paths: list[str]) -> Facts:
    """All facts, and those of ``paths``."""
    return Facts(
        hostname=socket.gethostname(),
        addresses=interface_addresses(),
        boot_id=boot_id(),
        paths={path: path_facts(Path(path)) for path in paths},
        listening=listening(),
    )


def boot_id() -> str:
    """A value that changes with every boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def interface_addresses() -> list[InterfaceAddress]:
    """The IP addresses of this host and the interfaces that carry them."""
    families = (socket.AF_INET, socket.AF_INET6)
    return [
        InterfaceAddress(address=entry.address.partition("%")[0], interface=interface)
        for interface, entries in sorted(psutil.net_if_addrs().items())
        for entry in entries
        if entry.family in families
    ]


def listening() -> list[str]:
    """The TCP addresses and ports that somebody listens on, as far as this user may see."""
    try:
        connections = psutil.net_connections("tcp")
    except (psutil.Error, OSError):
        return []
    found = {f"{c.laddr.ip}:{c.laddr.port}" for c in connections if c.status == psutil.CONN_LISTEN and c.laddr}
    return sorted(found)


def path_facts(path: Path) -> PathFacts:
    """What is at a path; for an absent one the free space of the nearest directory above it."""
    try:
        status = path.lstat()
    except OSError:
        return PathFacts(exists=False, free_bytes=_free_bytes(_existing(path)), fs=_file_system(_existing(path)))
    kind = KINDS.get(stat.S_IFMT(status.st_mode), "other")
    is_directory = kind == "directory"
    entries = _entries(path) if is_directory else None
    return PathFacts(
        exists=True,
        kind=kind,
        bytes=_content_bytes(path) if is_directory else status.st_size,
        free_bytes=_free_bytes(path),
        fs=_file_system(path),
        entries=entries,
        owner=_account(status.st_uid),
    )


def _account(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _existing(path: Path) -> Path:
    return next((above for above in path.parents if above.exists()), Path("/"))


def _free_bytes(path: Path) -> int | None:
    try:
        figures = os.statvfs(path)
    except OSError:
        return None
    return figures.f_bavail * figures.f_frsize


def _entries(path: Path) -> int | None:
    try:
        with os.scandir(path) as found:
            return sum(1 for _ in zip(found, range(ENTRIES_MAX), strict=False))
    except OSError:
        return None


def _content_bytes(path: Path) -> int | None:
    """What all files below a directory hold; None when they are too many to count within a moment."""
    total, until = 0, time.monotonic() + COUNTING_BUDGET_S
    for folder, _, names in os.walk(path):
        if time.monotonic() > until:
            return None
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(folder, name)).st_size  # noqa: PTH118  by the hundred thousand
    return total


def _file_system(path: Path) -> str:
    parts = [p for p in psutil.disk_partitions(all=True) if path.is_relative_to(p.mountpoint)]
    return max(parts, key=lambda part: len(part.mountpoint)).fstype if parts else ""
