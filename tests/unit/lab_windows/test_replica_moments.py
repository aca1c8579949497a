"""What Storage Replica's simulation carries over is always one moment of the source, whatever writes there."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from pathlib import Path

import pytest

from tests.lab.sqldisk import Disk
from tests.lab.waiting import until
from tests.lab.windows.disk import DiskServer, Rounds, Writers
from tests.lab.windows.machine.machine import Machine
from tests.lab.windows.machine.replica_data import NOTHING, Image, Kept, difference, taken
from tests.unit.lab_windows.replicas import partner, two

BLOCK = 4096


@pytest.fixture
def pair(build):
    """A source and a destination that know of each other, with groups."""
    return two(build)


def tree(root: Path) -> dict[str, object]:
    """Everything below, as far as it is carried."""
    return {
        str(one.relative_to(root)): str(one.readlink()) if one.is_symlink() else one.is_dir() or one.read_bytes()
        for one in sorted(root.rglob("*"))
    }


def carried(root: Path, kept: Kept, known: Image) -> Image:
    now = taken(root, known)
    change = difference(known, now)
    assert change is None or kept.take(change)
    return now if change is not None else Image(now.entries, known.token)


def test_only_what_differs_travels_and_the_tree_is_the_same(tmp_path):
    source, kept = tmp_path / "source", Kept(tmp_path / "kept/E")
    (source / "a/b").mkdir(parents=True)
    big = source / "a/big"
    big.write_bytes(os.urandom(100 * BLOCK))
    (source / "a/link").symlink_to("big")
    image = carried(source, kept, NOTHING)
    with big.open("r+b") as out:
        out.seek(7 * BLOCK)
        out.write(b"changed")
    (source / "a/b").rmdir()
    (source / "a/b").write_text("a file now")
    (source / "a/link").unlink()
    now = taken(source, image)
    change = difference(image, now)
    assert change is not None
    assert len(change) < 3 * BLOCK
    assert kept.take(change)
    assert tree(kept.tree) == tree(source)
    assert difference(now, taken(source, now)) is None


def test_a_change_of_something_else_is_refused_and_everything_is_taken(tmp_path):
    source, kept = tmp_path / "source", Kept(tmp_path / "kept/E")
    source.mkdir()
    (source / "f").write_text("one")
    first = taken(source)
    (source / "f").write_text("two")
    second = taken(source, first)
    change = difference(first, second)
    assert change is not None
    assert not kept.take(change)
    assert kept.take(difference(NOTHING, second) or b"")
    assert tree(kept.tree) == tree(source)


def test_a_change_that_a_power_cut_interrupted_is_made_at_the_next_look(tmp_path, monkeypatch):
    source, kept = tmp_path / "source", Kept(tmp_path / "kept/E")
    source.mkdir()
    (source / "f").write_text("one")
    image = carried(source, kept, NOTHING)
    (source / "f").write_text("two")
    (source / "g").write_text("more")

    def cut(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as broken:
        broken.setattr("tests.lab.windows.machine.replica_data._put", cut)
        with contextlib.suppress(SystemExit):
            carried(source, kept, image)
    assert tree(Kept(kept.tree).tree) == tree(source)


def test_nobody_writes_while_a_copy_is_made_and_nothing_is_copied_while_somebody_writes(tmp_path):
    writers, torn, over = Writers(), list[str](), threading.Event()
    server = DiskServer(tmp_path / "disk", writers, lambda: None, lambda: None)
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("0")
    second.write_text("0")

    def write() -> None:
        disk = Disk(tmp_path / "disk")
        for number in range(1, 300):
            with disk.writing():
                first.write_text(str(number))
                second.write_text(str(number))
        disk.close()
        over.set()

    writing = threading.Thread(target=write)
    writing.start()
    copies = 0
    while not over.is_set():
        with writers.quiet():
            copies += 1
            if first.read_text() != second.read_text():
                torn.append(first.read_text())
    writing.join()
    server.close()
    assert copies > 1
    assert torn == []


def test_who_asks_waits_for_a_round_that_began_later(tmp_path):
    rounds, seen, value = Rounds(), list[int](), [0]

    def ask(number: int) -> None:
        value[0] = number
        rounds.wait(lambda: seen.append(value[0]))
        assert seen[-1] >= 0

    asking = [threading.Thread(target=ask, args=(number,)) for number in range(1, 9)]
    for one in asking:
        one.start()
    for one in asking:
        one.join()
    assert seen
    assert len(seen) <= len(asking)
    assert value[0] in seen


def test_a_writer_is_told_that_the_volume_is_out_of_use(tmp_path):
    def refuse() -> None:
        raise OSError("the device is not ready")

    server, disk = DiskServer(tmp_path / "disk", Writers(), refuse, lambda: None), Disk(tmp_path / "disk")
    with pytest.raises(OSError, match="the device is not ready"), disk.writing():
        pass
    disk.close()
    server.close()


class Load:
    """Eight writers of one SQLite database on E: of a machine; what they were told is written is in ``acknowledged``."""

    def __init__(self, machine: Machine, place: Path) -> None:
        self.file = machine.files.open_path("E:\\x.mdf")
        self.acknowledged: list[tuple[int, int]] = []
        self.over = threading.Event()
        self._server = DiskServer(place, machine.replica.writers, lambda: None, lambda: machine.replica.carried("E"))
        self._disk, self._own = Disk(place), threading.Lock()
        with contextlib.closing(sqlite3.connect(self.file)) as opened:
            opened.executescript("PRAGMA journal_mode=WAL; CREATE TABLE t (writer, number)")
        self._writers = [threading.Thread(target=self._write, args=(one,)) for one in range(8)]
        for one in self._writers:
            one.start()

    def _write(self, writer: int) -> None:
        with contextlib.closing(sqlite3.connect(self.file, isolation_level=None)) as opened:
            number = 0
            while not self.over.is_set():
                number += 1
                with self._disk.writing(), self._own:
                    opened.execute("INSERT INTO t VALUES (?, ?)", (writer, number))
                self.acknowledged.append((writer, number))

    def end(self) -> None:
        self.over.set()
        for one in self._writers:
            one.join()
        self._disk.close()
        self._server.close()


def there(copy: Path) -> list[tuple[int, int]]:
    """The rows of a copied database, which is whole."""
    with contextlib.closing(sqlite3.connect(copy / "x.mdf")) as opened:
        assert opened.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return opened.execute("SELECT writer, number FROM t ORDER BY writer, number").fetchall()


def test_a_database_is_whole_at_the_destination_whenever_it_is_looked_at(pair, tmp_path):
    a, b = pair
    _, group = partner(a, b)
    load = Load(a, tmp_path / "disk")
    a.tick()
    try:
        for look in range(6):
            until("more is written", lambda look=look: len(load.acknowledged) > 60 * (look + 1))
            promised = list(load.acknowledged)
            b.replica.mount(group, copy := tmp_path / f"look{look}")
            found = there(copy)
            b.replica.dismount(group) if look < 5 else None
            assert set(promised) <= set(found)
            for writer in range(8):
                own = [number for one, number in found if one == writer]
                assert own == list(range(1, len(own) + 1))
    finally:
        load.end()
