"""What came of a deed: one outcome a record set and server, and the sentence for it. Pure values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from orchestrator.naming.errors import NameChangeIncomplete, NamingError
from orchestrator.naming.values import Change, ChangeSet, NameServer

_FINISH = "mend what is named and run the same command again: what is done stays done"


class State(StrEnum):
    """What came of one record set on one server."""

    DONE = "done"
    ALREADY = "already"
    PROVED = "proved"
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One record set (or, with empty names, one server) and what came of it."""

    state: State
    says: str
    server: str = ""
    zone: str = ""
    name: str = ""
    type: str = ""
    error: NamingError | None = None

    def now(self, state: State) -> Outcome:
        """The same outcome, judged otherwise."""
        return replace(self, state=state)

    def facts(self) -> dict[str, object]:
        """The outcome for ``--json``."""
        facts: dict[str, object] = {
            "state": str(self.state),
            "server": self.server,
            "zone": self.zone,
            "name": self.name,
            "type": self.type,
            "says": self.says,
        }
        if self.error is not None:
            facts["hint"] = self.error.hint
            facts["exit_code"] = self.error.exit_code
        return facts


def outcome_of(
    change: Change, server: NameServer, state: State, says: str, error: NamingError | None = None
) -> Outcome:
    """The outcome of a change on one server."""
    subject = change.subject
    return Outcome(state, says, str(server), subject.zone, subject.name, subject.type, error)


def failure_of(where: str, error: NamingError) -> Outcome:
    """A server or a zone that could not be worked with at all."""
    return Outcome(State.FAILED, str(error), server=where, error=error)


@dataclass(frozen=True, slots=True)
class Report:
    """All outcomes of one deed; a ``proof`` changed nothing."""

    deed: str
    changes: ChangeSet = field(default_factory=ChangeSet)
    outcomes: tuple[Outcome, ...] = ()
    remarks: tuple[str, ...] = ()
    seconds: float = 0.0
    proof: bool = False

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """What did not come about."""
        return tuple(outcome for outcome in self.outcomes if outcome.state is State.FAILED)

    @property
    def error(self) -> NamingError | None:
        """The failure of the whole.

        The first cause, when nothing was changed; the only one, when all failures are alike; else that it is not complete.
        """
        failed = self.failed
        if not failed:
            return None
        first = next((one.error for one in failed if one.error is not None), None)
        alike = first is not None and all(type(one.error) is type(first) for one in failed)
        if self.proof or (alike and len(failed) == len(self.outcomes)):
            return first
        reason = (
            f"{self.deed} is not complete: {len(failed)} of {len(self.outcomes)} items failed; first: {failed[0].says}"
        )
        return NameChangeIncomplete(reason=reason, advice=_FINISH)

    def facts(self) -> Mapping[str, object]:
        """The report for ``--json``."""
        error = self.error
        return {
            "deed": self.deed,
            "ok": error is None,
            "exit_code": 0 if error is None else error.exit_code,
            "says": self.sentence(),
            "seconds": round(self.seconds, 3),
            "diff": self.changes.diff().splitlines(),
            "remarks": list(self.remarks),
            "outcomes": [outcome.facts() for outcome in self.outcomes],
        }

    def sentence(self) -> str:
        """The report in one sentence."""
        failed = len(self.failed)
        skipped = sum(outcome.state is State.SKIPPED for outcome in self.outcomes)
        good = len(self.outcomes) - failed - skipped
        tail = (f", {skipped} skipped" if skipped else "") + (f", {failed} failed" if failed else "")
        return f"{self.deed}: {len(self.changes.changes)} changes, {good} of {len(self.outcomes)} items as wanted{tail} in {self.seconds:.2f} s"
