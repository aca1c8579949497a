"""A Windows file server that fails over with all it is: addresses, names, shares and service names, there and back on the simulated servers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.model.conditions import Stage
from orchestrator.model.plan import PlanKind
from orchestrator.model.servers import Where
from orchestrator.model.settings import Settings
from tests.conformance.simulated import SERVICE_ADDRESS
from tests.conformance.test_windows_story import SOURCE, TARGET, Story, begun
from tests.lab.windows.machine.machine import Machine

KEYS = (
    r"SYSTEM\CurrentControlSet\Services\LanmanServer\Parameters",
    r"SYSTEM\CurrentControlSet\Control\Lsa\MSV1_0",
)


def stored(machine: Machine, key: str) -> dict[str, Any]:
    """A key's values with their types; a switch of the Server service that says its default is the same as none."""
    held = machine.registry.values(key)
    assert machine.registry.exists(key)
    return {name: value for name, value in held.items() if (name, value) != ("DisableStrictNameChecking", ("DWord", 0))}


def told(story: Story, where: Where) -> dict[str, Any]:
    """All that a failover changes on a side, as the server itself has it."""
    machine = story.pair.machines[where]
    found = story.ports().hosts[where].windows()
    return {
        "shares": story.shares(where),
        "addresses": sorted((one.address, one.prefix, one.interface, one.state) for one in found.addresses),
        "own": sorted(machine.network.own()),
        "names": (found.optional_names, list(machine.computer.data["alternate_names"])),
        "smb": found.smb_server,
        "registry": [stored(machine, key) for key in KEYS],
        "directory": {name: list(held) for name, held in story.pair.directory.names.items() if held},
        "clients": (story.world.state["spns"], story.world.state["names"]),
    }


def changed(story: Story, **failover: Any) -> Story:
    """The story with these settings of a failover."""
    given = story.settings.model_dump(mode="json", exclude_unset=True)
    given["failover"] |= failover
    if failover.get("type") == "identity":
        given["failover"].pop("dns")
    story.settings = Settings.model_validate(given)
    return story


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    """Time passes by itself: a script that was called waits for an address."""
    ended = threading.Event()
    with begun(tmp_path) as made:

        def pass_by() -> None:
            while not ended.wait(0.2):
                made.pair.tick()

        passing = threading.Thread(target=pass_by)
        passing.start()
        try:
            yield made
        finally:
            ended.set()
            passing.join()


def there_and_back(story: Story) -> dict[str, Any]:
    """Protect, power cut, failover, failback; what the target was meanwhile."""
    story.carry_out(PlanKind.PROTECT)
    story.stage, story.epoch = Stage.ENABLED, 1
    before = {where: told(story, where) for where in (SOURCE, TARGET)}
    story.pair.power_cut(SOURCE)
    story.carry_out(PlanKind.FAILOVER, forced=True)
    story.stage, story.epoch = Stage.FAILED_OVER, 2
    assert story.shares(TARGET) == before[SOURCE]["shares"]
    assert story.world.state["spns"] == "target"
    over = told(story, TARGET)
    story.pair.boot(SOURCE)
    for _ in range(5):
        story.pair.tick()
    assert over["registry"] != before[TARGET]["registry"]
    assert SERVICE_ADDRESS in over["own"]
    assert (SERVICE_ADDRESS, 24, "Ethernet", "duplicate") in told(story, SOURCE)["addresses"]
    story.carry_out(PlanKind.FAILBACK)
    for where in (SOURCE, TARGET):
        assert told(story, where) == before[where], where
    return over


def moves_its_address(story: Story, names: str) -> Story:
    """The story with the source's address for its clients, and this way of taking its names."""
    identity = {"addresses": [{"source": SERVICE_ADDRESS, "interface": "Ethernet"}]}
    with story.world.change() as state:
        state["names"]["files.lab.example. A"]["data"] = [SERVICE_ADDRESS]
    return changed(story, type="identity", identity=identity, windows={"names": names})


@pytest.mark.covers("AM-15")
def test_address_and_alternate_names_move_there_and_back_and_all_is_as_before(story: Story) -> None:
    """The source comes back while the target has its address, which Windows leaves a duplicate until it is put on again."""
    over = there_and_back(moves_its_address(story, "alternate"))
    assert "files.lab.example" in over["names"][1]


@pytest.mark.covers("AM-15")
def test_optional_names_that_were_a_plain_text_are_one_again(story: Story) -> None:
    """A server that answers to two names already, as a text (REG_SZ) with a blank between, keeps that form."""
    registry = story.pair.machines[TARGET].registry
    registry.put(KEYS[0], "OptionalNames", "String", "OLD1 OLD2")
    over = there_and_back(moves_its_address(story, "optional"))
    assert over["registry"][0]["OptionalNames"] == ("MultiString", ["OLD1", "OLD2", "ALPHA"])
    assert registry.values(KEYS[0])["OptionalNames"] == ("String", "OLD1 OLD2")
