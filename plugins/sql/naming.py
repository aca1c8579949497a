"""Whose service names move with SQL Server, and its addresses with an identity failover.

Clients ask for ``MSSQLSvc/NAME:PORT`` (by TCP) or ``MSSQLSvc/NAME`` and ``MSSQLSvc/NAME:INSTANCE``; the port is that of whoever answers, so
both sides' ports move. The names belong to the account that runs the engine: a domain account, else the computer's. Where both sides run
under one account nothing moves.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from orchestrator.model.conditions import Stage
from orchestrator.model.servers import Where
from orchestrator.model.settings_sql import InstanceSettings
from orchestrator.model.sql import DEFAULT_PORT, SqlInstance, is_default
from orchestrator.model.steps import Step
from orchestrator.sdk import steps
from orchestrator.sdk.application import Planning
from orchestrator.sdk.pair_plans import taken
from orchestrator.sdk.pair_plans.taken import at_target
from plugins.sql import told

SOURCE, TARGET = Where.SOURCE, Where.TARGET
CLASS = "MSSQLSvc"
_LOCAL = ("nt service\\", "nt authority\\", "localsystem", "local service", "network service", "mssql")


class Moved(msgspec.Struct, frozen=True):
    """Service names that go from one account to another."""

    source: str
    target: str
    spns: tuple[str, ...]

    @property
    def document(self) -> dict[str, Any]:
        """As the step takes it."""
        return {"source": self.source, "target": self.target, "services": [], "names": [], "spns": list(self.spns)}


def moved(planning: Planning) -> tuple[Moved, ...]:
    """One for each pair of accounts; as was noted before the failover where the source's accounts are not theirs now."""
    if not planning.protection.settings.failover.fails_over("spns"):
        return ()
    kept = msgspec.convert((planning.inventory.target.takeover or {}).get("sql_spns") or (), tuple[Moved, ...])
    away = planning.inventory.source.unreachable or planning.protection.stage in {Stage.FAILED_OVER, Stage.RESTORED}
    return kept if kept and away else tuple(_now(planning))


def _now(planning: Planning) -> Iterator[Moved]:
    found: dict[tuple[str, str], list[str]] = {}
    known = {one.name.lower(): one for one in told.instances(planning)}
    for one in told.settings_of(planning.protection.settings).instances:
        instance = known[one.name.lower()]
        holder = _holder(planning)
        ours = _account(instance.account) or holder or taken.source_account(planning).name
        theirs = _account(instance.target_account) or _same(holder) or taken.own_account(planning)
        if ours.lower() != theirs.lower():
            found.setdefault((ours, theirs), []).extend(_names(planning, one))
    for (ours, theirs), names in found.items():
        yield Moved(ours, theirs, tuple(dict.fromkeys(names)))


def _holder(planning: Planning) -> str:
    """Who holds the service names now, as the directory says; empty where nobody does, or it was not asked."""
    held = (
        accounts for spn, accounts in planning.inventory.domain.holders if spn.lower().startswith(f"{CLASS.lower()}/")
    )
    return next((accounts[0] for accounts in held if accounts), "")


def _same(holder: str) -> str:
    """Where an account that is no computer's holds the names, and the target does not tell its own, both sides have that one's key."""
    return "" if holder.endswith("$") else holder


def _names(planning: Planning, one: InstanceSettings) -> Iterator[str]:
    account = taken.source_account(planning)
    hosts = dict.fromkeys(name.lower() for name in (account.dns_name, planning.protection.settings.name) if name)
    ports = dict.fromkeys(port for where in (SOURCE, TARGET) if (port := _port(planning, where, one)))
    for host in hosts:
        yield f"{CLASS}/{host}" if is_default(one.name) else f"{CLASS}/{host}:{one.name}"
        yield from (f"{CLASS}/{host}:{port}" for port in ports)


def _port(planning: Planning, where: Where, one: InstanceSettings) -> int | None:
    side = planning.inventory.on(where).sql
    found: SqlInstance | None = side.instance(one.name) if side else None
    given = one.port(where)
    return (
        given
        or (found.port if found and not found.silence else None)
        or (DEFAULT_PORT if is_default(one.name) else None)
    )


def _account(runs: str) -> str:
    """The name of a domain account in its directory; empty where the computer's own account stands for what runs the engine."""
    if not runs or runs.lower().startswith(_LOCAL):
        return ""
    return runs.rpartition("\\")[2].partition("@")[0]


def documents(planning: Planning) -> dict[str, Any]:
    """What both hosts keep of it."""
    found: dict[str, Any] = {}
    if spns := moved(planning):
        found["sql_spns"] = msgspec.to_builtins(spns)
    if planning.protection.settings.failover.fails_over("addresses"):
        found["addresses"] = taken.addresses(planning)
    return found


def take(planning: Planning, epoch: int) -> Iterator[Step]:
    """Service names, then addresses: segments of the target's script."""
    at = at_target(planning, "post_failover", epoch)
    for number, one in enumerate(moved(planning)):
        yield _numbered(steps.take_spns(at, _with_access(planning, one)), number)
    if planning.protection.settings.failover.fails_over("addresses"):
        yield steps.take_addresses(at, taken.addresses(planning))


def give_back(planning: Planning) -> Iterator[Step]:
    """Addresses, then service names: segments of the target's script."""
    at = at_target(planning, "pre_failback")
    if planning.protection.settings.failover.fails_over("addresses"):
        yield steps.give_addresses_back(at, taken.addresses(planning))
    for number, one in enumerate(moved(planning)):
        yield _numbered(steps.give_spns_back(at, _with_access(planning, one)), number)


def take_from_here(planning: Planning, _epoch: int) -> Iterator[Step]:
    """Service names, changed by whoever carries the plan out; DNS follows."""
    for number, one in enumerate(moved(planning)):
        yield _numbered(steps.move_spns(_place(planning, number), one.document), number)


def give_back_from_here(planning: Planning) -> Iterator[Step]:
    """Service names, changed by whoever carries the plan out; DNS follows when the source may serve."""
    for number, one in enumerate(moved(planning)):
        yield _numbered(steps.return_spns(_place(planning, number), one.document), number)


def _place(planning: Planning, number: int) -> str:
    """What remembers one pair of accounts apart from another."""
    return planning.protection.id + (f".{number + 1}" if number else "")


def _with_access(planning: Planning, one: Moved) -> dict[str, Any]:
    return one.document | {"directory": taken.directory_access(planning)}


def _numbered(step: Step, number: int) -> Step:
    if not number:
        return step
    renamed = msgspec.structs.replace(step, id=f"{step.id}-{number + 1}")
    for word in ("look", "do", "undo"):
        action = getattr(renamed, word)
        if getattr(action, "arguments", {}).get("segments"):
            arguments = {**action.arguments, "segments": [renamed.id]}
            renamed = msgspec.structs.replace(renamed, **{word: msgspec.structs.replace(action, arguments=arguments)})
    return renamed
