"""A machine of the lab with a clock that only the machine's own waiting moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.lab.windows.alone import PassingClock
from tests.lab.windows.machine.machine import Machine
from tests.lab.windows.machine.settings import GIB, Hooks, MachineSettings, VolumeSettings


@dataclass
class Builder:
    """Machines in one directory, switched off at the end."""

    directory: Path
    clock: PassingClock = field(default_factory=PassingClock)
    made: list[Machine] = field(default_factory=list)

    def __call__(self, name: str = "FS1", hooks: Hooks | None = None, **settings: Any) -> Machine:
        volumes = (
            VolumeSettings("C"),
            VolumeSettings("E", label="Data", size=64 * GIB),
            VolumeSettings("L", size=16 * GIB),
        )
        chosen = MachineSettings(**({"name": name, "domain": "lab.example", "volumes": volumes} | settings))
        machine = Machine(self.directory / name, chosen, hooks, self.clock, self.clock.sleep)
        self.made.append(machine)
        return machine.boot()

    def again(self, machine: Machine) -> Machine:
        """The same disk after a power cut, in a new process."""
        machine.power_cut()
        return self(machine.directory.name, machine.hooks)


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Builder]:
    builder = Builder(tmp_path)
    yield builder
    for machine in builder.made:
        machine.replica.stop_network()


@pytest.fixture
def machine(build: Callable[..., Machine]) -> Machine:
    return build()
