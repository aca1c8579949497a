"""Registers the names that a failover moved again from time to time, while this target serves: no scavenging ever takes them.

A step of the delivered post-failover script does it, as a run of its own with one id an epoch: what started last is on disk, so a
restarted daemon keeps the time, and two never run at once. It holds nothing up; when it fails, an event and the status say so.

Lock: starting a run and ending it. Whoever closes the gate first stores why and then calls ``end``: nothing starts behind that.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable

from orchestrator.engine.control.answers import RunStatus
from orchestrator.engine.control.guard import Rooms
from orchestrator.engine.control.runs import REFRESH
from orchestrator.engine.control.schema import Protection, RunRequest
from orchestrator.errors import DtamError

STEP = REFRESH
LOOK_S = 60.0
RETRY_S = 3600.0
NS = 1_000_000_000


class Refreshing:
    """The names of one protection. ``serving_since_ns`` gives since when this target serves; None while it does not."""

    def __init__(self, protection: str, rooms: Rooms, serving_since_ns: Callable[[], int | None]) -> None:
        self._id = protection
        self._rooms = rooms
        self._serving_since_ns = serving_since_ns
        self._lock = threading.Lock()
        self._ended = False
        self._awaited_ns = 0
        self.problem = ""

    async def run(self, stop: asyncio.Event) -> None:
        """Look now and then until ``stop``."""
        interval_s = self._rooms.documents.get(self._id).failover.refresh_names_s
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
        """This target serves no more: what is at work is killed, and nothing is written when this returns."""
        with self._lock:
            self._awaited_ns, self.problem = 0, ""
            self._rooms.runs.end(self._key())

    def retire(self) -> None:
        """Another one takes over: start nothing more."""
        with self._lock:
            self._ended = True

    def _look(self, interval_s: float) -> None:
        since_ns = self._serving_since_ns()
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
            request = RunRequest(run_id=run_id(document), segments=[STEP], epoch=document.epoch)
            self._awaited_ns = self._rooms.runs.run(document, document.failover.post_script or "", request).started_ns

    def _tell(self, ended: RunStatus) -> None:
        self._awaited_ns = 0
        if ended.state == "done":
            self.problem = ""
            self._rooms.events.tell("names", f"{self._id}: the moved names were registered again")
            return
        self._fail(f"see dtengine runs show {self._key()}")

    def _fail(self, why: str) -> None:
        problem = f"the moved names could not be registered again: {why}"
        if problem != self.problem:
            self.problem = problem
            with contextlib.suppress(OSError):
                self._rooms.events.tell("names", f"{self._id}: {problem}", level="error")

    def _key(self) -> str:
        document = self._rooms.documents.get(self._id)
        return f"{run_id(document)}.{document.failover.post_script}"


def run_id(document: Protection) -> str:
    """The id of all these runs of an epoch."""
    return f"{STEP}-{document.epoch}"


def is_due(known: RunStatus | None, since_ns: int, interval_s: float, now_ns: int) -> bool:
    """Whether it is time: an interval after the last run of this epoch began, or after the failover; sooner after one that failed."""
    if known is None or known.started_ns < since_ns:
        return now_ns - since_ns >= interval_s * NS
    wait_s = interval_s if known.state == "done" else min(interval_s, RETRY_S)
    return now_ns - known.started_ns >= wait_s * NS
