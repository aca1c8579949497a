"""What the cmdlets over the machine share: refusals become error records, faults and rights are asked first, objects of CIM classes are made."""

from __future__ import annotations

import ast
import functools
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from tests.lab.windows.machine.refusals import Refused, cim_error
from tests.lab.windows.powershell.commands import Call, CmdletFunction, cmdlet
from tests.lab.windows.powershell.patterns import wildcard
from tests.lab.windows.powershell.values import (
    Computed,
    EnumValue,
    ErrorRecord,
    OutsideSubset,
    PsObject,
    as_list,
    typed,
)

__all__ = [
    "Computed",
    "PsObject",
    "as_list",
    "cim",
    "enum",
    "matches",
    "moment",
    "over_machine",
    "record",
    "texts",
    "wanted",
]

Denial = Callable[[Call], Refused]
HARMLESS = frozenset({  # they change nothing that the model has
    "AllowStartIfOnBatteries", "All", "Compatibility", "Confirm", "Detailed", "DontStopIfGoingOnBatteries", "DontStopOnIdleEnd", "DurationInMinutes",
    "Force", "IgnorePerfTests", "IncludeAllCompartments", "IncludeHidden", "List", "LoadUserProfile", "NoNewWindow", "OperationTimeoutSec", "PassThru",
    "Physical", "PolicyStore", "QuickTimeout", "Seeded", "SmbInstance", "TcpOnly", "ThrottleLimit", "WhatIf",
})  # fmt: skip
JUDGING = frozenset(  # they say Access is denied in their own words
    f"{verb}-{noun}"
    for verb in ("start", "stop", "restart", "set", "new", "remove", "copy", "move", "rename", "add", "clear")
    for noun in ("service", "item", "itemproperty", "content")
)


def record(why: Refused) -> ErrorRecord:
    """The error record of a refusal."""
    return ErrorRecord(why.id, why.message, why.category, why.target, why.exception)


def cim_denied(class_name: str) -> Denial:
    """Access is denied, as a CIM provider says it."""
    return lambda call: cim_error(5, class_name)


def plain_denied(call: Call) -> Refused:
    """Access is denied, as cmdlets of no provider say it."""
    exception = "System.UnauthorizedAccessException"
    return Refused("Access is denied", "AccessDenied", "PermissionDenied", exception, call.name, 5)


@functools.lru_cache
def _words(room: str) -> frozenset[str]:
    """The texts in a room's source and in those of the rooms that it takes from: a parameter that is in none of them is handled by nobody."""
    module = sys.modules[room]
    source = ast.parse(inspect.getsource(module))
    found = {
        one.value.casefold() for one in ast.walk(source) if isinstance(one, ast.Constant) and isinstance(one.value, str)
    }
    lent = {getattr(one, "__module__", "") or "" for one in vars(module).values()} - {room}
    for other in lent:
        if other.startswith("tests.lab.windows.cmdlets.") and other != __name__:
            found |= _words(other)
    return frozenset(found)


def _refuse_ignored(call: Call, room: str) -> None:
    """A parameter that would be passed over in silence is an error instead."""
    for name in call.bound:
        if name.casefold() not in _words(room) and name not in HARMLESS:
            raise OutsideSubset(f"{call.name} -{name} is not simulated")


def over_machine(
    *names: str,
    changes: bool = False,
    denied: Denial = plain_denied,
    whole: bool = False,
    impact: str = "Medium",
    error_class: str = "",
    every_parameter: bool = False,
) -> Callable[[Callable[[Call], Iterable[Any] | None]], CmdletFunction]:
    """A cmdlet over the machine; ``changes``: it needs an elevated session. A Refused that it raises is a non-terminating error."""

    def register(function: Callable[[Call], Iterable[Any] | None]) -> CmdletFunction:
        def guarded(call: Call) -> Iterator[Any]:
            if not every_parameter:
                _refuse_ignored(call, function.__module__)
            faults = call.machine.faults
            slow = faults.slow_s.get(call.name.lower(), faults.slow_s.get("*", 0.0))
            if slow:
                call.wait(slow)
            if (call.name.lower() in faults.denied and call.name.lower() not in JUDGING) or (
                changes and not call.session.elevated
            ):
                call.error(record(denied(call)))
                return
            try:
                yield from function(call) or ()
            except Refused as why:
                call.error(record(why))

        return cmdlet(*names, whole=whole, impact=impact, error_class=error_class)(guarded)

    return register


def cim(class_name: str, items: Mapping[str, Any], namespace: str = "ROOT/cimv2", text: str | None = None) -> PsObject:
    """An instance of a CIM class."""
    base = "Microsoft.Management.Infrastructure.CimInstance"
    plain = [f"{base}#{class_name}", base]
    return typed(
        f"{base}#{namespace}/{class_name}", dict(items) | {"PSComputerName": None}, *plain, text=text or class_name
    )


def enum(type_name: str, name: Any, numbers: Mapping[str, int]) -> EnumValue:
    """A member of an enumeration."""
    return EnumValue(type_name, str(name), numbers[str(name)])


def matches(pattern: Any, text: Any) -> bool:
    """PowerShell's wildcards, whatever the case."""
    return wildcard(str(pattern)).fullmatch(str(text)) is not None


def has_wildcard(pattern: Any) -> bool:
    """Whether a text is a pattern."""
    return any(one in str(pattern) for one in "*?[")


def wanted(call: Call, name: str, value: Any) -> bool:
    """Whether a value fits what the parameter of that name asks; all do when it was not given."""
    if not call.has(name):
        return True
    return any(matches(one, value) for one in as_list(call.get(name)))


def texts(value: Any) -> list[str]:
    """A parameter of texts."""
    return [str(one) for one in as_list(value)]


def moment(seconds: float | None) -> datetime | None:
    """A time of the machine as [datetime] (its zone is UTC)."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
