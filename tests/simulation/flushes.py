"""Flushes and the lease's deadline as the capture program answers them: its own C rules, on the simulated clock and log."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from orchestrator.engine.capture.build import SOURCES, cache_dir

OWN = Path(__file__).parent / "c"
FLAGS = ("-O2", "-std=gnu17", "-Wall", "-Wextra", "-D_GNU_SOURCE", "-pthread", "-shared", "-fPIC")
NO_SOCKET = 1 << 20
"""Feeders are told nothing: these are no descriptors."""


@dataclass(frozen=True, slots=True)
class LogNow:
    """What the state page says at an instant (nanoseconds of the host's clock)."""

    now_ns: int
    log_id: str
    committed: int
    out_of_step: bool
    fenced: bool
    deadline_ns: int


class Flushes:
    """The flushes of one captured directory. One at a time in a process: the rules keep their state in the library."""

    def __init__(self) -> None:
        self._rules = _library()
        self.begin()

    def begin(self) -> None:
        """The capture program starts: nobody is attached to it."""
        self._rules.simulation_begins()

    def look(self, now: LogNow) -> int:
        """Judge who is late; when to look again (nanoseconds, 0: when something happens)."""
        self._set(now)
        return int(self._rules.simulation_looks())

    def refuses(self, now: LogNow) -> bool:
        """Whether changes are answered EROFS."""
        self._set(now)
        return bool(self._rules.simulation_refuses())

    def attach(self, now: LogNow, number: int, wait_ns: int, *, keep_waiting: bool) -> None:
        """A daemon attaches connection ``number``."""
        self._set(now)
        self._rules.simulation_attaches(_key(number), wait_ns, keep_waiting, NO_SOCKET + number)

    def leave(self, number: int) -> None:
        """The daemon died."""
        self._rules.synchronous_feeder_lost(NO_SOCKET + number)

    def heard(self, now: LogNow, number: int, log_id: str, sequence: int, *, good: bool) -> None:
        """A target's word."""
        self._set(now)
        self._rules.synchronous_acknowledged(NO_SOCKET + number, log_id.encode(), sequence, good)

    def flush(self, now: LogNow, request: int) -> None:
        """The application flushes what it wrote."""
        self._set(now)
        self._rules.flush_answer(request, now.committed)

    def log_ends(self) -> None:
        """Another log begins."""
        self._rules.synchronous_log_ends()

    def answered(self) -> list[int]:
        """The flushes that were answered since the last call."""
        taken = iter(self._rules.simulation_answered, 0)
        return list(taken)

    def is_in_step(self, number: int) -> bool:
        """Whether flushes wait for this connection."""
        return bool(self._rules.simulation_is_in_step(_key(number)))

    def _set(self, now: LogNow) -> None:
        log_id = now.log_id.encode()
        self._rules.simulation_is(now.now_ns, log_id, now.committed, now.out_of_step, now.fenced, now.deadline_ns)


def _key(number: int) -> bytes:
    return b"c%d" % number


@functools.cache
def _library() -> ctypes.CDLL:
    sources = [*sorted(OWN.glob("*.[ch]")), *sorted(SOURCES.glob("*.[ch]"))]
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    home = cache_dir()
    built = home / f"simulation-flushes-{digest}.so"
    if not built.exists():
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=home, prefix="building-") as draft:
            made = Path(draft) / built.name
            command = ["gcc", *FLAGS, f"-I{OWN}", f"-I{SOURCES}", str(OWN / "flushes.c"), "-o", str(made)]
            subprocess.run(command, check=True, env={**os.environ, "LC_ALL": "C"})
            made.replace(built)
    rules = ctypes.CDLL(str(built))
    number, text, yes = ctypes.c_uint64, ctypes.c_char_p, ctypes.c_bool
    rules.simulation_is.argtypes = [number, text, number, yes, yes, number]
    rules.simulation_attaches.argtypes = [text, number, yes, ctypes.c_int]
    rules.simulation_is_in_step.argtypes, rules.simulation_is_in_step.restype = [text], yes
    rules.simulation_refuses.restype = yes
    rules.simulation_looks.restype = rules.simulation_answered.restype = number
    rules.synchronous_acknowledged.argtypes = [ctypes.c_int, text, number, yes]
    rules.flush_answer.argtypes = [ctypes.c_void_p, number]
    return rules
