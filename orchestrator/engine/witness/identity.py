"""The witness's own key, and whom it answers: engines pinned by their certificates.

``clients.json`` is read at every connection, so that enrolling needs no restart, and withdrawing works at once.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from orchestrator.engine.witness.errors import RecordDamaged
from orchestrator.engine.witness.store import DirectoryShelf, seal, unseal

CLIENTS = "clients.json"
_YEARS = timedelta(days=365 * 50)


class Client(msgspec.Struct, frozen=True):
    """One enrolled engine. ``holder``: the only engine id it may speak for; empty = any (an orchestrator's key)."""

    fingerprint: str
    certificate_pem: str
    name: str = ""
    holder: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """Key and certificate files, and the certificate's sha256 in hexadecimal."""

    certificate_file: Path
    key_file: Path
    fingerprint: str


def fingerprint_of(certificate_pem: str) -> str:
    """The sha256 of a certificate (PEM), hexadecimal; raises ValueError when it is none."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate_pem.strip())).hexdigest()


def load_or_make(state: Path) -> Identity:
    """The identity kept in the state directory; made at the first start."""
    certificate_file, key_file = state / "witness.pem", state / "witness.key"
    if not certificate_file.exists():
        _make(certificate_file, key_file)
    return Identity(certificate_file, key_file, fingerprint_of(certificate_file.read_text()))


def _make(certificate_file: Path, key_file: Path) -> None:
    """Self-signed: trust comes from the pinned fingerprint, so name and dates carry none. The certificate comes last."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dtwitness")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + _YEARS)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write_private(key_file, private)
    _write_private(certificate_file, certificate.public_bytes(serialization.Encoding.PEM))


def _write_private(path: Path, content: bytes) -> None:
    DirectoryShelf(path.parent).replace(path.name, content)


class Clients:
    """The enrolled engines of a state directory."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._shelf = DirectoryShelf(state)

    def all(self) -> dict[str, Client]:
        """By fingerprint; raises RecordDamaged."""
        stored = self._shelf.read(CLIENTS)
        if stored is None:
            return {}
        try:
            clients = msgspec.json.decode(unseal(stored, str(self._state / CLIENTS)), type=list[Client])
        except msgspec.MsgspecError as error:
            raise RecordDamaged(path=self._state / CLIENTS, why=str(error)) from error
        return {client.fingerprint: client for client in clients}

    def enrol(self, certificate_pem: str, *, name: str = "", holder: str = "") -> Client:
        """Admit an engine by its certificate; raises ValueError when it is none."""
        text = certificate_pem.strip() + os.linesep
        x509.load_pem_x509_certificate(text.encode())
        client = Client(fingerprint_of(text), text, name, holder)
        with self._alone():
            self._save({**self.all(), client.fingerprint: client})
        return client

    def withdraw(self, fingerprint: str) -> bool:
        """Admit an engine no more; False when it was not enrolled."""
        with self._alone():
            clients = self.all()
            if clients.pop(fingerprint, None) is None:
                return False
            self._save(clients)
            return True

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One change at a time, among processes: two people may enrol two engines at once."""
        with os.fdopen(os.open(self._state / "clients.lock", os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _save(self, clients: dict[str, Client]) -> None:
        self._shelf.replace(CLIENTS, seal(msgspec.json.encode(list(clients.values()))))


def server_context(identity: Identity, clients: dict[str, Client]) -> ssl.SSLContext:
    """TLS 1.3, and a certificate of an enrolled client demanded: others fail the handshake and get nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(identity.certificate_file, identity.key_file)
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the very certificate is trusted, though two share a subject
    trusted = [client.certificate_pem for client in clients.values()]
    context.load_verify_locations(cadata="\n".join([*trusted, identity.certificate_file.read_text()]))
    return context
