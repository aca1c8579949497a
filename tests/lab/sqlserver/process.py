"""A simulated SQL Server as a process of the test, on an address of the loopback of its own: ``sql_server(tmp_path)``."""

from __future__ import annotations

import contextlib
import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.lab.certificates import Authority
from tests.lab.sqlserver import control
from tests.lab.windows.starting import loopback_address, write_secret

PROJECT = Path(__file__).resolve().parents[3]
FREETDS = "/usr/lib/x86_64-linux-gnu/odbc/libtdsodbc.so"
LOGIN_S = 60


def driver_18() -> str:
    """Microsoft's driver, which lies in a wheel; empty where it is not installed."""
    spec = find_spec("mssql_python_odbc")
    if spec is None or not spec.submodule_search_locations:
        return ""
    libraries = Path(spec.submodule_search_locations[0]) / "libs/linux/debian_ubuntu/x86_64/lib"
    return str(next(iter(sorted(libraries.glob("libmsodbcsql-18.*.so*"))), ""))


DRIVER_18 = driver_18()


@dataclass
class SqlServer:
    """One simulated SQL Server outside the lab. Fields as the options of the process; see tests/lab/sqlserver/__main__.py."""

    directory: Path
    instance: str = "MSSQLSERVER"
    machine: str = "ALPHA"
    version: str = "2019"
    platform: str = "linux"
    address: str = ""
    port: int = 1433
    options: tuple[str, ...] = ()  # further words of the command line
    names: tuple[str, ...] = ()  # further names of the certificate
    process: subprocess.Popen[str] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.address = self.address or loopback_address(self.directory)
        self.root = self.directory / "root"
        self.root.mkdir(exist_ok=True)
        authority = Authority()
        self.ca_file = write_secret(self.directory / "ca.pem", authority.text)
        key, certificate = authority.issue_named((self.machine.lower(), *self.names), self.address)
        self.key = write_secret(self.directory / "server.key", key)
        self.certificate = write_secret(self.directory / "server.pem", certificate)
        self.sa_password = f"{secrets.token_hex(12)}.aA1"
        self.password_file = write_secret(self.directory / "sa.password", self.sa_password)
        self.log = self.directory / "server.log"

    @property
    def argv(self) -> list[str]:
        """The words that start it."""
        words = ["--root", str(self.root), "--instance", self.instance, "--machine", self.machine]
        words += ["--address", self.address, "--port", str(self.port), "--version", self.version]
        words += ["--platform", self.platform, "--sa-password-file", str(self.password_file)]
        words += ["--certificate", str(self.certificate), "--key", str(self.key)]
        return [sys.executable, "-m", "tests.lab.sqlserver", *words, *self.options]

    def start(self) -> None:
        """Start it, and wait until it serves. Raises AssertionError with its log when it ends instead."""
        if self.process is not None:
            return
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(self.argv, cwd=PROJECT, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.stop()
        assert line, f"the server did not start:\n{self.log.read_text()}"
        self.port = json.loads(line)["port"]

    def kill(self) -> None:
        """The power goes: no goodbye, what was on the disk stays."""
        if self.process is not None:
            self.process.kill()
            self.stop()

    def stop(self) -> int:
        """End it in good order; its exit code."""
        if self.process is None:
            return 0
        self.process.terminate()
        try:
            code = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.process = None
        return code

    def lab(self, wish: dict[str, Any]) -> Any:
        """Plant or ask for state: the engine's Instance.lab."""
        return control.ask(self.root / "control.sock", wish)

    @property
    def server(self) -> str:
        """As connection strings name it."""
        return f"{self.address},{self.port}"

    def connection_string(self, driver: str = "", *, user: str = "sa", password: str | None = None, **more: str) -> str:
        """For pyodbc; ``more`` are keywords of the driver, as Database or Encrypt."""
        driver = driver or DRIVER_18 or FREETDS
        words = {"Driver": driver, "Server": self.server, "UID": user, "PWD": password or self.sa_password}
        if driver == FREETDS:
            words |= {"Server": self.address, "Port": str(self.port), "TDS_Version": "7.4", "ClientCharset": "UTF-8"}
        else:
            words |= {"TrustServerCertificate": "yes"}
        words |= more
        return ";".join(f"{name}={value}" for name, value in words.items() if value)

    def connect(self, driver: str = "", *, user: str = "sa", password: str | None = None, **more: Any) -> Any:
        """A connection of pyodbc. ``autocommit`` and ``timeout`` are pyodbc's, all else the driver's keywords."""
        import pyodbc

        kept = {"autocommit": more.pop("autocommit", True), "timeout": more.pop("timeout", LOGIN_S)}
        return pyodbc.connect(self.connection_string(driver, user=user, password=password, **more), **kept)


@contextlib.contextmanager
def sql_server(directory: Path, **settings: Any) -> Iterator[SqlServer]:
    """A server that serves; ``settings`` as the fields of SqlServer."""
    server = SqlServer(directory, **settings)
    try:
        server.start()
        yield server
    finally:
        server.stop()
