"""Databases of a replica are opened on a copy of a snapshot, and nothing of it stays, however it ends."""

# ruff: noqa: ARG002 - the signatures of what is stood in for

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.cli.errors import NotVerifiable
from orchestrator.cli.opening import Opening, opened_at
from orchestrator.engine.client import SnapshotAction, SnapshotShelf
from orchestrator.errors import DtamError
from orchestrator.model.servers import Where
from tests.faults.sql_rehearsal import SqlPair

ROOTS = {"one": "/var/opt/mssql/alpha", "two": "/log"}
SNAPSHOT = "20260102T030405Z-a1b2c3"


class Damaged(DtamError):
    template = "CHECKDB found errors"
    exit_code = 1
    hint_template = ""


class Engine:
    """A target's engine with two replicas; every deed takes a while."""

    def __init__(self) -> None:
        self.there: set[str] = set()
        self.asked: list[str] = []
        self.fails = ""
        self.busy = 0

    def snapshots(self, *, replica: str = "", protection: str = "") -> list[SnapshotShelf]:
        self.busy = max(0, self.busy - 1)
        return [self._shelf(key) for key in ROOTS if replica in {"", key}]

    def _shelf(self, key: str) -> SnapshotShelf:
        going_on = "under way" if self.busy else ""
        return SnapshotShelf(
            replica=key,
            root=ROOTS[key],
            last_id=SNAPSHOT,
            under_way=going_on,
            last_problem="" if going_on else self.fails,
        )

    def snapshot_action(self, action: SnapshotAction) -> list[SnapshotShelf]:
        self.asked.append(str(action.action))
        match action.action:
            case "take":
                self.there.add(SNAPSHOT)
            case "delete":
                self.there.remove(str(action.id))
            case "copy_out":
                self.there.add(str(action.to))
            case "drop_copy":
                self.there.discard(str(action.to))
        self.busy = 2
        return self.snapshots(replica=action.replica or "")


class Servers:
    """The target's instance."""

    def __init__(self, damaged: tuple[str, ...] = ()) -> None:
        self.damaged = damaged
        self.opened: dict[str, list[str]] = {}
        self.attached: set[str] = set()

    def do(self, where: Where, deed: str, document: Any, found: Any) -> None:
        assert (where, deed) == (Where.TARGET, "check")
        (database,) = document["databases"]
        self.opened[database["name"]] = database["files"]
        self.attached.add(document["attach_as"].replace("{name}", database["name"]))
        if database["name"] in self.damaged:
            raise Damaged

    def undo(self, where: Where, deed: str, document: Any, found: Any) -> None:
        self.attached.clear()


def told(name: str, *paths: str) -> dict[str, Any]:
    return {
        "instance": "MSSQLSERVER",
        "name": name,
        "files": [{"name": "x", "path": path, "kind": "rows"} for path in paths],
    }


SALES = told("sales", "/var/opt/mssql/alpha/sales.mdf", "/log/sales.ldf")


def opening(engine: Engine, servers: Any, *databases: dict[str, Any]) -> Opening:
    return Opening("sql_alpha_beta", databases, engine, servers, pause=lambda _: None)


@pytest.mark.covers("AM-20")
def test_each_database_is_opened_on_a_copy_and_nothing_stays() -> None:
    engine, servers = Engine(), Servers()
    found = opening(engine, servers, told("master", "/var/opt/mssql/alpha/master.mdf"), SALES).run()
    assert [(one.name, one.good) for one in found] == [("sales", True)]
    assert servers.opened["sales"] == [
        f"/var/opt/mssql/dtam-check-{SNAPSHOT}-0/sales.mdf",
        f"/dtam-check-{SNAPSHOT}-1/sales.ldf",
    ]
    assert engine.there == servers.attached == set()
    assert set(engine.asked) == {"take", "copy_out", "drop_copy", "delete"}


@pytest.mark.covers("AM-20")
def test_a_damaged_one_is_told_and_the_others_are_looked_at_all_the_same() -> None:
    engine, servers = Engine(), Servers(("sales",))
    found = opening(engine, servers, SALES, told("more", "/log/more.mdf"), told("away", "/elsewhere/x.mdf")).run()
    assert {one.name: one.good for one in found} == {"sales": False, "more": True, "away": False}
    assert "CHECKDB" in found[0].says
    assert engine.there == servers.attached == set()


def test_a_copy_that_fails_leaves_nothing() -> None:
    class NoRoom(Engine):
        def snapshot_action(self, action: SnapshotAction) -> list[SnapshotShelf]:
            self.fails = "no space" if action.action == "copy_out" else ""
            return super().snapshot_action(action)

    engine = NoRoom()
    with pytest.raises(NotVerifiable, match="no space"):
        opening(engine, Servers(), SALES).run()
    assert engine.there == set()


def test_nothing_to_open_is_said() -> None:
    engine = Engine()
    with pytest.raises(NotVerifiable, match="no database"):
        opening(engine, Servers(), told("model", "/x")).run()
    assert engine.asked == []


def test_another_instance_of_the_target_opens_them() -> None:
    settings = opened_at(SqlPair("linux", "instance").settings(), "10.0.0.9:14330")
    (instance,) = settings.failover.sql.instances
    assert (instance.target_host, instance.target_port, instance.source_port) == ("10.0.0.9", 14330, None)
