"""The file server plugin keeps what every plugin promises."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.model.conditions import Stage
from orchestrator.sdk.application import Planning
from orchestrator.sdk.conformance import ApplicationConformance
from plugins.fileserver.application import FileServer
from plugins.fileserver.inventory import inventory
from tests.conformance.ondisk import World
from tests.faults.rehearsal import ports, protection, scripts, settings, unprotected


class TestFileServer(ApplicationConformance):
    @pytest.fixture
    def application(self) -> FileServer:
        return FileServer()

    @pytest.fixture
    def planning(self, tmp_path: Path) -> Planning:
        world = World(tmp_path / "world")
        world.save(unprotected())
        found = inventory(ports(world), settings())
        names = found.names.changes
        return Planning(protection(Stage.ENABLED, 1), found, 1, scripts()[0], names, by="test")
