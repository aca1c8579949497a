"""One digest of a directory, taken by a small library in C (``c/survey.c``): whether anything in it differs by name, size, time or attributes.

Both ends take it, so that a difference mirror need not talk about the names of directories that are equal. A directory has none where
anything is not plain (``c/survey.c`` says what is); where the library cannot be built, no directory has: then the mirror goes the long way.
"""

from __future__ import annotations

import ctypes
import functools
import logging
import threading
from dataclasses import dataclass
from pathlib import Path

from orchestrator.engine.capture.build import ensure_library
from orchestrator.engine.capture.errors import BuildFailed
from orchestrator.engine.mirror import beneath

MOST_NAMES = 20_000
"""A directory with more has no digest: one call must not take long."""
DIGEST_BYTES = 16
_SUBDIRECTORIES_BYTES = 256 << 10
_SOURCES = Path(__file__).parent / "c"
_ROOM = threading.local()
_LOG = logging.getLogger(__name__)


class _Survey(ctypes.Structure):
    _fields_ = (
        ("digest", ctypes.c_uint8 * DIGEST_BYTES),
        ("files", ctypes.c_uint64),
        ("size_bytes", ctypes.c_uint64),
        ("links", ctypes.c_uint64),
        ("youngest_ns", ctypes.c_int64),
        ("subdirectories_bytes", ctypes.c_uint64),
    )


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen in a directory.

    Attributes:
        digest: over names in any order; kinds; of files and symbolic links also size, times, owner, mode, attributes, where they lead.
        files: regular files, ``size_bytes`` together, the last changed at ``youngest_ns``.
        links: symbolic links.
        subdirectories: their names.
    """

    digest: bytes
    files: int
    size_bytes: int
    links: int
    youngest_ns: int
    subdirectories: list[bytes]

    @property
    def names(self) -> int:
        """How many names the directory has; an empty one counts, too."""
        return self.files + self.links + len(self.subdirectories) + 1


def built() -> Path:
    """The library, built now if this version of it was not built before.

    Raises:
        BuildFailed: it cannot be built here.
    """
    return ensure_library("dtsurvey", _SOURCES)


def available() -> bool:
    """Whether directories have digests here. The first call may take a second, when the library has to be built."""
    return _library() is not None


def survey(directory_fd: int) -> Seen | None:
    """The survey of an open directory; None if it has none."""
    library = _library()
    if library is None:
        return None
    seen, names = _Survey(), _names()
    if library.dtam_survey(directory_fd, MOST_NAMES, ctypes.byref(seen), names, _SUBDIRECTORIES_BYTES):
        return None
    subdirectories = ctypes.string_at(names, seen.subdirectories_bytes).split(b"\0")[:-1]
    return Seen(bytes(seen.digest), seen.files, seen.size_bytes, seen.links, seen.youngest_ns, subdirectories)


def digest_below(root_fd: int, path: bytes) -> bytes:
    """The digest of a directory below an open one; empty if it has none."""
    try:
        with beneath.directory(root_fd, path) as fd:
            seen = survey(fd)
    except OSError as error:
        if error.errno in beneath.NOT_THERE:
            return b""
        raise
    return seen.digest if seen is not None else b""


def differing(root_fd: int, directories: list[bytes], digests: bytes) -> list[int]:
    """Which directories do not have these digests, by index."""
    given = (digests[at : at + DIGEST_BYTES] for at in range(0, len(digests), DIGEST_BYTES))
    pairs = zip(directories, given, strict=True)
    return [index for index, (path, digest) in enumerate(pairs) if digest_below(root_fd, path) != digest]


def _names() -> ctypes.Array[ctypes.c_char]:
    if not hasattr(_ROOM, "names"):
        _ROOM.names = ctypes.create_string_buffer(_SUBDIRECTORIES_BYTES)
    names: ctypes.Array[ctypes.c_char] = _ROOM.names
    return names


@functools.cache
def _library() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(str(built()))
    except (BuildFailed, OSError) as error:
        _LOG.warning(
            "mirrors compare name by name, because the library that surveys directories is not there: %s", error
        )
        return None
    library.dtam_survey.argtypes = (
        ctypes.c_int,
        ctypes.c_uint64,
        ctypes.POINTER(_Survey),
        ctypes.c_char_p,
        ctypes.c_size_t,
    )
    return library
