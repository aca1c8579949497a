"""A synchronous connection's word to the capture program: what its target acknowledged, pushed the moment it is known.

The program holds back the answers to flushes until the target has acknowledged them (``c/synchronous.h`` has the rules and keeps
them, also when this daemon is away). The feed attaches the connection, attaches it again when the program is another one, hands
on every acknowledgement from the thread that received it, and is told each change of the state.

Nothing polls: an acknowledgement is one send, a change of state wakes the feed's thread.
"""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from orchestrator.engine.capture.control import connect
from orchestrator.engine.capture.errors import CaptureSilent

LOG = logging.getLogger(__name__)
AGAIN_S = 0.2
"""The pause before the program is tried again after it went away; no flush waits for it, for the program is gone."""
SEND_TIMEOUT_S = 5.0


@dataclass(frozen=True, slots=True)
class SynchronousTerms:
    """How a connection is synchronous.

    Attributes:
        wait_s: how long a flush may wait for the target.
        keep_waiting: past that, too: the application stops until the target answers. Else it goes on, asynchronously.
    """

    wait_s: float
    keep_waiting: bool = False


class SynchronousState(msgspec.Struct, frozen=True):
    """How a synchronous connection stands, as the capture program says.

    Attributes:
        state: ``synchronous``; ``asynchronous``: flushes are answered without the target; ``waiting``: one has waited for longer
            than the set time, and the application stands still.
        why: what brought it there.
        since_ns: since when, realtime.
        flushes: how many were held back until the target had them, of all synchronous connections of the directory.
        waited_ns: how long they waited together.
        waiting: how many wait now.
    """

    state: Literal["asynchronous", "synchronous", "waiting"]
    why: str
    since_ns: int
    flushes: int = 0
    waited_ns: int = 0
    waiting: int = 0


class SynchronousFeed:
    """Attaches one connection to the capture program of a log directory, for as long as it lives."""

    def __init__(
        self, log_dir: Path, connection: str, terms: SynchronousTerms, changed: Callable[[SynchronousState], None]
    ) -> None:
        """Ready to start.

        Args:
            log_dir: where the program's control socket is.
            connection: the connection's key.
            terms: how it is synchronous.
            changed: told each change of ``state``, from the feed's thread.
        """
        self._log_dir = log_dir
        self._connection = connection
        self._terms = terms
        self._changed = changed
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._latest: bytes = b""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"synchronous-{connection[:8]}", daemon=True)
        self.now = SynchronousState("asynchronous", "it was not attached yet", time.time_ns())

    def start(self) -> None:
        """Attach, now and whenever the program is another one."""
        self._thread.start()

    def stop(self) -> None:
        """The daemon ends: the program keeps to the terms by itself."""
        self._stopping.set()
        with self._lock:
            self._hang_up()
        if self._thread.ident is not None:
            self._thread.join()

    def end(self) -> None:
        """The connection is not synchronous any more: flushes that wait for it are answered."""
        self.stop()
        with contextlib.suppress(CaptureSilent, OSError), connect(self._log_dir, SEND_TIMEOUT_S) as program:
            program.sendall(_line(do="asynchronous", connection=self._connection))
            program.recv(1024)

    def heard(self, log_id: str, acknowledged: int, *, good: bool) -> None:
        """The target holds the log ``log_id`` up to ``acknowledged``; ``good``: its data is a state the source was in."""
        line = _line(do="acknowledged", log=uuid.UUID(log_id).hex, sequence=acknowledged, good=good)
        with self._lock:
            self._latest = line
            self._send(line)

    def _send(self, line: bytes) -> None:
        """Under the lock."""
        if self._socket is None:
            return
        try:
            whole = self._socket.send(line, socket.MSG_DONTWAIT) == len(line)
        except OSError:
            whole = False
        if not whole:
            LOG.warning("the capture program of %s does not take acknowledgements; attaching again", self._log_dir)
            self._hang_up()

    def _hang_up(self) -> None:
        """Under the lock. The reading thread sees the end and closes."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            self._socket = None

    def _run(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(CaptureSilent, OSError, ValueError, msgspec.ValidationError):
                self._attached()
            self._stopping.wait(AGAIN_S)

    def _attached(self) -> None:
        """From attaching until the program, or we, hang up."""
        with connect(self._log_dir, SEND_TIMEOUT_S) as program, program.makefile("rb") as lines:
            with self._lock:
                if self._stopping.is_set():
                    return
                self._socket = program
                self._send(self._attach_line() + self._latest)
            try:
                program.settimeout(None)
                for line in lines:
                    self._take(json.loads(line))
            finally:
                with self._lock:
                    self._socket = None

    def _attach_line(self) -> bytes:
        wait_ms = round(self._terms.wait_s * 1000)
        key, keep_waiting = self._connection, self._terms.keep_waiting
        return _line(do="synchronous", connection=key, wait_ms=wait_ms, keep_waiting=keep_waiting)

    def _take(self, answer: dict[str, Any]) -> None:
        if not answer.get("ok"):
            self.now = msgspec.structs.replace(self.now, why=answer.get("error", "the capture program refused it"))
            return
        before, self.now = self.now, msgspec.convert(answer, SynchronousState)
        if before.state != self.now.state:
            self._changed(self.now)


def _line(**words: object) -> bytes:
    return json.dumps(words).encode() + b"\n"
