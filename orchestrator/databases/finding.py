"""Which servers of a domain have SQL Server: by the service names of its accounts, by SQL Browser, and by hand.

A service name stands on the account that runs the instance, the host's and the instance's name in its value: ``MSSQLSvc/HOST``,
``HOST:PORT``, ``HOST:INSTANCE``. A server whose account may not write its own service names is not found by them.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import msgspec

from orchestrator.databases.browser import PORT, browse, parse
from orchestrator.directory.port import Directory
from orchestrator.model.sql import DEFAULT_INSTANCE, DEFAULT_PORT, BrowserEntry, SqlBrowser

SERVICE = "MSSQLSvc/"
FILTER = "(servicePrincipalName=MSSQLSvc/*)"
WORDS = ("sAMAccountName", "servicePrincipalName")
BROADCAST_S = 2.0
_THREADS = 16


class FoundSql(msgspec.Struct, frozen=True):
    """A host with SQL Server. ``accounts`` run its instances; ``by`` says how it was found: spn, browser, hand."""

    host: str
    instances: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    accounts: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    silence: str = ""

    @property
    def short_name(self) -> str:
        """The host's first label, in capitals, or its address."""
        return (
            self.host
            if self.host.replace(".", "").isdigit() or ":" in self.host
            else self.host.partition(".")[0].upper()
        )


def by_spn(directory: Directory) -> list[FoundSql]:
    """All hosts that service names tell of, page by page, in one pass.

    Raises:
        DirectoryError: the domain cannot be asked.
    """
    found: dict[str, FoundSql] = {}
    for entry in directory.find(directory.facts().base_dn, FILTER, WORDS):
        account = entry.first("sAMAccountName") or ""
        for one in spns(entry.text("servicePrincipalName"), account):
            known = found.get(one.host.lower())
            found[one.host.lower()] = merged(known, one) if known else one
    return in_order(found.values())


def spns(values: Iterable[str], account: str) -> Iterator[FoundSql]:
    """What the service names of one account tell; those of other services tell nothing."""
    for value in values:
        if not value.lower().startswith(SERVICE.lower()):
            continue
        host, _, what = value[len(SERVICE) :].partition("/")[0].partition(":")
        if not host:
            continue
        port = int(what) if what.isdigit() else None
        names = (DEFAULT_INSTANCE,) if not what or port == DEFAULT_PORT else () if port else (what.upper(),)
        yield FoundSql(host, names, (port,) if port else (), (account,) if account else (), ("spn",))


def by_browser(host: str, by: str = "browser", ask: Callable[[str], SqlBrowser] = browse) -> FoundSql:
    """What SQL Browser of a host says; a silent one may have SQL Server all the same."""
    said = ask(host)
    return FoundSql(host, *_of(said.entries), by=(by,), silence=said.silence)


def by_browsers(hosts: Iterable[str], by: str, ask: Callable[[str], SqlBrowser] = browse) -> list[FoundSql]:
    """Several at a time."""
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(lambda host: by_browser(host, by, ask), dict.fromkeys(hosts)))


def by_broadcast(wait_s: float = BROADCAST_S, *, address: str = "255.255.255.255", port: int = PORT) -> list[FoundSql]:
    """Who answers on this network; nobody, where it cannot be asked."""
    found: dict[str, FoundSql] = {}
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        door.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        door.sendto(b"\x02", (address, port))
        ends_at = time.monotonic() + wait_s
        while (left_s := ends_at - time.monotonic()) > 0:
            door.settimeout(left_s)
            answer, (sender, *_) = door.recvfrom(65535)
            with contextlib.suppress(ValueError):
                entries = parse(answer)
                host = next((one.server for one in entries if one.server), sender)
                found[host.lower()] = FoundSql(host, *_of(entries), by=("browser",))
    return in_order(found.values())


def _of(entries: Iterable[BrowserEntry]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    listed = list(entries)
    return tuple(one.instance.upper() for one in listed), tuple(one.port for one in listed if one.port)


def together(*lists: Iterable[FoundSql]) -> list[FoundSql]:
    """One of each host, by its short name, with all that is known of it."""
    found: dict[str, FoundSql] = {}
    for one in (one for each in lists for one in each):
        known = found.get(one.short_name.lower())
        found[one.short_name.lower()] = merged(known, one) if known else one
    return in_order(found.values())


def merged(left: FoundSql, right: FoundSql) -> FoundSql:
    """Two about the same host; the longer name is the better one."""
    return FoundSql(
        max(left.host, right.host, key=len),
        tuple(sorted({*left.instances, *right.instances}, key=lambda name: (name != DEFAULT_INSTANCE, name))),
        tuple(sorted({*left.ports, *right.ports})),
        tuple(sorted({*left.accounts, *right.accounts})),
        tuple(dict.fromkeys((*left.by, *right.by))),
        left.silence or right.silence if not (left.instances or right.instances) else "",
    )


def in_order(found: Iterable[FoundSql]) -> list[FoundSql]:
    """By host."""
    return sorted(found, key=lambda one: one.host.lower())
