"""Conversations with DNS servers: ask, transfer, update, each within its timeout. The only file here that opens sockets.

A server that stayed silent once is not asked again by the same ``Exchange``, so that a dead one costs its timeout once however
many zones it serves. Queries go by UDP, then TCP; updates by TCP only, so that one is never sent twice. May be called from many
threads; ``_silent`` is the only shared state, guarded by ``_lock``; Kerberos sessions are kept by ``gsstsig``. Close it when done.

Samba 4.17 signs its answer to an update made with a Kerberos session in a way that neither dnspython nor nsupdate can verify. So
such an answer is not believed: that it refuses is reported, that it agrees must be seen by reading. With ``strict`` an answer that
cannot be verified is an error, as it is for keys.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.node
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.update
import dns.xfr
import dns.zone

from orchestrator.naming.errors import DnsUnreachable, KeyRefused, NamingError
from orchestrator.naming.hosts import server_host
from orchestrator.naming.keys import Key, Signer
from orchestrator.naming.request import Access
from orchestrator.naming.values import NameServer, RecordSet

if TYPE_CHECKING:
    from orchestrator.naming.gsstsig import Sessions

_UDP_SHARE = 0.4
_ASKED_NAME = "."
_HEADER_BYTES = 12


class TransferRefused(Exception):
    """The server is well but does not give this zone away; its names are then read one by one."""


class Exchange:
    """Talks to the servers of one ``Access``."""

    def __init__(self, access: Access, *, strict: bool = False) -> None:
        self.access = access
        self.strict = strict
        self._sessions: Sessions | None = None
        self._silent: dict[NameServer, str] = {}
        self._lock = threading.Lock()

    def ask(self, server: NameServer, name: str, record_type: str) -> dns.message.Message:
        """Ask for one record set, without recursion and without a signature, as a client sees it.

        Raises:
            DnsUnreachable: no answer within the timeout.
        """
        query = dns.message.make_query(name, record_type, use_edns=0, payload=1232)
        query.flags &= ~dns.flags.RD
        with self._speaking(server, name):
            try:
                return self._udp(server, query)
            except (dns.exception.Timeout, dns.message.Truncated):
                return self._tcp(server, query, self.access.timeout_s * (1 - _UDP_SHARE))

    def _udp(self, server: NameServer, query: dns.message.Message) -> dns.message.Message:
        timeout_s = self.access.timeout_s * _UDP_SHARE
        return dns.query.udp(
            query, server.address, timeout_s, server.port, ignore_unexpected=True, raise_on_truncation=True
        )

    def _tcp(self, server: NameServer, query: dns.message.Message, timeout_s: float) -> dns.message.Message:
        return dns.query.tcp(query, server.address, timeout_s, server.port)

    def transfer(self, server: NameServer, zone: str) -> tuple[RecordSet, ...]:
        """All record sets of a zone, signed with the server's key where there is one.

        Raises:
            TransferRefused: the server refuses; KeyRefused: it does not take the key; DnsUnreachable: silence.
        """
        content = dns.zone.Zone(dns.name.from_text(zone), relativize=False)
        key = self.access.key_for(server)
        query, _ = dns.xfr.make_query(content)
        if key is not None:
            query.use_tsig(key.tsig())
        with self._speaking(server, zone, key):
            try:
                dns.query.inbound_xfr(
                    server.address,
                    content,
                    query,
                    port=server.port,
                    timeout=self.access.timeout_s,
                    lifetime=self.access.timeout_s * 6,
                )
            except dns.xfr.TransferError as error:
                raise TransferRefused(dns.rcode.to_text(error.rcode)) from error
        return tuple(_record_sets(zone, content))

    def update(self, server: NameServer, message: dns.update.UpdateMessage) -> dns.rcode.Rcode | None:
        """Send an update; the answer's code, or None when the answer could not be verified: then only reading tells.

        A refusal is told also when it could not be verified: who believes it wrongly finds out by reading.

        Raises:
            KeyRefused: the server did not take the key; KerberosFailed: there is no session with it.
            DnsUnreachable: no answer (the update may have been made).
        """
        with self._signing(server, message) as signer, self._speaking(server, _zone_of(message), signer):
            raw = self._tcp_bytes(server, message)
            try:
                answer = dns.message.from_wire(raw, message.keyring, message.mac, ignore_trailing=True)
            except (dns.tsig.BadSignature, dns.tsig.BadTime, dns.message.UnknownTSIGKey):
                if self.strict and not isinstance(signer, Key):
                    raise
                return _unverified_code(raw)
        return answer.rcode()

    def _tcp_bytes(self, server: NameServer, message: dns.message.Message) -> bytes:
        """The answer as it came, so that its code is known also when its signature is not understood."""
        wire = message.to_wire(prepend_length=True)
        with socket.create_connection((server.address, server.port), self.access.timeout_s) as connection:
            connection.settimeout(self.access.timeout_s)
            connection.sendall(wire)
            with connection.makefile("rb") as stream:
                size = int.from_bytes(stream.read(2), "big")
                raw = stream.read(size)
        if size < _HEADER_BYTES or len(raw) < size:
            raise EOFError
        if raw[:2] != message.id.to_bytes(2, "big"):
            raise dns.query.BadResponse
        return raw

    @contextmanager
    def _signing(self, server: NameServer, message: dns.message.Message) -> Iterator[Signer | None]:
        """Sign with the server's key, else with a Kerberos session where that is chosen, else not."""
        key = self.access.key_for(server)
        if key is not None:
            message.use_tsig(key.tsig())
            yield key
        elif self.access.kerberos is not None:
            with self._kerberos().borrowed(server) as session:
                message.use_tsig(session.tsig())
                yield session
        else:
            yield None

    def prove_session(self, server: NameServer) -> None:
        """See that this server takes our Kerberos tickets; nothing is sent but them.

        Raises:
            KerberosFailed: it does not; DnsUnreachable: silence.
        """
        with self._kerberos().borrowed(server):
            pass

    def _kerberos(self) -> Sessions:
        with self._lock:
            if self._sessions is None:
                assert self.access.kerberos is not None  # noqa: S101  asked for only then
                from orchestrator.naming.gsstsig import Sessions  # noqa: PLC0415  only where gssapi is installed

                self._sessions = Sessions(self.access.kerberos, self._introduce, self._host_of)
            return self._sessions

    def _introduce(self, server: NameServer, question: dns.message.Message) -> dns.message.Message:
        with self._speaking(server, _ASKED_NAME):
            return self._tcp(server, question, self.access.timeout_s)

    def _host_of(self, server: NameServer) -> str:
        assert self.access.kerberos is not None  # noqa: S101  asked for only then
        domain = f"{self.access.kerberos.domain.rstrip('.')}."
        return server_host(server.address, domain, lambda name, kind: self.ask(server, name, kind))

    def close(self) -> None:
        """End the Kerberos sessions."""
        with self._lock:
            sessions, self._sessions = self._sessions, None
        if sessions is not None:
            sessions.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def is_silent(self, server: NameServer) -> bool:
        """Whether this server did not answer before."""
        with self._lock:
            return server in self._silent

    @contextmanager
    def _speaking(self, server: NameServer, name: str, key: Signer | None = None) -> Iterator[None]:
        """Turn what sockets and dnspython raise into our errors, and remember who is silent."""
        with self._lock:
            silent = self._silent.get(server)
        if silent is not None:
            raise self._unreachable(server, name, silent)
        try:
            yield
        except (dns.tsig.PeerError, dns.tsig.BadSignature, dns.tsig.BadTime) as error:
            raise key_refused(server, key, error) from error
        except (dns.exception.Timeout, OSError, EOFError) as error:
            raise self._unreachable(server, name, self._note_silence(server, error)) from error
        except (dns.exception.DNSException, ValueError) as error:
            raise NamingError(reason=f"{server} gave an answer that makes no sense ({error})") from error

    def _note_silence(self, server: NameServer, error: BaseException) -> str:
        reason = _why_silent(error, self.access.timeout_s)
        with self._lock:
            self._silent[server] = reason
        return reason

    def _unreachable(self, server: NameServer, name: str, reason: str) -> DnsUnreachable:
        return DnsUnreachable(
            server=server,
            reason=reason,
            address=server.address,
            port=server.port,
            name=name or _ASKED_NAME,
        )


def _why_silent(error: BaseException, timeout_s: float) -> str:
    if isinstance(error, dns.exception.Timeout | TimeoutError | socket.timeout):
        return f"silence for {timeout_s:g} s"
    if isinstance(error, EOFError):
        return "it closed the connection"
    return getattr(error, "strerror", None) or str(error)


def key_refused(server: NameServer, key: Signer | None, error: Exception) -> KeyRefused:
    """Say what the server holds against the key, and what to do about it."""
    name = str(key) if key else "(none)"
    match error:
        case dns.tsig.PeerBadKey():
            reason = "BADKEY: it does not know a key of this name and algorithm"
            advice = f"compare the key's name and algorithm with the key statement on {server}"
        case dns.tsig.PeerBadSignature():
            reason = "BADSIG: it has another secret under this name"
            advice = f"copy the key file from {server} again"
        case dns.tsig.PeerBadTime() | dns.tsig.BadTime():
            reason = "BADTIME: the clocks differ by more than 5 minutes"
            now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            advice = f"the clock here says {now}; compare it with the clock of {server} and set the wrong one"
        case _:
            reason = f"its answer is signed wrongly ({error})"
            advice = f"is there something between here and {server} that rewrites DNS?"
    return KeyRefused(server=server, key=name, reason=reason, advice=advice)


def _unverified_code(raw: bytes) -> dns.rcode.Rcode | None:
    code = dns.rcode.Rcode.make(raw[3] & 0x0F)
    return None if code == dns.rcode.NOERROR else code


def _zone_of(message: dns.update.UpdateMessage) -> str:
    return message.zone[0].name.to_text()


def _record_sets(zone: str, content: dns.zone.Zone) -> Iterator[RecordSet]:
    for name, records in content.iterate_rdatasets():
        if records.rdtype in (dns.rdatatype.RRSIG, dns.rdatatype.NSEC, dns.rdatatype.NSEC3):
            continue
        data = tuple(sorted(record.to_text() for record in records))
        yield RecordSet(zone, name.to_text(), dns.rdatatype.to_text(records.rdtype), records.ttl, data)
