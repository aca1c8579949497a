"""Restore to the original source: what travels, and what never arrived is set aside first."""

from __future__ import annotations

import os
import shutil

import msgspec
import pytest

from orchestrator.engine.control import schema
from orchestrator.engine.control.feeds import mirror_options
from orchestrator.engine.mirror.options import MirrorOptions
from orchestrator.engine.mirror.set_aside import Manifest, SetAside, changed_since, unacknowledged
from orchestrator.engine.oplog.format import Kind, Operation
from tests.unit.mirror.loopback import mirror, picture


def restoring(*, overwrite: bool = True, only_newer: bool = False, checksum: bool = True) -> MirrorOptions:
    """As a connection with the purpose of a restore asks for it; orphans go where nothing is spared."""
    wanted = schema.MirrorOptions(
        kind="difference",
        overwrite=overwrite,
        only_newer=only_newer,
        checksum=checksum,
        orphans=schema.Orphans(action="delete" if overwrite else "ignore"),
    )
    return mirror_options(wanted, thorough=True)


@pytest.fixture
def places(tmp_path):
    """The old source, and the target that went live and was written to."""
    old, live = tmp_path / "old", tmp_path / "live"
    old.mkdir()
    (old / "docs").mkdir()
    for number in range(20):
        (old / f"docs/f{number}").write_bytes(b"%d" % number * 50_000)
    shutil.copytree(old, live, symlinks=True)
    shutil.copystat(old, live)
    return old, live


def op(sequence: int, kind: Kind, path: bytes, path2: bytes = b"") -> Operation:
    return Operation(kind, sequence, 0, path, path2)


@pytest.mark.covers("ENG-RST-01")
def test_only_differences_travel(places):
    old, live = places
    with (live / "docs/f3").open("r+b") as file:
        file.seek(10)
        file.write(b"NEW")
    (live / "docs/new").write_bytes(b"fresh")
    (live / "docs/f4").unlink()
    begin, _ = mirror(live, old, restoring())
    assert picture(old) == picture(live)
    assert begin.progress.sent_bytes < 100_000
    assert begin.progress.files_different == 2
    assert begin.progress.orphan_files == 1


@pytest.mark.covers("ENG-RST-01")
def test_without_overwrite_only_missing_files_come_back(places):
    old, live = places
    (live / "docs/f1").write_bytes(b"changed")
    (old / "docs/f2").unlink()
    mirror(live, old, restoring(overwrite=False))
    assert (old / "docs/f2").exists()
    assert (old / "docs/f1").read_bytes() == b"1" * 50_000


@pytest.mark.covers("ENG-RST-01")
def test_only_newer_leaves_what_is_newer_here(places):
    old, live = places
    (live / "docs/f1").write_bytes(b"older at the target")
    os.utime(live / "docs/f1", (1, 1))
    (live / "docs/f2").write_bytes(b"newer at the target")
    mirror(live, old, restoring(only_newer=True, checksum=False))
    assert (old / "docs/f1").read_bytes() == b"1" * 50_000
    assert (old / "docs/f2").read_bytes() == b"newer at the target"


def test_what_the_log_says_never_arrived():
    log = [
        op(4, Kind.WRITE, b"arrived"),
        op(5, Kind.WRITE, b"a"),
        op(6, Kind.RENAME, b"a", b"b"),
        op(7, Kind.UNLINK, b"c"),
        op(8, Kind.WRITE, b"b"),
        op(9, Kind.MARK, b""),
    ]
    lost = unacknowledged(log, 4)
    assert {one.path: one.why for one in lost} == {
        b"a": "written, renamed after the last acknowledged write",
        b"b": "renamed, written after the last acknowledged write",
        b"c": "removed after the last acknowledged write",
    }
    assert unacknowledged(log, 9) == []
    assert unacknowledged([op(7, Kind.WRITE, b"x")], 5) is None
    assert unacknowledged([op(6, Kind.GAP, b"")], 5) is None


@pytest.mark.covers("ENG-RST-01")
def test_it_is_set_aside_before_it_is_overwritten_or_deleted(places, tmp_path):
    old, live = places
    (old / "docs/f1").write_bytes(b"never arrived")
    os.setxattr(old / "docs/f1", "user.note", b"mine")
    (old / "docs/f1").chmod(0o640)
    (old / "docs/only here").write_bytes(b"never arrived either")
    (old / "docs/f2").unlink()
    operations = [
        op(1, Kind.WRITE, b"docs/f1"),
        op(2, Kind.CREATE, b"docs/only here"),
        op(3, Kind.UNLINK, b"docs/f2"),
    ]
    aside = SetAside(old, tmp_path / "aside", "restore of set1 after the failover of epoch 2")
    aside.gather(unacknowledged(operations, 0))
    mirror(live, old, restoring(), keeper=aside)
    aside.drop_identical()
    aside.close()
    assert picture(old) == picture(live)
    kept = tmp_path / "aside/files/docs"
    assert (kept / "f1").read_bytes() == b"never arrived"
    assert (kept / "f1").stat().st_mode & 0o777 == 0o640
    assert os.getxattr(kept / "f1", "user.note") == b"mine"
    assert (kept / "only here").read_bytes() == b"never arrived either"
    manifest = msgspec.json.decode((tmp_path / "aside/manifest.json").read_bytes(), type=Manifest)
    assert [(entry.path, entry.copied, entry.kind) for entry in manifest.entries] == [
        ("docs/f1", True, "file"),
        ("docs/f2", False, "removed"),
        ("docs/only here", True, "file"),
    ]
    assert all("after the last acknowledged write" in entry.why for entry in manifest.entries)
    assert (tmp_path / "aside").stat().st_mode & 0o777 == 0o700


@pytest.mark.covers("ENG-RST-01")
def test_without_a_log_what_changed_since_counts_and_what_is_the_same_is_dropped(places, tmp_path):
    old, live = places
    acknowledged_ns = max(path.stat().st_ctime_ns for path in old.rglob("*")) + 2_000_000_000
    changed = list(changed_since(old, acknowledged_ns))
    assert changed == []
    everything = list(changed_since(old, 0))
    assert len(everything) == 20
    (old / "docs/f1").write_bytes(b"differs")
    aside = SetAside(old, tmp_path / "aside", "restore")
    aside.gather(everything)
    mirror(live, old, restoring())
    assert aside.drop_identical() == 19
    aside.close()
    assert os.listdir(tmp_path / "aside/files/docs") == ["f1"]


def test_a_keeper_can_keep_what_nobody_listed(places, tmp_path):
    old, live = places
    (live / "docs/f5").unlink()
    (live / "docs/f6").write_bytes(b"other")
    aside = SetAside(old, tmp_path / "aside", "restore", keep_all=lambda info: "changed by the restore")
    mirror(live, old, restoring(), keeper=aside)
    aside.close()
    assert sorted(os.listdir(tmp_path / "aside/files/docs")) == ["f5", "f6"]
