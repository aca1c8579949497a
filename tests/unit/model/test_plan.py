"""A plan prints, sums itself up, and refuses."""

from __future__ import annotations

import msgspec
import pytest

from orchestrator.model.errors import PlanRefused
from orchestrator.model.names import NameChange, NameChanges, NameRecords
from orchestrator.model.plan import DeliveredScript, Plan, PlanKind
from orchestrator.model.servers import ProtectionId, Where
from orchestrator.model.steps import Action, CannotUndo, Step

STEP = Step(
    "start-files-target",
    Where.TARGET,
    "start service files on beta",
    Action("service-running"),
    Action("start-service"),
    Action("stop-service"),
    before=("files stopped",),
    after=("files running",),
)


def plan(**more: object) -> Plan:
    return Plan(PlanKind.FAILOVER, ProtectionId("p"), (STEP,), 3, **more)  # type: ignore[arg-type]


@pytest.mark.covers("AM-23")
def test_it_prints_what_goes_and_what_comes() -> None:
    once = msgspec.structs.replace(STEP, id="once", undo=CannotUndo("it is gone"), before=(), after=())
    text = Plan(PlanKind.FAILOVER, ProtectionId("p"), (STEP, once), 3, remarks=("mind the gap",)).diff()
    assert text.splitlines()[1:] == [
        "      target  start-files-target: start service files on beta",
        "              - files stopped",
        "              + files running",
        "      target  once: start service files on beta  (cannot be undone: it is gone)",
        "note: mind the gap",
    ]


@pytest.mark.covers("AM-23")
def test_an_empty_plan_says_why() -> None:
    text = Plan(PlanKind.FIX, ProtectionId("p"), (), nothing_because="every check passed").diff()
    assert "nothing to do: every check passed" in text


def test_the_checksum_covers_what_would_be_done() -> None:
    other_script = DeliveredScript("target", "post_failover", "0" * 64)
    names = NameChanges((NameChange("10.0.0.53", None, NameRecords("z.", "a.z.", "A", 60, ("10.0.0.1",))),))
    known = {
        plan().checksum,
        plan(scripts=(other_script,)).checksum,
        plan(scripts=(msgspec.structs.replace(other_script, sha256="1" * 64),)).checksum,
        plan(names=names).checksum,
        msgspec.structs.replace(plan(), epoch=4).checksum,
        msgspec.structs.replace(plan(), steps=()).checksum,
    }
    assert len(known) == 6
    assert plan(remarks=("words do not count",)).checksum == plan().checksum


def test_it_refuses_with_every_reason() -> None:
    with pytest.raises(PlanRefused, match="both sites alive; target not in step"):
        plan(refusals=("both sites alive", "target not in step")).raise_if_refused()


def test_a_step_has_one_id() -> None:
    with pytest.raises(ValueError, match="twice"):
        Plan(PlanKind.FIX, ProtectionId("p"), (STEP, STEP))


def test_it_survives_a_journal() -> None:
    kept = plan(names=NameChanges(), remarks=("a",))
    assert msgspec.json.decode(msgspec.json.encode(kept), type=Plan) == kept
