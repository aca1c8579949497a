"""What a target does from time to time: names that it serves under are registered again, log-ins that it waits with are gathered again.

So no scavenging ever takes the names, and a failover makes the log-ins of now.

Steps of the delivered post-failover script do it, as a run of its own with one id an epoch: what started last is on disk, so a
restarted daemon keeps the time, and two never run at once. It holds nothing up; when it fails, an event and the status say so.

Lock: starting a run and ending it. Whoever closes the gate first stores why and then calls ``end``: nothing starts behind that.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.engine.control.answers import RunStatus
from orchestrator.engine.control.guard import Rooms
from orchestrator.engine.control.runs import KEEP, REFRESH
from orchestrator.engine.control.schema import Protection, RunRequest
from orchestrator.errors import DtamError

LOOK_S = 60.0
RETRY_S = 3600.0
NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Chore:
    """What is done: ``name`` of its runs, its interval in seconds and its steps as the document says, and sentences for how it went."""

    name: str
    kind: str
    interval_s: Callable[[Protection], float | None]
    steps: Callable[[Protection], list[str]]
    went_well: str
    went_wrong: str


NAMES = Chore(
    REFRESH,
    "names",
    lambda document: document.failover.refresh_names_s,
    lambda _document: [REFRESH],
    "the moved names were registered again",
    "the moved names could not be registered again",
)
LOGINS = Chore(
    KEEP,
    "logins",
    lambda document: document.failover.refresh_logins_s,
    lambda document: list(document.failover.logins),
    "the source's log-ins were gathered again",
    "the source's log-ins could not be gathered again",
)


class Refreshing:
    """One chore of one protection. ``since_ns`` gives since when it is due at all; None while it is not."""

    def __init__(self, protection: str, rooms: Rooms, since_ns: Callable[[], int | None], chore: Chore = NAMES) -> None:
        self._id = protection
        self._rooms = rooms
        self._since_ns = since_ns
        self._chore = chore
        self._lock = threading.Lock()
        self._ended = False
        self._awaited_ns = 0
        self.problem = ""

    async def run(self, stop: asyncio.Event) -> None:
        """Look now and then until ``stop``."""
        interval_s = self._chore.interval_s(self._rooms.documents.get(self._id))
        while interval_s is not None and not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), min(LOOK_S, interval_s))
            if not stop.is_set():
                await asyncio.to_thread(self.look, interval_s)

    def look(self, interval_s: float) -> None:
        """Start a run when it is time; say how the last one ended."""
        try:
            with self._lock:
                self._look(interval_s)
        except (DtamError, OSError, ValueError) as error:
            self._fail(str(error))

    def end(self) -> None:
        """It is due no more: what is at work is killed, and nothing is written when this returns."""
        with self._lock:
            self._awaited_ns, self.problem = 0, ""
            self._rooms.runs.end(self._key())

    def retire(self) -> None:
        """Another one takes over: start nothing more."""
        with self._lock:
            self._ended = True

    def _look(self, interval_s: float) -> None:
        since_ns = self._since_ns()
        if self._ended or since_ns is None:
            self.problem = ""
            return
        known = self._rooms.runs.last(self._key())
        if known is not None and known.state == "running":
            self._awaited_ns = known.started_ns
            return
        if known is not None and known.started_ns == self._awaited_ns:
            self._tell(known)
        if is_due(known, since_ns, interval_s, time.time_ns()):
            document = self._rooms.documents.get(self._id)
            steps = self._chore.steps(document)
            request = RunRequest(run_id=run_id(document, self._chore), segments=steps, epoch=document.epoch)
            self._awaited_ns = self._rooms.runs.run(document, document.failover.post_script or "", request).started_ns

    def _tell(self, ended: RunStatus) -> None:
        self._awaited_ns = 0
        if ended.state == "done":
            self.problem = ""
            self._rooms.events.tell(self._chore.kind, f"{self._id}: {self._chore.went_well}")
            return
        self._fail(f"see dtengine runs show {self._key()}")

    def _fail(self, why: str) -> None:
        problem = f"{self._chore.went_wrong}: {why}"
        if problem != self.problem:
            self.problem = problem
            with contextlib.suppress(OSError):
                self._rooms.events.tell(self._chore.kind, f"{self._id}: {problem}", level="error")

    def _key(self) -> str:
        document = self._rooms.documents.get(self._id)
        return f"{run_id(document, self._chore)}.{document.failover.post_script}"


def run_id(document: Protection, chore: Chore = NAMES) -> str:
    """The id of all these runs of an epoch; log-ins of several protections are gathered apart."""
    own = f"-{re.sub(r'[^A-Za-z0-9_-]', '_', document.id)[:40]}" if chore is LOGINS else ""
    return f"{chore.name}{own}-{document.epoch}"


def first_after(interval_s: float | None) -> int:
    """How long ago a chore began to be due, in nanoseconds, so that its first run comes in a minute where none is known."""
    return int(max(0.0, (interval_s or 0.0) - LOOK_S) * NS)


def is_due(known: RunStatus | None, since_ns: int, interval_s: float, now_ns: int) -> bool:
    """Whether it is time: an interval after the last run of this epoch began, or after the failover; sooner after one that failed."""
    if known is None or known.started_ns < since_ns:
        return now_ns - since_ns >= interval_s * NS
    wait_s = interval_s if known.state == "done" else min(interval_s, RETRY_S)
    return now_ns - known.started_ns >= wait_s * NS
