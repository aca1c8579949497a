"""The server's certificate: what was configured, or one that it signs for itself when it starts, as SQL Server does."""

from __future__ import annotations

import datetime as dt
import os
import ssl
import tempfile
import warnings
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

FIRST_WITH_TLS_1_2 = 11
"""SQL Server 2012, with its updates."""
FALLBACK = "SSL_Self_Signed_Fallback"


def tls_context(certificate: Path | None, key: Path | None, version: str = "15.0") -> ssl.SSLContext:
    """TLS up to 1.2: later versions of it are not shaken hands on within TDS. Before SQL Server 2012 it is 1.0."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if int(version.split(".", 1)[0]) < FIRST_WITH_TLS_1_2:
        _as_of_old(context)
    else:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    if certificate is not None:
        context.load_cert_chain(certificate, key)
        return context
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "own.pem"
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            out.write(_self_signed())
        context.load_cert_chain(file)
    return context


def _as_of_old(context: ssl.SSLContext) -> None:
    with warnings.catch_warnings():  # nobody should, it says, and drivers refuse it: that is what it is for
        warnings.simplefilter("ignore", DeprecationWarning)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1


def _self_signed() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, FALLBACK)])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=400))
    kind, shape = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
    text = key.private_bytes(kind, shape, serialization.NoEncryption())
    return text + builder.sign(key, hashes.SHA256()).public_bytes(kind)
