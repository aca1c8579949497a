"""What the verbs of steps mean: looks see, deeds do. The executor knows no other way to touch the world.

    @look("service-running")
    def service_running(ports: Ports, given: Given) -> Seen: ...

    @deed("start-service")
    def start_service(ports: Ports, given: Given, found: Found) -> None: ...

A look changes nothing and gives ``Seen``. A deed is safe to run twice, and safe to run when only half of it was done before;
``found`` is what the step's look found before the deed, which an undo needs; it lives as long as one execution of the step, so
a deed that is tried several times may note there what it asked for already. A plugin adds verbs of its own in the same way,
under names that begin with its application (``exchange-mount-database``). Invariant: a name means one function for ever,
because journals of yesterday speak of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from orchestrator.model.outcomes import GiveUp, TryAgain
from orchestrator.model.steps import Action, Seen
from orchestrator.sdk.context import Ports

Given = Mapping[str, Any]
Look = Callable[[Ports, Given], Seen]
Found = dict[str, Any]
Deed = Callable[[Ports, Given, Found], None]
Function = TypeVar("Function", bound=Callable[..., Any])

_LOOKS: dict[str, Look] = {}
_DEEDS: dict[str, Deed] = {}


def look(name: str) -> Callable[[Look], Look]:
    """Name a function that sees."""
    return lambda function: _named(_LOOKS, name, function)


def deed(name: str) -> Callable[[Deed], Deed]:
    """Name a function that does."""
    return lambda function: _named(_DEEDS, name, function)


def _named(book: dict[str, Function], name: str, function: Function) -> Function:
    if name in book and book[name].__qualname__ != function.__qualname__:
        msg = f"the verb {name} has a meaning already"
        raise ValueError(msg)
    book[name] = function
    return function


def see(action: Action, ports: Ports) -> Seen:
    """Look. What cannot be seen yet (TryAgain) is not done yet."""
    function = _LOOKS.get(action.verb)
    if function is None:
        raise _unknown(action)
    try:
        return function(ports, action.arguments)
    except TryAgain as why:
        return Seen(done=False, says=why.reason)


def perform(action: Action, ports: Ports, found: Found) -> None:
    """Do. Raises TryAgain or a DtamError."""
    function = _DEEDS.get(action.verb)
    if function is None:
        raise _unknown(action)
    function(ports, action.arguments, found)


def is_known(action: Action) -> bool:
    """Whether the verb means something here."""
    return action.verb in _DEEDS or action.verb in _LOOKS


def _unknown(action: Action) -> GiveUp:
    return GiveUp(f"the verb {action.verb} is not known here", "is the plugin that planned this run still installed?")
