"""A pair of simulated SQL Servers behind the product's port, reached through one driver."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.databases.port import OdbcServers
from orchestrator.model.servers import Where
from orchestrator.model.sqlaccess import SqlAccess
from tests.lab.sqlserver.process import SqlServer, sql_server

SOURCE, TARGET = Where.SOURCE, Where.TARGET
PROTECTION = "sql_alpha_beta"


@dataclass
class Pair:
    """Both servers and the port. ``port`` is made anew for other log-ins by ``as_user``."""

    source: SqlServer
    target: SqlServer
    driver: str
    folder: Path

    def on(self, where: Where) -> SqlServer:
        return self.target if where is TARGET else self.source

    def access(self, where: Where, instance: str = "MSSQLSERVER", **more: Any) -> SqlAccess:
        one = self.on(where)
        words: dict[str, Any] = {"user": "sa", "ca_file": str(one.ca_file), "port": one.port}
        words |= {"full_name": one.machine.lower(), "driver": self.driver}
        return SqlAccess(one.machine, one.address, instance, **words | more)

    def as_user(self, user: str, password: str, **more: Any) -> OdbcServers:
        """The port with another log-in."""
        return OdbcServers(
            lambda where, instance: self.access(where, instance, user=user, **more),
            lambda _user, _server: password,
            self.folder,
        )

    @property
    def port(self) -> OdbcServers:
        passwords = {one.machine: one.sa_password for one in (self.source, self.target)}
        return OdbcServers(self.access, lambda _user, server: passwords[server], self.folder)

    def run(self, where: Where, *statements: str) -> None:
        """Statements of the test itself, by sa."""
        connection = self.on(where).connect(self.driver)
        try:
            for one in statements:
                cursor = connection.execute(one)
                while cursor.nextset():
                    pass
        finally:
            connection.close()

    def value(self, where: Where, question: str) -> Any:
        """The first cell."""
        connection = self.on(where).connect(self.driver)
        try:
            return connection.execute(question).fetchone()[0]
        finally:
            connection.close()

    def carry_files(self, *names: str) -> None:
        """What replication does: the files of databases come to the target as they are."""
        for name in names:
            for path in (self.source.root / "data").glob(f"{name}*"):
                shutil.copy2(path, self.target.root / "data" / path.name)

    def done(self, where: Where, deed: str, /, **document: Any) -> dict[str, Any]:
        """Look, do, and see it done; what was found before."""
        told = {"protection": PROTECTION} | document
        before = self.port.look(where, deed, told)
        assert not before.done, before.says
        self.port.do(where, deed, told, before.found)
        after = self.port.look(where, deed, told)
        assert after.done, after.says
        return before.found

    def undone(self, where: Where, deed: str, found: dict[str, Any], /, **document: Any) -> None:
        """Undo it; it is as before."""
        told = {"protection": PROTECTION} | document
        self.port.undo(where, deed, told, found)
        assert not self.port.look(where, deed, told).done


@contextmanager
def pair(directory: Path, driver: str) -> Iterator[Pair]:
    """ALPHA and BETA on addresses of their own."""
    with sql_server(directory / "alpha") as source, sql_server(directory / "beta", machine="BETA") as target:
        yield Pair(source, target, driver, directory / "kept")
