"""One side of a pair as it tells of itself, whatever runs on it. Silence is for whoever calls to note: it is raised here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from orchestrator.errors import DtamError
from orchestrator.model.inventory import Query, SideInventory
from orchestrator.model.outcomes import TryAgain
from orchestrator.model.servers import ServerName, Where
from orchestrator.model.settings import Settings
from orchestrator.model.windows import WindowsAsk
from orchestrator.sdk.asking import side_of
from orchestrator.sdk.context import Ports

Answer = TypeVar("Answer")


def name_of(settings: Settings, where: Where) -> ServerName:
    """The name of a side's server."""
    return ServerName(settings.target if where is Where.TARGET else settings.source)


def or_silent(settings: Settings, where: Where, ask: Callable[[], SideInventory]) -> SideInventory:
    """What a side says; one that does not answer is a fact."""
    try:
        return ask()
    except (DtamError, TryAgain) as silence:
        return SideInventory(name_of(settings, where), unreachable=str(silence))


def paths_of(settings: Settings, where: Where) -> list[str]:
    """The paths that are looked at on a side: the protected directories, and the key that the target's script needs."""
    paths = [root.on(where) for root in settings.connection.roots]
    key = settings.failover.dns.target_key_file or settings.failover.dns.key_file
    return paths + ([key] if key and where is Where.TARGET else [])


def engine_side(ports: Ports, settings: Settings, where: Where) -> SideInventory:
    """A host with an engine: the engine, paths, services, its part in protections, and what it captures."""
    host, name = ports.host(where), name_of(settings, where)
    queries: dict[str, Query] = {}

    def asked(fact: str, question: str, answer: Answer) -> Answer:
        queries[fact] = Query(question, name, ports.now())
        return answer

    paths = paths_of(settings, where)
    wanted: list[dict[str, Any]] = [service.document(where) for service in settings.failover.services]
    engine = asked("engine", "GET /v1/server", host.engine())
    facts = asked("paths", "GET /v1/facts?" + "&".join(f"path={path}" for path in paths), host.facts(paths))
    services = asked("services", "GET /v1/services", host.services(wanted))
    roles = asked("protections", "GET /v1/protections", host.protections())
    roots = [root.on(where) for root in settings.connection.roots]
    return msgspec.structs.replace(
        side_of(host, name, facts, roles, settings),
        engine=engine,
        services=services,
        queries=queries,
        captured=tuple(path for path in roots if ports.replication.captured(where, path)),
    )


def windows_side(ports: Ports, settings: Settings, where: Where, ask: WindowsAsk) -> SideInventory:
    """A Windows host: what it says of itself, its paths and services, and its part in protections."""
    host, name = ports.host(where), name_of(settings, where)
    wanted: list[dict[str, Any]] = [service.document(where) for service in settings.failover.services]
    facts, roles = host.facts([root.on(where) for root in settings.connection.roots]), host.protections()
    at_s = ports.now()
    return msgspec.structs.replace(
        side_of(host, name, facts, roles, settings),
        services=host.services(wanted),
        windows=host.windows(ask),
        queries={word: Query(f"WinRM: {word}", name, at_s) for word in ("paths", "services", "protections", "windows")},
    )


def paired(ports: Ports) -> bool | None:
    """Whether both engines trust each other; None where that is not known."""
    try:
        return ports.replication.paired()
    except (DtamError, TryAgain):
        return None
