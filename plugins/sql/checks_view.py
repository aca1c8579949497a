"""What the checks of SQL Server look at: the protected instances on both sides, their protected databases, and who serves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.model.inventory import PathFacts
from orchestrator.model.servers import Platform, Where
from orchestrator.model.settings_services import ServiceSettings
from orchestrator.model.settings_sql import InstanceSettings, SqlSettings
from orchestrator.model.sql import SqlDatabase, SqlInstance, SqlSide, is_default
from orchestrator.sdk.checks import View
from orchestrator.sdk.steps.sql_mending import At
from plugins.sql.matrix import Configuration, Installed

SOURCE, TARGET = Where.SOURCE, Where.TARGET
SIDES = (SOURCE, TARGET)
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Both:
    """A protected instance as both sides say it; ``ours`` is the source's. None: that side does not answer."""

    settings: InstanceSettings
    ours: SqlInstance | None
    theirs: SqlInstance | None

    @property
    def name(self) -> str:
        """Its name, the same on both sides."""
        return self.settings.name

    def on(self, where: Where) -> SqlInstance | None:
        """One side."""
        return self.theirs if where is TARGET else self.ours


def sql_of(view: View) -> SqlSettings:
    """The settings of SQL Server; the defaults where none are given."""
    return view.settings.failover.sql or SqlSettings()


def whole(view: View) -> bool:
    """Whether whole instances are protected."""
    return sql_of(view).mode == "instance"


def side_of(view: View, where: Where) -> SqlSide | None:
    """All SQL Server of a side; None where its server is silent, or nobody asked."""
    side = view.inventory.on(where)
    return None if side.unreachable else side.sql


def instance_of(view: View, where: Where, name: str) -> SqlInstance | None:
    """An instance that answers, or None."""
    side = side_of(view, where)
    found = side.instance(name) if side else None
    return found if found is not None and not found.silence else None


def protected(view: View) -> Iterator[Both]:
    """The protected instances, each with what both sides say."""
    for one in sql_of(view).instances:
        yield Both(one, instance_of(view, SOURCE, one.name), instance_of(view, TARGET, one.name))


def compared(view: View) -> Iterator[tuple[str, SqlInstance, SqlInstance]]:
    """Those that answer on both sides: name, the source's, the target's."""
    for one in protected(view):
        if one.ours is not None and one.theirs is not None:
            yield one.name, one.ours, one.theirs


def answering(view: View) -> Iterator[tuple[Where, str, SqlInstance]]:
    """Each protected instance of each side that answers: side, what it is called in sentences, what it says."""
    for one in protected(view):
        for where in SIDES:
            found = one.on(where)
            if found is not None:
                yield where, called(view, where, one.name), found


def databases(view: View, instance: SqlInstance) -> tuple[SqlDatabase, ...]:
    """Those of its databases that are protected."""
    chosen = sql_of(view).protected_of(instance.name, tuple(one.name for one in instance.databases))
    return tuple(one for one in instance.databases if one.name.lower() in chosen)


def told(view: View) -> Iterator[tuple[SqlInstance, tuple[SqlDatabase, ...]]]:
    """Each instance of the source that answers, with its protected databases; none once the target serves."""
    if view.serving is SOURCE:
        for one in protected(view):
            if one.ours is not None:
                yield one.ours, databases(view, one.ours)


def paths_of(view: View, where: Where) -> dict[str, PathFacts]:
    """What is known of paths on a side, to be looked up many times."""
    return {one.path: one for one in view.inventory.on(where).paths}


def name(view: View, where: Where) -> str:
    """A side's server by its name."""
    return str(view.inventory.on(where).name)


def called(view: View, where: Where, instance: str) -> str:
    """An instance of a side as people write it."""
    return name(view, where) if is_default(instance) else f"{name(view, where)}\\{instance}"


def at(view: View, where: Where, instance: str) -> At:
    """An instance, for a step that mends it."""
    return At(where, name(view, where), instance, view.protection.id)


def protects_already(view: View) -> bool:
    """Whether the target has its part in the protection: then a whole instance is stopped there."""
    return view.protection.id in view.inventory.target.protections


def engine_of(view: View, instance: str) -> ServiceSettings | None:
    """The protected service that is the engine of an instance: on Windows by its name, on Linux there is one."""
    wanted = (
        {"mssql-server"}
        if not view.on_windows
        else {"mssqlserver" if is_default(instance) else f"mssql${instance.lower()}"}
    )
    named = (
        (one, {one.name.lower(), (one.unit or "").lower().removesuffix(".service")})
        for one in view.settings.failover.services
    )
    return next((one for one, names in named if names & wanted), None)


def configuration(view: View, one: Both) -> Configuration | None:
    """The pair as the table of supported ones judges it; None while one side is not known."""
    sides = [_installed(view, where, one) for where in SIDES]
    if sides[0] is None or sides[1] is None:
        return None
    return Configuration(sql_of(view).mode, sides[0], sides[1])


def _installed(view: View, where: Where, one: Both) -> Installed | None:
    found, here = one.on(where), called(view, where, one.name)
    named = not is_default(one.name)
    if found is None:
        return _by_browser(view, where, one.name, here, named=named)
    return Installed(
        here,
        found.version,
        found.engine_edition or 3,
        found.clustered,
        str(Platform.WINDOWS if found.on_windows else Platform.LINUX),
        named,
    )


def _by_browser(view: View, where: Where, instance: str, here: str, *, named: bool) -> Installed | None:
    """What SQL Browser says of one that does not answer itself: enough to know the release."""
    side = side_of(view, where)
    entries = side.browser.entries if side else ()
    entry = next((one for one in entries if one.instance.lower() == instance.lower()), None)
    if entry is None or not entry.version:
        return None
    return Installed(here, entry.version, 3, entry.clustered, str(Platform.WINDOWS), named)


def listed(names: list[str]) -> str:
    """Names in a sentence; many are counted."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
