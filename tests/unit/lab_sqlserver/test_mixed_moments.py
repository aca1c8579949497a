"""Every file of one moment beside every log of another: the database is one of those that were committed, or it is refused."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from tests.lab.sqlserver.engine import datafile
from tests.lab.sqlserver.engine.datafile import Broken, DataFile

MOMENTS = 22


def _nothing(_: object) -> None:
    return


def _table(connection: Any) -> None:
    connection.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b)")


def _change(file: DataFile, dice: random.Random, moment: int) -> None:
    file.before_writing()
    file.connection.execute("BEGIN IMMEDIATE")
    for _ in range(dice.randrange(1, 4)):
        key = dice.randrange(40)
        if dice.random() < 0.8:
            file.connection.execute(
                "INSERT OR REPLACE INTO t VALUES (?, ?)", (key, f"{moment}" * dice.randrange(1, 400))
            )
        else:
            file.connection.execute("DELETE FROM t WHERE a = ?", (key,))
    file.connection.execute("COMMIT")
    file.after_commit()


def _content(file: DataFile) -> str:
    return repr(file.rows("SELECT a, b FROM t ORDER BY a"))


@pytest.mark.parametrize("seed", [1, 2])
def test_files_of_two_moments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    dice = random.Random(seed)
    monkeypatch.setattr(datafile, "FRAMES_BEFORE_CHECKPOINT", dice.choice([5, 15]))
    file = DataFile.create(tmp_path / "x.mdf", _nothing, _table)
    kept: list[tuple[bytes, bytes]] = []
    committed: list[str] = []
    for moment in range(MOMENTS):
        _change(file, dice, moment)
        kept.append((file.path.read_bytes(), file.log.read_bytes()))
        committed.append(_content(file))
    file.abandon()
    refused = 0
    for one in range(MOMENTS):
        for other in range(MOMENTS):
            for stray in tmp_path.glob("y.mdf*"):
                stray.unlink()
            (tmp_path / "y.mdf").write_bytes(kept[one][0])
            (tmp_path / "y.mdf-wal").write_bytes(kept[other][1])
            try:
                opened = DataFile.open(tmp_path / "y.mdf", _nothing)
            except Broken:
                refused += 1
                assert one != other
                continue
            content = _content(opened)
            assert content == committed[one] if one == other else content in committed
            assert opened.rows("PRAGMA integrity_check") == [("ok",)]
            opened.abandon()
    assert refused > MOMENTS
