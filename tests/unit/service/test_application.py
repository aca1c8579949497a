"""`dtam serve` asks the application where no engine does, goes on counting after a restart, and tells errors in a row once."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import msgspec
import pytest

from orchestrator.cli.guard import prepare_home
from orchestrator.failover import kept as kept_files
from orchestrator.failover.hosts import _state
from orchestrator.model.conditions import Stage
from orchestrator.model.host import ProtectionView
from orchestrator.model.protections import Protection
from orchestrator.model.servers import Where
from orchestrator.model.settings import Settings
from orchestrator.pipeline import Pipeline
from orchestrator.service.application import as_kept, ask_application, health_of
from orchestrator.service.deciding import Watched
from orchestrator.service.watching import Watch
from plugins.fileserver.inventory import inventory
from tests.conformance.ondisk import World
from tests.faults.rehearsal import ports, protection, settings, unprotected


def asking(script: Path, **application: Any) -> Protection:
    values = settings().model_dump(mode="json", exclude_unset=True)
    given = {"points": "custom", "engine": "sh", "script": str(script), "interval_s": 1, "timeout_s": 1, "errors": 2}
    values["monitoring"] |= {"application": given | application}
    return msgspec.structs.replace(protection(Stage.ENABLED, 1), settings=Settings.model_validate(values))


@pytest.fixture
def script(tmp_path: Path) -> Path:
    made = tmp_path / "ask"
    made.write_text('[ -e "$DTAM_HOME/well" ] && echo fine || { echo "$DTAM_USER is not let in"; exit 1; }\n')
    return made


@pytest.fixture
def pipeline(tmp_path: Path):
    with Pipeline(prepare_home(tmp_path / "home"), "test") as made:
        world = World(tmp_path / "world")
        world.save(unprotected())
        made.store.put_inventory(protection().id, inventory(ports(world), settings()))
        yield made


@pytest.mark.covers("AM-22")
def test_a_custom_script_is_run_with_the_account_that_it_is_told(pipeline: Pipeline, script: Path) -> None:
    wanted = asking(script, user="ada@lab.example", password_file="/etc/dtam/ada")
    assert ask_application(pipeline, wanted).says == "script: ada@lab.example is not let in"
    (pipeline.home / "well").touch()
    assert ask_application(pipeline, wanted).ok


@pytest.mark.covers("AM-22")
def test_the_built_in_point_of_a_file_server_asks_through_the_clients_name(pipeline: Pipeline) -> None:
    values = settings().model_dump(mode="json", exclude_unset=True)
    values["monitoring"] |= {"application": {}}
    values["failover"]["dns"]["servers"] = ["127.0.0.1:9"]
    values["failover"]["health"] = {"url": "http://{name}/", "timeout_s": 0.2}
    wanted = msgspec.structs.replace(protection(Stage.ENABLED), settings=Settings.model_validate(values))
    answer = ask_application(pipeline, wanted)
    assert not answer.ok
    assert answer.says.startswith("clients: ")
    assert "files.lab.example" in answer.says


@pytest.mark.covers("AM-22")
def test_the_watch_counts_tells_once_and_shows_it(
    pipeline: Pipeline, script: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wanted = asking(script)
    watch = Watch(pipeline.home, wanted.id, lambda: Pipeline(pipeline.home, "test"), lambda *_: None)
    seen = Watched(enabled=True, stage=Stage.ENABLED, verdict=None)  # type: ignore[arg-type]

    async def rounds(count: int) -> None:
        for _ in range(count):
            watch._memory.application.next_s = 0.0
            watch._ask_application(wanted, seen)
            await watch._memory.application.future
        await watch._asks.close()

    with caplog.at_level(logging.INFO, "dtam.serve"):
        asyncio.run(rounds(3))
    assert [one.levelname for one in caplog.records] == ["WARNING"]
    assert "2 times in a row" in caplog.text
    shown = kept_files.read(pipeline.home, wanted.id)
    assert shown.application is not None
    assert shown.application["errors"] == 3
    state = _state(
        wanted, ProtectionView(wanted.id, "target", 1, fenced=True, monitor=True), Where.TARGET, shown, busy=False
    )
    assert state["details"]["application"]["says"].startswith("ALERT, 3 of 2 errors in a row")
    watch._ask_application(wanted, Watched(enabled=False, stage=Stage.ENABLED, verdict=None))  # type: ignore[arg-type]
    assert kept_files.read(pipeline.home, wanted.id).application is None, "nobody watches, so nothing is told of it"


@pytest.mark.covers("AM-22")
def test_counting_goes_on_where_it_was_after_a_restart(script: Path) -> None:
    wanted = asking(script)
    health = health_of(None, wanted)
    assert (health.errors, health.allowed) == (0, 2)
    told = {"errors": 1, "allowed": 2, "alarmed": False, "said": "no", "says": "1 of 2"}
    assert as_kept(health_of(told, wanted))["says"] == "1 of 2 errors in a row: no"
