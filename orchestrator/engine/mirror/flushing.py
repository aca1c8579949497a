"""When what a mirror wrote goes to the disk: the disk begins while the rest still arrives, and at the end nothing may be left.

Only the ``syncfs`` at the end counts. The early ones are made on a descriptor of their own, so that a trouble which one of them meets is
told at the end all the same (the kernel tells each open file once).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading

from orchestrator.engine.mirror import beneath

EVERY_BYTES = 32 << 20
"""So much is written before the disk is set to work: less makes it write the same directories and inodes again and again."""
FILE_BYTES = 4096
"""What a file counts beside its data."""
_LIBC = ctypes.CDLL(None, use_errno=True)


def syncfs(fd: int) -> None:
    """Everything written to a file system is on the disk.

    Raises:
        OSError: the disk did not take it, now or since the last time that this descriptor was asked.
    """
    if _LIBC.syncfs(fd):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


class EarlyFlush:
    """Lets the disk begin; used by the thread that writes, one flush at a time beside it."""

    def __init__(self, root_fd: int) -> None:
        self._root_fd = root_fd
        self._written = 0
        self._flush: threading.Thread | None = None

    def wrote(self, files: int, size_bytes: int) -> None:
        """So much more was written into the page cache."""
        self._written += files * FILE_BYTES + size_bytes
        if self._written >= EVERY_BYTES and not (self._flush is not None and self._flush.is_alive()):
            self._written = 0
            fd = beneath.open_root(self._root_fd)
            self._flush = threading.Thread(target=_flush, args=(fd,), name="mirror-flush", daemon=True)
            self._flush.start()

    def close(self) -> None:
        """Wait for the flush under way, if there is one."""
        if self._flush is not None:
            self._flush.join()
        self._flush = None


def _flush(fd: int) -> None:
    try:
        with contextlib.suppress(OSError):
            syncfs(fd)
    finally:
        os.close(fd)
