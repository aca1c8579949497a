"""Authentication of WinRM's listener: Negotiate and Kerberos (RFC 4559), Basic over HTTPS where it is allowed, client certificates.

A connection that has been authenticated stays so; a new Authorization header begins anew.
"""

from __future__ import annotations

import base64
import binascii
import logging
from dataclasses import dataclass

import spnego
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from spnego.channel_bindings import GssChannelBindings

from tests.lab.windows.wire.accounts import Accounts, Identity
from tests.lab.windows.wire.configuration import Configuration

MUTUAL = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"
USER_PRINCIPAL_NAME = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
LOG = logging.getLogger(__name__)


@dataclass
class Connection:
    """What is known of one TCP connection."""

    address: str
    tls: bool
    server_certificate: bytes = b""  # DER
    client_certificate: bytes = b""  # DER; verified against the authority by TLS itself
    context: spnego.ContextProxy | None = None
    identity: Identity | None = None


@dataclass(frozen=True)
class Refusal:
    """401, with what is asked for instead."""

    challenges: tuple[str, ...]


@dataclass(frozen=True)
class Welcome:
    """Somebody is known; ``token`` is the last word of the exchange, for the answer's WWW-Authenticate."""

    identity: Identity
    token: str = ""


def bindings(certificate: bytes) -> GssChannelBindings | None:
    """tls-server-end-point of RFC 5929 for the listener's certificate."""
    if not certificate:
        return None
    algorithm = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
    weak = algorithm is None or algorithm.name in {"md5", "sha1"}
    digest = hashes.Hash(hashes.SHA256() if weak or algorithm is None else algorithm)
    digest.update(certificate)
    return GssChannelBindings(application_data=b"tls-server-end-point:" + digest.finalize())


def names_in(certificate: bytes) -> list[str]:
    """The user principal names that a client certificate carries."""
    try:
        names = x509.load_der_x509_certificate(certificate).extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
    except x509.ExtensionNotFound:
        return []
    others = names.value.get_values_for_type(x509.OtherName)
    # DER of a UTF8String: tag, length, text; a name is never longer than a short form's length.
    return [one.value[2:].decode() for one in others if one.type_id == USER_PRINCIPAL_NAME]


class Door:
    """Says who calls."""

    def __init__(self, configuration: Configuration, accounts: Accounts) -> None:
        self.configuration = configuration
        self.accounts = accounts

    def challenges(self, connection: Connection) -> tuple[str, ...]:
        """What a caller without credentials is asked for."""
        settings = self.configuration
        offered = (
            ("Negotiate", settings.auth_negotiate),
            ("Kerberos", settings.auth_kerberos),
            ('Basic realm="WSMAN"', settings.auth_basic and connection.tls),
        )
        return tuple(one for one, allowed in offered if allowed)

    def knock(self, connection: Connection, authorization: str) -> Welcome | Refusal:
        """Who calls with this header on this connection."""
        scheme, _, rest = authorization.strip().partition(" ")
        if not authorization:
            return Welcome(connection.identity) if connection.identity else Refusal(self.challenges(connection))
        if scheme == MUTUAL and self.configuration.auth_certificate and connection.tls:
            return self._certificate(connection)
        if scheme.lower() == "basic" and self.configuration.auth_basic and connection.tls:
            return self._basic(connection, rest)
        allowed = {"negotiate": self.configuration.auth_negotiate, "kerberos": self.configuration.auth_kerberos}
        if allowed.get(scheme.lower()):
            return self._exchange(connection, scheme, rest)
        return Refusal(self.challenges(connection))

    def _certificate(self, connection: Connection) -> Welcome | Refusal:
        for name in names_in(connection.client_certificate) if connection.client_certificate else ():
            if account := self.accounts.of_certificate(name):
                connection.identity = self.accounts.log_on(account, "Certificate", connection.address)
                return Welcome(connection.identity)
        return Refusal(self.challenges(connection))

    def _basic(self, connection: Connection, encoded: str) -> Welcome | Refusal:
        try:
            name, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return Refusal(self.challenges(connection))
        account = self.accounts.find(name)
        if account is None or not account.local or account.password is None or account.password != password:
            return Refusal(self.challenges(connection))
        connection.identity = self.accounts.log_on(account, "Basic", connection.address)
        return Welcome(connection.identity)

    def _exchange(self, connection: Connection, scheme: str, encoded: str) -> Welcome | Refusal:
        try:
            token = base64.b64decode(encoded, validate=True)
            if connection.context is None or connection.context.complete:
                connection.context, connection.identity = self._context(connection, scheme), None
            reply = connection.context.step(token)
        except Exception as error:  # noqa: BLE001 - the library raises all sorts of things for a token that is not good
            LOG.info("refused: %s", error)
            connection.context = connection.identity = None
            return Refusal(self.challenges(connection))
        answer = f"{scheme} {base64.b64encode(reply).decode()}" if reply else ""
        if not connection.context.complete:
            return Refusal((answer,))
        return Welcome(self._known(connection), answer)

    def _context(self, connection: Connection, scheme: str) -> spnego.ContextProxy:
        return spnego.server(
            protocol="kerberos" if scheme.lower() == "kerberos" else "negotiate",
            channel_bindings=bindings(connection.server_certificate) if connection.tls else None,
            options=spnego.NegotiateOptions.wrapping_winrm,
        )

    def _known(self, connection: Connection) -> Identity:
        context = connection.context
        assert context is not None
        account = self.accounts.of_principal(context.client_principal or "")
        protocol = "Kerberos" if context.negotiated_protocol == "kerberos" else "NTLM"
        connection.identity = self.accounts.log_on(account, protocol, connection.address)
        return connection.identity
