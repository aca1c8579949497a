"""What the target of a Windows pair takes over besides data and services: documents for scripts on the target and for this machine.

Shares come first, because the Server service runs already; then the names that it answers to, so that it never answers under a name
whose shares it lacks. Service names and DNS are changed from here, because a WinRM session has no second hop (a network logon).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from orchestrator.model.conditions import Stage
from orchestrator.model.settings import Item
from orchestrator.model.steps import Step
from orchestrator.sdk import steps
from orchestrator.sdk.application import Planning
from orchestrator.sdk.pair_plans import taken
from orchestrator.sdk.pair_plans.deeds import PairDeeds
from orchestrator.sdk.pair_plans.taken import at_target
from plugins.fileserver.windows import sharing


def take_on_host(planning: Planning, epoch: int) -> Iterator[Step]:
    """Shares with their permissions, the names to answer to, and addresses: segments of the target's script."""
    at, failover = at_target(planning, "post_failover", epoch), planning.protection.settings.failover
    if failover.fails_over("shares"):
        yield steps.put_shares(at, shares(planning))
    if failover.fails_over("name"):
        yield steps.take_names(at, names(planning))
    if failover.fails_over("addresses"):
        yield steps.take_addresses(at, taken.addresses(planning))


def take_from_here(planning: Planning, _epoch: int) -> Iterator[Step]:
    """Service names of the source's account; DNS follows."""
    if planning.protection.settings.failover.fails_over("spns"):
        yield steps.move_spns(planning.protection.id, taken.service_names(planning))


def give_back_on_host(planning: Planning) -> Iterator[Step]:
    """In reverse, while the source does not serve yet."""
    at, failover = at_target(planning, "pre_failback"), planning.protection.settings.failover
    if failover.fails_over("addresses"):
        yield steps.give_addresses_back(at, taken.addresses(planning))
    if failover.fails_over("name"):
        yield steps.give_names_back(at, names(planning))
    if failover.fails_over("shares"):
        yield steps.take_shares_away(at, shares(planning))


def give_back_from_here(planning: Planning) -> Iterator[Step]:
    """Service names; DNS follows when the source may serve."""
    if planning.protection.settings.failover.fails_over("spns"):
        yield steps.return_spns(planning.protection.id, taken.service_names(planning))


def documents(planning: Planning) -> dict[str, Any]:
    """Everything that a failover takes over, as it is kept on both hosts."""
    made: dict[Item, Callable[[Planning], dict[str, Any]]] = {
        "shares": shares,
        "name": names,
        "spns": taken.service_names,
        "addresses": taken.addresses,
    }
    return taken.documents(planning, made)


def shares(planning: Planning) -> dict[str, Any]:
    """The chosen shares as they were found, with their places on the target; while that serves, as it was told of them.

    A source whose Server service is down tells of no shares.
    """
    if planning.protection.stage in {Stage.FAILED_OVER, Stage.RESTORED}:
        return {"shares": sharing.told(planning.inventory.target)}
    return {"shares": sharing.documents(planning.protection.settings, planning.inventory)}


def names(planning: Planning) -> dict[str, Any]:
    """The source's NetBIOS name and the full names that its clients use."""
    tab = planning.protection.settings.failover.windows
    return {
        "server": "windows",
        **taken.answering_names(planning),
        "way": tab.names if tab else "optional",
        "strict_off": True,
        "loopback": bool(tab and tab.loopback),
    }


DEEDS = PairDeeds(
    takeover=documents,
    before_services=take_on_host,
    named=take_from_here,
    given_back=give_back_on_host,
    unnamed=give_back_from_here,
)
"""What a Windows file server adds to the plans of a pair."""
