"""Reaching: from a server's entry and a protection's settings to the ports that stages work with. Knows every adapter, no stage.

One client an engine for the life of a ``Reach``; close it when done.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.databases.port import OdbcServers
from orchestrator.databases.probing import ask as ask_instance
from orchestrator.directory.from_settings import directory_access, update_access
from orchestrator.directory.port import DirectoryAccess
from orchestrator.engine.client import EngineClient, ServerStatus
from orchestrator.errors import DtamError
from orchestrator.failover.hosts import take as take_of_hosts
from orchestrator.failover.snapshot import Snapshot, take
from orchestrator.hosts.agent import AgentHost
from orchestrator.hosts.arbiter import PinnedWitness
from orchestrator.hosts.clients import NameClients
from orchestrator.hosts.logged import LoggedHost
from orchestrator.hosts.reach import Passwords, client_of
from orchestrator.hosts.retry import RetryHost
from orchestrator.hosts.winrm_calls import Caller
from orchestrator.hosts.winrm_laying import greet
from orchestrator.hosts.winrm_reach import caller_of, winrm_host
from orchestrator.identity.domain_view import DirectoryView
from orchestrator.identity.moving import DirectoryServiceNames
from orchestrator.leasing.arbiter import WitnessArbiter
from orchestrator.leasing.grants import Glance, GrantSettings, LedgerGrants
from orchestrator.leasing.ledger import ledger_of
from orchestrator.model.host import Host
from orchestrator.model.ports import Replication, WitnessView
from orchestrator.model.protections import Protection
from orchestrator.model.servers import Pair, Platform, Server, ServerName, Where, WinRmAddress
from orchestrator.model.settings import ConnectionTab, FailoverTab, Settings
from orchestrator.model.settings_monitoring import WitnessSettings
from orchestrator.model.sqlaccess import access_of
from orchestrator.naming.closed import ClosedNames
from orchestrator.naming.keys import read_key
from orchestrator.naming.port import Rfc2136NameService
from orchestrator.naming.request import Access
from orchestrator.naming.values import NameServer
from orchestrator.replication.external import ExternalReplication, run_here, run_there
from orchestrator.replication.native import NativeReplication, Site
from orchestrator.replication.storage_replica import StorageReplica
from orchestrator.sdk.context import Ports

LOOK_TIMEOUT_S = 3.0
LOOPBACK = {"127.0.0.1", "::1"}


class Reach:
    """The way to all servers. ``passwords`` knows those of accounts at engines; ``hasty`` is one for a look, see ``looking``."""

    def __init__(self, passwords: Passwords, home: Path | None = None, *, hasty: bool = False) -> None:
        self._passwords = passwords
        self._home = home
        self._hasty = hasty
        self._clients: dict[str, EngineClient] = {}
        self._callers: dict[WinRmAddress, Caller] = {}

    def close(self) -> None:
        """End all connections."""
        for client in self._clients.values():
            client.close()
        for caller in self._callers.values():
            caller.close()

    @contextmanager
    def looking(self) -> Iterator[Reach]:
        """A way for one look: silence is told within seconds, and a Windows server that was silent once is not asked again in it."""
        reach = Reach(self._passwords, self._home, hasty=True)
        try:
            yield reach
        finally:
            reach.close()

    def client(self, server: Server) -> EngineClient:
        """The client of a server's engine.

        Raises:
            TokenUnreadable, CredentialUnusable: its token file or its account's password is not fit.
        """
        engine = server.own_engine
        key = f"{engine.address}:{engine.control_port}:{engine.fingerprint}"
        if key not in self._clients:
            more = {"timeout_s": LOOK_TIMEOUT_S} if self._hasty else {}
            self._clients[key] = client_of(server, self._passwords, **more)
        return self._clients[key]

    def caller(self, server: Server) -> Caller:
        """The way to the scripts of a Windows server.

        Raises:
            CredentialUnusable: its account's password is not fit.
        """
        if server.own_winrm not in self._callers:
            self._callers[server.own_winrm] = caller_of(server, self._passwords, hasty=self._hasty)
        return self._callers[server.own_winrm]

    def host(self, server: Server) -> Host:
        """The server as a host, each deed logged: its engine's agent, with patience for a moment's silence; or its scripts over WinRM.

        Those have a patience of their own: a deed whose answer was lost is never sent again by itself.
        """
        if server.platform is Platform.WINDOWS:
            return LoggedHost(winrm_host(server, self.caller(server)))
        return LoggedHost(RetryHost(AgentHost(server.name, self.client(server))))

    def meet(self, server: Server) -> tuple[Server, ServerStatus]:
        """Ask an engine who it is; gives the server with its addresses, the one it is reached at first."""
        status = self.client(server).server()
        reached = server.own_engine.address
        others = [each for each in status.addresses if each not in {reached, *LOOPBACK}]
        addresses = (reached,) if reached.startswith("127.") else (reached, *others)
        return msgspec.structs.replace(server, addresses=addresses), status

    def sign_of_life(self, server: Server) -> tuple[str, str]:
        """``ok`` or ``failed``, and what the engine said or why it did not."""
        try:
            if server.platform is Platform.WINDOWS:
                return greet(server, self.caller(server))
            _, status = self.meet(server)
        except DtamError as error:
            return "failed", str(error)
        return "ok", f"engine {status.name} {status.version}, capture {status.capture}, up {status.uptime_s:.0f} s"

    def ports(self, pair: Pair, settings: Settings, texts: Mapping[str, str] | None = None) -> Ports:
        """The world of one protection. ``texts`` are the scripts of a plan by SHA-256."""
        dns, directory = settings.failover.dns, directory_access(settings.failover)
        watched = settings.monitoring.witness
        return Ports(
            hosts={where: self.host(pair.on(where)) for where in (Where.SOURCE, Where.TARGET)},
            replication=self._replication(pair, settings.connection),
            clients=NameClients([_address_and_port(server) for server in dns.in_order], self._ask_sql),
            now=time.time,
            names=_names(settings.failover) if dns.servers else None,
            witness=self._witness(pair, watched) if watched else None,
            domain=DirectoryView(directory) if directory else None,
            texts=texts or {},
            grants=self._grants(pair, settings),
            service_names=self._service_names(directory),
            sql=self.sql(pair, settings) if settings.failover.sql else None,
        )

    def _ask_sql(self, document: Mapping[str, Any], address: str) -> str:
        """An instance of SQL Server as a client sees it."""
        return ask_instance(document, address, self._passwords)

    def sql(self, pair: Pair, settings: Settings) -> OdbcServers:
        """SQL Server is asked from here whatever its server's platform is: it listens for everybody."""
        return OdbcServers(
            lambda where, instance: access_of(pair, settings, where, instance),
            self._passwords,
            self._home / "sql" if self._home else None,
        )

    def _replication(self, pair: Pair, tab: ConnectionTab) -> Replication:
        """The chosen way to keep data in step."""
        if tab.replication == "storage_replica":
            return StorageReplica({where: self.host(pair.on(where)) for where in (Where.SOURCE, Where.TARGET)}, tab)
        if tab.external is not None:
            on = tab.external.on
            run = run_here if on == "orchestrator" else run_there(self.host(pair.on(Where(on))))
            return ExternalReplication(pair, tab, run)
        return NativeReplication(self._site(pair.source), self._site(pair.target))

    def _service_names(self, directory: DirectoryAccess | None) -> DirectoryServiceNames | None:
        if self._home is None or directory is None:
            return None
        return DirectoryServiceNames(self._home / "identity", directory.to_document())

    def _grants(self, pair: Pair, settings: Settings) -> LedgerGrants | None:
        """Where the target has an engine, that one asks for its epochs itself."""
        if self._home is None or pair.target.engine is not None:
            return None
        watch = settings.monitoring
        arbiter = WitnessArbiter.of(self._home, watch.witness) if watch.witness else None
        settled = GrantSettings(watch.lease.grace_s, watch.fence_command)
        return LedgerGrants(ledger_of(self._home), settled, arbiter, glance=self._glance(pair))

    def _glance(self, pair: Pair) -> Glance:
        """One of the two hosts by a way of its own for a look."""
        servers = {server.name: server for server in (pair.source, pair.target)}

        @contextmanager
        def glance(host: Host) -> Iterator[Host]:
            with self.looking() as reach:
                yield reach.host(servers[ServerName(host.name)])

        return glance

    def snapshot(self, protection: Protection) -> Snapshot:
        """All that both servers know of a protection now; silence is a fact, never an error."""
        pair = protection.pair
        if pair.target.engine is None and self._home is not None:
            with self.looking() as reach:
                return take_of_hosts(protection, reach.ports(pair, protection.settings), self._home)
        sides = [
            (server.name, client_of(server, self._passwords, timeout_s=LOOK_TIMEOUT_S))
            for server in (pair.source, pair.target)
        ]
        try:
            return take(protection.id, *sides)
        finally:
            for _, client in sides:
                client.close()

    def _witness(self, pair: Pair, settings: WitnessSettings) -> WitnessView:
        """As whoever asks it for epochs sees it: the engines, or the executor on this machine."""
        if self._home is not None and pair.target.engine is None:
            return WitnessArbiter.of(self._home, settings)
        engines = {str(server.name): self.client(server) for server in (pair.source, pair.target) if server.engine}
        return PinnedWitness(settings.address, settings.port, settings.fingerprint, engines)

    def _site(self, server: Server) -> Site:
        return Site(self.client(server), server.own_engine.address)


def _address_and_port(server: str) -> tuple[str, int]:
    parsed = NameServer.parse(server)
    return parsed.address, parsed.port


def _names(failover: FailoverTab) -> Rfc2136NameService:
    """Signed updates are the target's alone: that is proved, too."""
    access = _access(failover)
    if failover.dns.signing == "none":
        return Rfc2136NameService(access)
    return ClosedNames(access, [read_key(Path(path)) for path in failover.dns.source_key_files])


def _access(failover: FailoverTab) -> Access:
    dns = failover.dns
    keys = (("", read_key(Path(dns.key_file))),) if dns.key_file else ()
    servers = tuple(NameServer.parse(server) for server in dns.servers)
    chosen = NameServer.parse(dns.client_server) if dns.client_server else None
    return Access(servers, keys, unsigned=dns.security == "none", kerberos=update_access(failover), preferred=chosen)
