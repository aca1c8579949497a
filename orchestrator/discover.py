"""Discover: the servers that dtam knows, and an ``Inventory`` of a pair through the application's eyes.

For file servers there is no directory to search: servers are known because somebody added them, and each says by itself what it
is part of. Nothing here raises because a server is silent: that is a fact too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import msgspec

from orchestrator.errors import DtamError
from orchestrator.model.host import Host
from orchestrator.model.inventory import EngineFacts, Inventory, SideInventory
from orchestrator.model.outcomes import TryAgain
from orchestrator.model.servers import Pair, Platform, Server, Where
from orchestrator.model.settings import Settings
from orchestrator.model.sql import SqlSide
from orchestrator.model.sqlport import SqlServers
from orchestrator.sdk.application import Application
from orchestrator.sdk.context import Ports

_THREADS = 8


class Discovered(msgspec.Struct, frozen=True):
    """A known server as it answered. ``protected`` and ``target_of`` are ids of protections; ``silence`` says why it did not."""

    server: Server
    engine: EngineFacts | None = None
    protected: tuple[str, ...] = ()
    target_of: tuple[str, ...] = ()
    silence: str = ""

    @property
    def says(self) -> str:
        """One word or two for the table: unprotected, source of, target of, silent."""
        if self.silence:
            return "silent"
        roles = [f"source of {one}" for one in self.protected] + [f"target of {one}" for one in self.target_of]
        return ", ".join(roles) or "unprotected"


def servers(known: Iterable[Server], reach: Callable[[Server], Host]) -> tuple[Discovered, ...]:
    """Ask every known server what it is, several at a time."""
    with ThreadPoolExecutor(_THREADS) as pool:
        return tuple(pool.map(lambda server: _one(server, reach), known))


def _one(server: Server, reach: Callable[[Server], Host]) -> Discovered:
    try:
        host = reach(server)
        roles = host.protections()
        return Discovered(
            server,
            host.engine() if server.engine is not None else None,
            tuple(name for name, role in roles if role == "source"),
            tuple(name for name, role in roles if role == "target"),
        )
    except (DtamError, TryAgain) as error:
        return Discovered(server, silence=str(error))


def sharing(pair: Pair, reach: Callable[[Server], Host], conf: str, now_s: float) -> Inventory:
    """What both hosts say of their file sharing, before there are settings; silence is a fact."""
    return Inventory(now_s, _shared_by(pair.source, reach, conf), _shared_by(pair.target, reach, conf))


def _shared_by(server: Server, reach: Callable[[Server], Host], conf: str) -> SideInventory:
    try:
        if server.platform is Platform.WINDOWS:
            return SideInventory(server.name, windows=reach(server).windows())
        return SideInventory(server.name, samba=reach(server).samba(conf))
    except (DtamError, TryAgain) as silence:
        return SideInventory(server.name, unreachable=str(silence))


def databases(found: Inventory, servers: SqlServers, instances: Iterable[str]) -> Inventory:
    """The same with what both SQL Servers say of themselves: the named instances, and those that the source's Browser knows."""
    browser = servers.browse(Where.SOURCE)
    names = tuple(dict.fromkeys([*instances, *(one.instance for one in browser.entries)]))
    sides = {where: _sql_side(servers, where, names) for where in (Where.SOURCE, Where.TARGET)}
    source = msgspec.structs.replace(sides[Where.SOURCE], browser=browser)
    return msgspec.structs.replace(
        found,
        source=msgspec.structs.replace(found.source, sql=source),
        target=msgspec.structs.replace(found.target, sql=sides[Where.TARGET]),
    )


def _sql_side(servers: SqlServers, where: Where, instances: Iterable[str]) -> SqlSide:
    return SqlSide(tuple(servers.facts(where, one) for one in instances))


def inventory(application: Application, ports: Ports, settings: Settings) -> Inventory:
    """Everything about the pair, each fact with its question."""
    return application.inventory(ports, settings)
