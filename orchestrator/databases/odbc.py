"""What a driver is told: the connection string, and FreeTDS's settings file. Both are made and forgotten; no line of them is ever shown."""

from __future__ import annotations

import ipaddress

from orchestrator.databases.drivers import Driver
from orchestrator.databases.errors import SqlSecretUnusable
from orchestrator.model.sqlway import SqlAccess

APPLICATION = "dtam"
SECTION = "dtam"
_ENDS_A_WORD = "};"


def connection_string(driver: Driver, access: SqlAccess, port: int, password: str) -> str:
    """The words for a driver. Kerberos is asked for the name that the server is known as.

    Raises:
        SqlSecretUnusable: a word holds what FreeTDS has no way to be told.
    """
    words = {"Driver": driver.name, "APP": APPLICATION, "Database": "master"}
    words |= _freetds() if driver.is_freetds else _microsoft(access, port)
    if access.user is not None:
        words |= {"UID": access.user, "PWD": password}
    else:
        words |= {"Trusted_Connection": "Yes", "ServerSPN": f"MSSQLSvc/{access.known_as}:{port}"}
    if not driver.is_freetds:
        return ";".join(f"{word}={braced(value)}" for word, value in words.items()) + ";"
    if any(_ENDS_A_WORD in value for value in words.values()):
        reason, advice = f"FreeTDS takes no {_ENDS_A_WORD} inside of one", "use Microsoft's driver, or another password"
        raise SqlSecretUnusable(server=access.label, who=access.user or "", reason=reason, advice=advice)
    return ";".join(f"{word}={as_freetds_reads(value)}" for word, value in words.items()) + ";"


def _microsoft(access: SqlAccess, port: int) -> dict[str, str]:
    words = {"Server": f"tcp:{access.host},{port}", "Encrypt": "yes" if access.encrypt else "no"}
    if access.trust_server_certificate:
        words["TrustServerCertificate"] = "yes"
    else:  # a server may insist on encryption, and is looked at then, too
        words["HostNameInCertificate"] = access.known_as
    return words


def _freetds() -> dict[str, str]:
    """Everything else stands in its file: it looks at that for a server that is named only."""
    return {"Servername": SECTION, "ClientCharset": "UTF-8"}


def freetds_settings(access: SqlAccess, port: int) -> str:
    """FreeTDS's file for one connection. It knows a server by what it is connected to, and looks at a certificate only where an authority is named.

    Connected by address it verifies the authority, not the name, unless the server is known by its address. Names are not asked for
    here: during a failover nobody may be there who knows them.
    """
    lines = [f"[{SECTION}]", f"host = {access.host}", f"port = {port}", "tds version = 7.4"]
    lines.append(f"encryption = {'require' if access.encrypt else 'request'}")
    if access.encrypt and not access.trust_server_certificate:
        by_name = access.host == access.known_as or not _is_address(access.host)
        lines.append(f"ca file = {access.ca_file or 'system'}")
        lines.append(f"check certificate hostname = {'yes' if by_name else 'no'}")
    return "\n".join(lines) + "\n"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def braced(value: str) -> str:
    """A value that may hold anything.

    >>> braced("a;b}c")
    '{a;b}}c}'
    """
    return f"{{{value.replace('}', '}}')}}}"


def as_freetds_reads(value: str) -> str:
    """The same for FreeTDS, which up to 1.3 takes ``}}`` for two characters: no braces where ``}`` is in it and none are needed.

    >>> as_freetds_reads("a;b"), as_freetds_reads("a}b"), as_freetds_reads("a;b}c")
    ('{a;b}', 'a}b', '{a;b}c}')
    """
    needs = ";" in value or value.startswith("{") or value != value.strip()
    return value if "}" in value and not needs else f"{{{value}}}"
