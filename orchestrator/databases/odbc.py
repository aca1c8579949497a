"""What a driver is told: the connection string, and FreeTDS's settings file. Both are made and forgotten; no line of them is ever shown."""

from __future__ import annotations

import ipaddress

from orchestrator.databases.drivers import Driver
from orchestrator.model.sqlaccess import SqlAccess

APPLICATION = "dtam"


def connection_string(driver: Driver, access: SqlAccess, port: int, password: str) -> str:
    """The words for a driver. Kerberos is asked for the name that the server is known as."""
    words = {"Driver": driver.name, "APP": APPLICATION, "Database": "master"}
    words |= _freetds(access, port) if driver.is_freetds else _microsoft(access, port)
    if access.user is not None:
        words |= {"UID": access.user, "PWD": password}
    else:
        words |= {"Trusted_Connection": "Yes", "ServerSPN": f"MSSQLSvc/{access.known_as}:{port}"}
    return ";".join(f"{word}={braced(value)}" for word, value in words.items()) + ";"


def _microsoft(access: SqlAccess, port: int) -> dict[str, str]:
    words = {"Server": f"tcp:{access.host},{port}", "Encrypt": "yes" if access.encrypt else "no"}
    if access.trust_server_certificate:
        words["TrustServerCertificate"] = "yes"
    elif access.encrypt:
        words["HostNameInCertificate"] = access.known_as
    return words


def _freetds(access: SqlAccess, port: int) -> dict[str, str]:
    return {"Server": access.host, "Port": str(port), "TDS_Version": "7.4", "ClientCharset": "UTF-8"}


def freetds_settings(access: SqlAccess) -> str:
    """FreeTDS's file: it looks at a certificate only where an authority is named, and knows a server by what it was connected to."""
    lines = ["[global]", f"encryption = {'require' if access.encrypt else 'request'}"]
    if access.encrypt and not access.trust_server_certificate:
        lines.append(f"ca file = {access.ca_file or 'system'}")
        lines.append(f"check certificate hostname = {'no' if _is_address(access.host) else 'yes'}")
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
