"""Where things are: servers, the engines on them, and the pair that a protection joins."""

from __future__ import annotations

from enum import StrEnum
from typing import NewType

import msgspec

ServerName = NewType("ServerName", str)
ProtectionId = NewType("ProtectionId", str)
RunId = NewType("RunId", str)

CONTROL_PORT = 6320
DATA_PORT = 6321


class Where(StrEnum):
    """Where a step acts. Source and target are the roles of the settings: they stay while the service moves."""

    SOURCE = "source"
    TARGET = "target"
    ORCHESTRATOR = "orchestrator"

    @property
    def other(self) -> Where:
        """The other side of the pair."""
        return {Where.SOURCE: Where.TARGET, Where.TARGET: Where.SOURCE}.get(self, self)


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


class Server(msgspec.Struct, frozen=True):
    """A server that dtam knows: its short name, its addresses and its engine."""

    name: ServerName
    addresses: tuple[str, ...]
    engine: EngineAddress


class Pair(msgspec.Struct, frozen=True):
    """A source and its target."""

    source: Server
    target: Server

    def on(self, where: Where) -> Server:
        """The server of a side."""
        return self.target if where is Where.TARGET else self.source
