"""What the facts scripts of a Windows host say, as values. Pure: lines in, values out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from orchestrator.model.host import HostFacts
from orchestrator.model.inventory import PathFacts, ServiceFacts
from orchestrator.model.windows import Windows, WindowsAsk

LISTS = (
    "services",
    "shares",
    "addresses",
    "dns_clients",
    "volumes",
    "disks",
    "registry",
    "firewall",
    "firewall_ports",
    "events",
    "hosts",
    "tasks",
)


def arguments_of(ask: WindowsAsk) -> dict[str, Any]:
    """The parameters of windows_facts.ps1; what is not asked for is left out."""
    words = {
        "Services": ask.services,
        "Registry": [{"key": one.key, "name": one.name} for one in ask.registry],
        "FirewallGroups": ask.firewall_groups,
        "FirewallPorts": ask.firewall_ports,
        "Events": [msgspec.to_builtins(one) | {"ids": list(one.ids)} for one in ask.events],
        "Sids": ask.sids,
        "Modules": ask.modules,
        "Commands": ask.commands,
    }
    return {name: list(value) for name, value in words.items() if value}


def windows_of(lines: Iterable[Mapping[str, Any]], now_s: float) -> Windows:
    """The host as its lines tell it; ``now_s`` is our clock in the middle of the question.

    Raises:
        msgspec.ValidationError: a line is not of the script's form.
    """
    parts: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        rest = {name: value for name, value in line.items() if name != "part"}
        parts.setdefault(str(line.get("part")), []).append(rest)
    found: dict[str, Any] = {name: parts.get(name, []) for name in LISTS}
    for computer in parts.get("computer", []):
        time_s = computer.pop("time_s", None)
        found |= computer | {"clock_offset_s": time_s - now_s if time_s is not None else None}
    for sids in parts.get("sids", []):
        found |= {"local_sid": sids["local_sid"], "unresolved_sids": sids["unresolved"]}
    for presence in parts.get("presence", []):
        found |= presence
    for server in parts.get("smb_server", []):
        found["smb_server"] = server
    for names in parts.get("optional_names", []):
        found["optional_names"] = names["names"]
    found["problems"] = [f"{one['of']}: {one['says']}" for one in parts.get("problem", [])]
    return msgspec.convert(found, Windows, strict=False)


def host_facts_of(line: Mapping[str, Any]) -> HostFacts:
    """What host_facts.ps1 says; which ports listen is not asked there."""
    return HostFacts(
        hostname=str(line["hostname"]),
        addresses=tuple((str(address), str(interface)) for address, interface in line["addresses"]),
        paths=tuple(msgspec.convert(one, PathFacts) for one in line["paths"]),
        listening=(),
    )


def services_of(lines: Iterable[Mapping[str, Any]]) -> tuple[ServiceFacts, ...]:
    """What service_states.ps1 says."""
    return tuple(msgspec.convert(dict(line), ServiceFacts) for line in lines)
