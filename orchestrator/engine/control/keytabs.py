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
from orchestrator.engine.control.errors import Conflict

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


def own(path: Path, owner: int, mode: int) -> None:
    """Give a keytab its owner and permission bits; nothing but a keytab is touched, and no link is followed.

    Raises:
        Conflict: it is no keytab, or the system refuses.
    """
    what, hint = f"changing who may read {path}", f"look at {path} on this host"
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            is_file = stat.S_ISREG(os.fstat(handle).st_mode)
            if not is_file or not any(principals(os.read(handle, SIZE_MAX_BYTES))):
                raise Conflict(what=what, why="it is no keytab", hint=hint)
            os.fchown(handle, owner, -1)
            os.fchmod(handle, mode)
        finally:
            os.close(handle)
    except OSError as error:
        raise Conflict(what=what, why=error.strerror or str(error), hint=hint) from error


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
