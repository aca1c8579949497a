"""Plans of a Windows file server whose data a tool of somebody else's moves, asked and told on the target by external_run.ps1.

The tool is a PowerShell script of the test's own: it says what lies in its state file, and does what it is told to by changing that.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from orchestrator.errors import DtamError
from orchestrator.failover.guards import Wish, refusal
from orchestrator.failover.hosts import take
from orchestrator.hosts.winrm import WinRmHost
from orchestrator.hosts.winrm_reach import winrm_host
from orchestrator.model.conditions import Stage
from orchestrator.model.outcomes import TryAgain
from orchestrator.model.plan import PlanKind
from orchestrator.model.ports import Replication
from orchestrator.model.servers import Where
from orchestrator.model.settings import Settings
from orchestrator.replication.external import Ended, ExternalReplication, run_there
from tests.conformance.pairs import laid_on
from tests.conformance.test_windows_story import SOURCE, TARGET, Story, begun
from tests.faults.windows_rehearsal import protection
from tests.lab.windows.starting import windows_host

TOOLS = "C:\\Tools"
ASK = f"[System.IO.File]::ReadAllText('{TOOLS}\\state.json')\n"
TELL = f"[System.IO.File]::WriteAllText('{TOOLS}\\state.json', '%s')\n"
FRESH = {"in_step": True, "age_s": 1.0, "receiving": True}


def texts() -> dict[str, str]:
    """What lies in the tool's folder."""
    told = {"promote": FRESH | {"receiving": False}, "reverse": FRESH}
    return {"ask.ps1": ASK, "state.json": json.dumps(FRESH)} | {
        f"{word}.ps1": TELL % json.dumps(state) for word, state in told.items()
    }


class ExternalStory(Story):
    """The same servers; what moves the data is the tool, which a test plays between two plans."""

    def replication(self, hosts: dict[Where, WinRmHost]) -> Replication:
        return ExternalReplication(protection().pair, self.settings.connection, run_there(hosts[TARGET]))

    def fresh(self) -> None:
        """The tool is whole and says that all is well."""
        for name, text in texts().items():
            self.tool(name, text)

    def tool(self, name: str, text: str) -> None:
        place = self.pair.machines[TARGET].files.open_path(f"{TOOLS}\\{name}")
        place.parent.mkdir(exist_ok=True)
        place.write_text(text)

    def moves(self, origin: Where) -> None:
        """The tool does its work."""
        there, here = (self.pair.machines[one].files.open_path("E:\\data") for one in (origin, origin.other))
        shutil.copytree(there, here, dirs_exist_ok=True)

    def refused(self, *, forced: bool = False) -> str:
        """Why a failover would be refused now."""
        held = msgspec.structs.replace(protection(self.stage, self.epoch), settings=self.settings)
        found = refusal(take(held, self.ports(), self.place), Wish("failover", forced=forced))
        return "" if found is None else found.reason


@pytest.fixture(scope="module")
def enabled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExternalStory]:
    with begun(tmp_path_factory.mktemp("external")) as made:
        commands = {word: [f"{TOOLS}\\{word}.ps1"] for word in ("ask", "promote", "reverse")}
        given = made.settings.model_dump(mode="json", exclude_unset=True)
        given["connection"] = {"roots": given["connection"]["roots"], "replication": "external"}
        given["connection"]["external"] = commands | {"on": "target"}
        told = ExternalStory(made.pair, made.place, Settings.model_validate(given), made.world)
        told.fresh()
        told.moves(SOURCE)
        told.carry_out(PlanKind.PROTECT)
        told.stage, told.epoch = Stage.ENABLED, 1
        yield told


@pytest.fixture
def story(enabled: ExternalStory) -> ExternalStory:
    enabled.fresh()
    return enabled


@pytest.mark.covers("AM-38")
@pytest.mark.parametrize(
    ("tool", "reason"),
    [
        (json.dumps(FRESH | {"in_step": False}), "the data on beta is mirror required"),
        (json.dumps(FRESH | {"age_s": -1}), "says an age of -1 s"),
        (json.dumps({"in_step": True}), "does not answer as dtam asks"),
        ("everything is fine", "does not answer as dtam asks"),
        ("", "does not answer as dtam asks"),
    ],
)
def test_a_failover_is_refused_in_words_unless_the_tool_says_that_the_data_is_fit(
    story: ExternalStory, tool: str, reason: str
) -> None:
    assert story.refused() == ""
    story.tool("state.json", tool)
    assert reason in story.refused()
    assert story.refused(forced=True) == ""


@pytest.mark.covers("AM-38")
def test_a_tool_that_is_not_there_or_fails_is_no_answer(story: ExternalStory) -> None:
    story.tool("ask.ps1", "exit 3\n")
    assert "says no" in story.refused()
    story.pair.machines[TARGET].files.open_path(f"{TOOLS}\\ask.ps1").unlink()
    assert f"there is no program {TOOLS}\\ask.ps1" in story.refused()
    assert story.refused(forced=True) == ""


@pytest.mark.covers("AM-38")
def test_from_enable_to_failback_dtam_asks_and_tells_the_tool_and_moves_no_byte(story: ExternalStory) -> None:
    before = story.shares(SOURCE)
    kept = story.ports().hosts[TARGET].windows()
    letter = [machine.files.open_path("E:\\data\\letter") for machine in story.pair.machines.values()]
    letter[0].write_text("dear reader")
    story.moves(SOURCE)
    letter[0].write_text("dear reader, this was never sent")
    story.pair.power_cut(SOURCE)
    story.carry_out(PlanKind.FAILOVER, forced=True)
    story.stage, story.epoch = Stage.FAILED_OVER, 2
    assert story.shares(TARGET) == before
    assert letter[1].read_text() == "dear reader"
    assert "ALPHA" in story.ports().hosts[TARGET].windows().optional_names

    letter[1].write_text("dear writer")
    story.pair.boot(SOURCE)
    assert letter[0].read_text() == "dear reader, this was never sent"
    story.moves(TARGET)
    story.carry_out(PlanKind.FAILBACK)
    assert story.shares(SOURCE) == before
    assert story.shares(TARGET) == {}
    after = story.ports().hosts[TARGET].windows()
    assert (after.optional_names, after.smb_server) == (kept.optional_names, kept.smb_server)
    assert story.world.state["names"]["files.lab.example. A"]["data"] == ["10.0.0.1"]


@pytest.mark.covers("AM-38")
def test_over_winrm_a_tool_gets_its_words_as_they_are_and_one_that_hangs_is_given_up(tmp_path: Path) -> None:
    with windows_host(tmp_path, name="BETA") as served, ExitStack() as stack:
        there = run_there(winrm_host(*laid_on(served, stack)))
        for name, text in {"words": 'param($one, $two)\n"$one|$two"\n', "hangs": "Start-Sleep -Seconds 600\n"}.items():
            place = Path(served.control.ask("machine", call="files.open_path", arguments=[f"{TOOLS}\\{name}.ps1"]))
            place.parent.mkdir(exist_ok=True)
            place.write_text(text)
        words = ("$env:ComputerName; 'x'", "-WhatIf")
        assert there((f"{TOOLS}\\words.ps1", *words), 60.0) == Ended(0, "|".join(words), "")
        with pytest.raises(TryAgain):
            there((f"{TOOLS}\\hangs.ps1",), 1.0)
        with pytest.raises(DtamError, match="there is no program"):
            there((f"{TOOLS}\\not-there.exe",), 60.0)
        assert there((f"{TOOLS}\\words.ps1", "on", "it goes"), 60.0).stdout == "on|it goes"
