"""Misconfigurations planted in a world of two Windows file servers: each is found and told with place and remedy, and mended where it can be.

Nothing is touched by looking. What --fix mended is so afterwards, the check passes, and an undo puts back exactly what was found.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from orchestrator import validate
from orchestrator.model.conditions import Stage
from orchestrator.model.findings import Severity
from orchestrator.model.protections import Protection
from orchestrator.model.runs import RunState
from orchestrator.model.settings import Settings
from orchestrator.sdk.application import Planning
from orchestrator.validate import Report
from plugins.fileserver.application import FileServer
from plugins.fileserver.windows.inventory import inventory
from tests.conformance.ondisk_windows import WindowsWorld, new_windows_world
from tests.faults.windows_rehearsal import WindowsRehearsed, ports, protection, settings

CASES = yaml.safe_load((Path(__file__).parents[1] / "cases/windows_fileserver/planted.yaml").read_text())


def laid_over(below: Any, above: Any) -> Any:
    if not isinstance(below, Mapping) or not isinstance(above, Mapping):
        return above
    return dict(below) | {name: laid_over(below.get(name), value) for name, value in above.items()}


def sound() -> dict[str, Any]:
    """A world where nothing is to be found but what is not there yet: no part in a protection."""
    state = new_windows_world()
    for side in ("source", "target"):
        state["sides"][side]["start_types"]["server"] = "manual" if side == "source" else "automatic"
    state["servers"]["beta"]["volumes"]["E:"]["up"] = False
    return state


def planted(case: Mapping[str, Any]) -> tuple[dict[str, Any], Protection]:
    state = sound()
    place = Path("/nonexistent")
    for side in ("source", "target"):
        given = case.get(side)
        if given is not None:
            base = msgspec.to_builtins(host_of(place, side)._sound(state["sides"][side]))
            smb = laid_over(base["smb_server"], given.get("smb_server", {}))
            state["sides"][side]["facts"] = dict(given) | ({"smb_server": smb} if "smb_server" in given else {})
        state["sides"][side]["start_types"] |= case.get("services", {}).get(side, {})
    state["names"] |= case.get("names", {})
    return state, reached(held(case.get("settings", {})), case.get("reached", {}))


def reached(whole: Protection, how: Mapping[str, str]) -> Protection:
    """Its source's WinRM, reached in another way."""
    source = whole.pair.source
    there = msgspec.structs.replace(source, winrm=msgspec.structs.replace(source.own_winrm, **how))
    return msgspec.structs.replace(whole, pair=msgspec.structs.replace(whole.pair, source=there))


def host_of(place: Path, side: str) -> Any:
    return ports(WindowsWorld(place)).hosts[side]


def held(changes: Mapping[str, Any]) -> Protection:
    addresses = [{"source": "10.0.0.1", "target": "10.0.0.2"}]
    given = laid_over(settings().model_dump(mode="json"), {"failover": {"dns": {"addresses": addresses}}})
    whole = Settings.model_validate(laid_over(given, changes))
    return msgspec.structs.replace(protection(Stage.CONFIGURED), settings=whole)


def looked(stage: WindowsRehearsed, whole: Protection) -> Report:
    found = inventory(ports(stage.world), whole.settings)
    return validate.validate(FileServer().checks(), found, whole, 1000.0)


def test_a_sound_world_has_nothing_of_these(tmp_path: Path) -> None:
    stage = WindowsRehearsed(tmp_path, sound())
    ids = {case["check"] for case in CASES}
    report = looked(stage, held({}))
    found = [one for one in report.findings if one.severity is not Severity.PASSED]
    assert [one for one in found if one.check in ids] == []
    assert len(CASES) >= 20
    foreign = [one.what for one in report.findings if "engine" in one.what or "Samba" in one.what]
    assert foreign == [], "Windows servers have none"


@pytest.mark.covers("AM-11")
def test_servers_that_are_both_silent_are_not_ended_unseen(tmp_path: Path) -> None:
    """Nothing would be undone on them; a person may say that they are gone."""
    world = WindowsRehearsed(tmp_path, sound()).world
    with world.change() as state:
        for server in state["servers"].values():
            server["down"] = True
    whole = held({})
    found = inventory(ports(world), whole.settings)
    given = Planning(whole, found, 1)
    (reason,) = FileServer().refusals("unprotect", given)
    assert "neither alpha nor beta answers" in reason
    assert not tuple(FileServer().refusals("unprotect", msgspec.structs.replace(given, forced=True)))
    (told, _) = [
        one
        for one in validate.validate(FileServer().checks(), found, whole, 1000.0).findings
        if one.check == "server-unreachable"
    ]
    assert "no scripts of dtam there yet" in told.remedy


@pytest.mark.covers("AM-37")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"].replace(" ", "-"))
def test_planted(tmp_path: Path, case: Mapping[str, Any]) -> None:
    state, whole = planted(case)
    stage = WindowsRehearsed(tmp_path, state)
    before = stage.world.state
    report = looked(stage, whole)
    assert stage.world.state == before, "looking touches nothing"
    (told,) = [one for one in report.findings if one.check == case["check"] and case["what"] in one.what]
    assert told.severity is not Severity.PASSED
    assert told.where or told.remedy
    assert told.why
    assert case["remedy"] in told.remedy
    if case.get("mended"):
        mended_and_put_back(stage, whole, report, case["check"])


def mended_and_put_back(stage: WindowsRehearsed, whole: Protection, report: Report, check: str) -> None:
    before = stage.world.state
    plan = validate.fixes(report, whole, frozenset({check}))
    assert plan.steps
    ended = stage.begin(plan)
    assert ended is not None
    assert ended.state is RunState.DONE, ended
    again = [one for one in looked(stage, whole).findings if one.check == check]
    assert [one.severity for one in again] == [Severity.PASSED]
    assert stage.go_on("undo").state is RunState.UNDONE
    assert stage.world.state == before
