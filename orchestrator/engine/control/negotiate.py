"""HTTP Negotiate (RFC 4559): a Kerberos ticket for this host's HTTP/ or host/ principal says who calls.

The key is the host's own (KRB5_KTNAME, else /etc/krb5.keytab). One round: what a caller needs more rounds for is no Kerberos ticket. The
caller gets the answer that proves our key to them (mutual authentication). Where the caller binds the ticket to the TLS channel
(RFC 5929, tls-server-end-point: the SHA-256 of our certificate), a ticket sent through somebody else's certificate is refused.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from orchestrator.engine.control.errors import Unauthorised

SERVICES = ("http/", "host/")
HINT = "kinit first; that host needs a keytab with HTTP/ or host/ and its full name ('klist -k' there), and clocks must agree to 5 minutes"
BOUND = b"tls-server-end-point:"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A ticket that holds: whose (user@REALM), the realm of this host's own key, and what the caller is answered (base64)."""

    principal: str
    own_realm: str
    answer: str


def channel_binding(certificate_pem: bytes) -> bytes:
    """What a caller binds a ticket to: our certificate."""
    der = x509.load_pem_x509_certificate(certificate_pem).public_bytes(Encoding.DER)
    return BOUND + hashlib.sha256(der).digest()


def accept(ticket: str, binding: bytes) -> Accepted:
    """Check a ticket. May wait for disks and name services: not for the event loop.

    Raises:
        Unauthorised: it does not hold, or this host cannot check tickets.
    """
    gssapi = _library()
    try:
        sent = base64.b64decode(ticket, validate=True)
        bindings = gssapi.raw.ChannelBindings(application_data=binding)
        context = gssapi.SecurityContext(usage="accept", channel_bindings=bindings)
        answer = context.step(sent)
        if not context.complete:
            raise Unauthorised(why="the Negotiate token is no Kerberos ticket", hint=HINT)
        caller, service = str(context.initiator_name), str(context.target_name)
    except (ValueError, gssapi.exceptions.GSSError) as error:
        raise Unauthorised(why=f"the Kerberos ticket was refused ({_short(error)})", hint=HINT) from error
    if not service.lower().startswith(SERVICES):
        raise Unauthorised(why=f"the Kerberos ticket is for {service}, not for HTTP/ or host/", hint=HINT)
    return Accepted(caller, service.rpartition("@")[2], base64.b64encode(answer or b"").decode())


def account_names(accepted: Accepted, domain_prefix: str = "") -> tuple[str, ...]:
    r"""The names under which the host's user database may know the caller, in the order in which they are tried.

    A principal of another realm than our own is never taken for the local user of the same name; nor is one of a domain that
    winbind serves here. One with an instance (``host/x``, ``ada/admin``) is nobody's.

    >>> account_names(Accepted("ada@LAB.EXAMPLE", "LAB.EXAMPLE", ""), "LAB\\")
    ('ada@LAB.EXAMPLE', 'LAB\\ada')
    >>> account_names(Accepted("ada@LAB.EXAMPLE", "LAB.EXAMPLE", ""))
    ('ada@LAB.EXAMPLE', 'ada')
    >>> account_names(Accepted("ada@OTHER.EXAMPLE", "LAB.EXAMPLE", ""))
    ('ada@OTHER.EXAMPLE',)
    """
    user, _, realm = accepted.principal.rpartition("@")
    if not user or "/" in user:
        return ()
    if realm != accepted.own_realm:
        return (accepted.principal,)
    return (accepted.principal, f"{domain_prefix}{user}")


def _library() -> Any:
    try:
        import gssapi  # noqa: PLC0415  only a host that uses Kerberos must have its libraries
    except ImportError as error:
        hint = "install libgssapi-krb5-2 and the Python package gssapi on that host, or use a token or a password"
        raise Unauthorised(why="this host cannot check Kerberos tickets", hint=hint) from error
    return gssapi


def _short(error: Exception) -> str:
    """GSSAPI's words without its numbers."""
    minor = getattr(error, "get_all_statuses", None)
    words = minor(error.min_code, False) if minor else [str(error)]  # type: ignore[attr-defined]
    return "; ".join(str(word) for word in words)
