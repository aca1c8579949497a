"""msgspec's structs, made known to it before threads use them.

msgspec notes what it must know of a struct when that is first read from a value, in pieces: a second thread that reads the same struct at
that moment meets half of it, and the process dies by a segmentation fault (seen with msgspec 0.22.0, two watches that began together).
So whoever starts threads calls ``know_structs`` first, and again when more code was loaded.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import msgspec

_LOCK = threading.Lock()
_known: set[type[msgspec.Struct]] = set()


def know_structs() -> None:
    """Let msgspec note all that it must know of every struct that was defined until now; any thread may call this at any time."""
    with _LOCK:
        for one in tuple(_below(msgspec.Struct)):
            if one not in _known:
                with contextlib.suppress(
                    TypeError
                ):  # one that is only made, never read, may hold what msgspec cannot read
                    msgspec.json.Decoder(one)
                _known.add(one)


def _below(struct: type[msgspec.Struct]) -> Iterator[type[msgspec.Struct]]:
    for one in struct.__subclasses__():
        yield one
        yield from _below(one)
