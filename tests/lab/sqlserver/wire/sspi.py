"""Integrated log-in: SPNEGO, Kerberos with a keytab and NTLM, through pyspnego's server side; [MS-TDS] 3.2.5.1.

NTLM's accounts are told by a file, as the simulation has no secure channel to a controller; Kerberos brings the caller's SIDs in
the ticket's privilege attribute certificate.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import spnego

from tests.lab.sqlserver.engine.port import WindowsIdentity
from tests.lab.sqlserver.wire import pac
from tests.lab.sqlserver.wire.principals import Accounts

LOG = logging.getLogger(__name__)
SPNEGO = bytes.fromhex("06062b0601050502")  # 1.3.6.1.5.5.2
LOGON_INFO = b"urn:mspac:logon-info"


class Refused(Exception):
    """SSPI says no: SQL Server answers 18452."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who it is, and how it was proved."""

    identity: WindowsIdentity
    scheme: str  # KERBEROS or NTLM


def protocol_of(token: bytes) -> str:
    """Which mechanism a first token begins."""
    if token.startswith(b"NTLMSSP\0"):
        return "ntlm"
    return "negotiate" if SPNEGO in token[:20] or token[:1] != b"\x60" else "kerberos"


class Exchange:
    """The tokens of one log-in."""

    def __init__(self, first: bytes, accounts: Accounts) -> None:
        self._context = spnego.server(protocol=protocol_of(first))
        self._accounts = accounts

    @property
    def complete(self) -> bool:
        """Whether the caller is known."""
        return bool(self._context.complete)

    def step(self, token: bytes) -> bytes:
        """The server's next token, empty for none. Raises Refused."""
        try:
            return self._context.step(token) or b""
        except Exception as error:
            LOG.info("refused: %s", error)
            raise Refused(str(error)) from error

    def caller(self) -> Caller:
        """Who it is. Raises Refused."""
        principal = self._context.client_principal or ""
        if self._context.negotiated_protocol == "ntlm":
            return Caller(self._known(principal), "NTLM")
        return Caller(self._of_ticket(principal), "KERBEROS")

    def _known(self, principal: str) -> WindowsIdentity:
        identity = self._accounts.identity(principal)
        if identity is None:
            raise Refused(principal)
        return identity

    def _of_ticket(self, principal: str) -> WindowsIdentity:
        inner: Any = self._context
        while isinstance(inner, spnego.ContextProxy):
            inner = vars(inner)["_context"]  # the library has no word for the context of gssapi itself
        try:
            info = pac.parse(next(iter(inner.initiator_name.attributes[LOGON_INFO].values)))
        except (KeyError, StopIteration, pac.Unreadable) as error:
            LOG.info("a ticket of %s without a certificate of its privileges: %s", principal, error)
            return self._known(principal)
        names = self._accounts
        groups = tuple((names.name_of(sid), sid) for sid in info.groups)
        name = f"{info.domain}\\{info.user}"
        local = known.groups if (known := names.identity(name)) else ()  # groups of the machine are not in the ticket
        return WindowsIdentity(name, info.sid, groups + local)
