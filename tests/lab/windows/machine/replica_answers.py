"""What a server answers to its replication partner."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.lab.windows.machine.refusals import Refused
from tests.lab.windows.machine.replica_rules import check_server, volume_facts

if TYPE_CHECKING:
    from tests.lab.windows.machine.machine import Machine


def answer(machine: Machine, request: dict[str, Any], data: bytes) -> dict[str, Any]:
    """The answer to one request; a refusal is an answer too."""
    if not machine.booted:
        return {"refused": "The RPC server is unavailable.", "code": 1722}
    try:
        return _ANSWERS[request["op"]](machine, request, data)
    except Refused as why:
        return {"refused": why.message, "code": why.code}


def _facts(machine: Machine, request: dict[str, Any], _: bytes) -> dict[str, Any]:
    check_server(machine)
    return {
        "volumes": volume_facts(machine, machine.replica.get(request["group"])),
        "release": machine.computer.release,
    }


def _create(machine: Machine, request: dict[str, Any], _: bytes) -> dict[str, Any]:
    other = {"description": request.get("description") or ""}
    group = machine.replica.create(request["group"], request["volumes"], request["log"], request["log_size"], **other)
    return {"volumes": volume_facts(machine, group)}


def _remove(machine: Machine, request: dict[str, Any], _: bytes) -> dict[str, Any]:
    machine.replica.remove(request["group"])
    return {}


def _join(machine: Machine, request: dict[str, Any], _: bytes) -> dict[str, Any]:
    group = machine.replica.get(request["group"])
    if group["partner"]:
        return {"refused": f"The replication group {group['name']} is already part of a partnership.", "code": 183}
    machine.replica.make_destination(
        group, request["source"], request["source_group"], request["generation"], mode=request["mode"], complete=False
    )
    return {}


def _copy(machine: Machine, request: dict[str, Any], data: bytes) -> dict[str, Any]:
    group = machine.replica.get(request["group"])
    if group["role"] == "Primary" and group["generation"] > request["generation"]:
        return {"newer": group["generation"]}
    if group["role"] != "Secondary" or group["generation"] != request["generation"]:
        return {"refused": "This server is not the destination of that partnership.", "code": 5}
    group["mode"] = request["mode"]
    has_it = machine.replica.received(group, request["volume"], None if request["same"] else data)
    return {} if has_it else {"again": True}


def _demote(machine: Machine, request: dict[str, Any], _: bytes) -> dict[str, Any]:
    group = machine.replica.get(request["group"])
    replica = machine.replica
    for letter in group["volumes"]:
        machine.volumes.block(letter, "replication")  # writes are refused before the last copy is sent
    replica._replicate(group)
    replica.make_destination(group, group["partner"]["computer"], group["partner"]["group"], request["generation"])
    return {}


def _look(machine: Machine, request: dict[str, Any], _: bytes) -> dict[str, Any]:
    group = machine.replica.get(request["group"])
    return {"role": group["role"], "generation": group["generation"], "status": machine.replica.status(group)}


def _leave(machine: Machine, request: dict[str, Any], _: bytes) -> dict[str, Any]:
    machine.replica.end_partnership(machine.replica.get(request["group"]))
    return {}


def _groups(machine: Machine, _: dict[str, Any], __: bytes) -> dict[str, Any]:
    replica = machine.replica
    groups = [
        dict(one) | {"status": replica.status(one), "remaining": replica.remaining(one)} for one in replica.groups()
    ]
    sizes = {letter: machine.volumes.data["volumes"][letter]["size"] for one in groups for letter in one["volumes"]}
    return {"groups": groups, "sizes": sizes, "computer": machine.computer.name}


def _switch(machine: Machine, request: dict[str, Any], _: bytes) -> dict[str, Any]:
    machine.replica.switch(machine.replica.get(request["group"]))
    return {}


_ANSWERS: dict[str, Callable[[Machine, dict[str, Any], bytes], dict[str, Any]]] = {
    "facts": _facts,
    "create": _create,
    "remove": _remove,
    "join": _join,
    "copy": _copy,
    "demote": _demote,
    "look": _look,
    "leave": _leave,
    "groups": _groups,
    "switch": _switch,
}
