"""From a protection's settings to the way to one instance. Settings are read here; whoever only goes the way needs none (``sqlway``)."""

from __future__ import annotations

import msgspec

from orchestrator.model.servers import Pair, Server, Where
from orchestrator.model.settings import Settings
from orchestrator.model.settings_domain import DirectorySettings
from orchestrator.model.settings_sql import InstanceSettings, SqlLoginSettings, SqlSettings
from orchestrator.model.sqlway import SqlAccess

__all__ = ["SqlAccess", "access_of"]


def access_of(pair: Pair, settings: Settings, where: Where, instance: str, *, by_target: bool = False) -> SqlAccess:
    """The way from this machine, or with ``by_target`` the way that the target's own script goes, with the target's secrets.

    An instance that the settings do not name is reached as its name alone tells.
    """
    sql = settings.failover.sql or SqlSettings()
    one = sql.instance(instance) or InstanceSettings(name=instance)
    server, directory = pair.on(where), settings.failover.directory
    plain = SqlAccess(
        server=server.name,
        host=one.host(where) or (server.addresses[0] if server.addresses else server.address),
        instance=one.name,
        other=pair.on(where.other).name,
        full_name=_full_name(server, directory, one.host(where)),
        port=one.port(where),
        domain=directory.domain if directory else "",
        controllers=directory.controllers if directory else (),
        encrypt=sql.login.encrypt,
        trust_server_certificate=sql.login.trust_server_certificate,
        ca_file=sql.login.ca_file,
        driver=None if by_target else sql.login.driver,
        timeout_s=sql.login.timeout_s,
    )
    login = _of_target(sql.login, directory, pair.target) if by_target else _of_here(sql.login, directory)
    return msgspec.structs.replace(plain, **login)


def _full_name(server: Server, directory: DirectorySettings | None, given: str | None) -> str:
    """A host that was given by its name is known by it; else the server's name, in its domain where one is told."""
    if given and not _is_address(given):
        return given
    if server.winrm is not None and server.winrm.host_name:
        return server.winrm.host_name
    return f"{server.name.lower()}.{directory.domain}" if directory else server.name.lower()


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


def _of_here(login: SqlLoginSettings, directory: DirectorySettings | None) -> dict[str, str | None]:
    if login.user is not None:
        return {"user": login.user, "password_file": login.password_file}
    if login.principal or login.keytab_file or directory is None:
        return {"principal": login.principal, "keytab": login.keytab_file}
    return {"principal": directory.principal, "keytab": directory.keytab_file, "password_file": directory.password_file}


def _of_target(login: SqlLoginSettings, directory: DirectorySettings | None, target: Server) -> dict[str, str | None]:
    user = login.target_user or login.user
    if user is not None and login.target_password_file is not None:
        return {"user": user, "password_file": login.target_password_file}
    principal = (
        login.target_principal or (directory.target_principal if directory else None) or f"{target.name.upper()}$"
    )
    keytab = login.target_keytab_file or (directory.target_keytab_file if directory else "/etc/krb5.keytab")
    return {"principal": principal, "keytab": keytab}
