"""Watches one capture program; when it dies, the directory is back within a second.

A directory whose program is gone answers ENOTCONN to everybody. The supervisor detaches the dead mount, then by policy mounts
anew (*remount*) or leaves the directory bare (*uncover*), and tells what happened: an end without the clean mark means that writes
may be missing from the log, and only a mirror brings the replica back in step. Files that were open through the dead mount are
lost to their programs; restarting the service is the business of whoever is told.

Invariant: while the supervisor runs, the directory answers, except for the moment between a death and its answer to it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from orchestrator.engine.capture.mount import Mount
from orchestrator.engine.capture.mounts import detach, is_captured
from orchestrator.engine.capture.state import StateFlag, StatePage
from orchestrator.errors import DtamError

LOG = logging.getLogger(__name__)
WATCH_SLICE_S = 0.5
"""How long a stop of the supervisor may wait; a death is seen at once."""


class OnDeath(StrEnum):
    """What becomes of the directory when its capture program dies."""

    REMOUNT = "remount"
    UNCOVER = "uncover"


@dataclass(frozen=True, slots=True)
class DeathPolicy:
    """How often a program may die before its directory is left bare, so that the application goes on in any case."""

    on_death: OnDeath = OnDeath.REMOUNT
    most_remounts: int = 5
    within_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Death:
    """A capture program ended without being asked to by us."""

    path: Path
    clean: bool
    """The log is complete up to the end of the program (somebody unmounted it in order); false: writes may be missing in it.

    In both cases a new log begins, because nobody knows what changed while the directory was bare.
    """
    captured_again: bool
    """A new program lies over the directory; false: it is bare, and its changes are not captured."""
    why_bare: str
    took_s: float


class Supervisor:
    """A thread that keeps one mount alive."""

    def __init__(
        self,
        mount: Mount,
        remount: Callable[[], Mount],
        on_death: Callable[[Death], None],
        policy: DeathPolicy | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare to watch; ``start`` begins.

        Args:
            mount: the running mount; the supervisor owns it from now on.
            remount: starts capture anew over the same directory and log.
            on_death: told of every death, from the supervisor's thread, after the directory answers again.
            policy: remount up to five times a minute, if None.
            clock: monotonic seconds.
        """
        self.mount = mount
        self._remount = remount
        self._tell = on_death
        self._policy = policy or DeathPolicy()
        self._clock = clock
        self._deaths: deque[float] = deque()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"capture {mount.path}", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Cease to watch; the mount stays and can be stopped or left to a later daemon."""
        self._stopping.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _watch(self) -> None:
        while not self._stopping.is_set():
            if self.mount.process.wait(WATCH_SLICE_S) and not self._stopping.is_set() and not self._answer_death():
                return

    def _answer_death(self) -> bool:
        """Bring the directory back; false when it is bare now and there is nothing left to watch."""
        began_s, path, clean = self._clock(), self.mount.path, self.mount.state.clean
        if is_captured(path):
            detach(path)
        _forbid_continuing(self.mount.state)
        self.mount.close()
        why_bare = self._recover(began_s)
        death = Death(path, clean, not why_bare, why_bare, self._clock() - began_s)
        LOG.error("the capture program of %s died; %s", path, why_bare or "captured again")
        self._tell(death)
        return death.captured_again

    def _recover(self, now_s: float) -> str:
        """Mount anew as the policy says; the empty string, or why the directory stays bare."""
        if self._policy.on_death is OnDeath.UNCOVER:
            return "the policy is to uncover it"
        if self._died_too_often(now_s):
            return f"it died more than {self._policy.most_remounts} times in {self._policy.within_s:g} s"
        try:
            self.mount = self._remount()
        except DtamError as error:
            return str(error)
        return ""

    def _died_too_often(self, now_s: float) -> bool:
        self._deaths.append(now_s)
        while self._deaths and now_s - self._deaths[0] > self._policy.within_s:
            self._deaths.popleft()
        return len(self._deaths) > self._policy.most_remounts


def _forbid_continuing(state: StatePage) -> None:
    """Take the clean mark away, so that the next program begins a new log."""
    state.flags &= ~StateFlag.CLEAN
    state.flush()
