"""A source that dies in the middle of a remirror, and a person who wants yesterday's data: what a failover goes on with."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.engine.client import SnapshotAction, schema
from tests.e2e.test_engine_failover import Scene, scene, witness
from tests.e2e.test_snapshots import Ledger, rows_in, told

__all__ = ["scene", "witness"]


def shelf(scene: Scene):
    with scene.beta.local() as client:
        return client.snapshots(protection="files")[0]


def enable(scene: Scene, *, manual: bool = False) -> None:
    scene.manual = manual
    scene.enable()


def written(scene: Scene, rows: int) -> Ledger:
    """So many rows at the source, all of them at the target."""
    with Ledger(scene.source) as ledger:
        wanted = rows
        scene.until(lambda: ledger.rows >= wanted, 90)
    with scene.alpha.local() as client:
        client.connection_action(scene.key, "settle", timeout_s=90)
    return ledger


@pytest.mark.covers("ENG-SNAP-01", "ENG-FO-08")
@pytest.mark.parametrize("scene", ["fuse"], indirect=True)
def test_died_in_the_middle_of_a_remirror_the_last_good_state_goes_live(scene, tmp_path):
    for number in range(40):
        (scene.source / f"big-{number}").write_bytes(bytes([number]) * (4 << 20))
    enable(scene)
    before = written(scene, 60).rows
    with scene.alpha.local() as client, scene.beta.local() as beta, Ledger(scene.source) as ledger:
        client.connection_action(scene.key, "start_mirror", options=schema.MirrorOptions(kind="full"))
        scene.until(lambda: beta.replica(scene.key).data_state == "mirroring", 90)
        client.connection_action(scene.key, "pause_mirror")
        scene.until(lambda: ledger.rows > before + 40, 90)
        replica = beta.replica(scene.key)
        scene.cut_power()
    kept = {one.id: one for one in shelf(scene).snapshots}[replica.kept]
    assert (replica.data_state, kept.reason, kept.good) == ("mirroring", "before remirror", True)
    at = rows_in(Path(kept.path), tmp_path / "kept")
    assert before <= at <= ledger.rows
    scene.until(lambda: scene.state(scene.beta).phase == "done", 120, "the failover")
    assert rows_in(scene.target, tmp_path / "live") == at
    assert any(f"set back to snapshot {kept.id}" in event.sentence for event in told(scene.beta, "snapshot"))
    with scene.beta.local() as client:
        assert client.replica(scene.key).promoted


@pytest.mark.covers("ENG-FO-08", "AM-21")
@pytest.mark.parametrize("scene", ["fuse"], indirect=True)
def test_a_person_chooses_a_snapshot(scene, tmp_path):
    enable(scene, manual=True)
    before = written(scene, 30).rows
    with scene.beta.local(timeout_s=60) as client:
        asked = SnapshotAction(action="take", protection="files", label="chosen", wait_s=60)
        taken = client.snapshot_action(asked)[0].snapshots[-1]
    after = written(scene, before + 30).rows
    assert after > before
    scene.cut_power()
    with scene.beta.local() as client:
        wanted = f"snapshot:{taken.id}"
        client.protection_action("files", "failover", forced=True, by="a person", data=wanted)
    scene.until(lambda: scene.state(scene.beta).phase == "done", 120, "the failover")
    assert rows_in(scene.target, tmp_path / "live") == before
