"""A process that writes random pages of 8 KiB: ``python load.py FILE SIZE_BYTES WRITES [RATE] [STATE_PAGE]``; its figures as JSON.

With a rate it keeps that many writes a second, and notes for each the moment it was answered and what the log's end was then.
"""

from __future__ import annotations

import json
import mmap
import os
import random
import struct
import sys
import time

PAGE_BYTES = 8192
COMMITTED_AT = 32


def main() -> None:
    """Write."""
    path, size, writes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    rate = float(sys.argv[4]) if len(sys.argv) > 4 else 0.0
    page = _mapped(sys.argv[5]) if len(sys.argv) > 5 else None
    data = random.randbytes(PAGE_BYTES)
    offsets = [random.randrange(size // PAGE_BYTES) * PAGE_BYTES for _ in range(writes)]
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    os.posix_fallocate(file, 0, size)
    answered: list[tuple[int, int]] = []
    began = time.monotonic()
    for number, offset in enumerate(offsets):
        if rate:
            _await(began + number / rate)
        os.pwrite(file, data, offset)
        if page is not None:
            answered.append((struct.unpack_from("<Q", page, COMMITTED_AT)[0], time.monotonic_ns()))
    print(json.dumps({"seconds": time.monotonic() - began, "writes": writes, "answered": answered}))


def _await(moment_s: float) -> None:
    left = moment_s - time.monotonic()
    if left > 0:
        time.sleep(left)


def _mapped(path: str) -> mmap.mmap:
    with open(path, "rb") as file:
        return mmap.mmap(file.fileno(), 4096, prot=mmap.PROT_READ)


if __name__ == "__main__":
    main()
