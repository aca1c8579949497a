"""One LDAP connection to one controller, through ldap3; bound with Kerberos and sealed, or inside verified TLS.

Nothing of ldap3 is known outside this file, ``verified_tls`` and ``mended_filters``. Failures come out as ``DirectoryError``.
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import ldap3
from ldap3.core.exceptions import LDAPException
from ldap3.protocol.microsoft import security_descriptor_control

from orchestrator.directory.errors import CertificateRefused, ControllerUnreachable, DirectoryError
from orchestrator.directory.failures import SASL_IN_PROGRESS, SUCCESS, Question, Reply, explained
from orchestrator.directory.mended_filters import mend
from orchestrator.directory.port import Add, Change, Delete, DirectoryAccess, Entry, Scope, Value
from orchestrator.directory.secret_files import read_password
from orchestrator.directory.verified_tls import VerifiedTls

if TYPE_CHECKING:
    from orchestrator.directory.gss import Tickets

mend()
PAGE_ENTRIES = 1000
_WITHIN = re.compile(r"certificate verify failed: (?P<said>[^(]+)|\[Errno -?\d+\] (?P<errno>[^\]'\")]+)")
_PAGING = "1.2.840.113556.1.4.319"
_SCOPES: Mapping[Scope, str] = {"base": ldap3.BASE, "level": ldap3.LEVEL, "subtree": ldap3.SUBTREE}


@dataclass(slots=True)
class Page:
    """Entries that came together; taken out one by one. An empty cookie: it is the last page."""

    entries: deque[Entry]
    cookie: bytes


class Wire:
    """A connection. Not for several threads at once. Opened by ``open``; bound by ``bind``, else anonymous.

    ``port``: another than that of LDAP, with and without TLS.
    """

    def __init__(self, access: DirectoryAccess, address: str, name: str | None, port: int | None = None) -> None:
        self._access = access
        self._name = name
        self._principal = access.principal or "the owner of the ticket cache"
        self.where = name or address
        self._server = ldap3.Server(
            address,
            port=port or (636 if access.ca_file else 389),
            use_ssl=access.ca_file is not None,
            tls=VerifiedTls(access.ca_file, name) if access.ca_file else None,
            get_info=ldap3.NONE,
            connect_timeout=access.timeout_s,
        )
        self._connection = self._made()

    @property
    def local_address(self) -> str:
        """The address on our side."""
        return str(self._connection.socket.getsockname()[0])

    def open(self) -> None:
        """Connect.

        Raises:
            ControllerUnreachable: nothing answers there.
            CertificateRefused: its certificate is not what it should be.
        """
        self._guarded(self._connection.open)

    def bind(self, tickets: Tickets | None) -> None:
        """Connect and say who we are: with tickets by Kerberos, else by the password, which is inside TLS then.

        Raises:
            DirectoryError: see the errors of this room.
        """
        self.close()
        self._principal = tickets.principal if tickets else self._principal
        self._connection = self._made(**(_by_password(self._access) if tickets is None else self._by_ticket(tickets)))
        self.open()
        if tickets is None:
            self._guarded(self._connection.bind)
        else:
            self._bind_by_ticket(tickets)
        self._check(Question(self.where, self._principal))

    def answers(self) -> bool:
        """Whether the connection is good; asks the controller for its clock."""
        try:
            self.search("", "(objectClass=*)", ["currentTime"], "base")
        except ControllerUnreachable:
            return False
        return True

    def search(
        self,
        base: str,
        filter_: str,
        attributes: Sequence[str],
        scope: Scope,
        *,
        cookie: bytes | None = None,
        sd_parts: int = 0,
    ) -> Page:
        """One page of entries.

        Raises:
            EntryMissing: the base is not there.
        """
        controls = security_descriptor_control(criticality=True, sdflags=sd_parts) if sd_parts else None
        paged = {} if scope == "base" else {"paged_size": PAGE_ENTRIES, "paged_cookie": cookie}
        self._guarded(
            lambda: self._connection.search(
                base, filter_, _SCOPES[scope], attributes=list(attributes), controls=controls, **paged
            )
        )
        self._check(Question(self.where, self._principal, base))
        entries = deque(_entry(one) for one in self._connection.response or () if one.get("type") == "searchResEntry")
        self._connection.response = None
        return Page(entries, self._cookie())

    def modify(self, dn: str, changes: Sequence[Change], *, asked: Question, sd_parts: int = 0) -> None:
        """Make all changes or none."""
        controls = security_descriptor_control(criticality=True, sdflags=sd_parts) if sd_parts else None
        wanted: dict[str, list[tuple[str, list[bytes]]]] = {}
        for one in changes:
            wanted.setdefault(one.attribute, []).append((_deed(one), as_bytes(one.values)))
        self._guarded(lambda: self._connection.modify(dn, wanted, controls))
        self._check(asked)

    def add(self, dn: str, attributes: Mapping[str, Sequence[Value]]) -> None:
        """Make an object."""
        given = {word: as_bytes(values) for word, values in attributes.items()}
        self._guarded(lambda: self._connection.add(dn, attributes=given))
        self._check(Question(self.where, self._principal, dn))

    def delete(self, dn: str) -> None:
        """Remove an object."""
        self._guarded(lambda: self._connection.delete(dn))
        self._check(Question(self.where, self._principal, dn))

    def close(self) -> None:
        """End the connection; harmless when it has ended. Without an unbind, which cannot be sealed after a failed bind."""
        try:
            self._connection.strategy.close()
        except (LDAPException, OSError):
            self._connection.closed = True

    def asked(self, dn: str, attributes: Sequence[str], spns: tuple[str, ...] = ()) -> Question:
        """A question in words, for the case that it fails."""
        return Question(self.where, self._principal, dn, tuple(attributes), spns)

    def _made(self, **how: Any) -> Any:
        return ldap3.Connection(
            self._server,
            client_strategy=ldap3.SYNC,
            auto_referrals=False,
            check_names=False,
            return_empty_attributes=False,
            auto_escape=False,
            auto_encode=False,
            receive_timeout=math.ceil(self._access.timeout_s),
            **how,
        )

    def _by_ticket(self, tickets: Tickets) -> dict[str, Any]:
        security = {} if self._access.ca_file else {"session_security": ldap3.ENCRYPT}
        credentials = (self._name, None, tickets.credentials())
        return {
            "authentication": ldap3.SASL,
            "sasl_mechanism": ldap3.GSSAPI,
            "sasl_credentials": credentials,
        } | security

    def _bind_by_ticket(self, tickets: Tickets) -> None:
        from gssapi.raw.misc import GSSError  # noqa: PLC0415  there are tickets, so it is installed

        from orchestrator.directory.kerberos_failures import explained as explained_kerberos  # noqa: PLC0415

        try:
            self._guarded(self._connection.bind)
        except GSSError as error:
            raise explained_kerberos(error, self._access, tickets.principal) from error

    def _guarded(self, deed: Any) -> None:
        try:
            deed()
        except (LDAPException, OSError) as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise CertificateRefused(server=self.where, reason=_told(error)) from error
            reason = f"{self.where}: {_told(error)}"
            raise ControllerUnreachable(domain=self._access.domain, reason=reason) from error

    def _check(self, asked: Question) -> None:
        result = self._connection.result or {}
        code = int(result.get("result", 80))
        if code not in (SUCCESS, SASL_IN_PROGRESS):
            reply = Reply(code, str(result.get("description", code)), str(result.get("message", "")))
            raise explained(reply, asked, self._access.domain)

    def _cookie(self) -> bytes:
        control = ((self._connection.result or {}).get("controls") or {}).get(_PAGING) or {}
        return bytes((control.get("value") or {}).get("cookie") or b"")


def as_bytes(values: Sequence[Value]) -> list[bytes]:
    """Values as they travel."""
    return [one.encode() if isinstance(one, str) else one for one in values]


def _by_password(access: DirectoryAccess) -> dict[str, Any]:
    if access.ca_file is None or access.password_file is None or access.principal is None:
        raise DirectoryError(server=access.domain, reason="a password is used inside TLS only")
    bare = "\\" not in access.principal and "@" not in access.principal
    user = f"{access.principal}@{access.domain}" if bare else access.principal
    secret = read_password(access.password_file).decode()
    return {"authentication": ldap3.SIMPLE, "user": user, "password": secret}


def _deed(change: Change) -> str:
    match change:
        case Add():
            return str(ldap3.MODIFY_ADD)
        case Delete():
            return str(ldap3.MODIFY_DELETE)
        case _:
            return str(ldap3.MODIFY_REPLACE)


def _entry(answer: Mapping[str, Any]) -> Entry:
    raw = answer.get("raw_attributes") or {}
    return Entry(str(answer["dn"]), {str(word): tuple(values) for word, values in raw.items()})


def _told(error: BaseException) -> str:
    text = " ".join(str(error).split())
    within = _WITHIN.search(text)
    return ((within["said"] or within["errno"]) if within else text).strip(" .") or type(error).__name__
