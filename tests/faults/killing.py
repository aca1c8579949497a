"""Every step of every plan of a rehearsed world, killed before, inside and after its deed, then resumed or undone: nothing is half-applied.

A resumed run leads to exactly the state of an uninterrupted one. An undone run leads back to where it began, or says what it left and
why. At no moment, of the killed run or of what follows, do both sides serve. What is peculiar to a world is said by its ``KillMatrix``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator.model.plan import PlanKind
from orchestrator.model.runs import Ended, RunState
from orchestrator.model.steps import CannotUndo
from orchestrator.recording import run_of
from orchestrator.store import journal
from tests.faults.rehearsal import MOMENTS, Rehearsal, Rehearsed

State = dict[str, Any]


@dataclass(frozen=True)
class KillMatrix:
    """A world and its plans.

    ``served``: who serves, with which data, and where clients are led. ``without_replica``: the essence but for data that was copied
    already. ``on_its_way``: whether a failover that was killed in this step and undone so far belongs to the target.
    """

    stand: type[Rehearsed]
    rehearsals: Callable[[], dict[str, Rehearsal]]
    kinds: tuple[str, ...]
    essence: Callable[[State], State]
    served: Callable[[State], tuple[Any, ...]]
    without_replica: Callable[[State], State]
    on_its_way: Callable[[State, str], bool]

    def cases(self) -> Iterator[Any]:
        """Every kind of plan, with each step that acts and each moment."""
        for kind in self.kinds:
            for step in self.rehearsals()[kind].acting:
                for moment in MOMENTS:
                    yield pytest.param(kind, step, moment, id=f"{kind}-{step}-{moment}")

    def killed(self, place: Path, rehearsal: Rehearsal, step: str, moment: str) -> Rehearsed:
        """The plan, ended by SIGKILL at that moment; the journal knows which step was under way, and how to undo it."""
        stage = self.stand(place, rehearsal.before)
        stage.begin(rehearsal.plan, (step, moment))
        header, lines = journal.read(place / "runs", "run")
        told = run_of("run", header.plan, lines, started_at_s=header.started_at_s)
        assert told.state is RunState.INTERRUPTED
        assert (lines[-1].step, lines[-1].event) == (step, "about-to")
        assert lines[-1].undo is not None
        return stage

    def resumed(self, place: Path, kind: str, step: str, moment: str) -> None:
        """Killed and gone on with: as if nothing had happened."""
        rehearsal = self.rehearsals()[kind]
        self.to_the_end(self.killed(place, rehearsal, step, moment), rehearsal)

    def to_the_end(self, stage: Rehearsed, rehearsal: Rehearsal) -> None:
        """The rest of the plan leads where all of it leads."""
        ended = stage.go_on("resume")
        assert ended.state is RunState.DONE, ended
        assert not stage.world.state["violations"]
        assert self.essence(stage.world.state) == self.essence(rehearsal.after)

    def undone(self, place: Path, kind: str, step: str, moment: str) -> None:
        """Killed and undone: back where it began, or refused as a whole with a way out, and still good for going on."""
        rehearsal = self.rehearsals()[kind]
        stage = self.killed(place, rehearsal, step, moment)
        ended = stage.go_on("undo")
        state = stage.world.state
        assert not state["violations"]
        way_out = self.way_out(rehearsal.plan.kind, state, step)
        if way_out:
            assert ended.state is RunState.FAILED
            assert way_out in ended.hint
            self.to_the_end(stage, rehearsal)
        else:
            self.as_before(stage, rehearsal, ended)

    def way_out(self, kind: PlanKind, state: State, step: str) -> str:
        """What an undo that comes too late names instead: clients may have written on the target, or a side has forgotten its part."""
        if kind is PlanKind.FAILOVER and self.on_its_way(state, step):
            return "failback"
        forgotten = not all(side["records"] for side in state["sides"].values())
        return "dtam enable" if kind is PlanKind.UNPROTECT and forgotten else ""

    def as_before(self, stage: Rehearsed, rehearsal: Rehearsal, ended: Ended) -> None:
        """Who serves and where names lead is as it was; all else, too, but for what the run says that it left."""
        state = stage.world.state
        assert ended.state is RunState.UNDONE, ended
        assert self.served(state) == self.served(rehearsal.before)
        if _left_as_it_is(rehearsal, stage):
            assert "left as they are" in ended.says
        else:
            assert self.without_replica(state) == self.without_replica(rehearsal.before)

    def never_killed(self) -> set[str]:
        """The steps that act in no rehearsal, and so are killed nowhere."""
        every = self.rehearsals()
        acting = {step for kind in self.kinds for step in every[kind].acting}
        return {step.id for kind in self.kinds for step in every[kind].plan.steps} - acting


def _left_as_it_is(rehearsal: Rehearsal, stage: Rehearsed) -> bool:
    begun = {line.step for line in stage.lines}
    return any(isinstance(one.undo, CannotUndo) for one in rehearsal.plan.steps if one.id in begun)
