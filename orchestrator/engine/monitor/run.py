"""Where a failover stands: the journal's entries folded into one value. Pure.

Phases of a failover, in order; those of the source are for a graceful one only. A run is open from ``begin`` to ``end``; it ends
``done``, ``undone``, ``cancelled`` (before any grant) or ``refused`` (by the witness, for good).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from orchestrator.engine.monitor.journal import Entry


class Phase(StrEnum):
    """One deed of a failover."""

    STOP_SOURCE = "stop_source"
    SETTLE_SOURCE = "settle_source"
    RELEASE_LEASE = "release_lease"
    GRANT = "grant"
    REFUSE_SOURCE = "refuse_source"
    PRE_SCRIPT = "pre_script"
    SETTLE = "settle"
    PROMOTE = "promote"
    MOUNT = "mount"
    START = "start"


GRACEFUL_ONLY = (Phase.STOP_SOURCE, Phase.SETTLE_SOURCE, Phase.RELEASE_LEASE)


@dataclass(frozen=True, slots=True)
class RunState:
    """A failover as the journal tells it.

    ``in_doubt``: begun, and not known to be done. ``waits_for``: why a person must say yes; empty when nobody must.
    ``stuck``: why it cannot go on by itself. ``epoch``: the one granted, 0 before. ``data``: what a person chose to go on with.
    """

    run_id: str
    from_epoch: int
    graceful: bool = False
    automatic: bool = False
    by: str = ""
    why: str = ""
    began_ns: int = 0
    epoch: int = 0
    waits_for: str = ""
    forced: bool = False
    done: tuple[Phase, ...] = ()
    undone: tuple[Phase, ...] = ()
    in_doubt: Phase | None = None
    stuck: str = ""
    undoing: bool = False
    ended: str = ""
    last_says: str = ""
    data: str = ""

    @property
    def phases(self) -> tuple[Phase, ...]:
        """All phases of this run, in order."""
        return tuple(phase for phase in Phase if self.graceful or phase not in GRACEFUL_ONLY)

    @property
    def next_phase(self) -> Phase | None:
        """What comes next; the phase in doubt is repeated."""
        return next((phase for phase in self.phases if phase not in self.done), None)

    @property
    def next_undo(self) -> Phase | None:
        """What is taken back next: the last one begun that was not undone."""
        begun = [phase for phase in self.phases if phase in self.done or phase is self.in_doubt]
        return next((phase for phase in reversed(begun) if phase not in self.undone), None)

    @property
    def may_have_asked(self) -> bool:
        """True when the witness may have granted, or did."""
        return Phase.GRANT in self.done or self.in_doubt is Phase.GRANT

    @property
    def is_open(self) -> bool:
        """False when the run has ended."""
        return not self.ended


def last_run(entries: Iterable[Entry]) -> RunState | None:
    """The newest run of a journal, open or not."""
    state: RunState | None = None
    for entry in entries:
        state = _begun(entry) if entry.event == "begin" else _after(state, entry)
    return state


def _begun(entry: Entry) -> RunState:
    facts = entry.facts
    return RunState(
        run_id=entry.run_id,
        from_epoch=facts["from_epoch"],
        graceful=facts["graceful"],
        automatic=facts["automatic"],
        by=facts["by"],
        why=entry.says,
        began_ns=entry.time_ns,
        waits_for=facts["waits_for"],
        last_says=entry.says,
        data=facts.get("data", ""),
    )


def _after(state: RunState | None, entry: Entry) -> RunState | None:
    """One entry later. An entry written twice (its first fsync had failed) changes nothing the second time."""
    if state is None or state.run_id != entry.run_id:
        return state
    change = _change(state, entry)
    return replace(state, last_says=entry.says or state.last_says, **change)


def _change(state: RunState, entry: Entry) -> dict[str, Any]:
    if entry.event in CHANGES:
        return CHANGES[entry.event](state, entry)
    return {}


def _phase_done(state: RunState, entry: Entry) -> dict[str, Any]:
    phase = Phase(entry.phase)
    done = state.done if phase in state.done else (*state.done, phase)
    return {"done": done, "in_doubt": None, "epoch": entry.facts.get("epoch", state.epoch)}


CHANGES: Mapping[str, Callable[[RunState, Entry], dict[str, Any]]] = {
    "approved": lambda state, entry: {
        "waits_for": "",
        "by": entry.facts["by"],
        "forced": entry.facts["forced"],
        "data": entry.facts.get("data") or state.data,
    },
    "about_to": lambda _, entry: {"in_doubt": Phase(entry.phase)},
    "refused": lambda _, __: {"in_doubt": None},
    "done": _phase_done,
    "stuck": lambda _, entry: {"stuck": entry.says},
    "again": lambda _, __: {"stuck": ""},
    "undo": lambda _, __: {"undoing": True, "stuck": ""},
    "undone": lambda state, entry: {"undone": (*state.undone, Phase(entry.phase))},
    "end": lambda _, entry: {"ended": entry.facts["how"]},
}
