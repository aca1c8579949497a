"""What a target takes over besides data and services, as documents for its scripts, in the order in which it is taken and given back.

The documents are made of what was found when the protection was enabled and lie in the target's own scripts: a failover reads
nothing from the source. Shares and names come before Samba's start, so that it never answers under a name whose shares it lacks;
service names and addresses after it, so that clients are led to something that serves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from orchestrator.model.servers import Where
from orchestrator.model.settings import Item
from orchestrator.model.steps import ScriptCall, Step
from orchestrator.sdk import steps
from orchestrator.sdk.application import Planning
from orchestrator.sdk.pair_plans import parts, taken
from orchestrator.sdk.pair_plans.deeds import PairDeeds
from orchestrator.sdk.pair_plans.taken import at_target
from plugins.fileserver import sharing
from plugins.fileserver.rules import rules_of


def keep_ready(planning: Planning, epoch: int) -> Iterator[Step]:
    """Shares with their permissions wait closed on the target, so that a failover only opens them."""
    if planning.protection.settings.failover.fails_over("shares"):
        yield steps.keep_shares(at_target(planning, "post_failover", epoch), shares(planning))


def drop_ready(planning: Planning) -> Iterator[Step]:
    """What waits goes; nothing where nothing was seen waiting."""
    settings = planning.protection.settings
    if settings.failover.fails_over("shares") and sharing.waiting(planning.inventory.target):
        yield steps.drop_shares(at_target(planning, "post_failover"), shares(planning))


def stay(planning: Planning) -> Iterator[Step]:
    """Whatever was taken is the target's from now on."""
    yield steps.stay_here(at_target(planning, "post_failover"))


def take_before_services(planning: Planning, _epoch: int) -> Iterator[Step]:
    """Shares with their permissions, then the names to answer under."""
    at, failover = at_target(planning, "post_failover"), planning.protection.settings.failover
    if failover.fails_over("shares"):
        yield steps.put_shares(at, shares(planning))
    if failover.fails_over("name"):
        yield steps.take_names(at, names(planning))


def take_after_services(planning: Planning, _epoch: int) -> Iterator[Step]:
    """Service names of the source's account, then its addresses."""
    at, failover = at_target(planning, "post_failover"), planning.protection.settings.failover
    if failover.fails_over("spns"):
        yield steps.take_spns(at, service_names(planning))
    if failover.fails_over("addresses"):
        yield steps.take_addresses(at, taken.addresses(planning))


def give_back(planning: Planning) -> Iterator[Step]:
    """Everything in reverse, while nothing serves on the target any more."""
    at, failover = at_target(planning, "pre_failback"), planning.protection.settings.failover
    if failover.fails_over("addresses"):
        yield steps.give_addresses_back(at, taken.addresses(planning))
    if failover.fails_over("spns"):
        yield steps.give_spns_back(at, service_names(planning))
    if failover.fails_over("name"):
        yield steps.give_names_back(at, names(planning))
    if failover.fails_over("shares"):
        yield steps.take_shares_away(at, shares(planning))


def data_present(planning: Planning) -> Iterator[Step]:
    """The replicas are here and can be read, looked at by the target itself before it takes anything over."""
    settings, script = planning.protection.settings, "pre_failover"
    for position, root in enumerate(settings.connection.roots if settings.failover.samba else ()):
        name = f"data-present{'' if position == 0 else f'-{position + 1}'}"
        call = ScriptCall(script, "fileserver/data_present", {"path": root.on_target})
        step = steps.run_script(
            Where.TARGET,
            parts.server(planning, Where.TARGET),
            planning.protection.id,
            script=script,
            call=call,
            segments=(name,),
            epoch=planning.epoch,
            downtime=True,
        )
        sentence = f"see that {root.on_target} is on {parts.server(planning, Where.TARGET)}"
        yield msgspec.structs.replace(step, id=name, sentence=sentence)


def documents(planning: Planning) -> dict[str, Any]:
    """Everything that a failover takes over, as it is kept at both sides; empty where data and names are all."""
    made: dict[Item, Callable[[Planning], dict[str, Any]]] = {
        "shares": shares,
        "name": names,
        "spns": service_names,
        "addresses": taken.addresses,
    }
    return taken.documents(planning, made)


def shares(planning: Planning) -> dict[str, Any]:
    """The chosen shares as they were found, with their places on the target."""
    settings = planning.protection.settings
    return {"conf": _conf(planning), "shares": sharing.documents(settings, planning.inventory)}


def names(planning: Planning) -> dict[str, Any]:
    """The source's NetBIOS name and the full names that its clients use."""
    return {"server": "samba", **taken.answering_names(planning), "conf": _conf(planning)}


def service_names(planning: Planning) -> dict[str, Any]:
    """The two accounts and the names whose HOST and cifs services move; keys lie on the target, by path."""
    return taken.service_names(planning) | {"directory": taken.directory_access(planning)}


def _conf(planning: Planning) -> str:
    samba = planning.protection.settings.failover.samba
    return samba.conf if samba else "/etc/samba/smb.conf"


def followed(planning: Planning) -> dict[str, Any]:
    """Which of the source's shares the target follows by itself."""
    settings = planning.protection.settings
    if settings.failover.samba is None or not settings.failover.fails_over("shares"):
        return {"shares": None}
    chosen = settings.connection.shares
    told = {"interval_s": chosen.follow_interval_s, "include": list(chosen.include), "exclude": list(chosen.exclude)}
    return {"shares": told}


DEEDS = PairDeeds(
    takeover=documents,
    followed=followed,
    rules=lambda planning, root: rules_of(planning.protection.settings, root),
    ready=keep_ready,
    unready=drop_ready,
    present=data_present,
    before_services=take_before_services,
    named=take_after_services,
    given_back=give_back,
    stay=stay,
)
"""What a file server with engines adds to the plans of a pair; one without Samba has only data."""
