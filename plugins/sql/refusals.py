"""Why a plan for SQL Server must not be executed now. Each reason is one sentence."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.model.conditions import Stage
from orchestrator.model.servers import Platform, Where
from orchestrator.model.sql import SqlInstance
from orchestrator.sdk.application import Planning
from orchestrator.sdk.pair_plans import parts
from orchestrator.sdk.pair_plans import volume_links as links
from plugins.sql import roots, services, told, unsupported
from plugins.sql.told import ToldInstance

SOURCE, TARGET = Where.SOURCE, Where.TARGET


def refusals(kind: str, planning: Planning) -> Iterator[str]:
    """All of them."""
    yield from _silent(kind, planning)
    settings = planning.protection.settings
    if kind != "unprotect" and not settings.connection.roots:
        yield "no directory is protected: connection.roots is empty; dtam --sql discover tells whether the instance answers"
    if kind != "unprotect":
        yield from _without_engine(planning)
    if kind == "protect":
        yield from _unknown(planning)
        yield from unsupported.refused(planning)
    if kind == "failback" or (kind == "failover" and planning.graceful):
        yield from parts.changed_scripts(planning)
    if kind in {"restore", "failback"}:
        yield from _no_way_back(planning)
    if kind == "failover" and not planning.graceful:
        yield from _nothing_told(planning)
    if kind in {"failover", "failback"} and planning.names is None and settings.failover.moves_names:
        yield "the DNS changes of a failover were never gathered: dtam enable gathers them"


def _silent(kind: str, planning: Planning) -> Iterator[str]:
    needed = {
        "failover": (SOURCE, TARGET) if planning.graceful else (TARGET,),
        "unprotect": (),
    }.get(kind, (SOURCE, TARGET))
    for where in needed:
        side = planning.inventory.on(where)
        if side.unreachable:
            yield f"the {where} {side.name} does not answer: {side.unreachable}"


def _without_engine(planning: Planning) -> Iterator[str]:
    """The service that holds the data cannot be taken off the list."""
    settings = planning.protection.settings
    windows = planning.protection.pair.source.platform is Platform.WINDOWS
    listed = {name.lower() for one in settings.failover.services for name in (one.name, one.on(SOURCE).unit or "")}
    for unit in services.required(windows, told.settings_of(settings).instances):
        if not {unit.lower(), services.short(unit)} & listed:
            yield f"failover.services lacks {unit}, which cannot be left out: it is what holds the data"


def _unknown(planning: Planning) -> Iterator[str]:
    """What is protected is asked of the source; what was told once is good while the source is away only."""
    side, settings = planning.inventory.source, planning.protection.settings
    if side.unreachable:
        return
    found: list[SqlInstance] = []
    for one in told.settings_of(settings).instances:
        instance = side.sql.instance(one.name) if side.sql else None
        if instance is None or instance.silence:
            yield f"{one.name} on {side.name} does not answer: {instance.silence if instance else 'nobody asked it'}"
        else:
            found.append(instance)
    if not told.is_whole(settings):
        for folder in roots.split_folders(told.settings_of(settings), found):
            yield f"databases of {folder} are to go to more than one directory: all of one directory go to one"


def _nothing_told(planning: Planning) -> Iterator[str]:
    """A failover of no database would be done at once, and serve nobody."""
    for one in told.instances(planning):
        if not one.databases:
            yield f"{planning.inventory.target.name} was not told which databases {one.name} has: attach them by hand, or dtam enable while the source is up"


def _no_way_back(planning: Planning) -> Iterator[str]:
    windows = planning.protection.pair.source.platform is Platform.WINDOWS
    wanted = planning.restoring
    if windows and (wanted.elsewhere or wanted.spares):
        yield "whole volumes are brought back to where they came from: no other server or directory, and no file spared"
    if windows and not links.offers(planning, "reverse"):
        yield (
            "the tool that moves the data has no command that turns its direction: bring the data back by hand, "
            "or give connection.external.reverse"
        )
    if not wanted.elsewhere and planning.protection.stage in {Stage.FAILED_OVER, Stage.RESTORED}:
        for one in told.instances(planning):
            yield from _newer(planning, one)


def _newer(planning: Planning, one: ToldInstance) -> Iterator[str]:
    """What a newer SQL Server has opened once, an older one does not read."""
    side = planning.inventory.target.sql
    theirs = side.instance(one.name) if side else None
    if theirs is None or theirs.silence or not one.version:
        return
    ours = tuple(int(part) for part in one.version.split(".")[:2] if part.isdigit())
    if ours != theirs.release[:2]:
        host = planning.inventory.target.name
        yield (
            f"{host} runs version {theirs.version} and the source {one.version}: what it has opened the source cannot read. "
            f"It was a migration; dtam disable --force leaves the databases with {host}"
        )
