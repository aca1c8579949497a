"""What the target of a Windows pair takes over besides data and services: documents for scripts on the target and for this machine.

Shares come first, because the Server service runs already; then the names that it answers to, so that it never answers under a name
whose shares it lacks. Service names and DNS are changed from here, because a WinRM session has no second hop (a network logon).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from orchestrator.model.conditions import Stage
from orchestrator.model.domain import Account
from orchestrator.model.servers import Where
from orchestrator.model.settings import Item
from orchestrator.model.steps import Step
from orchestrator.sdk import steps
from orchestrator.sdk.application import Planning
from orchestrator.sdk.steps import AtTarget
from plugins.fileserver import parts
from plugins.fileserver.windows import sharing
from plugins.fileserver.windows.inventory import account_of

SOURCE, TARGET = Where.SOURCE, Where.TARGET


def take_on_host(planning: Planning, epoch: int) -> Iterator[Step]:
    """Shares with their permissions, the names to answer to, and addresses: segments of the target's script."""
    at, failover = _at(planning, "post_failover", epoch), planning.protection.settings.failover
    if failover.fails_over("shares"):
        yield steps.put_shares(at, shares(planning))
    if failover.fails_over("name"):
        yield steps.take_names(at, names(planning))
    if failover.fails_over("addresses"):
        yield steps.take_addresses(at, addresses(planning))


def take_from_here(planning: Planning) -> Iterator[Step]:
    """Service names of the source's account, then its names in DNS."""
    if planning.protection.settings.failover.fails_over("spns"):
        yield steps.move_spns(planning.protection.id, service_names(planning))
    if planning.names is not None and parts.moves_names(planning):
        yield steps.move_names(planning.names, None)


def give_back_on_host(planning: Planning) -> Iterator[Step]:
    """In reverse, while the source does not serve yet."""
    at, failover = _at(planning, "pre_failback", planning.epoch), planning.protection.settings.failover
    if failover.fails_over("addresses"):
        yield steps.give_addresses_back(at, addresses(planning))
    if failover.fails_over("name"):
        yield steps.give_names_back(at, names(planning))
    if failover.fails_over("shares"):
        yield steps.take_shares_away(at, shares(planning))


def give_back_from_here(planning: Planning) -> Iterator[Step]:
    """Service names; DNS follows when the source may serve."""
    if planning.protection.settings.failover.fails_over("spns"):
        yield steps.return_spns(planning.protection.id, service_names(planning))


def documents(planning: Planning) -> dict[str, Any]:
    """Everything that a failover takes over, and the start types from before, as it is kept on both hosts."""
    made: dict[Item, Callable[[Planning], dict[str, Any]]] = {
        "shares": shares,
        "name": names,
        "spns": service_names,
        "addresses": addresses,
    }
    failover = planning.protection.settings.failover
    taken = {item: make(planning) for item, make in made.items() if failover.fails_over(item)}
    return taken | {"start_types": {str(where): start_types(planning, where) for where in (SOURCE, TARGET)}}


def start_types(planning: Planning, where: Where) -> dict[str, str]:
    """How the services of a side started before they were protected: as was noted then, else as it is now."""
    side = planning.inventory.on(where)
    noted: dict[str, str] = ((side.takeover or {}).get("start_types") or {}).get(str(where)) or {}
    now = {one.name: one.start_type for one in side.services}
    names_of = [one.name for one in planning.protection.settings.failover.services]
    found = {name: noted.get(name) or now.get(name, "") for name in names_of}
    return {name: value for name, value in found.items() if value}


def shares(planning: Planning) -> dict[str, Any]:
    """The chosen shares as they were found, with their places on the target; while that serves, as it was told of them.

    A source whose Server service is down tells of no shares.
    """
    if planning.protection.stage in {Stage.FAILED_OVER, Stage.RESTORED}:
        return {"shares": sharing.told(planning.inventory.target)}
    return {"shares": sharing.documents(planning.protection.settings, planning.inventory)}


def names(planning: Planning) -> dict[str, Any]:
    """The source's NetBIOS name and the full names that its clients use."""
    settings, source = planning.protection.settings, source_account(planning)
    tab = settings.failover.windows
    dns = dict.fromkeys(name.lower() for name in (source.dns_name, settings.name) if name)
    return {
        "server": "windows",
        "netbios": [source.short.upper()],
        "dns": list(dns),
        "way": tab.names if tab else "optional",
        "strict_off": True,
        "loopback": bool(tab and tab.loopback),
    }


def service_names(planning: Planning) -> dict[str, Any]:
    """The two accounts and the names whose HOST and cifs services move."""
    source = source_account(planning)
    target = f"{account_of(planning.inventory.target).upper()}$"
    every = dict.fromkeys((source.short, source.dns_name, planning.protection.settings.name))
    return {"source": source.name, "target": target, "names": [name for name in every if name]}


def addresses(planning: Planning) -> dict[str, Any]:
    """The source's addresses, each with its prefix and the target's interface."""
    tab = planning.protection.settings.failover.identity
    ours, theirs = planning.inventory.source.windows, planning.inventory.target.windows
    taken: list[dict[str, Any]] = []
    for one in tab.addresses:
        found = ours.address(one.source) if ours else None
        beside = next((net for net in (theirs.addresses if theirs else ()) if net.interface == one.interface), None)
        known = one.prefix or (found.prefix if found else beside.prefix if beside else None)
        prefix = known if known is not None else (128 if ":" in one.source else 32)
        taken.append({"address": one.source, "prefix": prefix, "interface": one.interface})
    return {"addresses": taken, "conflict_check": tab.conflict_check}


def source_account(planning: Planning) -> Account:
    """As the directory has it; where it was not asked, as the host and the settings say."""
    found = planning.inventory.domain.source
    return found or Account(f"{account_of(planning.inventory.source).upper()}$", planning.protection.settings.name)


def _at(planning: Planning, script: str, epoch: int) -> AtTarget:
    target, source = parts.server(planning, TARGET), parts.server(planning, SOURCE)
    return AtTarget(target, planning.protection.id, script, epoch, source)
