"""From a server's entry to a client of its engine: a token or password is read at the last moment and kept nowhere else.

The first contact has no fingerprint yet: ``shown_fingerprint`` looks at the certificate without trusting it, so that a person
can compare.
"""

from __future__ import annotations

import hashlib
import socket
import ssl
import stat
from collections.abc import Callable
from pathlib import Path

from orchestrator.engine.client import EngineClient
from orchestrator.engine.client_login import KerberosLogin, Login, by_password, by_token
from orchestrator.hosts.errors import HostSilent, HostWithoutEngine, TokenUnreadable
from orchestrator.model.servers import Server

FIRST_CONTACT_BUDGET_S = 5.0

Passwords = Callable[[str, str], str]
"""Gives the password of (account, server), or raises a DtamError."""


def client_of(server: Server, passwords: Passwords, *, timeout_s: float = 10.0) -> EngineClient:
    """A client of the engine on ``server``, pinned to its fingerprint.

    Raises:
        TokenUnreadable: its token file is not there, is readable by others, or is empty.
        CredentialUnusable: the password of its account cannot be had.
    """
    engine = server.own_engine
    return EngineClient.https(
        engine.address,
        engine.control_port,
        fingerprint=engine.fingerprint,
        login=login_of(server, passwords),
        timeout_s=timeout_s,
    )


def login_of(server: Server, passwords: Passwords) -> Login | None:
    """How dtam logs in at the engine of ``server``: by its token, its account, or not at all."""
    engine = server.own_engine
    account = engine.account
    if engine.token_file:
        return by_token(read_token(server.name, Path(engine.token_file)))
    if account is None:
        return None
    if account.kerberos_host:
        keytab = Path(account.keytab) if account.keytab else None
        return KerberosLogin(account.kerberos_host, engine.fingerprint, account.principal, keytab)
    return by_password(account.user, passwords(account.user, server.name))


def read_token(server: str, path: Path) -> str:
    """The token in a file that nobody else can read."""
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = (error.strerror or str(error)) if isinstance(error, OSError) else "it holds no token"
        raise TokenUnreadable(server=server, path=path, why=why) from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise TokenUnreadable(server=server, path=path, why=f"others can read it (mode {stat.S_IMODE(mode):04o})")
    if not text:
        raise TokenUnreadable(server=server, path=path, why="it is empty")
    return text


def shown_fingerprint(server: str, address: str, port: int) -> str:
    """The SHA-256 of the certificate that is shown at an address: a fact to compare, not a proof.

    Raises:
        HostSilent: nothing shows a certificate there.
        HostWithoutEngine: nobody listens there, on a host that is up.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with (
            socket.create_connection((address, port), timeout=FIRST_CONTACT_BUDGET_S) as plain,
            context.wrap_socket(plain) as secured,
        ):
            certificate = secured.getpeercert(binary_form=True) or b""
    except ConnectionRefusedError as error:
        where = f"{address}:{port}"
        raise HostWithoutEngine(server=server, where=where, address=address, why=error.strerror) from error
    except OSError as error:
        why = "no answer in time" if isinstance(error, TimeoutError) else (error.strerror or str(error))
        raise HostSilent(server=server, where=f"{address}:{port}", why=why) from error
    return hashlib.sha256(certificate).hexdigest()
