"""A certificate authority for the lab's controllers, so that LDAPS can be verified."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


class Authority:
    """Its key lives in this object only; ``text`` is its certificate."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = _name("Authority of the lab")
        plain = self._begin(self._subject, self._key.public_key())
        plain = plain.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.text = _pem(plain.sign(self._key, hashes.SHA256()))

    def _begin(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        builder = x509.CertificateBuilder(subject_name=subject, issuer_name=self._subject, public_key=key)
        builder = builder.serial_number(x509.random_serial_number())
        return builder.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=400))

    def issue(self, fqdn: str, address: str) -> tuple[str, str]:
        """A key and a certificate for a controller, both as PEM."""
        return self.issue_named((fqdn,), address)

    def issue_named(self, names: Sequence[str], address: str) -> tuple[str, str]:
        """A key and a certificate for a server that answers by several names, the first of them its own, both as PEM."""
        each = [*map(x509.DNSName, names), x509.IPAddress(ipaddress.ip_address(address))]
        return self.issue_for(x509.SubjectAlternativeName(each), names[0])

    def issue_for(self, names: x509.SubjectAlternativeName, common_name: str) -> tuple[str, str]:
        """A key and a certificate for whoever has these names, both as PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        signed = self._begin(_name(common_name), key.public_key()).add_extension(names, critical=False)
        kind, shape = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
        text = key.private_bytes(kind, shape, serialization.NoEncryption()).decode()
        return text, _pem(signed.sign(self._key, hashes.SHA256()))
