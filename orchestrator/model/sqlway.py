"""The way to one instance, as a value that scripts and steps carry: secrets stand in it by the path of their file only."""

from __future__ import annotations

import msgspec

from orchestrator.model.sql import DEFAULT_INSTANCE, is_default


class SqlAccess(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The way to one instance. ``server`` is its server's name for people, ``host`` where it is connected to, ``full_name`` its name in the domain.

    Certificates and Kerberos are about ``full_name``, or ``host`` where that is empty. Without ``port`` SQL Browser is asked. With ``user`` it is a
    log-in of SQL Server, whose password is in ``password_file`` or the credential cache; else ``principal`` with ``keytab``, else the ticket cache.
    ``other`` is the name of the pair's other server, which must not answer in this one's place.
    """

    server: str
    host: str
    instance: str = DEFAULT_INSTANCE
    full_name: str = ""
    port: int | None = None
    user: str | None = None
    password_file: str | None = None
    principal: str | None = None
    keytab: str | None = None
    domain: str = ""
    controllers: tuple[str, ...] = ()
    dns_servers: tuple[str, ...] = ()
    encrypt: bool = True
    trust_server_certificate: bool = False
    ca_file: str | None = None
    driver: str | None = None
    timeout_s: int = 15
    other: str = ""

    @property
    def label(self) -> str:
        r"""What people call it: ``ALPHA`` or ``ALPHA\SALES``."""
        return self.server if is_default(self.instance) else f"{self.server}\\{self.instance}"

    @property
    def known_as(self) -> str:
        """The name that its certificate and its service name bear."""
        return self.full_name or self.host
