"""The target asks the application on its source while it stands by and watches; errors in a row are told once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.engine.control.asking import Asking
from orchestrator.engine.control.errors import Conflict
from orchestrator.engine.control.schema import Monitor


class Stage:
    """An asking of one point: a file that has to be there."""

    def __init__(self, tmp_path: Path, **settings: Any) -> None:
        self.well = tmp_path / "well"
        self.told: list[tuple[str, str]] = []
        self.waits = self.watches = True
        command = ["sh", "-c", f"ls {self.well}"]
        application = {"interval_s": 1, "errors": 2, "points": [{"name": "file", "command": command}], **settings}
        monitor = Monitor.model_validate({"application": application if settings.get("errors", 2) else None})
        rooms = SimpleNamespace(
            layout=SimpleNamespace(root=tmp_path),
            documents=SimpleNamespace(get=lambda _: SimpleNamespace(monitor=monitor)),
            events=SimpleNamespace(
                tell=lambda kind, says: self.told.append(("tell", says)),
                alert=lambda kind, says: self.told.append(("alert", says)),
            ),
        )
        self.asking = Asking("sql", rooms, lambda: self.waits, lambda: self.watches)  # type: ignore[arg-type]

    async def rounds(self) -> None:
        """Ask until an alert was told."""
        stop = asyncio.Event()
        told = self.told

        def alert(kind: str, says: str) -> None:
            told.append(("alert", says))
            loop.call_soon_threadsafe(stop.set)

        loop = asyncio.get_running_loop()
        self.asking._rooms.events.alert = alert  # type: ignore[method-assign]
        async with asyncio.timeout(60):
            await self.asking.run(stop)


@pytest.mark.covers("AM-22")
def test_errors_in_a_row_are_one_alert_and_their_end_is_told(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    for _ in range(4):
        stage.asking.look()
    stage.well.touch()
    stage.asking.look()
    assert [kind for kind, _ in stage.told] == ["alert", "tell"]
    assert "does not answer as it should, 2 times in a row" in stage.told[0][1]
    assert stage.asking.details["application"]["errors"] == 0


@pytest.mark.covers("AM-22")
def test_it_is_asked_at_its_interval_and_not_while_the_target_serves_or_nobody_watches(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    asyncio.run(stage.rounds())
    assert stage.asking.health.errors == 2
    for stage.waits, stage.watches in ((False, True), (True, False)):
        before = stage.asking.health
        stop = asyncio.Event()

        async def briefly(stop: asyncio.Event = stop) -> None:
            running = asyncio.create_task(stage.asking.run(stop))
            for _ in range(20):
                await asyncio.sleep(0)
            stop.set()
            await running

        asyncio.run(briefly())
        assert stage.asking.health is before


@pytest.mark.covers("AM-22")
def test_a_person_can_have_it_asked_now_which_tests_its_credentials(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.asking.now()
    assert stage.asking.details["application"]["says"].startswith("1 of 2 errors in a row: file: ")
    stage.asking.retire()
    stage.asking.now()
    assert stage.asking.details["application"]["errors"] == 1, "another one counts by now"
    stage.waits = False
    assert stage.asking.details == {}, "a target that serves says nothing of its source's application"
    with pytest.raises(Conflict, match="this target serves"):
        stage.asking.now()
    nobody = Stage(tmp_path, errors=0)
    assert nobody.asking.details == {}
    with pytest.raises(Conflict, match="says nothing of application monitoring"):
        nobody.asking.now()
