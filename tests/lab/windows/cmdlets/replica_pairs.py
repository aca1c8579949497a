"""Partnerships: how they are listed, and how one is made over both servers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.lab.windows.cmdlets.base import texts
from tests.lab.windows.machine.replica_rules import check_alike, refused, volume_facts
from tests.lab.windows.powershell.commands import Call

Ask = Callable[[Call, str, dict[str, Any]], dict[str, Any]]
DEFAULT_LOG = 8 << 30


def partnerships(groups: list[dict[str, Any]], computer: str) -> list[dict[str, str]]:
    """Source and destination of every group that has a partner."""
    found = []
    for group in groups:
        if not group["partner"]:
            continue
        here, there = (computer, group["name"]), (group["partner"]["computer"], group["partner"]["group"])
        source, destination = (here, there) if group["role"] == "Primary" else (there, here)
        found.append(
            {
                "source": source[0],
                "source_group": source[1],
                "destination": destination[0],
                "destination_group": destination[1],
                "id": group["id"],
            }
        )
    return found


def create_partnership(call: Call, ask: Ask) -> dict[str, str]:
    """Groups on both sides (made where volumes are named), compared; then the destination's volumes go out of use and the copy begins.

    Raises:
        Refused: not run on the source, a group in a partnership already, volumes that differ, a destination that does not answer or refuses.
    """
    replica, own = call.machine.replica, call.machine.computer.name
    destination, there = str(call.get("DestinationComputerName")), str(call.get("DestinationRGName"))
    if not replica.is_self(call.get("SourceComputerName")):
        raise refused("The operation must be run on the source server.", 50)  # remote creation is not simulated
    if replica.is_self(destination):
        raise refused("The source and the destination are the same computer.", 87)
    size = int(call.get("LogSizeInBytes", DEFAULT_LOG))
    name = str(call.get("SourceRGName"))
    made_here = made_there = False
    try:
        if call.has("SourceVolumeName"):
            description = str(call.get("SourceRGDescription", ""))
            replica.create(
                name,
                texts(call.get("SourceVolumeName")),
                str(call.get("SourceLogVolumeName")),
                size,
                description=description,
            )
            made_here = True
        group = replica.get(name)
        if group["partner"]:
            raise refused(f"The replication group {name} is already part of a partnership.", 183, name)  # noqa: TRY301 - what was made is taken back here, too
        if call.has("DestinationVolumeName"):
            request = {
                "op": "create",
                "group": there,
                "volumes": texts(call.get("DestinationVolumeName")),
                "log": str(call.get("DestinationLogVolumeName")),
            }
            ask(
                call,
                destination,
                request | {"log_size": size, "description": str(call.get("DestinationRGDescription", ""))},
            )
            made_there = True
        check_alike(
            volume_facts(call.machine, group), ask(call, destination, {"op": "facts", "group": there})["volumes"]
        )
        mode = str(call.get("ReplicationMode", "Synchronous"))
        join = {
            "op": "join",
            "group": there,
            "source": own,
            "source_group": name,
            "generation": group["generation"] + 1,
            "mode": mode,
        }
        ask(call, destination, join)
    except Exception:
        if made_there:
            ask(call, destination, {"op": "remove", "group": there})
        if made_here:
            replica.remove(name)
        raise
    replica.make_source(
        group,
        destination.split(".", maxsplit=1)[0],
        there,
        mode=mode,
        async_rpo=int(call.get("AsyncRPO", 30)),
        suspended=call.switch("PreventReplication"),
    )
    return partnerships([group], own)[0]
