"""What is done with an instance, as deeds of the port: what each is told, and in which order they come.

The same for both platforms: on a pair with engines the target's script does those of a failover, from its own kept documents; else, and
for everything on the way back, whoever carries the plan out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from orchestrator.model.servers import Where
from orchestrator.model.settings import ServiceSettings
from orchestrator.model.sql import is_default
from orchestrator.sdk.application import Planning
from orchestrator.sdk.pair_plans import parts
from orchestrator.sdk.steps.sql import SqlDeed
from plugins.sql import told
from plugins.sql.services import LINUX_UNIT, engine_unit
from plugins.sql.told import ToldInstance

SOURCE, TARGET = Where.SOURCE, Where.TARGET
FRESH_S = 300.0
"""Log-ins that were gathered by the same run count as those of now."""


def on_serving(planning: Planning, where: Where) -> Iterator[tuple[ToldInstance, SqlDeed]]:
    """What is done on a side that is to serve, when its engine runs. Before ``restarts`` its name counts from the next start on."""
    for one in told.instances(planning):
        if told.is_whole(planning.protection.settings):
            yield one, ready(planning, where, one, one.databases)
            if told.settings_of(planning.protection.settings).rename_server:
                yield one, renamed(planning, where, one)
        else:
            yield from ((one, deed) for deed in _taken_in(planning, where, one))


def _taken_in(planning: Planning, where: Where, one: ToldInstance) -> Iterator[SqlDeed]:
    names, there = [database.name for database in one.databases], _at(planning, where, one)
    yield ready(planning, where, one, ())
    if (
        where is SOURCE
    ):  # its files were replaced under what is registered there, and tell of their places on the target
        yield replace(detached(planning, where, one), looks_only=True)
    yield from _logins(planning, where, one)
    yield from attached_again(planning, where, one)
    if told.settings_of(planning.protection.settings).logins.transfer:
        begins = _deed(planning, one, "default-databases", f"let log-ins of {there} begin there", {"databases": names})
        yield begins if where is TARGET else _for_return(planning, begins)
        yield _deed(planning, one, "orphans", f"join users and log-ins on {there}", {"databases": names})
    yield ready(planning, where, one, one.databases, suffix="-attached")


def attached_again(planning: Planning, where: Where, one: ToldInstance) -> Iterator[SqlDeed]:
    """Attached, with what attaching takes."""
    yield attached(planning, where, one)
    sentence = f"give the databases of {_at(planning, where, one)} back what attaching takes"
    yield _deed(planning, one, "owners-and-options", sentence, {"databases": _options(one)})


def _logins(planning: Planning, where: Where, one: ToldInstance) -> Iterator[SqlDeed]:
    """To the target: those that were kept. Back: those that came to be there meanwhile; what was the target's own stays there."""
    transfer = told.settings_of(planning.protection.settings).logins
    if not transfer.transfer:
        return
    spared = [*transfer.exclude, *(one.theirs if where is SOURCE else ())]
    sentence = f"make the kept log-ins of {_at(planning, where.other, one)} on {_at(planning, where, one)}"
    made = _deed(planning, one, "logins", sentence, {"exclude": spared})
    yield made if where is TARGET else _for_return(planning, made)


def ready(
    planning: Planning, where: Where, one: ToldInstance, databases: Sequence[Any], *, suffix: str = ""
) -> SqlDeed:
    """It lets us in, and its databases are recovered."""
    settings = planning.protection.settings
    unit = f"wait until {_at(planning, where, one)} answers"
    budget_s = max((service.start_timeout_s for service in settings.failover.services), default=300.0)
    document = {"databases": [database.name for database in databases]}
    sentence = f"{unit} with its databases recovered" if databases else unit
    return _deed(planning, one, "ready", sentence, document, looks_only=True, suffix=suffix, budget_s=budget_s)


def attached(planning: Planning, where: Where, one: ToldInstance) -> SqlDeed:
    """The databases are known there, from the files that lie there."""
    databases = told.as_attached(one.databases, where)
    lines = tuple(f"{database['name']}: {', '.join(database['files'])}" for database in databases)
    sentence = f"attach {_named(one)} on {_at(planning, where, one)}"
    return _deed(planning, one, "attach", sentence, {"databases": databases}, after=lines)


def detached(planning: Planning, where: Where, one: ToldInstance, *, before: bool = False) -> SqlDeed:
    """The databases are not known there; nobody but dtam writes their files.

    ``before`` anything is protected, a database there of the same name with other files is somebody else's: it stays, and that is refused.
    """
    databases: list[Any] = [database.name for database in one.databases]
    if before:
        databases = told.as_attached(one.databases, where)
    sentence = f"detach {_named(one)} from {_at(planning, where, one)}"
    return _deed(planning, one, "detach", sentence, {"databases": databases}, downtime=not before)


def renamed(planning: Planning, where: Where, one: ToldInstance) -> SqlDeed:
    """The instance calls itself what its machine is called; it counts from the next start on."""
    sentence = f"let {_at(planning, where, one)} call itself by its machine's name"
    return _deed(planning, one, "server-name", sentence, {})


def kept(planning: Planning, one: ToldInstance, max_age_s: float = 0.0) -> SqlDeed:
    """The source's log-ins lie with whoever will make them, sealed, gathered anew where they are older."""
    sentence = f"keep the log-ins of {_at(planning, SOURCE, one)} for {parts.server(planning, TARGET)}, sealed"
    return _deed(planning, one, "keep-logins", sentence, _gathered(planning, max_age_s), downtime=False)


def kept_for_return(planning: Planning, one: ToldInstance) -> SqlDeed:
    """The target's log-ins lie with whoever carries the plan out, apart from the source's."""
    sentence = f"keep the log-ins of {_at(planning, TARGET, one)} for {parts.server(planning, SOURCE)}, sealed"
    return _for_return(planning, _deed(planning, one, "keep-logins", sentence, _gathered(planning, FRESH_S)))


def _gathered(planning: Planning, max_age_s: float) -> dict[str, Any]:
    transfer = told.settings_of(planning.protection.settings).logins
    return {"max_age_s": max_age_s, "exclude": list(transfer.exclude)}


def _for_return(planning: Planning, deed: SqlDeed) -> SqlDeed:
    return replace(deed, document={**deed.document, "protection": f"{planning.protection.id}-back"})


def engine_service(planning: Planning, instance: str) -> ServiceSettings:
    """The service of an instance's engine."""
    units = {engine_unit(instance).lower(), LINUX_UNIT}
    services = planning.protection.settings.failover.services
    found = (one for one in services if units & {one.name.lower(), (one.on(TARGET).unit or "").lower()})
    return next(found, services[0])


def restarts(deed: SqlDeed) -> bool:
    """Whether it counts only when the instance starts anew."""
    return deed.name == "server-name"


def _deed(
    planning: Planning,
    one: ToldInstance,
    name: str,
    sentence: str,
    document: Mapping[str, Any],
    **more: Any,
) -> SqlDeed:
    given = {"protection": planning.protection.id, "instance": one.name, **document}
    return SqlDeed(name, one.name, given, sentence, **more)


def _options(one: ToldInstance) -> list[dict[str, Any]]:
    return [
        {
            "name": database.name,
            "owner": database.owner,
            "broker": database.broker,
            "trustworthy": database.trustworthy,
            "chaining": database.chaining,
        }
        for database in one.databases
    ]


def _at(planning: Planning, where: Where, one: ToldInstance) -> str:
    host = parts.server(planning, where)
    return host if is_default(one.name) else f"{host}\\{one.name}"


def _named(one: ToldInstance) -> str:
    names = [database.name for database in one.databases]
    shown = ", ".join(names[:5]) or "no database"
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown
