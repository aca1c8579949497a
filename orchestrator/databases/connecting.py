"""From an access to a session: the port is found, the way looked at, the driver chosen, and logged in.

Drivers take some things from the environment of the process only (where tickets are, whom to trust). It is set while one connection is
made, under ``_ENVIRONMENT``; passwords go to the driver in memory.
"""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from orchestrator.databases.browser import ask_port
from orchestrator.databases.cells import number
from orchestrator.databases.drivers import Driver, chosen
from orchestrator.databases.errors import DriverMissing, SqlError, SqlSecretUnusable, SqlTooOld, SqlUnreachable
from orchestrator.databases.failures import explained, unexplained, without_ticket, without_trust
from orchestrator.databases.odbc import connection_string, freetds_settings
from orchestrator.databases.recognising import recognised
from orchestrator.databases.session import OdbcSession
from orchestrator.directory.errors import DirectoryError
from orchestrator.directory.port import DirectoryAccess
from orchestrator.directory.run_place import new_directory
from orchestrator.directory.secret_files import read_password
from orchestrator.errors import DtamError
from orchestrator.model.sqlway import SqlAccess

Passwords: TypeAlias = Callable[[str, str], str]
"""Gives the password of (account, server), or raises a DtamError."""

_ENVIRONMENT = threading.Lock()
_REACH_S = 5.0


def connect(access: SqlAccess, passwords: Passwords | None = None) -> OdbcSession:
    """A session, to be closed by the caller.

    Raises:
        SqlError: the driver is missing, nobody answers, somebody else answers, the certificate or the log-in is refused...
        TryAgain: the instance is starting.
    """
    odbc = _pyodbc()
    driver = chosen(access.driver, odbc.drivers())
    port = access.port or _asked_port(access)
    _reach(access, port)
    who = access.user or access.principal or "the account of the ticket cache"
    password = _password(access, passwords) if access.user else ""
    try:
        with ExitStack() as held:
            more = held.enter_context(_tickets(access)) if access.user is None else {}
            more |= held.enter_context(_told(driver, access, port))
            held.enter_context(_environment(more))
            text = connection_string(driver, access, port, password)
            connection = odbc.connect(text, autocommit=True, timeout=access.timeout_s)
    except DirectoryError as error:
        raise SqlSecretUnusable(server=access.label, who=who, reason=error, advice=error.hint) from error
    except odbc.Error as error:
        if unexplained(error):
            if access.encrypt and not access.trust_server_certificate:
                raise without_trust(access.label, integrated=access.user is None) from None
            raise without_ticket(access.label, who) from None
        raise explained(error, access.label, who) from None  # its arguments are the driver's words, never ours
    session = OdbcSession(connection, access.label, who)
    version = str(connection.getinfo(odbc.SQL_DBMS_VER))
    if 0 < number(version.partition(".")[0]) < driver.oldest_major:
        session.close()
        reason = f"{driver.name} does not serve it"
        advice = (
            "use an older driver for it: failover.sql.login.driver names one; Microsoft's 17 serves 2008, FreeTDS 2005"
        )
        raise SqlTooOld(server=access.label, version=version, reason=reason, advice=advice)
    try:
        recognised(session, access, port)
    except BaseException:
        session.close()
        raise
    return session


def _pyodbc() -> Any:
    try:
        import pyodbc  # noqa: PLC0415  it needs a library of the system, which only this room needs
    except ImportError as error:
        advice = "install unixODBC's library: apt-get install libodbc2"
        raise DriverMissing(reason=str(error), advice=advice) from error
    pyodbc.pooling = False  # who may log in now is asked anew each time
    return pyodbc


def installed_drivers() -> list[str]:
    """The drivers that ODBC knows here."""
    return list(_pyodbc().drivers())


def _asked_port(access: SqlAccess) -> int:
    said = ask_port(access.host, access.instance)
    port = said.port_of(access.instance)
    if port is None:
        reason = said.silence or f"SQL Browser knows no TCP port of {access.instance}"
        advice = (
            "start SQL Browser there, or give the instance's port: failover.sql.instances[].source_port, target_port"
        )
        raise SqlUnreachable(server=access.label, reason=reason, advice=advice)
    return port


def _reach(access: SqlAccess, port: int) -> None:
    """Whether anybody listens, because drivers do not say why nobody does."""
    try:
        socket.create_connection((access.host, port), timeout=min(_REACH_S, access.timeout_s)).close()
    except OSError as error:
        why = "no answer in time" if isinstance(error, TimeoutError) else (error.strerror or str(error))
        advice = "is the instance started, does it listen on TCP, and is its port open from here?"
        raise SqlUnreachable(server=access.label, reason=f"{access.host} port {port}: {why}", advice=advice) from error


def _password(access: SqlAccess, passwords: Passwords | None) -> str:
    who = access.user or ""
    try:
        if access.password_file:
            return read_password(Path(access.password_file)).decode()
        if passwords is not None:
            return passwords(who, access.server)
    except DtamError as error:
        raise SqlSecretUnusable(server=access.label, who=who, reason=error, advice=error.hint) from error
    except UnicodeDecodeError as error:
        raise SqlSecretUnusable(server=access.label, who=who, reason="it is not UTF-8") from error
    raise SqlSecretUnusable(server=access.label, who=who, reason="none is given", advice="give password_file")


@contextmanager
def _tickets(access: SqlAccess) -> Iterator[dict[str, str]]:
    """Where the driver finds tickets; our own ones only for as long as the connection is made."""
    domain = access.domain or (access.principal or "").rpartition("@")[2].lower()
    if not (access.keytab or access.password_file):
        yield {}
        return
    if "." not in domain:
        raise SqlError(
            server=access.label,
            reason="a keytab or password file needs a domain",
            advice="give failover.directory.domain, or the principal in full: user@DOMAIN",
        )
    given = DirectoryAccess(
        domain=domain,
        controllers=access.controllers,
        principal=access.principal,
        keytab=Path(access.keytab) if access.keytab else None,
        password_file=Path(access.password_file) if access.password_file else None,
        dns_servers=access.dns_servers,
    )
    from orchestrator.directory.tickets import ticket_cache  # noqa: PLC0415  it looks controllers up, which others need not

    with ticket_cache(given) as tickets:
        yield {"KRB5CCNAME": f"FILE:{tickets.cache}"}


@contextmanager
def _told(driver: Driver, access: SqlAccess, port: int) -> Iterator[dict[str, str]]:
    """Whom the driver trusts, in the way that it wants to be told; FreeTDS is told all but the log-in so."""
    if not driver.is_freetds:
        yield {"SSL_CERT_FILE": access.ca_file} if access.ca_file else {}
        return
    place = new_directory("freetds-")
    try:
        path = place / "freetds.conf"
        path.write_text(freetds_settings(access, port), encoding="utf-8")
        yield {"FREETDSCONF": str(path)}
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def _environment(more: Mapping[str, str]) -> Iterator[None]:
    with _ENVIRONMENT:
        before = {word: os.environ.get(word) for word in more}
        os.environ.update(more)
        try:
            yield
        finally:
            for word, value in before.items():
                if value is None:
                    os.environ.pop(word, None)
                else:
                    os.environ[word] = value
