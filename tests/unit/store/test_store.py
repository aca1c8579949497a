"""The store remembers, refuses what it does not understand, and survives being killed."""

from __future__ import annotations

import os
import signal
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import ValidationError

from orchestrator.model.conditions import Stage
from orchestrator.model.fields import AS_KEPT
from orchestrator.model.inventory import Inventory, SideInventory
from orchestrator.model.names import NameChange, NameChanges, NameRecords
from orchestrator.model.plan import Plan, PlanKind
from orchestrator.model.provenance import Layer, Origin
from orchestrator.model.runs import Measured, Run, RunState
from orchestrator.model.servers import ProtectionId, RunId, ServerName
from orchestrator.model.settings import Settings
from orchestrator.store import database
from orchestrator.store.errors import ProtectionUnknown, RunUnknown, StoreUnusable
from orchestrator.store.store import Store
from tests.faults.rehearsal import pair, protection

RUN = Run(RunId("r1"), Plan(PlanKind.FIX, ProtectionId("p"), ()), RunState.DONE, 5.0, "ann")


def opened(tmp_path: Path) -> Store:
    return Store(tmp_path / "home" / "dtam.db", lambda: 1000.0)


def test_protections_come_back_as_they_were(tmp_path: Path) -> None:
    change = NameChange("10.0.0.53", None, NameRecords("z.", "a.z.", "A", 60, ("10.0.0.1",)))
    kept = msgspec.structs.replace(
        protection(Stage.ENABLED, 3),
        origins={"name": Origin(Layer.FILE, "p.yaml", 4, 1)},
        names=NameChanges((change,), ("mind",)),
    )
    with opened(tmp_path) as store:
        store.put_protection(kept)
        assert store.protection(kept.id) == kept
        assert store.protections("fileprint") == (kept,)
        assert store.protections("sql") == ()
        with pytest.raises(ProtectionUnknown):
            store.protection("other")


ACCEPTED_ONCE = (
    {"snapshots": {"start_at": "2026-01-01T00:00:00Z"}},
    {"failover": {"sql": {"databases": [{"name": "shop"}]}}, "advanced": {"override_generated_rules": True}},
    {"failover": {"cluster": {"source_group": "one", "target_group": "two", "resources": [{"name": "disk"}]}}},
)


@pytest.mark.parametrize("given", ACCEPTED_ONCE, ids=("start without periods", "rules and selection", "cluster"))
def test_what_was_accepted_once_is_read_though_nobody_may_choose_it_any_more(
    tmp_path: Path, given: dict[str, Any]
) -> None:
    values = protection().settings.model_dump(mode="json", exclude_unset=True) | given
    with pytest.raises(ValidationError):
        Settings.model_validate(values)
    accepted = Settings.model_validate(values, context=AS_KEPT)
    with opened(tmp_path) as store:
        store.put_protection(msgspec.structs.replace(protection(), settings=accepted))
        assert store.protections()[0].settings == accepted


@pytest.mark.covers("AM-05")
def test_a_pairs_settings_are_offered_again_with_its_addresses(tmp_path: Path) -> None:
    kept = protection()
    with opened(tmp_path) as store:
        assert store.previous("fileprint", "alpha", "beta") is None
        store.put_protection(kept)
        store.remove_protection(kept.id)
        found = store.previous("fileprint", "alpha", "beta")
        assert found is not None
        assert found.settings["name"] == "files.lab.example"
        assert found.addresses == ("10.0.0.1", "10.0.0.2")
        assert store.protections() == ()


@pytest.mark.covers("AM-03")
def test_servers_are_added_found_and_removed(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        store.put_server(pair().source)
        assert store.server("ALPHA") == pair().source
        assert store.servers() == (pair().source,)
        store.remove_server("Alpha")
        assert store.server("alpha") is None


@pytest.mark.covers("AM-35")
def test_gathered_facts_keep_their_age(tmp_path: Path) -> None:
    found = Inventory(400.0, SideInventory(ServerName("alpha")), SideInventory(ServerName("beta"), "silent"))
    with opened(tmp_path) as store:
        store.put_inventory("p", found)
        again = store.inventory("p")
    assert again == found
    assert again.age_s(1000.0) == 600.0


@pytest.mark.covers("AM-26")
def test_runs_and_audit(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        store.put_run(RUN, Measured(rto_s=2.5))
        store.put_run(msgspec.structs.replace(RUN, id=RunId("r2"), started_at_s=9.0))
        store.audit("ann", "p", "fix", "fix done", "r1")
        assert store.run("r1").measured.rto_s == 2.5
        assert [one.run.id for one in store.runs("p")] == ["r2", "r1"]
        assert [one.run.id for one in store.runs(limit=1)] == ["r2"]
        assert store.runs("other") == ()
        (line,) = store.audit_lines("p")
        assert (line.at_s, line.by, line.says, line.run) == (1000.0, "ann", "fix done", "r1")
        with pytest.raises(RunUnknown):
            store.run("r9")


def test_modes_are_tight(tmp_path: Path) -> None:
    opened(tmp_path).close()
    assert (tmp_path / "home").stat().st_mode & 0o077 == 0
    assert (tmp_path / "home" / "dtam.db").stat().st_mode & 0o077 == 0


def test_no_database_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "dtam.db").write_text("this is no database, " * 100)
    with pytest.raises(StoreUnusable, match="not a database"):
        opened(tmp_path)


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    opened(tmp_path).close()
    path = tmp_path / "home" / "dtam.db"
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version={database.VERSION + 1}")
    connection.close()
    with pytest.raises(StoreUnusable, match="schema version"):
        opened(tmp_path)


def test_an_older_schema_is_migrated_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(tmp_path) as store:
        store.put_run(RUN)
    broken = (*database.MIGRATIONS, ("CREATE TABLE more (x TEXT)", "CREATE TABLE more (x TEXT)"))
    monkeypatch.setattr(database, "MIGRATIONS", broken)
    monkeypatch.setattr(database, "VERSION", 2)
    with pytest.raises(StoreUnusable, match="already exists"):
        opened(tmp_path)
    monkeypatch.setattr(database, "MIGRATIONS", (*database.MIGRATIONS[:1], ("CREATE TABLE more (x TEXT)",)))
    with opened(tmp_path) as store:
        assert store.run("r1").run == RUN


def test_a_process_killed_while_writing_leaves_a_readable_store(tmp_path: Path) -> None:
    opened(tmp_path).close()
    for moment in (1, 3, 8):
        child = os.fork()
        if child == 0:
            store = opened(tmp_path)
            for number in range(100):
                store.put_run(msgspec.structs.replace(RUN, id=RunId(f"r{moment}-{number:03}"), started_at_s=number))
                if number == moment:
                    os.kill(os.getpid(), signal.SIGKILL)
        os.waitpid(child, 0)
        with opened(tmp_path) as store:
            assert store.run(f"r{moment}-{moment:03}").run.state is RunState.DONE
            assert store._connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
