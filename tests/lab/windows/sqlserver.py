r"""SQL Server on a simulated Windows machine: its services, what setup leaves in the registry and on the disks, and the process behind each engine.

Settings of the machine: {"sql": [{"instance": "MSSQLSERVER", "version": "2019", "port": 1433, "data": "E:\\MSSQL\\DATA", "sa_password_file": FILE}]};
the port and the start of the services are what the registry and the service control manager say. What answers is tests/lab/sqlserver: a simulation, too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.lab.sqlserver.browser import write_entry
from tests.lab.sqlserver.browsing import Entry
from tests.lab.windows.disk import DiskServer
from tests.lab.windows.machine.refusals import Refused
from tests.lab.windows.machine.services import DoesNotStart

if TYPE_CHECKING:
    from tests.lab.windows.host import HostSettings
    from tests.lab.windows.machine.machine import Machine

PROJECT = Path(__file__).resolve().parents[3]
BASE = r"SOFTWARE\Microsoft\Microsoft SQL Server"
PROGRAMS = r"C:\Program Files\Microsoft SQL Server"
MAJOR = {"2012": 11, "2014": 12, "2016": 13, "2017": 14, "2019": 15, "2022": 16, "2025": 17}
BROWSER, WRITER = "SQLBrowser", "SQLWriter"
PATIENCE_S = 120
SPECIFIC = 1066  # ERROR_SERVICE_SPECIFIC_ERROR: what the engine itself found wrong is in its error log


@dataclass(frozen=True)
class Installed:
    """An instance as setup was told."""

    instance: str = "MSSQLSERVER"
    version: str = "2019"
    port: int = 1433
    data: str = r"E:\MSSQL\DATA"
    edition: str = "Developer Edition (64-bit)"
    collation: str = "SQL_Latin1_General_CP1_CI_AS"
    account: str = ""
    start: str = "Automatic"
    sa_password_file: str = ""
    is_force_encrypted: bool = False

    @property
    def service(self) -> str:
        """Its engine."""
        return "MSSQLSERVER" if self.instance == "MSSQLSERVER" else f"MSSQL${self.instance}"

    @property
    def agent(self) -> str:
        """Its agent."""
        return "SQLSERVERAGENT" if self.instance == "MSSQLSERVER" else f"SQLAgent${self.instance}"

    @property
    def id(self) -> str:
        """As the registry and the directories name it."""
        return f"MSSQL{MAJOR[self.version[:4]]}.{self.instance}"

    @property
    def key(self) -> str:
        """Where the registry has it."""
        return rf"{BASE}\{self.id}"

    @property
    def top(self) -> str:
        """The directory above DATA."""
        return self.data.rpartition("\\")[0]

    @property
    def tcp_key(self) -> str:
        """Where its port is."""
        return rf"{self.key}\MSSQLServer\SuperSocketNetLib\Tcp\IPAll"

    @property
    def letter(self) -> str:
        """Of the volume with its files."""
        return self.data[0].upper()


class SqlServers:
    """Those of one machine; ``install`` before it boots, ``close`` when it ends in good order."""

    def __init__(self, machine: Machine, settings: HostSettings) -> None:
        self._machine, self._settings = machine, settings
        self._all = [Installed(**one) for one in settings.machine.get("sql", ())]
        self._state = settings.state / "sql"
        self._processes: dict[str, tuple[subprocess.Popen[str], DiskServer | None]] = {}

    def install(self) -> None:
        """What setup does once, and what is behind the services from now on."""
        deeds = self._machine.hooks.deeds
        for one in self._all:
            if self._machine.services.find(one.service) is None:
                self._set_up(one)
            deeds[one.service] = (partial(self._start, one), partial(self._stop, one.service))
        if self._all:
            self._state.mkdir(mode=0o700, exist_ok=True)
            (self._state / "entries").mkdir(exist_ok=True)
            deeds[BROWSER] = (self._start_browser, partial(self._stop, BROWSER))

    def close(self) -> None:
        """The machine ends in good order."""
        for name in list(self._processes):
            self._stop(name)

    def follow(self) -> None:
        """A process that ended by itself is a service that stopped."""
        for name, (process, _) in list(self._processes.items()):
            code = process.poll()
            if code is not None and self._machine.services.is_running(name):
                self._machine.services.kill(name)

    # -- setup
    def _set_up(self, one: Installed) -> None:
        create, programs = self._machine.services.create, rf"{PROGRAMS}\{one.id}\MSSQL\Binn"
        for path in (programs, one.data, rf"{one.top}\Log"):
            self._directory(path).mkdir(parents=True, exist_ok=True)
        account = one.account or rf"NT Service\{one.service}"
        path = rf'"{programs}\sqlservr.exe" -s{one.instance}'
        create(one.service, f"SQL Server ({one.instance})", path, account=account, start=one.start)
        create(
            one.agent,
            f"SQL Server Agent ({one.instance})",
            rf'"{programs}\SQLAGENT.EXE" -i {one.instance}',
            account=rf"NT Service\{one.agent}",
            start="Manual",
            requires=[one.service],
        )
        for name, display, who in (
            (BROWSER, "SQL Server Browser", r"NT AUTHORITY\LOCALSERVICE"),
            (WRITER, "SQL Server VSS Writer", "LocalSystem"),
        ):
            if self._machine.services.find(name) is None:
                create(name, display, rf"{PROGRAMS}\90\Shared\{name.lower()}.exe", account=who)
        self._write_registry(one)

    def _write_registry(self, one: Installed) -> None:
        put, key = self._machine.registry.put, one.key
        put(rf"{BASE}\Instance Names\SQL", one.instance, "String", one.id)
        for name, value in (
            ("SQLPath", rf"{PROGRAMS}\{one.id}\MSSQL"),
            ("SQLDataRoot", one.top),
            ("Version", f"{MAJOR[one.version[:4]]}.0.2000.5"),
            ("PatchLevel", f"{MAJOR[one.version[:4]]}.0.2000.5"),
            ("Edition", one.edition.partition(" (")[0]),
        ):
            put(rf"{key}\Setup", name, "String", value)
        server = rf"{key}\MSSQLServer"
        for name, path in (
            ("DefaultData", one.data),
            ("DefaultLog", one.data),
            ("BackupDirectory", rf"{one.top}\Backup"),
        ):
            put(server, name, "String", path)
        put(server, "LoginMode", "DWord", 2)
        first = (rf"-d{one.data}\master.mdf", rf"-e{one.top}\Log\ERRORLOG", rf"-l{one.data}\master.mdf-wal")
        for at, argument in enumerate(first):
            put(rf"{server}\Parameters", f"SQLArg{at}", "String", argument)
        for protocol in ("Tcp", "Np", "Sm"):
            put(rf"{server}\SuperSocketNetLib\{protocol}", "Enabled", "DWord", 1)
        put(one.tcp_key, "TcpPort", "String", str(one.port) if one.port else "")
        put(one.tcp_key, "TcpDynamicPorts", "String", "" if one.port else "0")

    # -- processes
    def _directory(self, path: str) -> Path:
        volume = self._machine.volumes.data["volumes"][path[0].upper()]
        return self._machine.volumes.directory(volume).joinpath(*path[3:].split("\\"))

    def _ready(self, letter: str) -> None:
        try:
            self._machine.volumes.usable(letter)
        except Refused as why:
            raise OSError(why.message) from why

    def _start(self, one: Installed) -> None:
        try:
            self._ready(one.letter)
        except OSError as why:
            raise DoesNotStart(SPECIFIC) from why
        replica = self._machine.replica
        letters = [volume["letter"] for volume in self._machine.volumes.all()]  # a database may lie on any of them
        disk = DiskServer(
            self._state / f"{one.instance}.disk",
            replica.writers,
            lambda: self._ready(one.letter),
            lambda: replica.carried(letters),
        )
        try:
            ready = self._run(one.service, self._words(one, disk), disk)
        except DoesNotStart:
            disk.close()
            raise
        if not self._machine.registry.value(one.tcp_key, "TcpPort"):
            self._machine.registry.put(one.tcp_key, "TcpDynamicPorts", "String", str(ready["port"]))
        self._tell_browser(one)

    def _words(self, one: Installed, disk: DiskServer) -> list[str]:
        settings, registry = self._settings, self._machine.registry
        root = self._state / one.instance
        root.mkdir(mode=0o700, exist_ok=True)
        port = registry.value(one.tcp_key, "TcpPort") or "0"
        words = ["tests.lab.sqlserver", "--root", str(root), "--instance", one.instance, "--port", port]
        words += ["--machine", self._machine.computer.name, "--platform", "windows", "--address", settings.address]
        words += ["--version", one.version, "--edition", one.edition, "--collation", one.collation]
        words += ["--data-path", one.data, "--log-path", one.data, "--domain", self._domain]
        words += ["--service-account", self._machine.services.get(one.service)["account"]]
        words += [
            "--control",
            str(root / "control.sock"),
            "--disk",
            str(disk.path),
            "--accounts",
            str(self._accounts()),
        ]
        for volume in self._machine.volumes.all():
            words += ["--volume", f"{volume['letter']}:={self._machine.volumes.directory(volume)}"]
        words += ["--force-encryption"] if one.is_force_encrypted else []
        for option, path in (
            ("--sa-password-file", one.sa_password_file or None),
            ("--keytab", settings.keytab),
            ("--certificate", settings.certificate),
            ("--key", settings.key),
        ):
            words += [option, str(path)] if path is not None else []
        return words

    @property
    def _domain(self) -> str:
        named = [name.partition("\\")[0] for name in self._known().get("domain", {})]
        return named[0] if named else ""

    def _known(self) -> Mapping[str, Any]:
        known: Mapping[str, Any] = json.loads(self._settings.accounts.read_text(encoding="utf-8"))
        return known

    def _accounts(self) -> Path:
        """Who may be asked for: those of the domain and of the machine, with what the domain says of them."""
        known, name, found = self._known(), self._machine.computer.name, dict[str, Any]()
        local = {f"{name}\\{short}": one for short, one in known.get("local", {}).items()}
        for full, one in {**local, **known.get("domain", {})}.items():
            found[full] = {key: one[key] for key in ("password", "upn") if key in one}
            try:
                found[full]["sid"] = self._machine.accounts.sid(full)
            except Refused:
                continue
        file = self._state / "accounts.json"
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            json.dump(found, out)
        return file

    def _tell_browser(self, one: Installed) -> None:
        """Browser reads the registry: an instance that is stopped is told of, too."""
        value = self._machine.registry.value
        said = {"ServerName": self._machine.computer.name, "InstanceName": one.instance, "IsClustered": "No"}
        said["Version"] = str(value(rf"{one.key}\Setup", "Version"))
        said["tcp"] = value(one.tcp_key, "TcpPort") or value(one.tcp_key, "TcpDynamicPorts")
        write_entry(self._state / "entries" / f"{one.instance}.json", Entry(said))

    def _start_browser(self) -> None:
        for one in self._all:
            self._tell_browser(one)
        words = ["tests.lab.sqlserver.browser", "--address", self._settings.address]
        self._run(BROWSER, [*words, "--entries", str(self._state / "entries")], None)

    def _run(self, service: str, words: list[str], disk: DiskServer | None) -> dict[str, Any]:
        """Start it, and wait until it serves; what it says then."""
        with open(self._state / f"{service}.log", "a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *words],
                cwd=PROJECT,
                env={**os.environ, "PYTHONPATH": str(PROJECT)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            process.wait(PATIENCE_S)
            process.stdout.close()
            raise DoesNotStart(SPECIFIC)
        self._processes[service] = (process, disk)
        said: dict[str, Any] = json.loads(line)
        return said

    def _stop(self, service: str) -> None:
        process, disk = self._processes.pop(service, (None, None))
        if process is not None:
            if self._machine.booted:
                process.terminate()
            else:  # the power went
                process.kill()
            process.wait(PATIENCE_S)
            assert process.stdout is not None
            process.stdout.close()
        if disk is not None:
            disk.close()
