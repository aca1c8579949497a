"""Whatever is cut off, wherever, however often, in whatever order people resume and undo: never two masters, never half-applied."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from orchestrator.configure import leaves, merged
from orchestrator.executing import Executor
from orchestrator.model.plan import Plan
from orchestrator.model.runs import RunState
from orchestrator.model.servers import RunId
from orchestrator.model.steps import Action
from orchestrator.sdk import verbs
from orchestrator.sdk.context import Ports
from orchestrator.store import journal
from tests.conformance.ondisk import World
from tests.faults.rehearsal import Ticks, essence, ports, rehearsals, scratch, scripts

KINDS = ("protect", "graceful", "forced", "restore", "failback")


class CutOff(BaseException):
    """The process is gone."""


class Rope:
    """Lets a number of moments pass, then cuts."""

    def __init__(self, moments: int) -> None:
        self.left = moments

    def moment(self) -> None:
        if self.left == 0:
            raise CutOff
        self.left -= 1

    def perform(self, action: Action, given: Ports, found: dict[str, object]) -> None:
        self.moment()
        verbs.perform(action, given, found)
        self.moment()


@pytest.mark.covers("AM-15", "AM-27")
@settings(max_examples=60, deadline=None)
@example(kind="forced", cuts=[(1, False), (0, True)], end=False)
@given(
    kind=st.sampled_from(KINDS),
    cuts=st.lists(st.tuples(st.integers(0, 12), st.booleans()), max_size=5),
    end=st.booleans(),
)
def test_any_history_of_cuts_ends_whole(kind: str, cuts: list[tuple[int, bool]], end: bool) -> None:
    rehearsal = rehearsals()[kind]
    with TemporaryDirectory(dir=scratch()) as directory:
        place = Path(directory)
        World(place / "world").save(rehearsal.before)
        journal.create(
            place, journal.Header(journal.VERSION, RunId("run"), 0.0, "x", rehearsal.plan), scripts()[1]
        ).close()
        for moments, undo in cuts:
            attempt(place, Rope(moments), undo=undo)
        last = attempt(place, Rope(10_000), undo=end)
        for undo in (not end, end):  # what the hints say: an undo that refuses sends on, and one in doubt sends back
            if last in {RunState.UNDO_FAILED, RunState.FAILED}:
                last = attempt(place, Rope(10_000), undo=undo)
        state = World(place / "world").state
    assert not state["violations"]
    assert last in {RunState.DONE, RunState.UNDONE}
    if last is RunState.DONE and not any(undo for _, undo in cuts):
        assert essence(state) == essence(rehearsal.after)
    serving = [name for name, side in state["sides"].items() if side["services"].get("files") == "running"]
    assert len(serving) == 1 or (kind == "forced" and last is RunState.UNDONE)


def attempt(place: Path, rope: Rope, *, undo: bool) -> RunState | None:
    world = World(place / "world", rope.moment)
    with journal.open_to_write(place, "run") as log:
        executor = Executor(
            "run", ports(world, scripts()[1]), log, budget_s=20, clock=Ticks().clock(), perform=rope.perform
        )
        try:
            plan = log.header.plan
            return (executor.undo(plan) if undo else executor.execute(plan)).state
        except CutOff:
            return None


@pytest.mark.parametrize("kind", KINDS)
def test_plans_survive_being_written_down(kind: str) -> None:
    plan = rehearsals()[kind].plan
    again = msgspec.json.decode(msgspec.json.encode(plan), type=Plan)
    assert again == plan
    assert again.checksum == plan.checksum


KEYS = st.sampled_from(["a", "b", "c"])
TREES = st.recursive(
    st.dictionaries(KEYS, st.integers() | st.lists(st.integers(), max_size=2), max_size=3),
    lambda inner: st.dictionaries(KEYS, inner | st.integers(), max_size=3),
    max_leaves=8,
)


@given(below=TREES, above=TREES)
def test_the_stronger_layer_always_wins(below: dict[str, object], above: dict[str, object]) -> None:
    result = dict(leaves(merged(below, above)))
    assert all(result[path] == value for path, value in leaves(above) if not isinstance(value, dict))
    assert merged(merged(below, above), above) == merged(below, above)
