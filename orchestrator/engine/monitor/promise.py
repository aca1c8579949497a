"""The target's promise: "for so long I shall not ask for the next epoch". It lets a source serve on while the witness is away.

A promise is a lease by the witness's own rules (``witness/rules.py``), given by the only engine that could take over. The source
may serve while either runs; the target asks for a grant only when its promises have surely run out, and gives none from the
question on until a clear no. So both leases have ended before anybody else is master.

Lock: ``_lock`` orders giving against ``stop_giving``: after the latter returned no promise is made. At construction none is given:
the executor's ``resume`` opens it, when it knows that no failover is under way.
"""

from __future__ import annotations

import threading

from orchestrator.engine.witness.book import Book
from orchestrator.engine.witness.rules import HELD_S, LeaseAnswer
from orchestrator.engine.witness.wire import LeaseRequest, RegisterRequest, ReleaseRequest


class Promise:
    """Promises about one protection, at its present epoch.

    Args:
        protection: its id.
        book: kept on the target's disk; one line an epoch, so that a promise of an earlier epoch is still kept.
        epoch: the one that this target knows to be current; another is refused.
    """

    def __init__(self, protection: str, book: Book, epoch: int) -> None:
        self._protection = protection
        self._book = book
        self._epoch = epoch
        self._lock = threading.Lock()
        self._silent = "the daemon has just started"
        self._retired = False

    @property
    def epoch(self) -> int:
        """The epoch that is promised about."""
        return self._epoch

    def confirm(self, epoch: int, holder: str, lease_s: float, *, take_up: bool = False) -> LeaseAnswer:
        """The source asks for its lease, as it asks the witness; ``take_up``: also where it gave the epoch back before.

        Raises OSError when the promise could not be stored.
        """
        with self._lock:
            if self._silent or epoch != self._epoch:
                reason = self._silent or f"epoch {epoch} is not current, {self._epoch} is"
                return LeaseAnswer(False, self._epoch, "", reason=reason)
            line = f"{self._protection}:{epoch}"
            answer = self._book.renew(line, LeaseRequest(epoch, holder, lease_s))
            if answer.granted or (answer.epoch and not take_up):
                return answer
            return self._book.register(line, RegisterRequest(epoch, holder, lease_s))

    def release(self, epoch: int, holder: str) -> LeaseAnswer:
        """The source has fenced itself and needs the promise no more. Raises OSError when that could not be stored."""
        with self._lock:
            return self._book.release(f"{self._protection}:{epoch}", ReleaseRequest(epoch, holder))

    def retire(self) -> None:
        """Give none ever again: another stands in this one's place."""
        with self._lock:
            self._retired = True
            self._silent = "the protection is just being taken up"

    def stop_giving(self, why: str) -> None:
        """Give none from now on."""
        with self._lock:
            self._silent = why

    def give_again(self) -> None:
        """Give promises again: no failover is under way."""
        with self._lock:
            if not self._retired:
                self._silent = ""

    def set_epoch(self, epoch: int) -> None:
        """The protection has a newer epoch (after a failover or a failback): the holder of an older one is told that it is over."""
        with self._lock:
            self._epoch = max(self._epoch, epoch)

    def remaining_s(self) -> float:
        """How long the longest promise still runs, of whatever epoch."""
        with self._lock:
            views = self._book.all()
        ours = [view for view in views if view.protection.rpartition(":")[0] == self._protection]
        return max((HELD_S if view.expires_in_s is None else view.expires_in_s for view in ours), default=0.0)
