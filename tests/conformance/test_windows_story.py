"""A Windows file server from enable to failback on two simulated servers: our scripts, templates, plans, leases and Storage Replica.

The wire, DNS and the directory are left out (tests/lab has those); the executor, the host adapter and everything on the hosts is real.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from orchestrator import planning, validate
from orchestrator.delivering import HostScript, rendered
from orchestrator.executing import Executor
from orchestrator.hosts.winrm import WinRmHost
from orchestrator.leasing.grants import GrantSettings, LedgerGrants
from orchestrator.leasing.ledger import ledger_of
from orchestrator.model.conditions import Stage
from orchestrator.model.findings import Severity
from orchestrator.model.names import NameChanges
from orchestrator.model.outcomes import TryAgain
from orchestrator.model.plan import PlanKind
from orchestrator.model.ports import HealthProbe, Replication
from orchestrator.model.runs import RunState
from orchestrator.model.servers import RunId, Where
from orchestrator.model.settings import Settings
from orchestrator.replication.storage_replica import StorageReplica
from orchestrator.sdk.application import Planning
from orchestrator.sdk.asking import move_of
from orchestrator.sdk.context import Ports
from orchestrator.store import journal
from plugins.fileserver.application import FileServer
from tests.conformance.ondisk_names import DiskNames
from tests.conformance.ondisk_windows import DiskAccounts, WindowsWorld, new_windows_world
from tests.conformance.simulated import Servers, SimulatedHost, servers
from tests.faults.rehearsal import Ticks
from tests.faults.windows_rehearsal import protection, settings
from tests.lab.windows.powershell import run

SOURCE, TARGET = Where.SOURCE, Where.TARGET
SDDL = "O:SYG:SYD:(A;;0x1301bf;;;S-1-5-21-1-2-3-513)(A;;0x1f01ff;;;BA)"


@dataclass
class Story:
    """Two servers, the executor's directory, and what is known of the protection."""

    pair: Servers
    place: Path
    settings: Settings
    world: WindowsWorld
    stage: Stage = Stage.CONFIGURED
    epoch: int = 0
    runs: int = 0
    names: NameChanges = field(default_factory=NameChanges)
    scripts: tuple[HostScript, ...] = ()

    def ports(self, texts: dict[str, str] | None = None) -> Ports:
        callers = {where: SimulatedHost(self.pair, where) for where in (SOURCE, TARGET)}
        hosts = {where: WinRmHost(name, callers[where]) for where, name in ((SOURCE, "ALPHA"), (TARGET, "BETA"))}
        return Ports(
            hosts,
            self.replication(hosts),
            Clients(self),
            lambda: 1000.0,
            DiskNames(self.world),
            texts=texts or {},
            grants=LedgerGrants(ledger_of(self.place), GrantSettings(1.0), None),
            service_names=DiskAccounts(self.world),
        )

    def replication(self, hosts: dict[Where, WinRmHost]) -> Replication:
        return StorageReplica(hosts, self.settings.connection)

    def carry_out(self, kind: PlanKind, **wish: Any) -> None:
        """Plan and execute, as one run."""
        plugin = FileServer()
        held = msgspec.structs.replace(protection(self.stage, self.epoch), settings=self.settings)
        found = plugin.inventory(self.ports(), self.settings)
        if kind is PlanKind.PROTECT:
            self.names = DiskNames(self.world).plan(move_of(self.settings))
        given = Planning(held, found, self.epoch, names=self.names, by="test", **wish)
        if kind is PlanKind.PROTECT:
            self.scripts = rendered(plugin, given, ())
        given = msgspec.structs.replace(given, scripts=tuple(one.as_delivered for one in self.scripts))
        plan = planning.plan(kind, plugin, given)
        assert not plan.refusals
        texts = {one.sha256: one.text for one in self.scripts}
        self.runs += 1
        header = journal.Header(journal.VERSION, RunId(f"run{self.runs}"), 1000.0, "test", plan)
        with journal.create(self.place / "journals", header, texts) as log:
            ended = Executor(
                header.run, self.ports(texts), log, budget_s=60, clock=Ticks().clock(), tell=lambda _: None
            ).execute(plan)
        assert ended.state is RunState.DONE, f"{ended}\n{plan.diff()}"

    def shares(self, where: Where) -> dict[str, tuple[str, str]]:
        found = self.ports().hosts[where].windows()
        return {one.name: (one.path, one.sddl) for one in found.shares if not one.special}


class Clients:
    """They find the address by DNS, and a share where the name's account answers."""

    def __init__(self, story: Story) -> None:
        self._story = story

    def ask(self, probe: HealthProbe) -> str:
        state = self._story.world.state
        (address,) = state["names"][f"{probe.name}. A"]["data"]
        where = self._at(address)
        if state["spns"] == where.value and "data" in self._story.shares(where):
            return f"{probe.name} was answered by the {where}"
        raise TryAgain(f"nobody serves at {address}")

    def _at(self, address: str) -> Where:
        machines = self._story.pair.machines
        for where, machine in machines.items():
            if where not in self._story.pair.off and address in machine.network.own():
                return where
        raise TryAgain(f"nobody has {address}")


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    with begun(tmp_path) as made:
        yield made


@contextmanager
def begun(place: Path) -> Iterator[Story]:
    with servers(place) as pair:
        machine = pair.machines[SOURCE]
        machine.files.open_path("E:\\data").mkdir()
        share(pair)
        world = WindowsWorld(place / "world")
        world.save(new_windows_world())
        addresses = [{"source": "10.0.0.1", "target": "10.0.0.2"}]
        given = settings().model_dump(mode="json")
        given["failover"]["dns"]["addresses"] = addresses
        given["connection"]["storage_replica"]["log_size_bytes"] = 1 << 30
        yield Story(pair, place, Settings.model_validate(given), world)


def share(pair: Servers) -> None:

    text = f"New-SmbShare -Name data -Path 'E:\\data' -SecurityDescriptor '{SDDL}' | Out-Null"
    ran = run.run(text, pair.machines[SOURCE])
    assert ran.exit_code == 0, ran.stderr.decode()


@pytest.mark.covers("AM-15", "AM-38")
def test_from_enable_to_failback(story: Story) -> None:
    before = story.shares(SOURCE)
    assert set(before) == {"data"}
    story.carry_out(PlanKind.PROTECT)
    story.stage, story.epoch = Stage.ENABLED, 1

    kept = story.ports().hosts[TARGET].windows()
    story.pair.machines[SOURCE].files.open_path("E:\\data\\letter").write_text("dear reader")
    story.pair.tick()
    story.pair.power_cut(SOURCE)
    story.carry_out(PlanKind.FAILOVER, forced=True)
    story.stage, story.epoch = Stage.FAILED_OVER, 2
    assert story.shares(TARGET) == before
    assert story.pair.read(TARGET, "data\\letter") == "dear reader"
    assert "ALPHA" in story.ports().hosts[TARGET].windows().optional_names

    story.pair.machines[TARGET].files.open_path("E:\\data\\letter").write_text("dear writer")
    story.pair.boot(SOURCE)
    assert not story.ports().hosts[SOURCE].windows().service("LanmanServer").is_running, "it serves nothing by itself"
    story.carry_out(PlanKind.FAILBACK)
    assert story.shares(SOURCE) == before
    assert story.pair.read(SOURCE, "data\\letter") == "dear writer"
    after = story.ports().hosts[TARGET].windows()
    assert (after.optional_names, after.smb_server) == (kept.optional_names, kept.smb_server)
    assert story.shares(TARGET) == {}
    assert story.world.state["names"]["files.lab.example. A"]["data"] == ["10.0.0.1"]


@pytest.mark.covers("AM-37")
def test_what_can_be_mended_is_mended_on_the_servers_and_put_back(story: Story) -> None:
    held = msgspec.structs.replace(protection(Stage.CONFIGURED), settings=story.settings)
    closed = "Set-NetFirewallRule -Group '@FirewallAPI.dll,-28502' -Enabled False -ErrorAction Stop"
    for text in (closed, "Set-SmbServerConfiguration -RequireSecuritySignature $false -Force -Confirm:$false"):
        assert run.run(text, story.pair.machines[TARGET]).exit_code == 0

    def report() -> validate.Report:
        found = FileServer().inventory(story.ports(), story.settings)
        return validate.validate(FileServer().checks(), found, held, 1000.0)

    def wrong() -> set[str]:
        return {one.check for one in report().findings if one.severity is not Severity.PASSED} & mendable

    mendable = {
        "windows-strict-names",
        "windows-firewall-closed",
        "service-starts-by-itself",
        "windows-registers-itself",
    }
    before = wrong()
    assert {"windows-strict-names", "windows-firewall-closed", "service-starts-by-itself"} <= before
    plan = validate.fixes(report(), held, frozenset(mendable))
    header = journal.Header(journal.VERSION, RunId("fix"), 1000.0, "test", plan)
    with journal.create(story.place / "journals", header, {}) as log:
        doing = Executor(header.run, story.ports(), log, budget_s=60, clock=Ticks().clock(), tell=lambda _: None)
        ended = doing.execute(plan)
        assert ended.state is RunState.DONE, ended
        assert wrong() == set()
        assert doing.undo(plan).state is RunState.UNDONE
    assert wrong() == before
