"""The grant of the next epoch where no engine asks for it: by the executor's ledger, a fence command, and the witness.

Order of a grant: give no lease any more (on the disk); wait until the holder has surely stopped (its fence was seen, or its last lease has run
out, or the fence command turned it off); ask the witness; note the epoch. Killed anywhere, it is asked again from the beginning and ends the same.
"""

from __future__ import annotations

import math
import shlex
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from typing import Protocol

from orchestrator.engine.witness.errors import WitnessUnreachable
from orchestrator.engine.witness.rules import GrantAnswer
from orchestrator.errors import DtamError
from orchestrator.leasing.giving import renew
from orchestrator.leasing.ledger import Ledger
from orchestrator.model.host import Host, ProtectionView
from orchestrator.model.outcomes import GiveUp, TryAgain

FENCE_COMMAND_BUDGET_S = 60.0
ASK_AGAIN_S = 1.0


class Arbiter(Protocol):
    """The witness, as far as a grant needs it. Raises WitnessUnreachable for whatever is not a clear word."""

    def grant(self, protection: str, epoch: int, *, forced: bool, by: str) -> GrantAnswer:
        """The epoch, for this executor; what it held before is given back first. Asked again it says yes again."""
        ...


@dataclass(frozen=True, slots=True)
class GrantSettings:
    """How a grant is made sure. ``fence_command`` turns the other machine off and ends with 0 when it surely is."""

    grace_s: float
    fence_command: tuple[str, ...] = ()


Run = Callable[[tuple[str, ...]], tuple[int, str]]
Glance = Callable[[Host], AbstractContextManager[Host]]
"""A host by a way that hears of silence within seconds."""


def run_command(words: tuple[str, ...]) -> tuple[int, str]:
    """Exit code and what it said, of a command that gets a minute."""
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=FENCE_COMMAND_BUDGET_S, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        return 124, f"no end within {FENCE_COMMAND_BUDGET_S:g} s"
    except OSError as error:
        return 127, error.strerror or str(error)
    return done.returncode, " ".join((done.stderr or done.stdout).split())[:200]


class LedgerGrants:
    """The ``Grants`` port. ``arbiter`` None is `witness none`. ``glance``: a holder that may be dead is not waited for."""

    def __init__(
        self,
        ledger: Ledger,
        settings: GrantSettings,
        arbiter: Arbiter | None,
        run: Run = run_command,
        glance: Glance = nullcontext,
    ) -> None:
        self._ledger = ledger
        self._settings = settings
        self._arbiter = arbiter
        self._run = run
        self._glance = glance

    def granted(self, protection: str) -> int:
        """The newest epoch granted here; 0 when none was."""
        return self._ledger.look(protection).granted

    def grant(self, protection: str, epoch: int, holder: Host, *, forced: bool, by: str) -> None:
        """Make sure that ``holder`` serves no more, then have the epoch granted; TryAgain while it waits.

        Raises:
            GiveUp: the witness says clearly no, or nothing can make sure and a person must say so (``forced``).
        """
        if self.granted(protection) >= epoch:
            return
        self._ledger.stop_giving(protection)
        if not forced:
            self._make_sure(protection, holder)
        self._ask(protection, epoch, forced=forced, by=by)
        if forced:
            self._fence_where_it_answers(holder, protection, f"{by or 'somebody'} forced epoch {epoch}")
        self._ledger.note_granted(protection, epoch)

    def give_again(self, protection: str, epoch: int) -> None:
        """The step is taken back: leases are given again where the epoch was never granted."""
        if self.granted(protection) < epoch:
            self._ledger.give_again(protection)

    def lease(self, protection: str, epoch: int, holder: Host) -> None:
        """A lease without an end for the side that a plan opens; TryAgain until the host takes it."""
        renewed = renew(self._ledger, holder, protection, epoch, None)
        if not renewed.taken:
            raise TryAgain(renewed.says, after_s=ASK_AGAIN_S)

    def _make_sure(self, protection: str, holder: Host) -> None:
        left_s = self._ledger.sure_in_s(protection, self._settings.grace_s)
        if left_s == 0:
            return
        view = self._seen(holder, protection)
        if view is not None and view.fenced:
            _refuse_while_running(holder, protection)
            return
        if self._settings.fence_command:
            self._fence(holder)
            return
        if math.isinf(left_s):
            raise GiveUp(
                f"{holder.name} holds a lease without an end, so nobody can say that it does not serve",
                f"see that {holder.name} is off, then: dtam failover --undo, and say so: dtam failover --protection {protection} --force",
            )
        raise TryAgain(
            f"the lease of {holder.name} runs for up to {left_s:.0f} s more", after_s=min(left_s, ASK_AGAIN_S)
        )

    def _seen(self, holder: Host, protection: str) -> ProtectionView | None:
        """What the host itself says now of the protection; None for silence, which says nothing."""
        try:
            with self._glance(holder) as quick:
                return quick.protection(protection)
        except (DtamError, TryAgain):
            return None

    def _fence_where_it_answers(self, holder: Host, protection: str, reason: str) -> None:
        """A person said that it is down. Where it is not, it is fenced and its services are stopped; where it is silent, the person's word counts.

        Raises:
            TryAgain: it answers, and is not stopped yet.
        """
        view = self._seen(holder, protection)
        if view is None:
            return
        if not view.fenced:
            with suppress(DtamError):  # what could not be stopped is seen below
                holder.act(protection, "fence", {"reason": reason})
        _refuse_while_running(holder, protection)

    def _fence(self, holder: Host) -> None:
        words = tuple(word.replace("{server}", holder.name) for word in self._settings.fence_command)
        code, said = self._run(words)
        if code != 0:
            why = f"the fence command ({shlex.join(words)}) ended with {code}{f': {said}' if said else ''}"
            raise TryAgain(f"{holder.name} is not surely off: {why}", after_s=ASK_AGAIN_S)

    def _ask(self, protection: str, epoch: int, *, forced: bool, by: str) -> None:
        if self._arbiter is None:
            return
        try:
            answer = self._arbiter.grant(protection, epoch, forced=forced, by=by)
        except WitnessUnreachable as silence:
            raise TryAgain(str(silence), after_s=ASK_AGAIN_S) from silence
        if answer.granted:
            return
        if answer.retry_after_s > 0:
            raise TryAgain(f"not granted yet: {answer.reason}", after_s=min(answer.retry_after_s, ASK_AGAIN_S))
        self._ledger.give_again(protection)
        raise GiveUp(f"the witness does not grant epoch {epoch}: {answer.reason}", "dtam status; dtwitness status")


def _refuse_while_running(holder: Host, protection: str) -> None:
    """A fence is noted before the services are stopped: TryAgain until those of this protection are."""
    document = holder.protection_document(protection) or {}
    own = {str(one["name"]) for one in document.get("services", ())}
    running = [one.name for one in holder.services() if one.managed and one.name in own and one.state != "stopped"]
    if running:
        raise TryAgain(f"{holder.name} is fenced, and {', '.join(running)} not stopped yet", after_s=ASK_AGAIN_S)
