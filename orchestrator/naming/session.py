"""What one deed works with: the conversation with DNS servers, and the directory that keeps their zones, where there is one.

When the directory cannot be reached the deed goes on without it, and says so: DNS may still take the change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import dns.message

from orchestrator.directory.errors import ControllerUnreachable, DirectoryError
from orchestrator.directory.port import DirectoryAccess
from orchestrator.naming.adzones import AdZones
from orchestrator.naming.errors import KerberosFailed, NamingError
from orchestrator.naming.exchange import Exchange
from orchestrator.naming.report import Outcome, failure_of
from orchestrator.naming.request import Access
from orchestrator.naming.values import Change, NameServer


@dataclass(frozen=True, slots=True)
class Session:
    """``zones`` is None where no directory is used or it cannot be reached; ``failures`` says why."""

    exchange: Exchange
    zones: AdZones | None = None
    failures: tuple[Outcome, ...] = ()

    def in_directory(self, changes: Iterable[Change]) -> list[Change]:
        """Those of the changes that the directory shows: not those on a server with a key of its own."""
        return [one for one in changes if not self.exchange.access.is_apart(one.server)]


@contextmanager
def opened(access: Access) -> Iterator[Session]:
    """A session for one deed."""
    if access.kerberos is None:
        with Exchange(access) as exchange:
            yield Session(exchange)
        return
    try:
        zones = _directory_of(access, access.kerberos)
    except DirectoryError as error:
        failure = failure_of("directory", directory_failed(access, error))
        with Exchange(access) as exchange:
            yield Session(exchange, None, (failure,))
        return
    with zones, Exchange(access, strict=not zones.is_samba()) as exchange:
        exchange.access = _beside(exchange, zones)
        yield Session(exchange, zones)


def _directory_of(access: Access, way: DirectoryAccess) -> AdZones:
    """The directory at a controller that is a listed DNS server, where one answers: what is written there is seen there at once."""
    listed = tuple(one.address for one in access.servers)
    if way.controllers or not listed:
        return AdZones.open(way)
    try:
        return AdZones.open(replace(way, controllers=listed))
    except ControllerUnreachable:
        return AdZones.open(way)


def directory_failed(access: Access, error: DirectoryError) -> NamingError:
    """The directory's error as one of ours."""
    domain = access.kerberos.domain if access.kerberos else ""
    may_pass = isinstance(error, ControllerUnreachable)
    return KerberosFailed(server=f"the directory of {domain}", reason=str(error), advice=error.hint, may_pass=may_pass)


def _beside(exchange: Exchange, zones: AdZones) -> Access:
    """Write DNS at the controller that the directory is read and written at, where it is listed and answers."""
    access = exchange.access
    server = (
        None if access.each_server or access.preferred else _listed(exchange, f"{zones.directory.server.rstrip('.')}.")
    )
    if server is None:
        return access
    chosen = {zone.lower().rstrip(".") for zone, _ in access.primaries}
    here = tuple((zone, server) for zone in zones.zones if zone.rstrip(".") not in chosen and "" not in chosen)
    return replace(access, primaries=(*access.primaries, *here))


def _listed(exchange: Exchange, host: str) -> NameServer | None:
    """The listed server that has one of this host's addresses, as the first server that knows them says; None if it is silent."""
    for asked in exchange.access.servers:
        try:
            found = {one for kind in ("A", "AAAA") for one in _addresses(exchange.ask(asked, host, kind))}
        except NamingError:
            continue
        if found:
            own = next((one for one in exchange.access.servers if one.address in found), None)
            return None if own is None or exchange.is_silent(own) else own
    return None


def _addresses(answer: dns.message.Message) -> list[str]:
    return [one.address for records in answer.answer for one in records if hasattr(one, "address")]
