"""A real `dtam serve` asks the application where no engine does: it warns, shows it, and fails nothing over."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.failover import kept
from orchestrator.model.conditions import Stage
from orchestrator.model.inventory import Inventory, SideInventory
from orchestrator.model.servers import ServerName
from tests.faults.test_serve import LONG_S, Site
from tests.faults.witness_process import eventually


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.close()


@pytest.mark.covers("AM-22")
def test_errors_in_a_row_are_a_warning_and_no_failover(site: Site, tmp_path: Path) -> None:
    well, script = tmp_path / "well", tmp_path / "ask"
    script.write_text(f'[ -e "{well}" ] || {{ echo "the shop is shut"; exit 1; }}\n')
    asks = {"points": "custom", "engine": "sh", "script": str(script), "interval_s": 1, "timeout_s": 1, "errors": 2}
    name = site.protect("alpha", "beta", application=asks)
    with site.pipeline() as pipeline:
        sides = (SideInventory(ServerName("alpha")), SideInventory(ServerName("beta")))
        pipeline.store.put_inventory(name, Inventory(time.time(), *sides))
    site.start()

    def alarmed() -> bool:
        return bool((kept.read(site.home, name).application or {}).get("alarmed"))

    eventually(alarmed, f"an alert: {site.log}", LONG_S)
    eventually(
        lambda: "2 times in a row: script: the shop is shut" in site.log.read_text(), f"a warning: {site.log}", LONG_S
    )
    assert site.stage(name) is Stage.ENABLED
    well.touch()
    eventually(lambda: not alarmed(), f"it answers again: {site.log}", LONG_S)
    eventually(lambda: "the application answers again" in site.log.read_text(), f"it is told: {site.log}", LONG_S)
