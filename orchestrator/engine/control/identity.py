"""Who this engine is: a name, an id that never changes, and a key with a self-signed certificate that others pin.

Made at the first start. The fingerprint is the SHA-256 of the certificate in DER form.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import ssl
import uuid
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from orchestrator.engine.control import store
from orchestrator.engine.control.errors import StateFileDamaged
from orchestrator.engine.control.fields import EngineId, Name, Request
from orchestrator.engine.control.layout import Layout

YEARS_VALID = 30


class EngineRecord(Request):
    """The stored form of an engine's name and id."""

    name: Name
    engine_id: EngineId


@dataclass(frozen=True, slots=True)
class Identity:
    """An engine as others know it."""

    name: str
    engine_id: str
    certificate_pem: str
    fingerprint: str
    key_file: Path
    certificate_file: Path


def pem_fingerprint(certificate_pem: str) -> str:
    """SHA-256 of a certificate given as PEM; ValueError when it is none."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate_pem)).hexdigest()


def ensure_identity(layout: Layout, name: str) -> Identity:
    """Read the engine's identity, or make it at the first start. A new ``name`` renames the engine and keeps its id."""
    record = _record(layout, name)
    if not layout.key.exists() or not layout.certificate.exists():
        _make_key(layout, record)
    pem = layout.certificate.read_text(encoding="ascii")
    try:
        fingerprint = pem_fingerprint(pem)
    except ValueError as error:
        raise StateFileDamaged(path=layout.certificate, why="it is not a certificate") from error
    return Identity(record.name, record.engine_id, pem, fingerprint, layout.key, layout.certificate)


def _record(layout: Layout, name: str) -> EngineRecord:
    path = layout.root / "engine.json"
    known = store.load(path, EngineRecord) if path.exists() else EngineRecord(name=name, engine_id=uuid.uuid4().hex)
    record = known.model_copy(update={"name": name})
    if record != known or not path.exists():
        store.save(path, record)
    return record


def _make_key(layout: Layout, record: EngineRecord) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _self_signed(key, record)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    store.write_text(layout.key, private.decode("ascii"), 0o600)
    store.write_text(layout.certificate, certificate.public_bytes(serialization.Encoding.PEM).decode("ascii"), 0o644)


def _self_signed(key: ec.EllipticCurvePrivateKey, record: EngineRecord) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"dtam {record.engine_id}")])
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=2))
        .not_valid_after(now + dt.timedelta(days=365 * YEARS_VALID))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
