"""What a target takes over besides data and services, as documents for its scripts, in the order in which it is taken and given back.

The documents are made of what was found when the protection was enabled and lie in the target's own scripts: a failover reads
nothing from the source. Shares and names come before Samba's start, so that it never answers under a name whose shares it lacks;
service names and addresses after it, so that clients are led to something that serves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from orchestrator.model.domain import Account
from orchestrator.model.servers import Where
from orchestrator.model.settings import Item, Settings
from orchestrator.model.steps import Step
from orchestrator.sdk import steps
from orchestrator.sdk.application import Planning
from orchestrator.sdk.steps import AtTarget
from plugins.fileserver import parts, sharing
from plugins.fileserver.inventory import account_of

SOURCE, TARGET = Where.SOURCE, Where.TARGET


def keep_ready(planning: Planning, epoch: int) -> Iterator[Step]:
    """Shares with their permissions wait closed on the target, so that a failover only opens them."""
    if planning.protection.settings.failover.fails_over("shares"):
        yield steps.keep_shares(replace(_at(planning, "post_failover"), epoch=epoch), shares(planning))


def drop_ready(planning: Planning) -> Iterator[Step]:
    """What waits goes; nothing where nothing was seen waiting."""
    settings = planning.protection.settings
    if settings.failover.fails_over("shares") and sharing.waiting(planning.inventory.target):
        yield steps.drop_shares(_at(planning, "post_failover"), shares(planning))


def stay(planning: Planning) -> Iterator[Step]:
    """Whatever was taken is the target's from now on."""
    yield steps.stay_here(_at(planning, "post_failover"))


def take_before_services(planning: Planning) -> Iterator[Step]:
    """Shares with their permissions, then the names to answer under."""
    at, failover = _at(planning, "post_failover"), planning.protection.settings.failover
    if failover.fails_over("shares"):
        yield steps.put_shares(at, shares(planning))
    if failover.fails_over("name"):
        yield steps.take_names(at, names(planning))


def take_after_services(planning: Planning) -> Iterator[Step]:
    """Service names of the source's account, then its addresses."""
    at, failover = _at(planning, "post_failover"), planning.protection.settings.failover
    if failover.fails_over("spns"):
        yield steps.take_spns(at, service_names(planning))
    if failover.fails_over("addresses"):
        yield steps.take_addresses(at, addresses(planning))


def give_back(planning: Planning) -> Iterator[Step]:
    """Everything in reverse, while nothing serves on the target any more."""
    at, failover = _at(planning, "pre_failback"), planning.protection.settings.failover
    if failover.fails_over("addresses"):
        yield steps.give_addresses_back(at, addresses(planning))
    if failover.fails_over("spns"):
        yield steps.give_spns_back(at, service_names(planning))
    if failover.fails_over("name"):
        yield steps.give_names_back(at, names(planning))
    if failover.fails_over("shares"):
        yield steps.take_shares_away(at, shares(planning))


def documents(planning: Planning) -> dict[str, Any]:
    """Everything that a failover takes over, as it is kept at both sides; empty where data and names are all."""
    made: dict[Item, Callable[[Planning], dict[str, Any]]] = {
        "shares": shares,
        "name": names,
        "spns": service_names,
        "addresses": addresses,
    }
    failover = planning.protection.settings.failover
    return {item: make(planning) for item, make in made.items() if failover.fails_over(item)}


def _at(planning: Planning, script: str) -> AtTarget:
    target, source = parts.server(planning, TARGET), parts.server(planning, SOURCE)
    return AtTarget(target, planning.protection.id, script, planning.epoch, source)


def shares(planning: Planning) -> dict[str, Any]:
    """The chosen shares as they were found, with their places on the target."""
    settings = planning.protection.settings
    return {"conf": _conf(planning), "shares": sharing.documents(settings, planning.inventory)}


def names(planning: Planning) -> dict[str, Any]:
    """The source's NetBIOS name and the full names that its clients use."""
    source = _source_account(planning)
    dns = dict.fromkeys(name.lower() for name in (source.dns_name, planning.protection.settings.name) if name)
    return {"server": "samba", "netbios": [source.short.upper()], "dns": list(dns), "conf": _conf(planning)}


def own_account(planning: Planning) -> str:
    """The target's account in the domain."""
    return f"{account_of(planning.inventory.target).upper()}$"


def service_names(planning: Planning) -> dict[str, Any]:
    """The two accounts and the names whose HOST and cifs services move; keys lie on the target, by path."""
    settings, source = planning.protection.settings, _source_account(planning)
    directory = settings.failover.directory
    target = own_account(planning)
    access: dict[str, Any] = {}
    if directory is not None:
        access = {
            "domain": directory.domain,
            "controllers": list(directory.controllers),
            "principal": directory.target_principal or target,
            "keytab": directory.target_keytab_file,
            "ca_file": directory.ca_file,
            "dns_servers": _resolvers(settings),
        }
    every = dict.fromkeys((source.short, source.dns_name, settings.name))
    return {
        "source": source.name,
        "target": target,
        "names": [name for name in every if name],
        "directory": {word: value for word, value in access.items() if value},
    }


def _resolvers(settings: Settings) -> list[str]:
    """Where the target asks for controllers: not at servers that take TSIG keys, which are not the domain's."""
    dns = settings.failover.dns
    return [] if dns.signing == "tsig" else [one for one in dns.servers if ":" not in one]


def addresses(planning: Planning) -> dict[str, Any]:
    """The source's addresses, each with its prefix and the target's interface."""
    tab, ours = planning.protection.settings.failover.identity, planning.inventory.source.samba
    theirs = planning.inventory.target.samba
    taken: list[dict[str, Any]] = []
    for one in tab.addresses:
        found = ours.network(one.source) if ours else None
        beside = next((net for net in (theirs.networks if theirs else ()) if net.interface == one.interface), None)
        known = one.prefix or (found.prefix if found else beside.prefix if beside else None)
        prefix = known if known is not None else (128 if ":" in one.source else 32)
        taken.append({"address": one.source, "prefix": prefix, "interface": one.interface})
    return {"addresses": taken, "conflict_check": tab.conflict_check}


def _conf(planning: Planning) -> str:
    samba = planning.protection.settings.failover.samba
    return samba.conf if samba else "/etc/samba/smb.conf"


def _source_account(planning: Planning) -> Account:
    """As the directory has it; where it was not asked, as Samba and the settings say."""
    found = planning.inventory.domain.source
    return found or Account(f"{account_of(planning.inventory.source).upper()}$", planning.protection.settings.name)
