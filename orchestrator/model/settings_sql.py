"""Settings of a protected SQL Server: which instances and databases, how to log in, what follows them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from orchestrator.model.fields import AbsolutePath, DataPath, Port, Principal, Tab
from orchestrator.model.servers import Where
from orchestrator.model.sql import DEFAULT_INSTANCE, DEFAULT_PORT, SYSTEM_DATABASES, is_default

InstanceName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_&#][A-Za-z0-9_$#]{0,15}$")]
SqlName = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f]{1,128}$")]
HostName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.:_-]{0,252}$")]
Driver = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f{};]{1,1000}$")]


class InstanceSettings(Tab):
    """A protected instance, of the same name on both servers; ``MSSQLSERVER`` is the default one.

    Without a port the default instance is asked at 1433 and a named one's port is asked of SQL Browser. ``source_host`` and ``target_host``:
    where it answers, if not at its server's first address.
    """

    name: InstanceName = DEFAULT_INSTANCE
    source_port: Port | None = None
    target_port: Port | None = None
    source_host: HostName | None = None
    target_host: HostName | None = None

    def host(self, where: Where) -> str | None:
        """Where it answers on a side, if that was given."""
        return self.target_host if where is Where.TARGET else self.source_host

    def port(self, where: Where) -> int | None:
        """Its port on a side; None: to be asked of SQL Browser."""
        given = self.target_port if where is Where.TARGET else self.source_port
        return given or (DEFAULT_PORT if is_default(self.name) else None)


class DatabaseSelection(Tab):
    """A database in the tree: protected or not, and where its files lie on the target if not at the source's paths."""

    instance: InstanceName = DEFAULT_INSTANCE
    name: SqlName
    protect: bool = True
    target_data_path: DataPath | None = None
    target_log_path: DataPath | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What it is found by, whatever its case."""
        return self.instance.lower(), self.name.lower()


class LoginTransfer(Tab):
    """Log-ins of the source that are kept, sealed, for the target; ``refresh_interval_s``: how often they are gathered anew."""

    transfer: bool = True
    exclude: Annotated[tuple[SqlName, ...], Field(max_length=1000)] = ()
    refresh_interval_s: Annotated[int, Field(ge=60, le=31_536_000)] = 3600


class SqlLoginSettings(Tab):
    """How dtam logs in. Without ``user`` it is integrated: Kerberos, from the ticket cache or ``keytab_file`` of this machine.

    The password of ``user`` comes from the credential cache (``dtam credentials set``) or ``password_file`` (0600). ``target_*``: for the target's own
    script, which acts when nobody else is alive. ``encrypt`` false leaves all but the log-in readable on the wire. ``driver``: an ODBC driver's
    name or library; absent: Microsoft's 18, else 17, else FreeTDS.
    """

    user: SqlName | None = None
    password_file: AbsolutePath | None = None
    principal: Principal | None = None
    keytab_file: AbsolutePath | None = None
    target_user: SqlName | None = None
    target_password_file: AbsolutePath | None = None
    target_principal: Principal | None = None
    target_keytab_file: AbsolutePath | None = None
    encrypt: bool = True
    trust_server_certificate: bool = False
    ca_file: AbsolutePath | None = None
    driver: Driver | None = None
    timeout_s: Annotated[int, Field(ge=1, le=300)] = 15

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.user is None and self.password_file is not None:
            msg = "password_file is of an account of SQL Server: give user, too"
            raise ValueError(msg)
        if self.trust_server_certificate and self.ca_file is not None:
            msg = "trust_server_certificate looks at no certificate: leave it or ca_file out"
            raise ValueError(msg)
        return self

    @property
    def integrated(self) -> bool:
        """Whether the log-in is a domain account's."""
        return self.user is None


class SqlProbe(Tab):
    """What is asked of the instance beyond logging in: with ``database``, a read there; with ``write``, a row into ``table`` there, too.

    The table is made where it is missing.
    """

    database: SqlName | None = None
    table: SqlName = "dtam_probe"
    write: bool = False

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if self.write and self.database is None:
            msg = "probe.write needs probe.database: where the table of the probe is"
            raise ValueError(msg)
        return self


class SqlSettings(Tab):
    """What is protected: whole instances, or databases alone.

    ``mode`` instance: data and program files of the instances; ``databases`` then lists what is left out (``protect: false``), never a system
    database but tempdb, for which there is ``tempdb``. ``mode`` database: user databases, all but those left out when none is marked for
    protection. ``rename_server``: after a failover of whole instances ``@@SERVERNAME`` becomes the target's name.
    ``check_database``: before a replica is trusted in verify-data, DBCC CHECKDB of each database.
    """

    mode: Literal["instance", "database"] = "instance"
    instances: Annotated[tuple[InstanceSettings, ...], Field(min_length=1, max_length=50)] = (InstanceSettings(),)
    databases: Annotated[tuple[DatabaseSelection, ...], Field(max_length=32_767)] = ()
    tempdb: bool = False
    logins: LoginTransfer = LoginTransfer()
    login: SqlLoginSettings = SqlLoginSettings()
    rename_server: bool = False
    probe: SqlProbe = SqlProbe()
    check_database: bool = True

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for why in self._impossible():
            raise ValueError(why)
        return self

    def _impossible(self) -> Iterator[str]:
        names = [one.name.lower() for one in self.instances]
        yield from (f"instance {name} is listed more than once" for name in names if names.count(name) > 1)
        seen: set[tuple[str, str]] = set()
        for one in self.databases:
            if one.key in seen:
                yield f"database {one.name} of {one.instance} is listed more than once"
            seen.add(one.key)
            if one.instance.lower() not in names:
                yield f"database {one.name} is of {one.instance}, which is not among instances"
            yield from self._fits(one)

    def _fits(self, one: DatabaseSelection) -> Iterator[str]:
        system = one.name.lower() in SYSTEM_DATABASES
        moved = one.target_data_path or one.target_log_path
        if one.name.lower() == "tempdb":
            yield "tempdb is chosen by failover.sql.tempdb"
        elif self.mode == "instance" and system and not one.protect:
            yield f"{one.name} is a system database: without it the instance does not start; leave it protected"
        elif self.mode == "database" and system and one.protect:
            yield f"{one.name} is a system database: it can be protected with the whole instance only (mode: instance)"
        if self.mode == "instance" and moved:
            yield f"{one.name} has a target path, but a whole instance lies at the same paths on both servers"

    def instance(self, name: str) -> InstanceSettings | None:
        """A protected instance by its name, whatever its case, or None."""
        return next((one for one in self.instances if one.name.lower() == name.lower()), None)

    def selected(self, instance: str, database: str) -> DatabaseSelection | None:
        """What was said of a database, or None."""
        key = (instance.lower(), database.lower())
        return next((one for one in self.databases if one.key == key), None)

    def protects(self, instance: str, database: str) -> bool:
        """Whether a database is protected: as was said, else what the mode takes by itself."""
        return database.lower() in self.protected_of(instance, (database,))

    def protected_of(self, instance: str, databases: tuple[str, ...]) -> frozenset[str]:
        """Those of ``databases`` that are protected, in lower case; fit for thousands."""
        said = {one.name.lower(): one.protect for one in self.databases if one.instance.lower() == instance.lower()}
        chosen = self.mode == "database" and any(said.values())
        return frozenset(name for name in map(str.lower, databases) if said.get(name, self._by_itself(name, chosen)))

    def _by_itself(self, database: str, chosen: bool) -> bool:  # noqa: FBT001  internal
        if database == "tempdb":
            return self.mode == "instance" and self.tempdb
        if database in SYSTEM_DATABASES:
            return self.mode == "instance"
        return not chosen
