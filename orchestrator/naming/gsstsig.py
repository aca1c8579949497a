"""GSS-TSIG: a Kerberos session with a DNS server, which signs updates as a key does.

A session serves one message at a time: its owner borrows it, and gives it back. The name of its key ends in ``.sigkey.``, a suffix
that no zone has: dnspython would compress a shared one, and Samba 4.17 then computes another signature. dnspython steps the
context when the server's answer comes; stepping it again would break it. State: the sessions that nobody uses, guarded by
``_lock``; tickets are acquired once and go with ``close``.

Sources: RFC 3645 (GSS-TSIG), RFC 2930 (TKEY), RFC 4178 (SPNEGO).
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.TKEY
import dns.rrset
import dns.tsig
import gssapi
from gssapi.raw.misc import GSSError

from orchestrator.directory.errors import ControllerUnreachable, DirectoryError
from orchestrator.directory.gss import Tickets
from orchestrator.directory.kerberos_failures import explained
from orchestrator.directory.port import DirectoryAccess
from orchestrator.directory.tickets import ticket_cache
from orchestrator.naming.errors import KerberosFailed
from orchestrator.naming.values import NameServer

_SPNEGO = gssapi.OID.from_int_seq("1.3.6.1.5.5.2")
_FLAGS = int(
    gssapi.RequirementFlag.mutual_authentication
    | gssapi.RequirementFlag.integrity
    | gssapi.RequirementFlag.replay_detection
)
_BY_GSS_API = 3
_LIFETIME_S = 3600
_SUFFIX = "sigkey."
_ERRORS = {
    16: (
        "BADSIG",
        "it does not accept the proof of this account: compare the clocks, then have its own account looked at",
    ),
    17: ("BADKEY", "does that server belong to the domain, and does its account have the principal DNS/its name?"),
    18: ("BADTIME", "set this machine's clock by the domain's (five minutes are tolerated), then run it again"),
}

Ask = Callable[[NameServer, dns.message.Message], dns.message.Message]


@dataclass(frozen=True, slots=True)
class GssKey:
    """An established session as a key; ``name`` is made up for it."""

    name: str
    context: gssapi.SecurityContext = field(repr=False)

    def tsig(self) -> dns.tsig.Key:
        """The form that dnspython signs with."""
        context: Any = self.context  # dnspython passes it on to its GSS-TSIG code, and calls it a secret
        return dns.tsig.Key(dns.name.from_text(self.name), context, dns.tsig.GSS_TSIG)

    def __str__(self) -> str:
        return "of this Kerberos session"


class Sessions:
    """The sessions with all servers of one domain."""

    def __init__(self, access: DirectoryAccess, ask: Ask, host_of: Callable[[NameServer], str]) -> None:
        self._access = access
        self._ask = ask
        self._host_of = host_of
        self._idle: dict[NameServer, list[GssKey]] = {}
        self._lock = threading.Lock()
        self._held = ExitStack()
        self._tickets: Tickets | None = None

    @contextmanager
    def borrowed(self, server: NameServer) -> Iterator[GssKey]:
        """A session for one message; one that failed is not used again.

        Raises:
            KerberosFailed: no tickets, or the server does not accept them.
        """
        with self._lock:
            idle = self._idle.setdefault(server, [])
            key = idle.pop() if idle else None
        key = key or self._negotiated(server)
        yield key
        with self._lock:
            self._idle[server].append(key)

    def close(self) -> None:
        """Forget all sessions, and the tickets that were acquired for them."""
        with self._lock:
            self._idle.clear()
            self._tickets = None
            self._held.close()

    def _negotiated(self, server: NameServer) -> GssKey:
        tickets = self._acquired(server)
        try:
            host = self._host_of(server)
            target = gssapi.Name(f"DNS@{host}", gssapi.NameType.hostbased_service)
            context = gssapi.SecurityContext(
                name=target, creds=tickets.credentials(), mech=_SPNEGO, flags=_FLAGS, usage="initiate"
            )
            token = context.step()
        except GSSError as error:
            raise failed(server, explained(error, self._access, tickets.principal)) from error
        except DirectoryError as error:
            raise failed(server, error) from error
        return self._introduced(server, context, token or b"")

    def _introduced(self, server: NameServer, context: gssapi.SecurityContext, token: bytes) -> GssKey:
        """Show the server our token; dnspython steps the context with its answer."""
        key = GssKey(f"{uuid.uuid4().hex}.{_SUFFIX}", context)
        try:
            answer = self._ask(server, _question(key, token))
        except GSSError as error:
            raise failed(server, explained(error, self._access, str(context.initiator_name))) from error
        _check(server, answer)
        if not context.complete:
            advice = "is Kerberos switched off there? it asked for more than one exchange of tokens"
            raise KerberosFailed(
                server=f"DNS server {server}", reason="it did not finish the negotiation", advice=advice
            )
        return key

    def _acquired(self, server: NameServer) -> Tickets:
        with self._lock:
            try:
                self._tickets = self._tickets or self._held.enter_context(ticket_cache(self._access))
            except DirectoryError as error:
                raise failed(server, error) from error
            return self._tickets


def failed(server: object, error: DirectoryError) -> KerberosFailed:
    """The directory's word on Kerberos, said of a DNS server."""
    may_pass = isinstance(error, ControllerUnreachable)
    return KerberosFailed(server=f"DNS server {server}", reason=str(error), advice=error.hint, may_pass=may_pass)


def _question(key: GssKey, token: bytes) -> dns.message.Message:
    name = dns.name.from_text(key.name)
    now_s = int(time.time())
    tkey = dns.rdtypes.ANY.TKEY.TKEY(  # type: ignore[no-untyped-call]
        dns.rdataclass.ANY,
        dns.rdatatype.TKEY,
        dns.tsig.GSS_TSIG,
        now_s,
        now_s + _LIFETIME_S,
        _BY_GSS_API,
        dns.rcode.NOERROR,
        token,
        b"",
    )
    question = dns.message.make_query(name, dns.rdatatype.TKEY, dns.rdataclass.ANY)
    question.keyring = dns.tsig.GSSTSigAdapter({name: key.tsig()})  # type: ignore[no-untyped-call]
    question.find_rrset(
        dns.message.ADDITIONAL, name, dns.rdataclass.ANY, dns.rdatatype.TKEY, create=True, force_unique=True
    ).add(tkey)
    return question


def _check(server: NameServer, answer: dns.message.Message) -> None:
    """Raise what the server holds against our token."""
    error = next((int(one.error) for rrs in answer.answer if rrs.rdtype == dns.rdatatype.TKEY for one in rrs), 0)
    if error:
        word, advice = _ERRORS.get(error, (f"error {error}", "look at the log of that DNS server"))
        raise KerberosFailed(server=f"DNS server {server}", reason=f"it answered {word}", advice=advice)
    if answer.rcode() != dns.rcode.NOERROR:
        advice = "is it a DNS server of the domain? others need a TSIG key: --key-file SERVER=FILE"
        raise KerberosFailed(
            server=f"DNS server {server}", reason=f"it answered {dns.rcode.to_text(answer.rcode())}", advice=advice
        )
