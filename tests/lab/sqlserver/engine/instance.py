"""A running instance: started from what its files say, its sessions, its stop."""

from __future__ import annotations

import json
import resource
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.lab.sqlserver.engine import (
    accounts,
    calling,
    checking,
    control,
    data,
    definitions,
    functions_moments,
    functions_text,
    granting,
    metadata,
    metadata_databases,
    metadata_logins,
    planting,
    procedures,
)
from tests.lab.sqlserver.engine.catalogue import Catalogue
from tests.lab.sqlserver.engine.database import Database, now
from tests.lab.sqlserver.engine.databases import Databases
from tests.lab.sqlserver.engine.errorlog import ErrorLog
from tests.lab.sqlserver.engine.fresh import fill_master, fill_msdb
from tests.lab.sqlserver.engine.logins import Logins
from tests.lab.sqlserver.engine.messages import fail
from tests.lab.sqlserver.engine.moments import Moments
from tests.lab.sqlserver.engine.paths import NoSuchVolume, Volumes
from tests.lab.sqlserver.engine.port import InstanceDoesNotStart, LoginRequest, Settings, SqlFailure
from tests.lab.sqlserver.engine.session import Session
from tests.lab.sqlserver.engine.versions import TooOld, banner, personality


class Server:
    """The instance. ``catalogue`` is master's."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.name = settings.name.upper() if settings.name.upper() == "MSSQLSERVER" else settings.name
        self.machine = settings.machine
        self.platform = settings.platform
        try:
            self.personality = personality(settings.version)
        except TooOld as old:
            raise InstanceDoesNotStart(f"{old} is older than TDS 7.4: no driver of today speaks with it") from old
        self.version = self.personality.build
        self.stopping = False
        self.moments = Moments(settings.writing)
        self.started_at = now()
        self.volumes = _volumes(settings, self.root_path)
        self.data_path = settings.data_path or self.root_path + self.volumes.separator + (
            "data" if self.platform == "linux" else "DATA"
        )
        self.log_path = settings.log_path or self.data_path
        self.errorlog = ErrorLog(self._log_directory(), self.platform)
        self.databases = Databases(self)
        self.logins = Logins(self)
        self.guard = threading.RLock()
        self.sessions: dict[int, Session] = {}
        self.plans: dict[Any, Any] = {}
        self.collation = settings.collation
        self.server_name = ""
        self.listens = int(self.registry().get("tcp", 1)) == 1  # TCP as it was when the service started
        self.configuration_in_use: dict[int, int] = {}

    # -- places -------------------------------------------------------------------------------------------------------------------

    @property
    def is_default(self) -> bool:
        """Without a name of its own?"""
        return self.name == "MSSQLSERVER"

    @property
    def edition(self) -> str:
        """As installed."""
        return str(self.registry().get("edition") or self.settings.edition)

    @property
    def actual_name(self) -> str:
        """MACHINE or MACHINE\\INSTANCE, whatever master says."""
        return self.machine if self.is_default else f"{self.machine}\\{self.name}"

    @property
    def root_path(self) -> str:
        """The reported directory of the instance."""
        if self.platform == "linux":
            return "/var/opt/mssql"
        return f"C:\\Program Files\\Microsoft SQL Server\\MSSQL{self.personality.major}.{self.name}\\MSSQL"

    def _log_directory(self) -> Path:
        where = self.root_path + self.volumes.separator + ("log" if self.platform == "linux" else "Log")
        try:
            return self.volumes.real(where)
        except NoSuchVolume:
            return self.settings.root / "log"

    @property
    def registry_file(self) -> Path:
        """What belongs to the machine and not to master: the login mode and the like."""
        return self.settings.root / "registry.json"

    def registry(self) -> dict[str, Any]:
        """As it is now."""
        try:
            return dict(json.loads(self.registry_file.read_text()))
        except (OSError, ValueError):
            return {}

    def set_registry(self, **values: Any) -> None:
        """Writes some values."""
        whole = {**self.registry(), **values}
        self.registry_file.write_text(json.dumps(whole, indent=1))

    # -- start and stop -----------------------------------------------------------------------------------------------------------

    @property
    def master(self) -> Database:
        """Database 1."""
        return self.databases.by_number[1]

    @property
    def catalogue(self) -> Catalogue:
        """Of the server, in master."""
        return self.master.catalogue

    def start(self) -> None:
        """Opens or makes everything. Raises InstanceDoesNotStart."""
        _many_files()
        self.errorlog.rotate()
        self.errorlog.write(
            banner(self.personality, self.platform, self.edition).replace(
                "\n", "\r\n" if self.platform == "windows" else "\n"
            )
        )
        self.errorlog.write(f"Starting up database 'master'. The service account is '{self.service_account}'.")
        master = self.volumes.real(self.volumes.join(self.data_path, "master.mdf"))
        try:
            if not master.exists() and (not master.parent.is_dir() or not any(master.parent.glob("*.mdf*"))):
                self._make()
            else:
                self._open()
        except SqlFailure as failure:
            self._refuse(failure)
        except OSError as error:
            self._refuse(fail(5120, self.volumes.join(self.data_path, "master.mdf"), error.errno or 0, error))
        self._read_configuration()
        self.errorlog.write(f"Server is listening on [ '{self.settings.address}' <ipv4> {self.settings.port}].")
        self.errorlog.write(
            "SQL Server is now ready for client connections. This is an informational message; no user action is required."
        )

    def _refuse(self, failure: SqlFailure) -> None:
        path = self.volumes.join(self.data_path, "master.mdf")
        self.errorlog.error(failure)
        if failure.number == 5120:
            self.errorlog.write(
                f"Error: 17204, Severity: 16, State: 1.\nFCB::Open failed: Could not open file {path} for file number 1.  OS error: {failure.message.partition('error ')[2]}"
            )
        last = fail(3417) if self.databases.failed in {"", "master"} else fail(945, self.databases.failed)
        self.errorlog.error(last)
        self.databases.close_all()
        raise InstanceDoesNotStart(f"{failure.message} {last.message}")

    def _make(self) -> None:
        if not self.settings.sa_password:
            raise InstanceDoesNotStart("a new instance needs the password of sa")
        self.volumes.real(self.data_path).mkdir(parents=True, exist_ok=True)
        self.databases.make_system(lambda catalogue: fill_master(catalogue, self), fill_msdb)
        self.server_name = self.actual_name

    def _open(self) -> None:
        self.databases.open_all()

    def _read_configuration(self) -> None:
        catalogue = self.catalogue
        server = catalogue.get("server", 1) or {}
        self.collation = server.get("collation", self.collation)
        local = catalogue.get("linked", 0)
        self.server_name = str(local["name"]) if local else ""
        self.configuration_in_use = {number: document["value"] for number, document in catalogue.all("configuration")}
        self.integrated_only = int(self.registry().get("LoginMode", 2)) == 1
        with self.master.lock_for_startup():
            for number, document in catalogue.all("configuration"):
                if document["in_use"] != document["value"]:
                    catalogue.update("configuration", number, in_use=document["value"])

    @property
    def service_account(self) -> str:
        """Of the engine."""
        if self.settings.service_account:
            return self.settings.service_account
        if self.platform == "linux":
            return "mssql"
        return "NT Service\\MSSQLSERVER" if self.is_default else f"NT Service\\MSSQL${self.name}"

    def close(self) -> None:
        """Orderly stop."""
        with self.guard:
            sessions = list(self.sessions.values())
        for session in sessions:
            session.end()
        self.errorlog.write(
            "SQL Server is terminating because of a system shutdown. This is an informational message only. No user action is required."
        )
        self.databases.close_all()

    def abandon(self) -> None:
        """As after a power cut: nothing more is written. For tests within one process."""
        with self.guard:
            sessions = list(self.sessions.values())
        for session in sessions:
            session.ended = True
        self.databases.abandon()

    # -- sessions -----------------------------------------------------------------------------------------------------------------

    def login(self, request: LoginRequest) -> Session:
        """A session, or SqlFailure 18456, 4060..."""
        if self.stopping:
            raise fail(6005, severity=14)
        return self.logins.login(request)

    def admit(self, session: Session) -> None:
        """Gives the session its number."""
        with self.guard:
            session.spid = next(number for number in range(51, 32767) if number not in self.sessions)
            self.sessions[session.spid] = session

    def forget(self, session: Session) -> None:
        """It is closed."""
        with self.guard:
            self.sessions.pop(session.spid, None)

    def sessions_in(self, database: Database, but: Session | None = None) -> list[Session]:
        """Whose current database it is."""
        with self.guard:
            return [
                one for one in self.sessions.values() if one is not but and not one.ended and one.current is database
            ]

    # -- the lab ------------------------------------------------------------------------------------------------------------------

    def lab(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Plants or tells state; see ``planting``."""
        return planting.lab(self, request)

    def browser_entry(self) -> dict[str, Any]:
        """What SQL Browser says: without "tcp" where that was off at the start, with "hidden" where it must be silent."""
        clustered = "Yes" if self.registry().get("clustered") else "No"
        entry: dict[str, Any] = {
            "ServerName": self.machine,
            "InstanceName": self.name,
            "IsClustered": clustered,
            "Version": self.personality.base,
        }
        if self.listens:
            entry["tcp"] = self.settings.port
        if self.registry().get("Hidden"):
            entry["hidden"] = True
        return entry

    def windows_sid(self, account: str) -> bytes | None:
        """The SID of a Windows account, None when there is none such."""
        known = accounts.WELL_KNOWN.get(account.upper())
        if known:
            return accounts.binary_sid(known)
        domain, _, name = account.partition("\\")
        if domain.upper() == "NT SERVICE":
            return accounts.service_sid(name)
        if domain.upper() == self.machine.upper() and self.platform == "windows":
            return accounts.machine_sid(self.machine, name)
        return self.settings.account_sid(account) if self.settings.account_sid else None


def _volumes(settings: Settings, root_path: str) -> Volumes:
    mapping = dict(settings.volumes)
    drive = root_path[:2]
    if settings.platform == "linux":
        mapping.setdefault("/var/opt/mssql", settings.root)
    elif not any(prefix.upper().startswith(drive) for prefix in mapping):
        mapping[root_path] = settings.root / "MSSQL"
        mapping[drive] = settings.root / drive[0]
        (settings.root / drive[0]).mkdir(parents=True, exist_ok=True)
    settings.root.mkdir(parents=True, exist_ok=True)
    return Volumes(settings.platform, mapping)


def _many_files() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 16384 if hard == resource.RLIM_INFINITY else min(16384, hard)
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


# what runs statements and answers functions registers itself when it is imported
REGISTERED = (
    calling,
    checking,
    control,
    data,
    definitions,
    functions_moments,
    functions_text,
    granting,
    metadata,
    metadata_databases,
    metadata_logins,
    procedures,
)


def start(settings: Settings) -> Server:
    """Starts the instance of a directory. Raises InstanceDoesNotStart."""
    server = Server(settings)
    server.start()
    return server
