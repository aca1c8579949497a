"""TLS as Python's ssl does it: the chain up to the given authority, and the controller's name in the certificate.

ldap3's own comparison of names rests on ``ssl.match_hostname``, which Python has given up.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import ldap3

from orchestrator.directory.errors import SecretUnusable


class VerifiedTls(ldap3.Tls):  # type: ignore[misc]  # ldap3 has no types
    """What ldap3 wraps a connection with. Without a name (nobody knows yet who answers) the chain alone is verified."""

    def __init__(self, ca_file: Path, name: str | None) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED)
        self._context = _context(ca_file)
        self._context.check_hostname = name is not None
        self._name = name

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002  its signature
        """Put TLS around the connection's socket; raises ssl.SSLError when the certificate is not what it should be."""
        connection.socket = self._context.wrap_socket(connection.socket, server_hostname=self._name)
        self.peer_certificate = connection.socket.getpeercert(binary_form=True)


def _context(ca_file: Path) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:  # ssl.SSLError is one
        advice = "give the certificate of the authority that signed those of the domain controllers, as PEM"
        reason = error.strerror or str(error)
        raise SecretUnusable(kind="CA file", path=ca_file, reason=reason, advice=advice) from error
