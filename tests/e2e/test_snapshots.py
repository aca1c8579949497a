"""Snapshots of a real pair of engines under load: each is a state that the source was in; the way back, and what comes after it."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestrator.engine.cli.dtengine import main
from orchestrator.engine.client import (
    SnapshotAction,
    SnapshotSettings,
    SnapshotShelf,
    schema,
)
from tests.conftest import require
from tests.e2e.background import Background
from tests.volumes import volume


@dataclass
class Ledger(Background):
    """An SQLite database that is written to until told to stop: row after row, each a transaction of its own."""

    root: Path
    rows: int = 0
    failures = (sqlite3.Error,)

    def work(self) -> None:
        base = sqlite3.connect(self.root / "ledger.db", isolation_level=None, timeout=30)
        base.execute("PRAGMA synchronous=FULL")
        base.execute("CREATE TABLE IF NOT EXISTS ledger (n INTEGER PRIMARY KEY, text TEXT)")
        self.rows = base.execute("SELECT count(*) FROM ledger").fetchone()[0]
        while not self.over.wait(0.002):
            base.execute("INSERT INTO ledger VALUES (?, ?)", (self.rows + 1, "x" * 700))
            self.rows += 1
        base.close()


def rows_in(tree: Path, scratch: Path) -> int:
    """How many rows a copy of a tree holds; they must be the first ones, and the database whole."""
    scratch.mkdir(parents=True)
    subprocess.run(["cp", "-a", f"{tree}/.", str(scratch)], check=True)
    base = sqlite3.connect(scratch / "ledger.db")
    assert base.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    found = [row[0] for row in base.execute("SELECT n FROM ledger ORDER BY n")]
    base.close()
    assert found == list(range(1, len(found) + 1))
    return len(found)


@dataclass
class Pair:
    alpha: object
    beta: object
    source: Path
    target: Path
    until: object
    key: str = ""

    def good(self) -> bool:
        with self.alpha.local() as client:
            status = client.connection(self.key)
        return status.state == "Started" and status.target_data_state == "good"

    def wait_good(self) -> None:
        self.until(self.good, 60, "a good replica")

    def settle(self) -> None:
        self.wait_good()
        with self.alpha.local() as client:
            client.connection_action(self.key, "settle", timeout_s=60)

    def shelf(self) -> SnapshotShelf:
        with self.beta.local() as client:
            return client.snapshots(replica=self.key)[0]

    def act(self, action: str, **given: object) -> SnapshotShelf:
        with self.beta.local(timeout_s=60) as client:
            return client.snapshot_action(SnapshotAction(action=action, replica=self.key, wait_s=60, **given))[0]

    def replica(self, action: str | None = None) -> object:
        with self.beta.local() as client:
            return client.replica(self.key) if action is None else client.replica_action(self.key, action)


@pytest.fixture(params=["btrfs", "here"])
def pair(request, engines, tmp_path, needs, until) -> Iterator[Pair]:
    needs("fuse")
    place = tmp_path
    if request.param != "here":
        require("volumes")
        place = request.getfixturevalue("stack_volume")(request.param)
    alpha, beta = engines.make("alpha"), engines.make("beta", "127.0.0.3")
    engines.pair(alpha, beta)
    source, target = tmp_path / "source", place / "target"
    source.mkdir()
    (source / "plain").write_text("here from the start")
    with alpha.local() as client:
        client.mount(schema.MountRequest(path=str(source), capture="fuse"))
        client.create_replication_set(schema.ReplicationSet(name="data", root=str(source)))
        mapping = schema.Mapping(kind="custom", pairs=[schema.PathPair(source=str(source), target=str(target))])
        key = client.connect(schema.ConnectionRequest(replication_set="data", target="beta", mapping=mapping)).key
    made = Pair(alpha, beta, source, target, until, key)
    made.wait_good()
    return made


@pytest.fixture
def stack_volume(tmp_path, request):
    """Mounts a file system that outlives the engines of the test."""

    def made(kind: str) -> Path:
        context = volume(kind, tmp_path)
        at = context.__enter__()
        request.addfinalizer(lambda: context.__exit__(None, None, None))
        return at

    return made


KINDS = {"btrfs": "btrfs", "xfs": "reflink"}


@pytest.mark.covers("ENG-SNAP-01")
def test_taken_under_load_it_is_a_state_of_the_source_and_the_way_back(pair, tmp_path, request):
    kind = KINDS.get(request.node.callspec.params["pair"], pair.shelf().kind)
    with Ledger(pair.source) as ledger:
        pair.until(lambda: ledger.rows > 100, 60)
        before = ledger.rows
        taken = pair.act("take", label="under load").snapshots[-1]
        pair.until(lambda: ledger.rows > before + 100, 60)
    assert not ledger.failure
    assert (taken.kind, taken.reason, taken.label, taken.good) == (kind, "by hand", "under load", True)
    assert pair.shelf().kind == kind
    at = rows_in(Path(taken.path), tmp_path / "look")
    assert at <= ledger.rows
    pair.settle()
    assert rows_in(pair.target, tmp_path / "all") == ledger.rows

    pair.act("revert", id=taken.id)
    assert rows_in(pair.target, tmp_path / "back") == at
    replica = pair.replica()
    assert (replica.data_state, replica.set_back_to, replica.intact) == ("mirror_required", taken.id, True)
    kept = {one.label: one.needed for one in pair.shelf().snapshots}
    assert kept["under load"] == "the replica stands at it"
    if kind != "copy":  # what was good and costs nothing was kept before it went
        assert f"before going back to {taken.id}" in kept
    pair.beta.kill()
    pair.beta.start()
    assert pair.replica().set_back_to == taken.id
    with pair.alpha.local() as client:
        assert client.connection(pair.key).state != "Started"

    pair.replica("resume")
    pair.settle()
    assert rows_in(pair.target, tmp_path / "forth") == ledger.rows
    assert rows_in(Path(taken.path), tmp_path / "still") == at
    pair.act("delete", id=taken.id)
    assert taken.id not in [one.id for one in pair.shelf().snapshots]


@pytest.mark.parametrize("pair", ["here"], indirect=True)
def test_commands(pair, tmp_path):
    def said(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(main, ["snapshots", *words, "--state", str(pair.beta.state)])
        assert done.exit_code == code, done.output
        return done.output

    shelf = json.loads(said("take", pair.key, "--label", "first", "--json"))[0]
    snapshot = shelf["snapshots"][0]["id"]
    assert shelf["root"] == str(pair.target)
    assert "first" in said("list")
    said("copy-out", pair.key, snapshot, str(tmp_path / "out"))
    assert (tmp_path / "out" / "plain").read_text() == "here from the start"
    assert "must be a new directory" in said("copy-out", pair.key, snapshot, str(tmp_path / "out"), code=125)
    said("mount", pair.key, snapshot, str(tmp_path / "shown"))
    assert (tmp_path / "shown" / "plain").exists()
    assert "mounted at" in said("delete", pair.key, snapshot, code=125)
    said("unmount", pair.key, snapshot)
    said("delete", pair.key, snapshot)
    assert "no snapshot" in said("delete", pair.key, snapshot, code=92)
    settled = json.loads(said("schedule", pair.key, "--every-s", "900", "--keep", "3", "--json"))[0]
    assert (settled["settings"]["interval_s"], settled["settings_by_hand"]) == (900, True)
    assert settled["next_ns"] is not None
    assert "900" in said("schedule", pair.key, "--every-s", "60", code=94)
    pair.until(lambda: [one.reason for one in pair.shelf().snapshots] == ["periodic"], 60)
    assert json.loads(said("schedule", pair.key, "--as-protected", "--json"))[0]["settings"]["interval_s"] is None


@pytest.mark.covers("ENG-SNAP-01")
@pytest.mark.parametrize("pair", ["xfs"], indirect=True)
def test_a_good_state_is_kept_while_a_mirror_overwrites_it(pair):
    """By policy: kept and let go, or no mirror at all without."""
    settings = SnapshotSettings(before_remirror="refuse")
    pair.act("schedule", settings=settings)
    with Ledger(pair.source) as ledger:
        pair.until(lambda: ledger.rows > 50, 60)
    pair.settle()
    with pair.alpha.local() as client:
        client.connection_action(pair.key, "start_mirror")
    pair.until(lambda: [one for one in told(pair.beta, "snapshot") if "before remirror" in one.sentence], 60)
    pair.wait_good()
    pair.until(lambda: pair.shelf().snapshots == [], 60, "letting the kept state go")
    assert pair.replica().kept == ""


def told(engine, kind: str) -> list:
    with engine.local() as client:
        return [event for event in client.events() if event.kind == kind]
