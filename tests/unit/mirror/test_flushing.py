"""The disk is set to work while a mirror runs, and what counts is the flush at its end."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from orchestrator.engine.mirror import flushing, target
from tests.unit.mirror.loopback import mirror, picture


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    source, copy = tmp_path / "source", tmp_path / "target"
    (source / "d").mkdir(parents=True)
    copy.mkdir()
    for number in range(20):
        (source / f"d/f{number}").write_bytes(b"x" * 10_000)
    for number in range(3):
        (source / f"medium{number}").write_bytes(b"y" * 300_000)
    (source / "d/f1").chmod(0o4755)
    return source, copy


def test_the_disk_begins_early_and_a_trouble_that_it_meets_is_told_at_the_end(places, monkeypatch) -> None:
    early, late = [], []

    def failing(fd: int) -> None:
        early.append(os.readlink(f"/proc/self/fd/{fd}"))
        raise OSError(errno.EIO, "the disk is broken")

    def told(fd: int) -> None:
        late.append(os.readlink(f"/proc/self/fd/{fd}"))
        raise OSError(errno.EIO, "the disk is broken")

    monkeypatch.setattr(flushing, "EVERY_BYTES", 100_000)
    monkeypatch.setattr(flushing, "syncfs", failing)
    monkeypatch.setattr(target, "syncfs", told)
    with pytest.raises(OSError, match="the disk is broken"):
        mirror(*places)
    assert len(early) >= 2
    assert set(early) == set(late) == {str(places[1])}


def test_early_flushes_change_nothing_of_what_arrives(places, monkeypatch) -> None:
    before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(flushing, "EVERY_BYTES", 1)
    source, _ = mirror(*places)
    source.close()
    assert picture(places[0]) == picture(places[1])
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("umask", [0o022, 0o077, 0])
def test_modes_are_those_of_the_source_whatever_the_daemons_umask(places, umask) -> None:
    (places[0] / "d/f2").chmod(0o400)
    (places[0] / "d/f3").chmod(0o666)
    (places[0] / "d/f4").chmod(0)
    old = os.umask(umask)
    try:
        mirror(*places)
    finally:
        os.umask(old)
    assert picture(places[0]) == picture(places[1])
