"""What only the target has: left alone, logged, moved away or deleted, all of it or only what is older than a period."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat as st
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.engine.mirror import beneath
from orchestrator.engine.mirror.options import OrphanAction, OrphanPolicy
from orchestrator.engine.mirror.placing import Keep

REMOVED = ".removed-by-remirror"
"""Behind the name of a replica: where what must not stay in it is put aside."""


def removing(policy: OrphanPolicy, root: str) -> OrphanPolicy:
    """What is done under a policy with names that must not stay in a replica: the same, but at once; put aside where it would leave them."""
    if policy.action in {OrphanAction.DELETE, OrphanAction.MOVE} and not policy.older_than_s:
        return policy
    return OrphanPolicy(OrphanAction.MOVE, move_to=root + REMOVED)


@dataclass(slots=True)
class OrphanCount:
    """What was found and dealt with according to the policy."""

    files: int = 0
    directories: int = 0
    size_bytes: int = 0


class Orphans:
    """Deals with orphans below one root.

    Args:
        root_fd: of the replica.
        policy: what to do.
        now_s: the time now, CLOCK_REALTIME.
        log: told one line an orphan.
        keep: told a path before it is removed.
    """

    def __init__(
        self, root_fd: int, policy: OrphanPolicy, now_s: Callable[[], float], log: Callable[[str], None], keep: Keep
    ) -> None:
        self.count = OrphanCount()
        self._root_fd = root_fd
        self._policy = policy
        self._now_s = now_s
        self._log = log
        self._keep = keep

    def deal_with(self, path: bytes) -> None:
        """Treat a path, with all below it, as the policy says; a path that is not there is nothing."""
        if self._policy.action is OrphanAction.IGNORE:
            return
        above, name = beneath.split(path)
        try:
            with beneath.directory(self._root_fd, above) as fd:
                before = os.fstat(fd)
                if self._treat(fd, name, path):  # the source knows nothing of it: its directory keeps the time
                    with contextlib.suppress(PermissionError):
                        os.utime(fd, ns=(before.st_atime_ns, before.st_mtime_ns))
        except OSError as error:
            if error.errno not in beneath.NOT_THERE:
                raise

    def _treat(self, dir_fd: int, name: bytes, path: bytes) -> bool:
        """True if it is gone afterwards."""
        info = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
        if st.S_ISDIR(info.st_mode):
            return self._treat_directory(dir_fd, name, path)
        if self._young(info):
            return False
        self.count.files += 1
        self.count.size_bytes += info.st_size
        return self._act(dir_fd, name, path)

    def _treat_directory(self, dir_fd: int, name: bytes, path: bytes) -> bool:
        with beneath.directory(dir_fd, name) as fd:
            outcomes = [self._treat(fd, inner, beneath.join(path, inner)) for inner in beneath.names_of(fd)]
        info = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
        if not all(outcomes) or (not outcomes and self._young(info)):
            return False
        self.count.directories += 1
        self._say(path)
        if self._policy.action is OrphanAction.LOG:
            return False
        if self._policy.action is OrphanAction.MOVE:
            self._destination(path, directory=True)
        self._keep(path)
        os.rmdir(name, dir_fd=dir_fd)
        return True

    def _act(self, dir_fd: int, name: bytes, path: bytes) -> bool:
        self._say(path)
        if self._policy.action is OrphanAction.LOG:
            return False
        self._keep(path)
        if self._policy.action is OrphanAction.DELETE:
            os.unlink(name, dir_fd=dir_fd)
        else:
            self._move(dir_fd, name, path)
        return True

    def _move(self, dir_fd: int, name: bytes, path: bytes) -> None:
        place = self._destination(path, directory=False)
        info = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
        if st.S_ISREG(info.st_mode) and info.st_nlink > 1:  # moved as it is, it would change with the names that stay
            _copy_away(dir_fd, name, info, place)
            return
        try:
            os.rename(name, place, src_dir_fd=dir_fd)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            _copy_away(dir_fd, name, info, place)

    def _destination(self, path: bytes, *, directory: bool) -> Path:
        place = Path(self._policy.move_to) / os.fsdecode(path)
        (place if directory else place.parent).mkdir(mode=0o700, parents=True, exist_ok=True)
        return place

    def _young(self, info: os.stat_result) -> bool:
        return self._policy.older_than_s > 0 and info.st_mtime > self._now_s() - self._policy.older_than_s

    def _say(self, path: bytes) -> None:
        done = {OrphanAction.LOG: "found", OrphanAction.MOVE: "moved", OrphanAction.DELETE: "deleted"}
        self._log(f"orphan {done[self._policy.action]}: {os.fsdecode(path)}")


def _copy_away(dir_fd: int, name: bytes, info: os.stat_result, place: Path) -> None:
    source = f"/proc/self/fd/{dir_fd}/{os.fsdecode(name)}"
    shutil.copy2(source, place, follow_symlinks=False)
    os.chown(place, info.st_uid, info.st_gid, follow_symlinks=False)
    os.unlink(name, dir_fd=dir_fd)
