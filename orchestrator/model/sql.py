"""What a SQL Server says about itself: values that checks and plans look at. Nothing here knows how the server was asked.

Names are SQL Server's own. Security identifiers are its text form of bytes (``0x0105...``), sizes are bytes. What could not be asked
is a sentence in ``problems``, or ``silence`` where the instance did not answer at all. No password and no hash of one stands here.
"""

from __future__ import annotations

import re

import msgspec

DEFAULT_INSTANCE = "MSSQLSERVER"
DEFAULT_PORT = 1433
SYSTEM_DATABASES = ("master", "model", "msdb", "tempdb")
"""Every instance has them."""

_RESERVED = ("##", "nt authority\\", "nt service\\", "builtin\\")
_SA = "0x01"


class SqlAsk(msgspec.Struct, frozen=True):
    """What is asked beyond the usual. ``databases``: those whose features in use, users without log-in and rights are read, each by its name.

    All of it is asked in few statements, however many databases there are.
    """

    databases: tuple[str, ...] = ()


USUAL = SqlAsk()
"""Nothing beyond the usual."""


class SqlFile(msgspec.Struct, frozen=True):
    """A file, or with ``kind`` filestream a directory, of a database. ``kind``: rows, log, filestream, fulltext."""

    database: str
    name: str
    path: str
    kind: str = "rows"
    bytes: int = 0
    state: str = "ONLINE"


class SqlDatabase(msgspec.Struct, frozen=True):
    """A database. ``state``: ONLINE, RESTORING, RECOVERING, RECOVERY_PENDING, SUSPECT, EMERGENCY, OFFLINE.

    ``encryptor`` is the thumbprint (``0x...``) of what its encryption key is sealed with. ``snapshot_of`` names the database that it is a
    snapshot of. ``features`` and ``orphans`` (users whose log-in the server lacks) were read only where asked for: else None.
    """

    name: str
    id: int = 0
    state: str = "ONLINE"
    recovery: str = ""
    compatibility: int = 0
    collation: str = ""
    read_only: bool = False
    owner: str = ""
    owner_sid: str = ""
    published: bool = False
    subscribed: bool = False
    distributor: bool = False
    encrypted: bool = False
    encryptor: str = ""
    containment: str = "NONE"
    broker: bool = False
    trustworthy: bool = False
    chaining: bool = False
    snapshot_of: str = ""
    mirrored: bool = False
    availability_group: str = ""
    access: str = "MULTI_USER"
    files: tuple[SqlFile, ...] = ()
    features: tuple[str, ...] | None = None
    orphans: tuple[str, ...] | None = None

    @property
    def system(self) -> bool:
        """Whether it belongs to the instance itself."""
        return self.name.lower() in SYSTEM_DATABASES or self.distributor


class SqlLogin(msgspec.Struct, frozen=True):
    """A log-in, without its password's hash. ``kind``: sql, user (of Windows), group (of Windows).

    ``permissions`` are sentences of SQL without the grantee: ``GRANT VIEW SERVER STATE``.
    """

    name: str
    kind: str = "sql"
    sid: str = ""
    disabled: bool = False
    default_database: str = "master"
    default_language: str = ""
    policy: bool = False
    expiration: bool = False
    roles: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()

    def own_to(self, machine: str) -> bool:
        r"""Whether it belongs to its server alone and is never carried to another: sa, ``##...##``, the system's, ``machine\...``."""
        name = self.name.lower()
        return self.sid == _SA or name.startswith((*_RESERVED, f"{machine.lower()}\\"))


class SqlJob(msgspec.Struct, frozen=True):
    """A job of the Agent. ``originating_server`` is the name under which it was made; empty: this server."""

    name: str
    enabled: bool = True
    originating_server: str = ""
    owner: str = ""


class SqlLinked(msgspec.Struct, frozen=True):
    """A linked or remote server."""

    name: str
    data_source: str = ""
    product: str = ""
    provider: str = ""


class SqlCertificate(msgspec.Struct, frozen=True):
    """A certificate of master. ``thumbprint`` as ``0x...``; ``has_key``: its private key is there."""

    name: str
    thumbprint: str
    has_key: bool = False


class SqlService(msgspec.Struct, frozen=True):
    """A service as the instance itself tells: ``account`` runs it; ``start_type`` and ``state`` in SQL Server's words."""

    name: str
    account: str = ""
    start_type: str = ""
    state: str = ""


class SqlConfiguration(msgspec.Struct, frozen=True):
    """An option of ``sp_configure``: as set, and as in use until a restart."""

    name: str
    value: int
    in_use: int


class SqlInstance(msgspec.Struct, frozen=True):
    r"""An instance. ``name`` MSSQLSERVER is the default one; ``server_name`` is ``@@SERVERNAME``, ``full_name`` what it should be.

    ``version`` is ``15.0.4322.2``; ``host_platform`` Windows or Linux. ``login`` is who we are there, by ``auth_scheme`` SQL, KERBEROS or
    NTLM. ``protocols`` are those that are switched on (tcp, np, sm); ``port`` is the one it listens on, ``port_dynamic``: chosen anew at each start.
    ``master_key``: master has a database master key. ``silence`` says why it did not answer; then nothing else is known.
    """

    name: str = DEFAULT_INSTANCE
    server_name: str = ""
    machine: str = ""
    version: str = ""
    level: str = ""
    edition: str = ""
    engine_edition: int = 0
    collation: str = ""
    clustered: bool = False
    integrated_only: bool = False
    hadr: bool = False
    data_path: str = ""
    log_path: str = ""
    host_platform: str = ""
    port: int | None = None
    port_dynamic: bool = False
    protocols: tuple[str, ...] = ()
    sysadmin: bool = False
    login: str = ""
    auth_scheme: str = ""
    encrypted: bool = True
    """Whether our own connection to it is."""
    databases: tuple[SqlDatabase, ...] = ()
    logins: tuple[SqlLogin, ...] = ()
    services: tuple[SqlService, ...] = ()
    jobs: tuple[SqlJob, ...] = ()
    linked: tuple[SqlLinked, ...] = ()
    certificates: tuple[SqlCertificate, ...] = ()
    credentials: tuple[str, ...] = ()
    configurations: tuple[SqlConfiguration, ...] = ()
    master_key: bool = False
    own_messages: int = 0
    startup_parameters: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    silence: str = ""
    hint: str = ""
    """What to do about the silence."""

    @property
    def full_name(self) -> str:
        r"""What its name should be: the machine's, with ``\INSTANCE`` where it is a named one."""
        return self.machine if is_default(self.name) else f"{self.machine}\\{self.name}"

    @property
    def release(self) -> tuple[int, ...]:
        """The version as numbers, to be compared; empty where it is not known."""
        return tuple(int(part) for part in re.findall(r"\d+", self.version))

    @property
    def major(self) -> int:
        """The first number of its version: 15 is 2019; 0 where it is not known."""
        return self.release[0] if self.release else 0

    @property
    def on_windows(self) -> bool:
        """Whether it runs on Windows; servers that cannot tell do."""
        return self.host_platform != "Linux"

    def database(self, name: str) -> SqlDatabase | None:
        """A database by its name, whatever its case, or None."""
        return next((one for one in self.databases if one.name.lower() == name.lower()), None)

    def login_of(self, name: str) -> SqlLogin | None:
        """A log-in by its name, whatever its case, or None."""
        return next((one for one in self.logins if one.name.lower() == name.lower()), None)

    def configuration(self, name: str) -> SqlConfiguration | None:
        """An option of ``sp_configure``, or None."""
        return next((one for one in self.configurations if one.name == name), None)


class BrowserEntry(msgspec.Struct, frozen=True):
    """What SQL Browser says of one instance. ``version`` is its base build: good for the release, not for the patch level."""

    server: str
    instance: str
    version: str = ""
    clustered: bool = False
    port: int | None = None
    pipe: str = ""


class SqlBrowser(msgspec.Struct, frozen=True):
    """What SQL Browser of a machine says; ``silence`` why it did not (on Linux there is none, hidden instances do not answer)."""

    entries: tuple[BrowserEntry, ...] = ()
    silence: str = ""

    def port_of(self, instance: str) -> int | None:
        """The port of an instance, or None."""
        return next((one.port for one in self.entries if one.instance.lower() == instance.lower()), None)


class SqlSide(msgspec.Struct, frozen=True):
    """All SQL Server of one machine: the protected instances, and what its Browser says."""

    instances: tuple[SqlInstance, ...] = ()
    browser: SqlBrowser = SqlBrowser()
    problems: tuple[str, ...] = ()
    kept_at_s: dict[str, float] = {}
    """Per instance: when the log-ins that its target keeps were gathered; absent where none are."""

    def instance(self, name: str = DEFAULT_INSTANCE) -> SqlInstance | None:
        """An instance by its name, whatever its case, or None."""
        return next((one for one in self.instances if one.name.lower() == name.lower()), None)


def is_default(instance: str) -> bool:
    """Whether this is the name of the default instance."""
    return instance.upper() in {"", DEFAULT_INSTANCE}


def server_and_instance(text: str) -> tuple[str, str]:
    r"""``SERVER[\INSTANCE]`` in two; the default instance where none is named."""
    server, _, instance = text.partition("\\")
    return server, DEFAULT_INSTANCE if is_default(instance) else instance
