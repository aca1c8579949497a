"""What an application adds to the plans of a pair: steps at the places that the order has for them, and documents for the hosts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.model.points import Point
from orchestrator.model.servers import Where
from orchestrator.model.settings import Root, ServiceSettings
from orchestrator.model.steps import Step
from orchestrator.sdk.application import Planning
from orchestrator.sdk.pair_plans import parts
from orchestrator.sdk.pair_plans.points import by_name

Steps = Callable[[Planning], Iterable[Step]]
OnSide = Callable[[Planning, Where], Iterable[Step]]
UnderEpoch = Callable[[Planning, int], Iterable[Step]]


def nothing(_planning: Planning) -> Iterable[Step]:
    """No step."""
    return ()


def nothing_then(_planning: Planning, _epoch: int) -> Iterable[Step]:
    """No step, under whatever epoch."""
    return ()


def nothing_there(_planning: Planning, _where: Where) -> Iterable[Step]:
    """No step, on whatever side."""
    return ()


def every_service(planning: Planning, _where: Where) -> Sequence[ServiceSettings]:
    """All services of the protection."""
    return planning.protection.settings.failover.services


def no_document(_planning: Planning) -> dict[str, Any]:
    """Nothing to tell."""
    return {}


def whole(_planning: Planning, _root: Root) -> list[dict[str, Any]]:
    """Everything below a directory."""
    return [{"path": "", "include": True, "recursive": True}]


@dataclass(frozen=True, slots=True)
class PairDeeds:
    """Hooks, each empty unless given.

    ``guarded`` are the services that a side's engine or guard starts only where the side may serve; those that run on the target meanwhile
    are not among them. ``rules`` says what of a directory travels, ``takeover`` what a failover takes over besides data, ``followed`` what
    the target's engine keeps fresh while it waits.

    Protecting: ``quiet`` (the target opens none of the data), ``ready`` (what a failover needs lies on the target), ``unready``.
    Failing over, on the target: ``present``, ``before_services``, ``after_services``, ``named`` (service names and the like), then DNS.
    Failing back: ``handing`` on the target while its services still run, ``given_back`` when they are stopped, then ``unnamed``; ``received``
    on the source when its services run. ``stay`` ends a protection whose target goes on serving. ``closing`` and
    ``reopening``: what holds data open on the side that serves lets go of it while its capture ends, and takes it again. ``clients`` sees that
    clients are served, as a segment of the script that it is given, if any.

    ``starts_anew``: on the way back, services that run on the target meanwhile are started anew on a Windows source, with what depends on them.
    ``taken_whole``: what a failover did on a target with an engine is never undone in part: the run is resumed, or failed back. ``points`` are what the target's engine asks the application.
    """

    takeover: Callable[[Planning], dict[str, Any]] = no_document
    followed: Callable[[Planning], dict[str, Any]] = no_document
    rules: Callable[[Planning, Root], list[dict[str, Any]]] = whole
    guarded: Callable[[Planning, Where], Sequence[ServiceSettings]] = every_service
    quiet: Steps = nothing
    ready: UnderEpoch = nothing_then
    unready: Steps = nothing
    present: Steps = nothing
    before_services: UnderEpoch = nothing_then
    after_services: UnderEpoch = nothing_then
    named: UnderEpoch = nothing_then
    handing: Steps = nothing
    given_back: Steps = nothing
    unnamed: Steps = nothing
    received: UnderEpoch = nothing_then
    stay: Steps = nothing
    closing: OnSide = nothing_there
    reopening: OnSide = nothing_there
    starts_anew: bool = True
    taken_whole: bool = False
    clients: Callable[[Planning, str], Iterable[Step]] = parts.clients_served
    points: Callable[[Planning], Sequence[Point]] = by_name
