"""Ask both servers, the names and the witness what a file server's protection needs to know. A silent one is a fact, no error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from orchestrator.errors import DtamError
from orchestrator.model.host import Host
from orchestrator.model.inventory import Inventory, Query, SideInventory
from orchestrator.model.outcomes import TryAgain
from orchestrator.model.servers import ServerName, Where
from orchestrator.model.settings import Settings
from orchestrator.model.settings_domain import SambaSettings
from orchestrator.sdk.asking import domain_of, names_of, side_of, witness_of
from orchestrator.sdk.context import Ports
from orchestrator.sdk.sides import account_of, target_keys
from plugins.fileserver.sharing import chosen

Answer = TypeVar("Answer")


def inventory(ports: Ports, settings: Settings) -> Inventory:
    """Everything about the pair, now. The target is asked for the accounts that the source's shares name."""
    source = _side(ports, settings, Where.SOURCE)
    sids = [sid for share in chosen(settings, source.samba) for sid in share.sids]
    target = _side(ports, settings, Where.TARGET, sids)
    return Inventory(
        taken_at_s=ports.now(),
        source=source,
        target=target,
        paired=_paired(ports),
        names=names_of(ports, settings),
        domain=domain_of(ports, settings, account_of(source), account_of(target)),
        witness=witness_of(ports, settings),
    )


def paths_of(settings: Settings, where: Where) -> list[str]:
    """The paths that are looked at on a side: the protected directories, and the key that the target's script needs."""
    paths = [root.on(where) for root in settings.connection.roots]
    key = settings.failover.dns.target_key_file or settings.failover.dns.key_file
    return paths + ([key] if key and where is Where.TARGET else [])


def _side(ports: Ports, settings: Settings, where: Where, sids: Sequence[str] = ()) -> SideInventory:
    name = ServerName(settings.target if where is Where.TARGET else settings.source)
    try:
        side = _ask(ports.host(where), ports.now, settings, where, name)
        side = _with_sharing(side, ports, settings, where, sids)
        paths = [root.on(where) for root in settings.connection.roots]
        captured = tuple(path for path in paths if ports.replication.captured(where, path))
        return msgspec.structs.replace(side, captured=captured)
    except (DtamError, TryAgain) as silence:
        return SideInventory(name, unreachable=str(silence))


def keytabs_of(settings: Settings, where: Where) -> list[str]:
    """The keytabs that the target's script needs."""
    if where is not Where.TARGET:
        return []
    return list(dict.fromkeys(path for path, _ in target_keys(settings, "")))


def _with_sharing(
    side: SideInventory, ports: Ports, settings: Settings, where: Where, sids: Sequence[str]
) -> SideInventory:
    conf = settings.failover.samba.conf if settings.failover.samba else SambaSettings().conf
    found = ports.host(where).samba(conf, keytabs_of(settings, where), list(dict.fromkeys(sids)))
    query = Query(f"GET /v1/facts/samba?conf={conf}", side.name, ports.now())
    return msgspec.structs.replace(side, samba=found, queries=side.queries | {"samba": query})


def _ask(host: Host, now: Callable[[], float], settings: Settings, where: Where, name: ServerName) -> SideInventory:
    queries: dict[str, Query] = {}

    def asked(fact: str, question: str, answer: Answer) -> Answer:
        queries[fact] = Query(question, name, now())
        return answer

    paths = paths_of(settings, where)
    wanted: list[dict[str, Any]] = [service.document(where) for service in settings.failover.services]
    engine = asked("engine", "GET /v1/server", host.engine())
    facts = asked("paths", "GET /v1/facts?" + "&".join(f"path={path}" for path in paths), host.facts(paths))
    services = asked("services", "GET /v1/services", host.services(wanted))
    roles = asked("protections", "GET /v1/protections", host.protections())
    side = side_of(host, name, facts, roles, settings)
    return msgspec.structs.replace(side, engine=engine, services=services, queries=queries)


def _paired(ports: Ports) -> bool | None:
    try:
        return ports.replication.paired()
    except (DtamError, TryAgain):
        return None
