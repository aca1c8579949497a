"""A run: a plan being executed. In memory it is this; on disk it is the journal (orchestrator.recording) and a row of the store."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Protocol

import msgspec

from orchestrator.model.outcomes import Outcome, Result
from orchestrator.model.plan import Plan
from orchestrator.model.servers import RunId
from orchestrator.model.steps import Action, CannotUndo


class RunState(StrEnum):
    """Where a run stands. ``interrupted``: its process is gone; it waits to be resumed or undone."""

    RUNNING = "running"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    DONE = "done"
    UNDONE = "undone"
    UNDO_FAILED = "undo_failed"

    @property
    def over(self) -> bool:
        """Nothing half-applied is left."""
        return self in {RunState.DONE, RunState.UNDONE}


class Event(StrEnum):
    """What a line of a journal says about its step."""

    ABOUT_TO = "about-to"
    DONE = "done"
    ALREADY = "already"
    FAILED = "failed"
    UNDOING = "undoing"
    UNDONE = "undone"
    KEPT = "kept"
    REFUSED = "refused"


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of a journal. ``about-to`` carries the undo and what the look found, because the deed may never be heard of again."""

    at_s: float
    step: str
    event: Event
    says: str = ""
    undo: Action | CannotUndo | None = None
    found: dict[str, Any] = {}
    seconds: float = 0.0
    tries: int = 1
    hint: str = ""


class Log(Protocol):
    """The journal of one run, as the executor needs it. ``write`` returns only when the line is on the disk."""

    @property
    def lines(self) -> tuple[Line, ...]:
        """All lines so far, oldest first."""
        ...

    def write(self, line: Line) -> None:
        """Append a line."""
        ...


class Ended(msgspec.Struct, frozen=True):
    """How an execution ended: its state and one sentence. ``step`` is where it stopped, empty when it went through."""

    state: RunState
    says: str
    step: str = ""
    hint: str = ""
    exit_code: int = 0


def is_being_undone(lines: tuple[Line, ...]) -> bool:
    """Whether an undo has changed something, or may have: such a run can only be undone to its end."""
    changed = in_doubt = False
    for line in lines:
        in_doubt = line.event is Event.UNDOING or (in_doubt and line.event not in {Event.REFUSED, Event.UNDONE})
        changed = changed or line.event in {Event.UNDONE, Event.KEPT}
    return changed or in_doubt


def outcomes_of(lines: tuple[Line, ...]) -> tuple[Outcome, ...]:
    """The last word on each step, in the order in which steps were first spoken of; a step only begun is left out."""
    last: dict[str, Line] = {}
    for line in lines:
        if line.event in _RESULTS:
            last[line.step] = line
    return tuple(
        Outcome(line.step, _RESULTS[line.event], line.says, line.seconds, line.tries, line.hint)
        for line in last.values()
    )


_RESULTS = {
    Event.DONE: Result.DONE,
    Event.ALREADY: Result.ALREADY,
    Event.FAILED: Result.FAILED,
    Event.UNDONE: Result.UNDONE,
    Event.KEPT: Result.SKIPPED,
}


class Run(msgspec.Struct, frozen=True):
    """One execution. Times in seconds since the epoch. ``says`` is the last sentence; ``by`` is who asked."""

    id: RunId
    plan: Plan
    state: RunState
    started_at_s: float
    by: str = ""
    finished_at_s: float | None = None
    outcomes: tuple[Outcome, ...] = ()
    says: str = ""
    evidence: dict[str, str] = {}

    @property
    def downtime_s(self) -> float:
        """Seconds spent in the steps during which clients have no service: the measured RTO of a planned move."""
        down = {step.id for step in self.plan.steps if step.downtime}
        return sum(outcome.seconds for outcome in self.outcomes if outcome.step in down)


class Measured(msgspec.Struct, frozen=True):
    """What a run cost. None where it could not be measured."""

    rto_s: float | None = None
    rpo_s: float | None = None
    detection_s: float | None = None
    moved_bytes: int | None = None
