"""The file server plugin keeps what every plugin promises."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from orchestrator.model.conditions import Stage
from orchestrator.model.settings import Settings
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

    def test_plans_without_data_refuse_themselves(self, application: FileServer, planning: Planning) -> None:
        bare = planning.protection.settings.connection.model_copy(update={"roots": ()})
        settings = planning.protection.settings.model_copy(update={"connection": bare})
        empty = msgspec.structs.replace(
            planning, protection=msgspec.structs.replace(planning.protection, settings=settings)
        )
        for kind in ("protect", "failover", "restore", "failback"):
            assert list(getattr(application, kind)(empty))
            assert any("no directory" in reason for reason in application.refusals(kind, empty))


class TestWindowsWithAToolOfOnesOwn(ApplicationConformance):
    """The same, where somebody else's tool moves the data: nothing is connected by dtam, and nothing turned that has no command."""

    @pytest.fixture
    def application(self) -> FileServer:
        return FileServer()

    @pytest.fixture(params=[{}, {"promote": ["/bin/tool", "split"], "reverse": ["/bin/tool", "turn", "{direction}"]}])
    def planning(self, tmp_path: Path, request: pytest.FixtureRequest) -> Planning:
        world = WindowsWorld(tmp_path / "world")
        world.save(new_windows_world())
        found = windows_rehearsal.inventory(windows_rehearsal.ports(world), windows_rehearsal.settings())
        given = windows_rehearsal.settings().model_dump(mode="json")
        tool = {"replication": "external", "storage_replica": None, "external": {"ask": ["/bin/tool"]} | request.param}
        given["connection"] |= tool
        held = msgspec.structs.replace(
            windows_rehearsal.protection(Stage.ENABLED, 1), settings=Settings.model_validate(given)
        )
        return Planning(held, found, 1, scripts()[0], found.names.changes, by="test")

    def test_only_what_has_a_command_is_turned(self, application: FileServer, planning: Planning) -> None:
        able = "reverse" in planning.protection.settings.connection.external.commands
        back = {step.id for step in application.failback(planning)}
        assert ("turn" in back) is able
        assert ("promote" in {step.id for step in application.failover(planning)}) is able
        assert not {"connect-protect", "connect-restore"} & back
        refused = tuple(application.refusals("failback", planning))
        assert bool(refused) is not able
