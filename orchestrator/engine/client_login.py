"""How a client of an engine says who it is: a token, an account with its password, or a Kerberos ticket.

A login begins anew with every request, because a ticket counts once. Passwords and tokens are in no ``repr``, and so in no traceback or log.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from orchestrator.engine.control.errors import EngineUnreachable, TicketMissing

BOUND = b"tls-server-end-point:"


class Beginning(Protocol):
    """One request's log-in."""

    @property
    def header(self) -> str:
        """The value of Authorization."""

    def finish(self, answered: str, where: str) -> None:
        """Look at the WWW-Authenticate of an answer that was no refusal; raises EngineUnreachable for an engine that proves nothing."""


class Login(Protocol):
    """Who asks. ``single_use``: a request cannot be sent a second time with the same header."""

    @property
    def single_use(self) -> bool:
        """Whether a header counts once only."""

    def begin(self) -> Beginning:
        """Log in for one request."""


@dataclass(frozen=True, slots=True)
class Same:
    """A header that serves for every request."""

    header: str = field(repr=False)
    single_use: bool = False

    def begin(self) -> Same:
        """Itself."""
        return self

    def finish(self, answered: str, where: str) -> None:
        """Nothing is proved beyond the pinned certificate."""


def by_token(token: str) -> Login:
    """A token."""
    return Same(f"Bearer {token}")


def by_password(name: str, password: str) -> Login:
    r"""An operating-system account of the engine's host: USER, DOMAIN\USER or USER@DOMAIN."""
    return Same(f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}")


@dataclass(slots=True)
class KerberosLogin:
    """Tickets for the engine on ``host`` (its full name), bound to the pinned certificate.

    ``principal`` None means the ticket cache's; with a ``keytab`` tickets are got with its key and kept in memory.
    """

    host: str
    fingerprint: str
    principal: str | None = None
    keytab: Path | None = None
    single_use: bool = True
    _service: str = field(default="", init=False)
    _cache: str = field(default_factory=lambda: f"MEMORY:{os.getpid()}-{secrets.token_hex(8)}", init=False, repr=False)

    def begin(self) -> Ticket:
        """A fresh ticket.

        Raises:
            TicketMissing: none can be had.
        """
        gssapi = _library(self.host)
        problem: Exception | None = None
        for service in (self._service,) if self._service else ("HTTP", "host"):
            try:
                ticket = self._ticket(gssapi, service)
            except gssapi.exceptions.GSSError as error:
                problem = error
            else:
                self._service = service
                return ticket
        raise TicketMissing(host=self.host, why=_words(problem)) from problem

    def _ticket(self, gssapi: Any, service: str) -> Ticket:
        name = gssapi.Name(f"{service}@{self.host}", gssapi.NameType.hostbased_service)
        flag = gssapi.RequirementFlag
        context = gssapi.SecurityContext(
            name=name,
            creds=self._credentials(gssapi),
            mech=gssapi.MechType.kerberos,
            flags=flag.mutual_authentication | flag.replay_detection | flag.integrity,
            channel_bindings=gssapi.raw.ChannelBindings(application_data=BOUND + bytes.fromhex(self.fingerprint)),
            usage="initiate",
        )
        return Ticket(context, context.step(), self.host)

    def _credentials(self, gssapi: Any) -> Any:
        wanted = gssapi.Name(self.principal, gssapi.NameType.kerberos_principal) if self.principal else None
        store: Mapping[str, str] | None = None
        if self.keytab is not None:
            store = {"client_keytab": f"FILE:{self.keytab}", "ccache": self._cache}
        if wanted is None and store is None:
            return None
        return gssapi.Credentials(name=wanted, usage="initiate", store=store)


@dataclass(slots=True)
class Ticket:
    """A ticket on its way: what was sent, and the context that checks the answer."""

    context: Any = field(repr=False)
    sent: bytes = field(repr=False)
    host: str

    @property
    def header(self) -> str:
        """The ticket."""
        return f"Negotiate {base64.b64encode(self.sent).decode()}"

    def finish(self, answered: str, where: str) -> None:
        """The engine must have proved that it holds the key of ``host``."""
        gssapi = _library(self.host)
        kind, _, answer = answered.partition(" ")
        try:
            if kind.lower() == "negotiate" and answer:
                self.context.step(base64.b64decode(answer, validate=True))
            proved = bool(self.context.complete)
        except (binascii.Error, gssapi.exceptions.GSSError):
            proved = False
        if not proved:
            raise EngineUnreachable(where=where, why=f"it did not prove that it holds the Kerberos key of {self.host}")


def _library(host: str) -> Any:
    try:
        import gssapi  # noqa: PLC0415  only who uses Kerberos must have its libraries
    except ImportError as error:
        raise TicketMissing(host=host, why="the Python package gssapi is not installed") from error
    return gssapi


def _words(error: Any) -> str:
    return "; ".join(str(word) for word in error.get_all_statuses(error.min_code, False)) or str(error)
