"""A SQL Server under protection in the lab: alpha serves, beta stands by, the witness's machine is the administrator's, an application runs on client.

SQL Server is a simulation (tests/lab/sqlserver), started by the engines as the service mssql-server; the application, its drivers, the domain and
everything of dtam are real. The application knows the name alpha.lab.example only.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tests.lab import sqlhost
from tests.lab.certificates import Authority
from tests.lab.domain import Lab
from tests.lab.hosts import PROJECT, LabHost
from tests.lab.pairstage import PairStage
from tests.lab.places import DOMAIN, REVERSE_ZONES, WORKGROUP
from tests.lab.sqlclient import TABLES
from tests.lab.sqlconf import DATA
from tests.lab.sqljournal import Promised
from tests.lab.sqlserver.process import FREETDS
from tests.lab.waiting import until

SA_FILE, CA_FILE = "/etc/dtam/sa.password", "/etc/lab/sql.pem"
NAMES = tuple(f"{name}.{DOMAIN}" for name in ("alpha", "beta", "gamma"))
"""Of whom each certificate speaks, as every server may answer by every name."""
USERS = ("Administrator", "operator", "writer", "reader")


class Shop:
    """The application and people at the lab's client, who know one name of a server. Passwords come from the lab's own."""

    def __init__(self, lab: Lab, name: str, instance: str = "", database: str = "shop") -> None:
        self.lab, self.name, self.instance = lab, name, instance
        self.client = lab.host("client")
        self.database, self.login, self.password = database, f"{database}_app", lab.user_password
        self.create = f"CREATE DATABASE [{self.database}]"
        self._journal, self._pid = f"/var/log/{database}.journal", f"/run/{database}.pid"

    def connection(self, database: str, user: str, password: str, *, driver: str = FREETDS, server: str = "") -> str:
        """A file of the client with a connection string."""
        server = server or self.name
        words = {"Driver": driver, "Database": database, "UID": user, "PWD": password}
        if driver == FREETDS:
            words |= {"Server": server, "TDS_Version": "7.4", "ClientCharset": "UTF-8"}
            words |= {"Port": str(sqlhost.PORT)} if not self.instance else {}
            words["Server"] += f"\\{self.instance}" if self.instance else ""
        else:
            end = f"\\{self.instance}" if self.instance else f",{sqlhost.PORT}"
            words |= {"Server": f"tcp:{server}{end}", "TrustServerCertificate": "yes"}
        path = f"/etc/lab/{user}.{database}.{server}.odbc"
        self.client.write(path, ";".join(f"{key}={value}" for key, value in words.items() if value), 0o600)
        return path

    def ask(self, statement: str, *, database: str = "", server: str = "", user: str = "sa") -> list[list[Any]]:
        """Rows of a statement, asked at the client of whom the name leads to, or of ``server``."""
        password = self.lab.admin_password if user == "sa" else self.password
        path = self.connection(database or self.database, user, password, server=server)
        said = self.run("ask", "--connection", path, statement)
        return [json.loads(line) for line in said.splitlines()]

    def run(self, *words: str) -> str:
        """The application's program, to its end."""
        done = self.client.run([sys.executable, "-m", "tests.lab.sqlclient", *words], env={"PYTHONPATH": str(PROJECT)})
        return done.stdout

    def furnish(self, server: str = "") -> None:
        """The application's database, its log-in and its tables; nothing was promised yet."""
        self.client.path(self._journal).unlink(missing_ok=True)
        for statement in (
            self.create,
            f"CREATE LOGIN [{self.login}] WITH PASSWORD = '{self.password}', DEFAULT_DATABASE = [{self.database}]",
        ):
            self.ask(statement, database="master", server=server)
        for statement in (
            f"CREATE USER [{self.login}] FOR LOGIN [{self.login}]",
            f"ALTER ROLE db_owner ADD MEMBER [{self.login}]",
            *(one.strip() for one in TABLES.split(";") if one.strip()),
        ):
            self.ask(statement, server=server)

    # -- the application
    def start(self, writers: int = 8, rate: float = 200) -> None:
        """It places orders from now on."""
        path = self.connection(self.database, self.login, self.password)
        before = len(self.promised().rows)
        words = [sys.executable, "-m", "tests.lab.sqlclient", "load", "--connection", path, "--journal", self._journal]
        line = shlex.join([*words, "--writers", str(writers), "--rate", str(rate)])
        quiet = f"</dev/null >>/var/log/{self.database}.log 2>&1"
        self.client.run(["sh", "-c", f"PYTHONPATH={PROJECT} setsid {line} {quiet} & echo $! >{self._pid}"])
        until("the application places orders", lambda: len(self.promised().rows) > before, 120)

    def promised(self) -> Promised:
        """What was acknowledged up to now."""
        journal = self.client.path(self._journal)
        return Promised.read(journal) if journal.exists() else Promised((), ())

    def places(self, more: int) -> None:
        """It goes on for so many orders."""
        before = len(self.promised().rows)
        until(f"{more} more orders are placed", lambda: len(self.promised().rows) >= before + more, 180)

    def stop(self) -> None:
        """It places no more orders; safe to say twice."""
        pid = self.client.path(self._pid)
        if pid.exists():
            number = pid.read_text().strip()
            self.client.run(["kill", number], check=False)
            until("the application has ended", lambda: not self.client.path(f"/proc/{number}").exists())
            pid.unlink()

    @contextlib.contextmanager
    def open(self, writers: int = 8, rate: float = 200) -> Iterator[None]:
        """It places orders inside."""
        self.start(writers, rate)
        try:
            yield
        finally:
            self.stop()

    def orders(self, server: str = "") -> list[tuple[int, int, int]]:
        """All that are there."""
        found = self.ask("SELECT writer, number, life FROM dbo.orders", server=server)
        return [(int(writer), int(number), int(life)) for writer, number, life in found]

    def standing(self, server: str = "") -> tuple[list[tuple[int, int, int]], list[tuple[int, int]]]:
        """Orders and totals of one moment, whatever is placed meanwhile."""
        words = "SELECT o.writer, o.number, o.life, t.orders FROM dbo.orders o JOIN dbo.totals t ON t.writer = o.writer"
        found = [tuple(map(int, row)) for row in self.ask(words, server=server)]
        totals = dict.fromkeys((writer, total) for writer, _, _, total in found)
        return [(writer, number, life) for writer, number, life, _ in found], list(totals)

    def check(self, server: str = "") -> None:
        """DBCC CHECKDB says nothing, which is what it says of a database without errors."""
        assert self.ask(f"DBCC CHECKDB ([{self.database}]) WITH NO_INFOMSGS", server=server) == []


class SqlStage(PairStage, Shop):
    """Two SQL Servers on Linux hosts, their engines, a witness, an administrator and an application."""

    application = "sql"

    def __init__(self, lab: Lab, mode: str = "instance", source: str = "alpha", database: str = "shop") -> None:
        super().__init__(lab, source)
        Shop.__init__(self, lab, self.alpha.fqdn, database=database)
        self.mode = mode
        self.authority = Authority()
        self.reverse: tuple[str, ...] = REVERSE_ZONES
        self.selected: dict[str, Any] = {}  # of failover.sql: which databases, and where they go

    def prepare(self) -> None:
        """SQL Server runs on the hosts; the source's has the application's database."""
        for host in (*self.hosts, self.admin):
            host.write(CA_FILE, self.authority.text)
            host.write(SA_FILE, self.lab.admin_password, 0o600)
        for host in self.hosts:
            sqlhost.install(host, self.lab.admin_password, self.authority, NAMES)
            sqlhost.join(self.lab, host, (*USERS, f"{self.beta.name.upper()}$"))
            sqlhost.start(host)
        for host in self.hosts:
            until(f"SQL Server of {host.name} listens", partial(sqlhost.listens, host))
        self.furnish()
        for host in self.hosts:
            self.let_in(host.fqdn, f"{WORKGROUP}\\operator", f"{WORKGROUP}\\{self.beta.name.upper()}$")

    def boot(self, host: LabHost, beside: str = "") -> None:
        """Units that are to start at boot do so before the engine."""
        host.run(["systemctl", "boot"])
        super().boot(host, beside)

    def let_in(self, server: str, *accounts: str) -> None:
        """They may do everything there."""
        for account in accounts:
            self.ask(f"CREATE LOGIN [{account}] FROM WINDOWS", database="master", server=server)
            self.ask(f"ALTER SERVER ROLE sysadmin ADD MEMBER [{account}]", database="master", server=server)

    def serving(self) -> dict[str, Any]:
        """SQL Server, and how clients are led; its service and its directories are proposed."""
        moved = {"source": self.alpha.address, "target": self.beta.address}
        dns = {
            "servers": [self.dc1.address],
            "security": "kerberos",
            "addresses": [moved],
            "zones": [self.lab.domain, *self.reverse],
        }
        return {"sql": {"mode": self.mode, "login": {"ca_file": CA_FILE}, **self.selected}, "dns": dns}

    def end(self) -> None:
        """The lab is as it was."""
        self.stop()
        for host in self.hosts:
            sqlhost.remove(host)
        super().end()

    def acknowledged_ns(self) -> int:
        """Everything of all connections that happened before has arrived at the target, on its disk."""
        found: Sequence[dict[str, Any]] = json.loads(self.engine(self.alpha, "connections", "list", "--json"))
        return min(int(one["acknowledged_time_ns"]) for one in found)

    def files(self, host: LabHost, below: Path = DATA) -> list[str]:
        """Names of files there."""
        return sorted(one.name for one in host.path(below).iterdir())
