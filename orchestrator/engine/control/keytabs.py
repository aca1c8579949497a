"""Keytab files, looked at without any Kerberos library: who may read one, and whose keys are in it. Keys are skipped, never read out.

Format: version 5.2 of MIT's keytab file (big-endian): 0x0502, then entries of a signed 32-bit size each; a negative size is a hole. An entry
holds the count of name parts, realm, parts (each with a 16-bit size), name type, time, version and key.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

from orchestrator.engine.control.answers import KeytabFacts

VERSION = b"\x05\x02"
SIZE_MAX_BYTES = 1024 * 1024


def look(path: Path) -> KeytabFacts:
    """What is so of a keytab. ``is_link``: a symbolic link stands there, which somebody could point elsewhere; it is not followed."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return KeytabFacts(path=str(path), exists=os.path.lexists(path), is_link=path.is_symlink())
    try:
        status = os.fstat(handle)
        content = os.read(handle, SIZE_MAX_BYTES) if stat.S_ISREG(status.st_mode) else b""
    finally:
        os.close(handle)
    return KeytabFacts(
        path=str(path),
        exists=True,
        mode=stat.S_IMODE(status.st_mode),
        owner=status.st_uid,
        principals=sorted(set(principals(content))),
    )


def principals(content: bytes) -> Iterator[str]:
    """Whose keys a keytab holds, as user@REALM; ends quietly where the file is torn or no keytab."""
    if not content.startswith(VERSION):
        return
    at = len(VERSION)
    while at + 4 <= len(content):
        (size,) = struct.unpack_from(">i", content, at)
        at += 4
        if size == 0 or at + abs(size) > len(content):
            return
        if size > 0:
            yield from _principal(content[at : at + size])
        at += abs(size)


def _principal(entry: bytes) -> Iterator[str]:
    """The principal of one entry, or nothing when it does not add up."""
    try:
        (count,) = struct.unpack_from(">H", entry, 0)
        at, parts = 2, []
        for _ in range(count + 1):
            (size,) = struct.unpack_from(">H", entry, at)
            parts.append(entry[at + 2 : at + 2 + size].decode("utf-8", "replace"))
            at += 2 + size
    except struct.error:
        return
    realm, *names = parts
    yield f"{'/'.join(names)}@{realm}"
