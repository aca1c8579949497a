"""Scripts of ours on the lab's simulated Windows servers, in this process: the wire is left out, everything behind it is the simulation's."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from orchestrator.model.outcomes import GiveUp, TryAgain
from orchestrator.model.servers import Where
from tests.lab.windows.alone import BIN, AlternateNames, PassingClock, lay
from tests.lab.windows.machine.machine import Machine
from tests.lab.windows.machine.refusals import Refused
from tests.lab.windows.machine.settings import GIB, AddressSettings, Hooks, MachineSettings, VolumeSettings
from tests.lab.windows.powershell import run
from tests.lab.windows.powershell.commands import Session

CALL = """
$ErrorActionPreference = 'Stop'
$request = [Console]::In.ReadToEnd() | ConvertFrom-Json
$arguments = @{}
foreach ($property in $request.arguments.PSObject.Properties) { $arguments[$property.Name] = $property.Value }
$path = $request.path
& $path @arguments | ForEach-Object { ConvertTo-Json -InputObject $_ -Compress -Depth 12 }
"""
ADMINISTRATOR = Session(user="LAB\\Administrator", elevated=True)
SERVICE_ADDRESS = "10.0.0.100"
ADDRESSES = {Where.SOURCE: ("10.0.0.1", SERVICE_ADDRESS), Where.TARGET: ("10.0.0.2",)}


@dataclass
class Servers:
    """Two machines that know each other."""

    machines: dict[Where, Machine]
    disks: dict[Where, Path]
    clock: PassingClock
    off: set[Where] = field(default_factory=set)
    directory: AlternateNames = field(default_factory=AlternateNames)

    def read(self, where: Where, path: str) -> str:
        """A file of the data volume: from the volume where it is up, else from the copy that a destination keeps; empty where there is none."""
        machine = self.machines[where]
        try:
            file = machine.files.open_path(f"E:\\{path}")
            return file.read_text() if file.exists() else ""
        except Refused:
            name = path.replace("\\", "/")
            copies = [one for one in (machine.directory / "replica").glob(f"*/E/{name}") if one.is_file()]
            return copies[-1].read_text() if copies else ""

    def tick(self) -> None:
        """A moment passes on whatever is switched on."""
        self.clock.now += 1
        for where, machine in self.machines.items():
            if where not in self.off:
                machine.tick()

    def power_cut(self, where: Where) -> None:
        self.machines[where].power_cut()
        self.off.add(where)

    def boot(self, where: Where) -> None:
        machine = self.machines[where]
        machine.boot()
        machine.replica.listen(*machine.hooks.peers[machine.computer.name])
        self.off.discard(where)
        self.tick()


class SimulatedHost:
    """One server, as far as scripts are called on it; a ``Caller`` of ``WinRmHost``, too."""

    def __init__(self, servers: Servers, where: Where) -> None:
        self._servers = servers
        self._where = where

    @property
    def name(self) -> str:
        return str(self._servers.machines[self._where].computer.name)

    def call(self, script: str, arguments: Mapping[str, Any], *, deed: bool = True) -> tuple[Mapping[str, Any], ...]:
        assert deed is (script != "storage_replica_state")
        return self._called(script, arguments)

    def ask(self, script: str, arguments: Mapping[str, Any], _budget_s: float = 0) -> tuple[dict[str, Any], ...]:
        return self._called(script, arguments)

    def do(self, script: str, arguments: Mapping[str, Any], _budget_s: float = 0) -> tuple[dict[str, Any], ...]:
        return self._called(script, arguments)

    def _called(self, script: str, arguments: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
        self._servers.tick()
        if self._where in self._servers.off:
            raise TryAgain(f"{self.name} does not answer")
        machine = self._servers.machines[self._where]
        request = json.dumps({"path": f"{BIN}\\{script}.ps1", "arguments": dict(arguments)}).encode()
        ran = run.run(CALL, machine, ADMINISTRATOR, request)
        if ran.exit_code != 0:
            raise GiveUp(f"{script} on {self.name}: {ran.stderr.decode(errors='replace').strip()}")
        return tuple(json.loads(line) for line in ran.stdout.decode().splitlines() if line.strip())


@contextmanager
def servers(place: Path) -> Iterator[Servers]:
    """ALPHA and BETA with a volume of data and one for logs, and Storage Replica."""
    run.load_cmdlets()
    clock = PassingClock()
    machines: dict[Where, Machine] = {}
    disks = {where: place / f"{where}-data" for where in (Where.SOURCE, Where.TARGET)}
    made = Servers(machines, disks, clock)

    def answers(asking: Where, address: str) -> bool:
        """Only an address that was found free answers."""
        others = [machines[one].network for one in machines if one not in {asking, *made.off}]
        return any(net._states.get(address, ("", 0.0))[0] == "Preferred" for net in others)

    for where, name in ((Where.SOURCE, "ALPHA"), (Where.TARGET, "BETA")):
        disks[where].mkdir()
        volumes = (
            VolumeSettings("C"),
            VolumeSettings("E", disks[where], label="Data", size=64 * GIB),
            VolumeSettings("L", size=16 * GIB),
        )
        addresses = [AddressSettings(one) for one in ADDRESSES[where]]
        chosen = MachineSettings(
            name=name, domain="lab.example", volumes=volumes, features=("Storage-Replica",), addresses=addresses
        )
        hooks = Hooks(peers={}, directory=made.directory, answers=partial(answers, where))  # type: ignore[arg-type]
        machine = Machine(place / name, chosen, hooks, clock, clock.sleep)
        machines[where] = machine.boot()
        lay(machine)
    listening = {one.computer.name: one.replica.listen("127.0.0.1") for one in machines.values()}
    for machine in machines.values():
        machine.hooks.peers.update(listening)  # type: ignore[attr-defined]
    try:
        yield made
    finally:
        for machine in machines.values():
            machine.replica.stop_network()
