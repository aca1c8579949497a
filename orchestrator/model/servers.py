"""Where things are: servers, how each is reached, and the pair that a protection joins."""

from __future__ import annotations

from enum import StrEnum
from typing import NewType

import msgspec

from orchestrator.model.errors import ServerWithoutEngine, ServerWithoutWinRm

ServerName = NewType("ServerName", str)
ProtectionId = NewType("ProtectionId", str)
RunId = NewType("RunId", str)

CONTROL_PORT = 6320
DATA_PORT = 6321
WINRM_PORT = 5985
WINRM_TLS_PORT = 5986


class Where(StrEnum):
    """Where a step acts. Source and target are the roles of the settings: they stay while the service moves."""

    SOURCE = "source"
    TARGET = "target"
    ORCHESTRATOR = "orchestrator"

    @property
    def other(self) -> Where:
        """The other side of the pair."""
        return {Where.SOURCE: Where.TARGET, Where.TARGET: Where.SOURCE}.get(self, self)


class Platform(StrEnum):
    """What a server runs, which decides how it is reached and in which language its scripts are."""

    LINUX = "linux"
    WINDOWS = "windows"


class EngineAccount(msgspec.Struct, frozen=True):
    """Who logs in at an engine: ``user`` with the password that the credential cache has, or Kerberos tickets for ``kerberos_host``.

    Tickets come from the process's ticket cache, or from ``keytab`` for ``principal``. No secret is kept here.
    """

    user: str = ""
    kerberos_host: str = ""
    principal: str | None = None
    keytab: str | None = None


class EngineAddress(msgspec.Struct, frozen=True):
    """How an engine's control API is reached: by a token or an account.

    ``token_file`` names a file of mode 0600; the token itself is never kept here.
    """

    address: str
    control_port: int = CONTROL_PORT
    fingerprint: str = ""
    token_file: str | None = None
    account: EngineAccount | None = None


class Transport(StrEnum):
    """How one logs in at WinRM. Kerberos and NTLM encrypt the messages themselves; the others need verified HTTPS."""

    KERBEROS = "kerberos"
    NTLM = "ntlm"
    CERTIFICATE = "certificate"
    BASIC_HTTPS = "basic-https"


class WinRmAddress(msgspec.Struct, frozen=True):
    r"""How a Windows server's WinRM is reached. No secret is kept here.

    ``account`` is whose password the credential cache has (``DOMAIN\\user``, ``user@DOMAIN`` or a local ``user``); by Kerberos it may be
    empty: then tickets come from ``keytab`` for ``principal``, or from the process's own cache. ``host_name`` is the server's full name
    in its domain where ``address`` is not that name: tickets are asked for it. ``tls``: HTTPS, verified by ``ca_file`` or the system's.
    ``computer`` is the name that the computer gave itself when it became known: whoever answers with another one is not spoken to, because
    an address may be another host's after a failover.
    """

    address: str
    port: int = WINRM_PORT
    transport: Transport = Transport.KERBEROS
    tls: bool = False
    account: str = ""
    host_name: str = ""
    principal: str | None = None
    keytab: str | None = None
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    computer: str = ""

    def __post_init__(self) -> None:
        """A login that seals no messages needs TLS: else a password would be readable."""
        if self.transport in {Transport.BASIC_HTTPS, Transport.CERTIFICATE} and not self.tls:
            msg = f"{self.transport} at {self.address} is for HTTPS only"
            raise ValueError(msg)

    @property
    def url(self) -> str:
        """Where WS-Management listens.

        >>> WinRmAddress("fd00::7", 5986, Transport.NTLM, tls=True).url
        'https://[fd00::7]:5986/wsman'
        """
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}/wsman"


class Server(msgspec.Struct, frozen=True):
    """A server that dtam knows: its short name, its addresses, and its engine or its WinRM; never both."""

    name: ServerName
    addresses: tuple[str, ...]
    engine: EngineAddress | None = None
    winrm: WinRmAddress | None = None

    def __post_init__(self) -> None:
        """Exactly one way leads to a server."""
        if (self.engine is None) == (self.winrm is None):
            msg = f"server {self.name} is reached by its engine or by WinRM: exactly one of both"
            raise ValueError(msg)

    @property
    def platform(self) -> Platform:
        """What it runs."""
        return Platform.LINUX if self.engine else Platform.WINDOWS

    @property
    def address(self) -> str:
        """Where it is reached."""
        return (self.engine or self.own_winrm).address

    @property
    def reached_at(self) -> str:
        """Where it is reached, with the port, for people."""
        return f"{self.engine.address}:{self.engine.control_port}" if self.engine else self.own_winrm.url

    @property
    def own_engine(self) -> EngineAddress:
        """Its engine.

        Raises:
            ServerWithoutEngine: it is a Windows server.
        """
        if self.engine is None:
            raise ServerWithoutEngine(server=self.name)
        return self.engine

    @property
    def own_winrm(self) -> WinRmAddress:
        """Its WinRM.

        Raises:
            ServerWithoutWinRm: it has an engine.
        """
        if self.winrm is None:
            raise ServerWithoutWinRm(server=self.name)
        return self.winrm


class Pair(msgspec.Struct, frozen=True):
    """A source and its target."""

    source: Server
    target: Server

    def on(self, where: Where) -> Server:
        """The server of a side."""
        return self.target if where is Where.TARGET else self.source
