"""What a target takes over besides data and services, as far as the documents of both platforms say it in the same words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.model.domain import Account
from orchestrator.model.servers import Where
from orchestrator.model.settings import Item, Settings
from orchestrator.sdk.application import Planning
from orchestrator.sdk.pair_plans import parts
from orchestrator.sdk.sides import account_of, networks
from orchestrator.sdk.steps import AtTarget

SOURCE, TARGET = Where.SOURCE, Where.TARGET
Document = dict[str, Any]


def at_target(planning: Planning, script: str, epoch: int | None = None) -> AtTarget:
    """A segment of the target's script, under the protection's epoch or a coming one."""
    target, source = parts.server(planning, TARGET), parts.server(planning, SOURCE)
    return AtTarget(target, planning.protection.id, script, planning.epoch if epoch is None else epoch, source)


def documents(planning: Planning, made: Mapping[Item, Callable[[Planning], Document]]) -> dict[str, Document]:
    """The documents of all that a failover takes over, by what it is."""
    failover = planning.protection.settings.failover
    return {item: make(planning) for item, make in made.items() if failover.fails_over(item)}


def source_account(planning: Planning) -> Account:
    """The source's account as the directory has it; where it was not asked, as the host and the settings say."""
    found = planning.inventory.domain.source
    return found or Account(f"{account_of(planning.inventory.source).upper()}$", planning.protection.settings.name)


def own_account(planning: Planning) -> str:
    """The target's account in the domain."""
    return f"{account_of(planning.inventory.target).upper()}$"


def answering_names(planning: Planning) -> Document:
    """The source's NetBIOS name and the full names that its clients use."""
    source = source_account(planning)
    dns = dict.fromkeys(name.lower() for name in (source.dns_name, planning.protection.settings.name) if name)
    return {"netbios": [source.short.upper()], "dns": list(dns)}


def service_names(planning: Planning) -> Document:
    """The two accounts and the names whose HOST and cifs services move."""
    source = source_account(planning)
    every = dict.fromkeys((source.short, source.dns_name, planning.protection.settings.name))
    return {"source": source.name, "target": own_account(planning), "names": [name for name in every if name]}


def addresses(planning: Planning) -> Document:
    """The source's addresses, each with its prefix and the target's interface."""
    tab = planning.protection.settings.failover.identity
    ours, theirs = networks(planning.inventory.source), networks(planning.inventory.target)
    taken: list[Document] = []
    for one in tab.addresses:
        found = next((net for net in ours if net.address == one.source), None)
        beside = next((net for net in theirs if net.interface == one.interface), None)
        known = one.prefix or (found.prefix if found else beside.prefix if beside else None)
        prefix = known if known is not None else (128 if ":" in one.source else 32)
        taken.append({"address": one.source, "prefix": prefix, "interface": one.interface})
    return {"addresses": taken, "conflict_check": tab.conflict_check}


def own_addresses(planning: Planning) -> list[dict[str, Any]]:
    """The taken addresses, each with the source's interface; of one that is not there at the moment the target's name of it is taken."""
    ours = planning.inventory.source.windows
    wanted: list[dict[str, Any]] = addresses(planning)["addresses"]
    own = [(one, ours.address(one["address"]) if ours else None) for one in wanted]
    return [one | {"interface": found.interface if found else one["interface"]} for one, found in own]


def directory_access(planning: Planning) -> Document:
    """How the target itself reaches its directory, when nobody else is alive; keys lie there, by path."""
    settings = planning.protection.settings
    directory = settings.failover.directory
    if directory is None:
        return {}
    access = {
        "domain": directory.domain,
        "controllers": list(directory.controllers),
        "principal": directory.target_principal or own_account(planning),
        "keytab": directory.target_keytab_file,
        "ca_file": directory.ca_file,
        "dns_servers": _resolvers(settings),
    }
    return {word: value for word, value in access.items() if value}


def _resolvers(settings: Settings) -> list[str]:
    """Where the target asks for controllers: not at servers that take TSIG keys, which are not the domain's."""
    dns = settings.failover.dns
    return [] if dns.signing == "tsig" else [one for one in dns.servers if ":" not in one]
