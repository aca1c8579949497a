"""SQL Server in the on-disk worlds: instances whose databases are names, attached or not, and log-ins that are known or not.

A side serves where its engine runs and has the protected database. What must never be is written down: data that arrives under a database
that is attached, a log-in that is made of nothing kept.
"""

# ruff: noqa: ARG002 - the ports' signatures
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from orchestrator.model.outcomes import GiveUp, TryAgain
from orchestrator.model.ports import HealthProbe, Link, LinkStatus
from orchestrator.model.servers import Where
from orchestrator.model.sql import (
    USUAL,
    SqlAsk,
    SqlBrowser,
    SqlDatabase,
    SqlFile,
    SqlInstance,
    SqlLogin,
    SqlService,
)
from orchestrator.model.sqlport import SqlLook, SqlTest
from orchestrator.model.windows import Windows, WindowsService
from tests.conformance.ondisk import ALIVE, SIDES, DiskHost, State, World
from tests.conformance.ondisk_data import DiskReplication
from tests.conformance.ondisk_windows import WindowsDiskHost, WindowsWorld

SALES = "sales"
APP = "app"
NAMES = {"source": "ALPHA", "target": "BETA"}
PLACES = {"linux": "/var/opt/mssql/data/", "windows": "E:\\MSSQL\\DATA\\"}
SERVICES = {"linux": "mssql-server", "windows": "mssqlserver"}
ACCOUNTS = {"source": "LAB\\sql-a", "target": "LAB\\sql-b"}
UNITS = {"linux": "mssql-server", "windows": "MSSQLSERVER"}


def new_sql(*, whole: bool) -> State:
    """The source has a database and a log-in; with databases alone the target's instance has neither, and is its own."""
    has = {"attached": [SALES], "logins": [APP], "calls_itself": NAMES["source"], "options": [SALES]}
    bare = {"attached": [SALES] if whole else [], "logins": [APP] if whole else [], "options": []}
    return {"whole": whole, "kept": [], "source": has, "target": bare | {"calls_itself": NAMES["target"]}}


class _Serving:
    """Who serves, over either world."""

    service: str

    def has(self, state: State, side: str) -> bool:
        """Whether an engine runs there that knows the database."""
        runs = state["sides"][side]["services"].get(self.service) in ALIVE
        return bool(runs and SALES in state["sql"][side]["attached"])


class SqlWorld(_Serving, World):
    """The file of two Linux hosts with SQL Server."""

    service, platform = SERVICES["linux"], "linux"

    def serves(self, state: State, side: str) -> bool:
        return self.has(state, side)


class SqlWindowsWorld(_Serving, WindowsWorld):
    """The file of two Windows hosts with SQL Server."""

    service, platform = SERVICES["windows"], "windows"

    def serves(self, state: State, side: str) -> bool:
        up = state["servers"][NAMES[side].lower()]["volumes"]["E:"]["up"]
        return self.has(state, side) and up and not self.down(state, side)


class DiskSql:
    """The ``SqlServers`` port over a world."""

    def __init__(self, world: SqlWorld | SqlWindowsWorld) -> None:
        self._world = world

    def facts(self, where: Where, instance: str, ask: SqlAsk = USUAL) -> SqlInstance:
        state = self._world.state
        if not self._answers(state, where.value):
            return SqlInstance(instance, silence="nobody listens there", hint="start it")
        own = state["sql"][where.value]
        return SqlInstance(
            instance,
            server_name=own["calls_itself"],
            machine=NAMES[where.value],
            version="15.0.4322.2",
            level="RTM",
            edition="Standard Edition (64-bit)",
            engine_edition=2,
            collation="SQL_Latin1_General_CP1_CI_AS",
            data_path=PLACES[self._world.platform].rstrip("/\\"),
            host_platform=self._world.platform.capitalize(),
            port=1433,
            protocols=("tcp", "np"),
            sysadmin=True,
            login="sa",
            auth_scheme="SQL",
            databases=tuple(self._database(one) for one in ("master", "model", "msdb", "tempdb", *own["attached"])),
            logins=tuple(SqlLogin(one, sid=f"0x{one.encode().hex()}") for one in own["logins"]),
            services=(SqlService(UNITS[self._world.platform], account=ACCOUNTS[where.value], state="Running"),),
        )

    def _database(self, name: str) -> SqlDatabase:
        place = PLACES[self._world.platform] + name
        files = (
            SqlFile(name, name, f"{place}.mdf", bytes=8192),
            SqlFile(name, f"{name}_log", f"{place}.mdf-wal", "log"),
        )
        return SqlDatabase(name, owner="sa", files=files, orphans=(), features=())

    def browse(self, where: Where) -> SqlBrowser:
        return SqlBrowser(silence="there is none")

    def test(self, where: Where, instance: str) -> SqlTest:
        return SqlTest(ok=self._answers(self._world.state, where.value), says="")

    def kept_at_s(self, protection: str, instance: str) -> float | None:
        return 1000.0 if protection in self._world.state["sql"]["kept"] else None

    def look(self, where: Where, deed: str, document: Mapping[str, Any]) -> SqlLook:
        state = self._world.state
        asked = where.other if deed == "keep-logins" else where
        if not self._answers(state, asked.value):
            raise TryAgain(f"{asked} does not answer", after_s=0.1)
        own = state["sql"][where.value]
        looks: dict[str, Callable[[], bool]] = {
            "ready": lambda: set(document["databases"]) - {"master", "model", "msdb"} <= set(own["attached"]),
            "attach": lambda: SALES in own["attached"],
            "detach": lambda: SALES not in own["attached"],
            "keep-logins": lambda: document["protection"] in state["sql"]["kept"],
            "logins": lambda: APP in own["logins"] or APP in document["exclude"],
            "owners-and-options": lambda: SALES in own["options"],
            "default-databases": lambda: True,
            "orphans": lambda: True,
            "server-name": lambda: own["calls_itself"] == NAMES[where.value],
        }
        found = {"attached": list(own["attached"]), "logins": list(own["logins"]), "options": list(own["options"])}
        return SqlLook(looks[deed](), f"{deed} at {where}", found | {"calls_itself": own["calls_itself"]})

    def do(self, where: Where, deed: str, document: Mapping[str, Any], found: Mapping[str, Any]) -> None:
        if not self.look(where, deed, document).done:
            self._world.halfway()
            with self._world.change() as state:
                self._do(state, where.value, deed, document)
            self._world.halfway()

    def _do(self, state: State, side: str, deed: str, document: Mapping[str, Any]) -> None:
        sql = state["sql"]
        own = sql[side]
        match deed:
            case "attach":
                own["attached"] = [SALES]
            case "detach":
                own.update(attached=[], options=[])
            case "keep-logins":
                sql["kept"] = sorted({*sql["kept"], document["protection"]})
            case "logins" if document["protection"] not in sql["kept"]:
                state["violations"].append(f"log-ins of nothing that was kept were made on {side}")
            case "logins":
                own["logins"] = [APP]
            case "owners-and-options":
                own["options"] = [SALES]
            case "server-name":
                own["calls_itself"] = NAMES[side]
            case "ready":
                raise TryAgain("not ready yet", after_s=0.1)

    def undo(self, where: Where, deed: str, document: Mapping[str, Any], found: Mapping[str, Any]) -> None:
        if deed == "keep-logins":
            return
        if not self._answers(self._world.state, where.value):
            raise TryAgain(f"{where} does not answer", after_s=0.1)
        word = {
            "attach": "attached",
            "detach": "attached",
            "logins": "logins",
            "owners-and-options": "options",
            "server-name": "calls_itself",
        }.get(deed)
        with self._world.change() as state:
            if word is not None and word in found:
                state["sql"][where.value][word] = found[word]
        self._world.halfway()

    def _answers(self, state: State, side: str) -> bool:
        runs = state["sides"][side]["services"].get(self._world.service) == "running"
        return bool(runs and not (isinstance(self._world, SqlWindowsWorld) and self._world.down(state, side)))


SEGMENTS = ("attach", "detach", "logins", "owners-and-options", "server-name", "keep-logins")


class SqlDiskHost(DiskHost):
    """A Linux host whose script does deeds at its own instance."""

    def run_script(
        self, protection: str, name: str, run_id: str, segments: Sequence[str], *, undo: bool, epoch: int
    ) -> None:
        with self._world.change() as state:
            self._own(state)["runs"].setdefault(f"{run_id}.{name}", {"state": "running", "steps": {}})
        for segment in segments:
            deed = segment.removeprefix("sql-")
            if deed in SEGMENTS:
                with self._world.change() as state:
                    self._deed(state, deed, protection, undo=undo)
                self._world.halfway()
        super().run_script(protection, name, run_id, segments, undo=undo, epoch=epoch)

    def _deed(self, state: State, deed: str, protection: str, *, undo: bool) -> None:
        own, sql = state["sql"][self._side], state["sql"]
        match deed:
            case "attach" | "detach":
                own["attached"] = [SALES] if (deed == "attach") != undo else []
            case "keep-logins" if not undo:
                sql["kept"] = sorted({*sql["kept"], protection})
            case "logins":
                own["logins"] = [] if undo else [APP]
            case "owners-and-options":
                own["options"] = [] if undo else [SALES]
            case "server-name":
                own["calls_itself"] = NAMES["source" if undo else self._side]


class SqlReplication(DiskReplication):
    """Whole instances take their databases' names along; nothing may arrive under a database that is attached."""

    def __init__(self, world: SqlWorld) -> None:
        super().__init__(world)
        self._sql_world = world

    def capture(self, where: Where, path: str, limits: Mapping[str, Any]) -> None:
        """An instance that goes on has nothing open of databases that it does not know."""
        state = self._sql_world.state
        if state["sql"]["whole"] or SALES in state["sql"][where.value]["attached"]:
            super().capture(where, path, limits)
            return
        with self._world.change() as changed:
            side = changed["sides"][where.value]
            side["captured"] = sorted({*side["captured"], path})
        self._world.halfway()

    def status(self, link: Link) -> LinkStatus | None:
        status = super().status(link)
        other = link.origin.other.value
        with self._world.change() as state:
            if status is not None and status.state == "Started" and self._sql_world.has(state, other):
                state["violations"].append(f"data came to the {other} under a database that is attached")
            if status is not None and status.in_step and state["sql"]["whole"]:
                state["sql"][other]["calls_itself"] = state["sql"][link.origin.value]["calls_itself"]
        return status


class SqlWindowsHost(WindowsDiskHost):
    """A Windows host with the service of SQL Server."""

    def _sound(self, side: State) -> Windows:
        state, start = side["services"]["mssqlserver"], side["start_types"]["mssqlserver"]
        own = WindowsService("MSSQLSERVER", "SQL Server (MSSQLSERVER)", state, start, ACCOUNTS[self._side])
        found = super()._sound(side)
        return msgspec.structs.replace(found, services=(*found.services, own))


class SqlDiskClients:
    """A client: it asks DNS, then logs in to whoever serves at the address; on Windows with a ticket for who owns the name."""

    def __init__(self, world: SqlWorld | SqlWindowsWorld) -> None:
        self._world = world

    def ask(self, probe: HealthProbe) -> str:
        if not probe.sql:
            raise GiveUp("nobody said how SQL Server is asked")
        state = self._world.state
        found = state["names"].get(f"{probe.name.rstrip('.')}. A", {"data": []})
        for side in SIDES:
            here = state["sides"][side]["address"] in found["data"] and state.get("spns", side) == side
            if here and self._world.serves(state, side):
                return f"{probe.name} was answered by {side}"
        raise TryAgain(f"nobody answers at {', '.join(found['data']) or probe.name}", after_s=0.1)
