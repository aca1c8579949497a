"""Small files at the target: each made anew where none is, or put in the place of what is there by a rename."""

from __future__ import annotations

import os
import stat as st
from collections.abc import Callable

from orchestrator.engine.mirror import beneath, placing
from orchestrator.engine.mirror.claims import Claims
from orchestrator.engine.mirror.flushing import EarlyFlush
from orchestrator.engine.mirror.messages import Files, SmallFile
from orchestrator.engine.mirror.metadata import OnTrouble, apply_meta

_DEFAULT_ACL = "system.posix_acl_default"


class SmallFiles:
    """Puts small files where they belong.

    Args:
        root_fd: of the replica.
        claims: whose inodes are.
        keep: told a path before it is changed.
        trouble_at: makes what hears about trouble with a path.
        early: told how much was written.
    """

    def __init__(
        self,
        root_fd: int,
        claims: Claims,
        keep: placing.Keep,
        trouble_at: Callable[[bytes], OnTrouble],
        early: EarlyFlush,
    ) -> None:
        self._root_fd = root_fd
        self._claims = claims
        self._keep = keep
        self._trouble_at = trouble_at
        self._early = early

    def place(self, message: Files) -> None:
        """Whole files of one directory."""
        with placing.parents(self._root_fd, message.directory, self._keep) as fd:
            inherits = bool(_default_acl(fd))
            for file in message.files:
                self._place(fd, file, beneath.join(message.directory, file.name), inherits=inherits)
        self._early.wrote(len(message.files), sum(len(file.data) for file in message.files))

    def _place(self, dir_fd: int, file: SmallFile, path: bytes, *, inherits: bool) -> None:
        try:
            fd = placing.create(dir_fd, file.name)
        except FileExistsError:
            self._replace(dir_fd, file, path)
            return
        try:
            self._fill(fd, file, path, fresh=not inherits)
        finally:
            os.close(fd)

    def _replace(self, dir_fd: int, file: SmallFile, path: bytes) -> None:
        now = os.stat(file.name, dir_fd=dir_fd, follow_symlinks=False)
        self._keep(path)
        if (
            st.S_ISREG(now.st_mode)
            and file.meta.group
            and self._claims.belongs(now, file.meta.group, dir_fd, file.name)
        ):
            fd = placing.open_writable(dir_fd, file.name)
            try:
                os.ftruncate(fd, len(file.data))
                self._fill(fd, file, path, fresh=False)
            finally:
                os.close(fd)
            return
        if st.S_ISDIR(now.st_mode):
            beneath.remove_tree(dir_fd, file.name)
        temporary = placing.temporary_name()
        fd = placing.create(dir_fd, temporary)
        try:
            self._fill(fd, file, path, fresh=False)
            if not st.S_ISDIR(now.st_mode):
                os.unlink(file.name, dir_fd=dir_fd)  # renamed over a file, ext4 would write this one to disk at once
            os.rename(temporary, file.name, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
        except OSError:
            os.unlink(temporary, dir_fd=dir_fd)
            raise
        finally:
            os.close(fd)

    def _fill(self, fd: int, file: SmallFile, path: bytes, *, fresh: bool) -> None:
        if file.data:
            placing.write_all(fd, file.data, 0)
        now = os.fstat(fd)
        self._claims.claim(file.meta.group, fd)
        apply_meta(fd, file.meta, now, self._trouble_at(path), fresh=fresh)


def _default_acl(dir_fd: int) -> bool:
    try:
        return _DEFAULT_ACL in os.listxattr(dir_fd)
    except OSError:
        return False
