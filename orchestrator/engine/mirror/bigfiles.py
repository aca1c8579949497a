"""Big files under way at the target.

They are written through the descriptor opened at their beginning, so that what an operation renames or removes meanwhile takes the pieces
along, and nothing else is hit.
"""

from __future__ import annotations

import ctypes
import os
import stat as st
from collections.abc import Callable

from orchestrator.engine.mirror import beneath, placing
from orchestrator.engine.mirror.claims import Claims
from orchestrator.engine.mirror.direct import FROM_BYTES, Direct
from orchestrator.engine.mirror.flushing import EarlyFlush
from orchestrator.engine.mirror.messages import Abort, AskSums, Close, Data, Hole, Open, Opened, Sums
from orchestrator.engine.mirror.metadata import OnTrouble, apply_meta
from orchestrator.engine.mirror.options import REGION_BYTES
from orchestrator.engine.mirror.reading import block_sums, room

_LIBC = ctypes.CDLL(None, use_errno=True)
_PUNCH = 0x03
"""FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE."""


class _OpenFile:
    """A big file under way. ``kept`` once there is nothing left that would have to be kept."""

    __slots__ = ("direct", "fd", "kept", "path")

    def __init__(self, fd: int, path: bytes, *, kept: bool) -> None:
        self.fd, self.path, self.kept = fd, path, kept
        self.direct: Direct | None = None

    def close(self) -> None:
        """Give the descriptors back."""
        if self.direct is not None:
            self.direct.close()
        os.close(self.fd)


class BigFiles:
    """Files that are open, by the number of their transfer.

    Args:
        root_fd: of the replica.
        claims: whose inodes are.
        keep: told a path before it is changed.
        trouble_at: makes what hears about trouble with a path.
        early: told how much was written into the page cache.

    Attributes:
        report_only: nothing is changed.
    """

    def __init__(
        self,
        root_fd: int,
        claims: Claims,
        keep: placing.Keep,
        trouble_at: Callable[[bytes], OnTrouble],
        early: EarlyFlush,
    ) -> None:
        self.report_only = False
        self._root_fd = root_fd
        self._claims = claims
        self._keep = keep
        self._trouble_at = trouble_at
        self._early = early
        self._open: dict[int, _OpenFile] = {}
        self._buffer = bytearray()

    def open(self, message: Open) -> Opened:
        """A big file begins."""
        self.abort(Abort(message.serial, message.transfer))
        above, name = beneath.split(message.path)
        if self.report_only:
            if beneath.look(self._root_fd, message.path) is None:
                return Opened(message.transfer, 0)
            with beneath.directory(self._root_fd, above) as fd:
                file = _OpenFile(os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=fd), message.path, kept=True)
        else:
            with placing.parents(self._root_fd, above, self._keep) as fd:
                file = self._opened(fd, name, message)
        if message.meta.size >= FROM_BYTES:
            file.direct = Direct(file.fd)
        self._open[message.transfer] = file
        return Opened(message.transfer, os.fstat(file.fd).st_size)

    def _opened(self, dir_fd: int, name: bytes, message: Open) -> _OpenFile:
        path, group = message.path, message.meta.group
        now = placing.look(dir_fd, name)
        if now is not None and not (st.S_ISREG(now.st_mode) and self._claims.belongs(now, group, dir_fd, name)):
            placing.clear(dir_fd, name, path, self._keep)
            now = None
        if now is None:
            file = _OpenFile(placing.create(dir_fd, name), path, kept=True)
        else:
            file = _OpenFile(placing.open_writable(dir_fd, name), path, kept=False)
            if message.whole:
                self._about_to_change(file)
                os.ftruncate(file.fd, 0)
        self._claims.claim(group, file.fd)
        return file

    def _about_to_change(self, file: _OpenFile) -> None:
        if not file.kept:
            self._keep(file.path)
            file.kept = True

    def sums(self, message: AskSums) -> Sums | None:
        """Checksums of a range of blocks; None for a file that is not open any more."""
        file = self._open.get(message.transfer)
        if file is None:
            return None
        self._buffer = self._buffer or bytearray(REGION_BYTES)
        return Sums(
            message.transfer, message.offset, block_sums(room(file.fd, message.offset, message.length, self._buffer))
        )

    def data(self, message: Data) -> None:
        """Write a piece."""
        file = self._open.get(message.transfer)
        if file is not None:
            self._about_to_change(file)
            done = file.direct.write(message.data, message.offset) if file.direct is not None else 0
            if done < len(message.data):
                placing.write_all(file.fd, message.data[done:], message.offset + done)
                self._early.wrote(0, len(message.data) - done)

    def hole(self, message: Hole) -> None:
        """Give the room of a range back."""
        file = self._open.get(message.transfer)
        if file is None:
            return
        length = min(message.length, os.fstat(file.fd).st_size - message.offset)
        if length <= 0:
            return
        self._about_to_change(file)
        result = _LIBC.fallocate(file.fd, _PUNCH, ctypes.c_int64(message.offset), ctypes.c_int64(length))
        if result:
            _write_zeros(file.fd, message.offset, length)

    def finish(self, message: Close) -> None:
        """The file is complete."""
        file = self._open.get(message.transfer)
        if file is None:
            return
        now = os.fstat(file.fd)
        if now.st_size != message.meta.size:
            self._about_to_change(file)
            os.ftruncate(file.fd, message.meta.size)
        apply_meta(file.fd, message.meta, now, self._trouble_at(file.path))
        self.abort(Abort(message.serial, message.transfer))

    def abort(self, message: Abort) -> None:
        """Give a file up."""
        file = self._open.pop(message.transfer, None)
        if file is not None:
            file.close()

    def close(self) -> None:
        """Give up all."""
        for file in self._open.values():
            file.close()
        self._open.clear()
        self._buffer = bytearray()


def _write_zeros(fd: int, offset: int, length: int) -> None:
    """Where holes cannot be punched."""
    zeros = bytes(min(length, 1 << 20))
    for at in range(offset, offset + length, len(zeros)):
        placing.write_all(fd, zeros[: min(len(zeros), offset + length - at)], at)
