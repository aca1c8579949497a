"""One lock a database: a session that writes holds it until its transaction ends, one that reads for its statement.

Coarser than SQL Server's rows and pages; who waits in a ring is told 1205, who has SET LOCK_TIMEOUT 1222.
"""

from __future__ import annotations

import threading
import time
from typing import Protocol

from tests.lab.sqlserver.engine.port import SqlFailure


class Holder(Protocol):
    """Who may hold locks."""

    lock_timeout_ms: int
    waits_for: Lock | None

    def check_cancelled(self) -> None:
        """Raises when the batch shall end."""
        ...


_ring = threading.Lock()


class Lock:
    """Re-entrant by holder, not by thread."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self.owner: Holder | None = None
        self._depth = 0

    def acquire(self, who: Holder) -> None:
        """Waits. SqlFailure 1205, 1222; what ``check_cancelled`` raises."""
        with self._condition:
            if self.owner is who or self.owner is None:
                self._take(who)
                return
            until = None if who.lock_timeout_ms < 0 else time.monotonic() + who.lock_timeout_ms / 1000
            try:
                while self.owner is not None:
                    self._wait(who, until)
                self._take(who)
            finally:
                who.waits_for = None

    def _wait(self, who: Holder, until: float | None) -> None:
        with _ring:
            who.waits_for = self
            if self._in_ring(who):
                message = "Transaction was deadlocked on lock resources with another process and has been chosen as the deadlock victim. Rerun the transaction."
                raise SqlFailure(1205, message, severity=13, state=51)
        if until is not None and time.monotonic() >= until:
            raise SqlFailure(1222, "Lock request time out period exceeded.", state=51)
        self._condition.wait(0.1 if until is None else max(0.001, min(0.1, until - time.monotonic())))
        who.check_cancelled()

    def _in_ring(self, who: Holder) -> bool:
        holder, steps = self.owner, 0
        while holder is not None and holder is not who and holder.waits_for is not None and steps < 1000:
            holder, steps = holder.waits_for.owner, steps + 1
        return holder is who

    def _take(self, who: Holder) -> None:
        self.owner = who
        self._depth += 1

    def release(self, who: Holder) -> None:
        """Once for every ``acquire``."""
        with self._condition:
            if self.owner is not who:
                return
            self._depth -= 1
            if not self._depth:
                self.owner = None
                self._condition.notify_all()
