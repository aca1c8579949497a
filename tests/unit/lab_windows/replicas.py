"""Two machines whose Storage Replica knows the other's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.lab.windows.machine.machine import Machine
from tests.lab.windows.machine.settings import Hooks

LOG = 1 << 30


def two(build: Callable[..., Machine]) -> list[Machine]:
    """A1 and B1, with groups and without a partnership."""
    machines = [build(name, Hooks(peers={}), features=("Storage-Replica",)) for name in ("A1", "B1")]
    for machine in machines:
        address = machine.replica.listen("127.0.0.1")
        for one in machines:
            one.hooks.peers[machine.computer.name] = address
    for machine in machines:
        machine.replica.create(f"rg{machine.computer.name}", ["E:"], "L:", LOG)
    return machines


def partner(source: Machine, destination: Machine) -> tuple[dict[str, Any], dict[str, Any]]:
    """The groups of both sides, synchronous from now on."""
    group = source.replica.get(f"rg{source.computer.name}")
    there = f"rg{destination.computer.name}"
    join = {
        "op": "join",
        "group": there,
        "source": source.computer.name,
        "source_group": group["name"],
        "generation": 1,
        "mode": "Synchronous",
    }
    source.replica.ask(destination.computer.name, join)
    source.replica.make_source(group, destination.computer.name, there, mode="Synchronous")
    return group, destination.replica.get(there)
