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
from tests.conformance.ondisk_windows import WindowsWorld, new_windows_world
from tests.faults import windows_rehearsal
from tests.faults.rehearsal import ports, protection, scripts, settings, unprotected
from tests.unit.fileserver import test_sharing_checks as samba


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


class TestSambaFileServer(ApplicationConformance):
    """The same plugin, for a Samba server of a domain, by identity: everything that it can take over."""

    @pytest.fixture
    def application(self) -> FileServer:
        return FileServer()

    @pytest.fixture
    def planning(self) -> Planning:
        identity = {"type": "identity", "identity": {"addresses": [{"source": "10.0.0.1", "interface": "eth0"}]}}
        whole = samba.replace(protection(Stage.ENABLED, 1), settings=samba.given(**identity))
        return Planning(whole, samba.SOUND, 1, scripts()[0], samba.SOUND.names.changes, by="test")


class TestWindowsFileServer(ApplicationConformance):
    """The same plugin, for a pair of Windows servers whose volumes Storage Replica keeps in step."""

    @pytest.fixture
    def application(self) -> FileServer:
        return FileServer()

    @pytest.fixture
    def planning(self, tmp_path: Path) -> Planning:
        world = WindowsWorld(tmp_path / "world")
        world.save(new_windows_world())
        found = windows_rehearsal.inventory(windows_rehearsal.ports(world), windows_rehearsal.settings())
        held = windows_rehearsal.protection(Stage.ENABLED, 1)
        return Planning(held, found, 1, scripts()[0], found.names.changes, by="test")
