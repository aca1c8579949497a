"""A Linux pair whose SQL Servers are real simulated ones (processes, asked over TDS by pyodbc), and whose hosts are on-disk ones.

``dtam --sql validate`` runs whole, from its words to its exit code. What a case plants is taken back afterwards, so that one pair of
processes serves all cases; whoever leaves something behind fails the case after it, which compares with the sound state.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from click.testing import CliRunner

from orchestrator.cli.dtam import dtam
from orchestrator.databases.port import OdbcServers
from orchestrator.model.conditions import Stage
from orchestrator.model.inventory import EngineFacts, PathFacts
from orchestrator.model.protections import Protection
from orchestrator.model.runs import RunState
from orchestrator.model.servers import Pair, Server, Where
from orchestrator.model.settings import ConnectionTab, Settings
from orchestrator.model.sql import SqlAsk
from orchestrator.model.sqlaccess import access_of
from orchestrator.pipeline import Pipeline
from orchestrator.reaching import Reach
from tests.conformance.ondisk_sql import SqlDiskHost, SqlReplication, SqlWindowsHost
from tests.faults.sql_rehearsal import NAME, SqlPair
from tests.lab.sqlserver.process import SqlServer
from tests.unit.sql.sound_pair import laid_over

TREE = "/var/opt/mssql"
DATABASES = ("orders", "archive")
USER, PASSWORD = "dtam", "Plant3d!-by-a-test"
SOUND = (
    "CREATE LOGIN [app] WITH PASSWORD = N'App1-of-the-test!', SID = 0x0A0B0C0D0E0F00010203040506070809, CHECK_POLICY = OFF",
)


class PlantedHost(SqlDiskHost):
    """A host that shows the directories of its instance's volume, and what a case plants of paths and capture."""

    def __init__(self, pair: PlantedPair, where: Where) -> None:
        super().__init__(pair.world, where)
        self.pair, self.where = pair, where

    def engine(self) -> EngineFacts:
        return msgspec.structs.replace(super().engine(), **self.pair.planted.get("engine", {}).get(self.where, {}))

    def _path(self, side: dict[str, Any], path: str) -> PathFacts:
        place = self.pair.volume(self.where, path)
        if place is None:
            facts = super()._path(side, path)
        elif not place.exists():
            facts = PathFacts(path, exists=False, free_bytes=10**12)
        else:
            held = sum(one.stat().st_size for one in (place, *place.rglob("*")) if one.is_file())
            kind = "directory" if place.is_dir() else "file"
            facts = PathFacts(path, True, kind, held, 10**12, "ext4", 1, "mssql")
        return msgspec.structs.replace(facts, **self.pair.planted.get("paths", {}).get(self.where, {}).get(path, {}))


class PlantedWindowsHost(SqlWindowsHost):
    """A Windows host whose firewall a case closes, and a fix opens."""

    def call(self, script: str, arguments: Mapping[str, Any], *, deed: bool = True) -> tuple[Mapping[str, Any], ...]:
        if script != "set_firewall_port":
            return super().call(script, arguments, deed=deed)
        door = {
            "protocol": arguments["protocol"],
            "port": arguments["port"],
            "rules": ["dtam"] if arguments["open"] else [],
        }
        with self._world.change() as state:
            self._own(state).setdefault("facts", {})["firewall_ports"] = [door]
        return ({"changed": True},)


class PlantedReach(Reach):
    """The way to them: hosts on disk, instances in earnest."""

    pair: PlantedPair

    def host(self, server: Server) -> Any:
        where = Where.SOURCE if server.name == "alpha" else Where.TARGET
        if self.pair.windows:
            return PlantedWindowsHost(self.pair.world, where)
        return PlantedHost(self.pair, where)

    def _replication(self, pair: Pair, tab: ConnectionTab) -> Any:
        return super()._replication(pair, tab) if self.pair.windows else SqlReplication(self.pair.world)


class PlantedPair:
    """Two running instances, and a state directory of dtam that knows them."""

    def __init__(self, place: Path, source: SqlServer, target: SqlServer) -> None:
        self.place = place
        self.servers = {"source": source, "target": target}
        self.windows = source.platform == "windows"
        self.planted: dict[str, Any] = {}
        self.shapes = {mode: SqlPair(source.platform, mode) for mode in ("instance", "database")}
        self.world = self.shapes["instance"].world(place / "world")
        self.password_file = place / "dtam.password"
        self.password_file.touch(0o600)
        self.password_file.write_text(PASSWORD)
        for side in self.servers:
            for statement in (
                f"CREATE LOGIN [{USER}] WITH PASSWORD = N'{PASSWORD}', CHECK_POLICY = OFF",
                f"ALTER SERVER ROLE [sysadmin] ADD MEMBER [{USER}]",
                *SOUND,
                *(f"CREATE DATABASE [{name}]" for name in DATABASES if side == "source"),
            ):
                self.run(side, statement)

    def volume(self, where: Where, path: str) -> Path | None:
        """Where a path of an instance really is."""
        if not (path == TREE or path.startswith(f"{TREE}/")):
            return None
        return self.place / str(where) / "volume" / path[len(TREE) :].lstrip("/")

    def run(self, side: str, *statements: str) -> None:
        """Statements of sa."""
        connection = self.servers[side].connect()
        try:
            for statement in statements:
                cursor = connection.execute(statement)
                while cursor.nextset():
                    pass
        finally:
            connection.close()

    def play(self, deeds: Mapping[str, Any]) -> None:
        """Statements, and wishes to the simulation itself, side by side."""
        for side in self.servers:
            for one in deeds.get(side, ()):
                if isinstance(one, str):
                    self.run(side, one)
                else:
                    self.servers[side].lab(one)

    # -- dtam

    def settings(self, mode: str, changes: Mapping[str, Any]) -> Settings:
        given = self.shapes[mode].settings().model_dump(mode="json", exclude_unset=True)
        one = {f"{side}_host": server.address for side, server in self.servers.items()}
        one |= {f"{side}_port": server.port for side, server in self.servers.items()}
        login = {"user": USER, "password_file": str(self.password_file), "trust_server_certificate": True}
        login |= {"target_user": USER, "target_password_file": "/etc/dtam/sql.password"}
        given["failover"]["sql"] |= {"login": login, "rename_server": False}
        given["failover"]["dns"] = {}
        given["monitoring"] = {}
        if not self.windows:
            root = f"{TREE}/data" if mode == "database" else TREE
            given["connection"] = {"roots": [{"source_path": root}]}
        given = laid_over(given, {word: value for word, value in changes.items() if word != "instance"})
        given["failover"]["sql"]["instances"] = [one | changes.get("instance", {})]
        return Settings.model_validate(given)

    def keep(self, case: Mapping[str, Any]) -> Protection:
        """dtam knows the pair with the case's settings; nobody else knows of a protection."""
        mode = case.get("mode", "database")
        held = Protection(
            NAME, "sql", self.shapes[mode].pair(), self.settings(mode, case.get("settings", {})), {}, Stage.CONFIGURED
        )
        state = self.shapes[mode].fresh()
        for side in ("source", "target"):
            state["sides"][side]["start_types"] |= {self.shapes[mode].service: "manual"}
            state["sides"][side] |= (
                {"facts": case.get("host", {}).get("windows", {}).get(side, {})} if self.windows else {}
            )
            state["sides"][side]["directories"] |= {"/etc/dtam/sql.password": 1}
            state["sides"][side]["records"] |= case.get("records", {}).get(side, {})
        self.world.save(state)
        with Pipeline(self.place / "home", "test") as pipeline:
            for server in (held.pair.source, held.pair.target):
                pipeline.know(server)
            pipeline.store.put_protection(held)
        return held

    def validated(self, *words: str) -> dict[str, Any]:
        """What ``dtam --sql validate`` says to programs."""
        done = CliRunner().invoke(
            dtam, ["--sql", "validate", "--json", *words], env={"DTAM_HOME": str(self.place / "home")}
        )
        assert done.exit_code in {0, 1}, (done.exit_code, done.output, done.exception)
        assert done.stdout, (done.stderr, done.exception)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def done_last(self) -> list[str]:
        """The steps that the last run did, in its order."""
        with Pipeline(self.place / "home", "test") as pipeline:
            return [one.step for one in pipeline.store.runs(NAME)[0].run.outcomes]

    def put_back(self) -> None:
        """Undo the last run."""
        with Pipeline(self.place / "home", "test") as pipeline:
            run, held = pipeline.store.runs(NAME)[0].run, pipeline.store.protection(NAME)
            ended = pipeline.go_on(run, held, lambda _progress: None, undo=True)
            assert ended.run.state is RunState.UNDONE, ended

    # -- what was touched

    def bytes_of(self) -> dict[str, str]:
        """Checksums of all that both instances keep, but for their logs of errors and tempdb, and of what both hosts keep."""
        found = {"hosts": json.dumps(self.world.state, sort_keys=True)}
        for side in self.servers:
            for one in (self.place / side).rglob("*"):
                kept = one.is_file() and "log" not in one.parts and not one.name.startswith(("tempdb", "server.log"))
                if kept:
                    found[str(one)] = hashlib.sha256(one.read_bytes()).hexdigest()
        return found

    def state(self) -> dict[str, Any]:
        """All that both instances and both hosts say, but for the time and who is connected."""
        said = {side: self._said(Where(side)) for side in self.servers} | {"hosts": self.world.state}
        found: dict[str, Any] = json.loads(json.dumps(said))
        return found

    def _said(self, where: Where) -> dict[str, Any]:
        settings = self.settings("database", {})
        port = OdbcServers(
            lambda side, name: access_of(self.shapes["database"].pair(), settings, side, name), lambda _: PASSWORD, None
        )
        told = self.servers[str(where)].lab({"do": "tell"})
        names = tuple(name for name, one in told["databases"].items() if one["state"] == "ONLINE" and one["id"] > 4)
        said = msgspec.to_builtins(port.facts(where, "MSSQLSERVER", SqlAsk(databases=names)))
        there = sorted((self.place / str(where) / "volume").rglob("*"))
        files = [str(one) for one in there if "log" not in one.parts[-2:]]
        for one in said["databases"]:
            one["files"] = [file | {"bytes": 0} for file in one["files"]]
        return said | {"on the volume": files, "registry": told["registry"]}


@contextmanager
def planted(pair: PlantedPair, cases: Sequence[Mapping[str, Any]]) -> Iterator[Protection]:
    """What the cases do to the pair, and back again in the other order. dtam knows the protection meanwhile."""
    together: dict[str, Any] = {}
    for case in cases:
        together = laid_over(
            together, {word: case[word] for word in ("mode", "settings", "records", "host") if word in case}
        )
    pair.planted = together.get("host", {})
    done: list[Mapping[str, Any]] = []
    try:
        for case in cases:
            done.append(case)
            pair.play(case.get("plant", {}))
        yield pair.keep(together)
    finally:
        for case in reversed(done):
            pair.play(case.get("back", {}))
            if "made" in case:
                shutil.rmtree(str(pair.volume(Where.TARGET, case["made"])), ignore_errors=True)
        pair.planted = {}


def of_sql(check: str) -> bool:
    return check.startswith("sql-") or check in {"supported-configuration", "migration-one-way", "cluster-by-hand"}


def wrong(said: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What was found of SQL Server, by check."""
    return {one["check"]: one for one in said["findings"] if one["severity"] != "passed" and of_sql(one["check"])}


def mended(pair: PlantedPair, cases: Sequence[Mapping[str, Any]]) -> None:
    """--fix does what --fix --plan showed and no more; then it is so, and an undo leaves what was."""
    fixable = [one for one in cases if one.get("fixed")]
    if not fixable:
        return
    words = [word for one in fixable for word in ("--only", one["check"])]
    before, kept = pair.state(), pair.bytes_of()
    shown = pair.validated(*words, "--fix", "--plan")
    assert differing(kept, pair.bytes_of()) == [], "a plan touches nothing"
    again = pair.validated(*words, "--fix", "--yes")
    assert pair.done_last() == [step["id"] for step in shown["plan"]["steps"]]
    assert wrong(again) == {}
    assert pair.state() != before
    pair.put_back()
    if not any(one.get("stays") for one in fixable):
        assert differing(before, pair.state()) == [], "what was mended is put back by an undo"


def differing(one: Any, other: Any, place: str = "") -> list[str]:
    """Where two states are not the same, and how."""
    if isinstance(one, dict) and isinstance(other, dict):
        return [
            said for key in sorted({*one, *other}) for said in differing(one.get(key), other.get(key), f"{place}/{key}")
        ]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [
            said
            for at, (mine, yours) in enumerate(zip(one, other, strict=True))
            for said in differing(mine, yours, f"{place}/{at}")
        ]
    return [] if one == other else [f"{place}: {one} became {other}"]


def alone(pair: PlantedPair, case: Mapping[str, Any]) -> None:
    """One case: it is found, by its id and with its words, nothing else is, and it is mended where it can be."""
    with planted(pair, [case]):
        before = pair.bytes_of()
        found = wrong(pair.validated())
        assert case["check"] in found, found
        assert case["what"] in found[case["check"]]["what"]
        assert found[case["check"]]["fixable"] is bool(case.get("fixed") or case.get("fixable"))
        if case.get("also") != "any":
            assert set(found) == {case["check"], *case.get("also", ())}
        assert differing(before, pair.bytes_of()) == [], "looking touches nothing"
        mended(pair, [case])
