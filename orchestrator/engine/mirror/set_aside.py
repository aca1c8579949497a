"""What the old source had that never arrived is listed and copied away before a restore overwrites or deletes it.

Which paths those are, the old source's own log tells: the operations after the last acknowledged one. When that log has a gap or is gone
(a power cut takes what it had in memory), every file changed after the last acknowledged time counts, and those that turn out to be the
same after the restore are dropped again. Copies keep their metadata, share blocks with the original where the file system can
(reflink), and lie below ``files/`` beside a ``manifest.json`` that gives a reason for each.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat as st
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from orchestrator.engine.mirror import beneath
from orchestrator.engine.mirror.durable import write_durably
from orchestrator.engine.mirror.placing import TEMPORARY
from orchestrator.engine.oplog.format import Kind, Operation

_FICLONE = 0x40049409
_SLACK_NS = 1_000_000_000
"""File systems keep times in ticks, and an operation's time is taken a moment after its write."""
_REASONS = {
    Kind.WRITE: "written",
    Kind.TRUNCATE: "written",
    Kind.FALLOCATE: "written",
    Kind.CREATE: "created",
    Kind.MKDIR: "created",
    Kind.SYMLINK: "created",
    Kind.MKNOD: "created",
    Kind.LINK: "linked",
    Kind.RENAME: "renamed",
    Kind.UNLINK: "removed",
    Kind.RMDIR: "removed",
}


class Lost(msgspec.Struct, frozen=True):
    """A path that the target does not know as the old source had it. ``whole``: with all below it."""

    path: bytes
    why: str
    whole: bool = False


class Kept(msgspec.Struct, frozen=True):
    """One line of the manifest. ``copied`` is false for what is only listed: removed, or a directory."""

    path: str
    why: str
    copied: bool
    kind: str
    size_bytes: int = 0
    changed_ns: int = 0


class Manifest(msgspec.Struct, frozen=True):
    """What was set aside of a root. Paths that are not UTF-8 are written with escapes."""

    root: str
    began_ns: int
    reason: str
    entries: tuple[Kept, ...] = ()


def unacknowledged(operations: Iterable[Operation], acknowledged: int) -> list[Lost] | None:
    """Paths of the operations after ``acknowledged``, each with what was done to it; None if the log has a gap."""
    found: dict[bytes, list[str]] = {}
    due = acknowledged + 1
    for operation in operations:
        if operation.sequence <= acknowledged:
            continue
        if operation.kind is Kind.GAP or operation.sequence != due:
            return None
        due += 1
        for path in _paths_of(operation):
            reasons = found.setdefault(path, [])
            why = _REASONS.get(operation.kind, "attributes changed")
            if why not in reasons:
                reasons.append(why)
    return [Lost(path, f"{', '.join(reasons)} after the last acknowledged write") for path, reasons in found.items()]


def _paths_of(operation: Operation) -> tuple[bytes, ...]:
    if operation.kind in (Kind.MARK, Kind.SKIP):
        return ()
    return (operation.path, operation.path2) if operation.kind in (Kind.RENAME, Kind.LINK) else (operation.path,)


def changed_since(root: beneath.Root, acknowledged_ns: int) -> Iterator[Lost]:
    """Every file whose content or attributes changed after a time (CLOCK_REALTIME of the old source), by its change time."""
    root_fd = beneath.open_root(root)
    try:
        yield from _changed_below(root_fd, b"", acknowledged_ns - _SLACK_NS)
    finally:
        os.close(root_fd)


def _changed_below(dir_fd: int, path: bytes, since_ns: int) -> Iterator[Lost]:
    for name in beneath.names_of(dir_fd):
        info = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
        inner = beneath.join(path, name)
        if st.S_ISDIR(info.st_mode):
            with beneath.directory(dir_fd, name) as fd:
                yield from _changed_below(fd, inner, since_ns)
        elif max(info.st_ctime_ns, info.st_mtime_ns) > since_ns:
            yield Lost(inner, "changed after the time of the last acknowledged write")


class SetAside:
    """Copies files out of a root into a directory of its own; a Keeper for MirrorTarget.

    Args:
        root: what is about to be overwritten.
        place: the directory to be made; outside ``root``.
        reason: for people, in the manifest.
        keep_all: copy also what nobody listed, when it is about to be changed.
        now_ns: CLOCK_REALTIME.
    """

    def __init__(
        self,
        root: Path,
        place: Path,
        reason: str,
        *,
        keep_all: Callable[[os.stat_result], str] = lambda _info: "",
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.place = place
        self._files = place / "files"
        self._files.mkdir(mode=0o700, parents=True, exist_ok=True)
        place.chmod(0o700)
        self._root = root
        self._root_fd = beneath.open_root(root)
        self._reason = reason
        self._keep_all = keep_all
        self._began_ns = now_ns()
        self.entries: dict[bytes, Kept] = {}
        self._kept_names: dict[bytes, Path] = {}

    def gather(self, lost: Iterable[Lost]) -> None:
        """Copy what is listed, before the restore begins, and write the manifest."""
        for one in lost:
            self._put(one.path, one.why)
        self.write_manifest()

    def keep(self, path: bytes) -> None:
        """Something at this path is about to be changed or removed."""
        info = beneath.look(self._root_fd, path)
        if info is None or path in self.entries or TEMPORARY in path:
            return
        if st.S_ISDIR(info.st_mode):
            with contextlib.suppress(OSError), beneath.directory(self._root_fd, path) as fd:
                for name in list(beneath.names_of(fd)):
                    self.keep(beneath.join(path, name))
        else:
            why = self._keep_all(info)
            if why:
                self._put(path, why)
                self.write_manifest()

    def drop_identical(self) -> int:
        """After the restore: forget copies that are equal to what is there now; how many."""
        dropped = [path for path, kept in self.entries.items() if kept.copied and self._identical(path)]
        for path in dropped:
            self._kept_names[path].unlink()
            del self.entries[path]
        self.write_manifest()
        return len(dropped)

    def write_manifest(self) -> None:
        """Write what was set aside, durably."""
        entries = tuple(sorted(self.entries.values(), key=lambda kept: kept.path))
        manifest = Manifest(str(self._root), self._began_ns, self._reason, entries)
        write_durably(self.place / "manifest.json", msgspec.json.format(msgspec.json.encode(manifest), indent=1))

    def close(self) -> None:
        """Write the manifest and give the descriptor back."""
        self.write_manifest()
        os.close(self._root_fd)

    def _put(self, path: bytes, why: str) -> None:
        if path in self.entries:
            return
        info = beneath.look(self._root_fd, path)
        shown = path.decode("utf-8", "backslashreplace")
        if info is None:
            self.entries[path] = Kept(shown, why, False, "removed")
            return
        kind = _kind(info)
        copied = kind in {"file", "link"}
        if copied:
            self._kept_names[path] = self._copy(path, info)
        self.entries[path] = Kept(shown, why, copied, kind, info.st_size, info.st_mtime_ns)

    def _copy(self, path: bytes, info: os.stat_result) -> Path:
        destination = self._files / os.fsdecode(path)
        destination.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        above, name = beneath.split(path)
        with beneath.directory(self._root_fd, above) as fd:
            if st.S_ISLNK(info.st_mode):
                destination.symlink_to(os.readlink(os.fsdecode(name), dir_fd=fd))
            else:
                _copy_file(fd, name, destination)
        return destination

    def _identical(self, path: bytes) -> bool:
        above, name = beneath.split(path)
        try:
            with beneath.directory(self._root_fd, above) as fd:
                now = Path(f"/proc/self/fd/{fd}") / os.fsdecode(name)
                kept = self._kept_names[path]
                if kept.is_symlink() or now.is_symlink():
                    return kept.is_symlink() and now.is_symlink() and kept.readlink() == now.readlink()
                return _same_content(kept, now)
        except OSError:
            return False


def _kind(info: os.stat_result) -> str:
    kinds = {st.S_IFREG: "file", st.S_IFLNK: "link", st.S_IFDIR: "directory"}
    return kinds.get(st.S_IFMT(info.st_mode), "special")


def _copy_file(dir_fd: int, name: bytes, destination: Path) -> None:
    source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=dir_fd)
    try:
        with destination.open("xb") as copy:
            try:
                fcntl.ioctl(copy.fileno(), _FICLONE, source)
            except OSError:
                _copy_bytes(source, copy.fileno())
            os.fsync(copy.fileno())
        shutil.copystat(f"/proc/self/fd/{source}", destination)
        info = os.fstat(source)
        with contextlib.suppress(PermissionError):
            os.chown(destination, info.st_uid, info.st_gid)
    finally:
        os.close(source)


def _copy_bytes(source: int, copy: int) -> None:
    left = os.fstat(source).st_size
    while left > 0:
        done = os.copy_file_range(source, copy, min(left, 64 << 20))
        if done == 0:
            return
        left -= done


def _same_content(first: Path, second: Path) -> bool:
    if first.stat().st_size != second.stat().st_size:
        return False
    with first.open("rb") as one, second.open("rb") as other:
        while chunk := one.read(1 << 20):
            if chunk != other.read(1 << 20):
                return False
    return True
