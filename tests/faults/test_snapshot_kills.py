"""A snapshot's deeds killed at every step, on each kind of file system: what exists is whole, and the root is the one or the other."""

from __future__ import annotations

import functools
import logging
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.engine.snapshot import ways
from orchestrator.engine.snapshot.record import Kind, Reason, SnapshotRecord, new_id
from orchestrator.engine.snapshot.shelf import FRESH, Shelf
from tests.conftest import require
from tests.volumes import volume

KINDS = {"btrfs": Kind.BTRFS, "xfs": Kind.REFLINK, "here": Kind.COPY}


@pytest.fixture(scope="module", params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("volumes")
    if request.param == "here":
        yield directory
        return
    require("volumes")
    with volume(request.param, directory) as at:
        yield at


@pytest.fixture
def shelf(place: Path, tmp_path: Path) -> Shelf:
    root = place / tmp_path.name / "replica"
    ways.make_root(root)
    fill(root, "first")
    return Shelf(root, tmp_path / "records")


def fill(root: Path, word: str) -> None:
    for number in range(6):
        above = root / f"d{number}"
        above.mkdir(exist_ok=True)
        (above / "file").write_text(f"{word} {number}")
    (root / "another name").unlink(missing_ok=True)
    os.link(root / "d1" / "file", root / "another name")


def content(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() for path in sorted(root.rglob("*")) if path.is_file()}


class KillAt(logging.Handler):
    """Kills its process at the n-th step that is told."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self.left = step

    def count(self) -> None:
        self.left -= 1
        if self.left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def emit(self, record: logging.LogRecord) -> None:
        del record
        self.count()


def killed(step: int, deed: Callable[[Callable[[], None]], object]) -> bool:
    """Do it in a process that is killed at its n-th step or check; False when it came to its end before."""
    child = os.fork()
    if child == 0:
        killer = KillAt(step)
        log = logging.getLogger("orchestrator.engine.snapshot.shelf")
        log.setLevel(logging.DEBUG)
        log.handlers = [killer]
        deed(killer.count)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def wanted(shelf: Shelf) -> SnapshotRecord:
    return SnapshotRecord(
        id=new_id(),
        root=str(shelf.root),
        kind=Kind.COPY,
        reason=Reason.BY_HAND,
        time_ns=1,
        data_state="good",
        position=1,
    )


def each_kill(deed: Callable[[Callable[[], None]], object]) -> Iterator[int]:
    """Every step at which it can be killed, one after the other, until it comes to its end."""
    step = 0
    while killed(step, deed):
        yield step
        step += 1
    assert step > 1


@pytest.mark.covers("ENG-SNAP-01")
def test_killed_while_taking(shelf: Shelf) -> None:
    before = content(shelf.root)
    for _ in each_kill(lambda check: shelf.take(wanted(shelf), check)):
        shelf.sweep()
        kept = shelf.listed()
        assert all(content(shelf.place(one.id)) == before for one in kept)
        assert {path.name for path in shelf.place("x").parent.glob("*")} == {one.id for one in kept}
    assert content(shelf.root) == before


@pytest.mark.covers("ENG-SNAP-01")
def test_killed_while_deleting(shelf: Shelf) -> None:
    made = shelf.take(wanted(shelf), lambda: None)
    for _ in each_kill(lambda _: shelf.delete(made.id)):
        if shelf.find(made.id) is not None:
            assert content(shelf.place(made.id)) == content(shelf.root)
        else:
            shelf.sweep()
            assert not shelf.place(made.id).exists()
    assert shelf.listed() == []


@pytest.mark.covers("ENG-SNAP-01")
def test_killed_while_setting_back(shelf: Shelf) -> None:
    before = content(shelf.root)
    made = shelf.take(wanted(shelf), lambda: None)
    fill(shelf.root, "second")
    for step in each_kill(lambda check: shelf.set_back(made.id, "key", check)):
        begun = shelf.recover()
        if begun is None:
            assert (step, content(shelf.root) == before) == (0, False)
            continue
        shelf.forget_set_back()
        assert (begun.id, begun.replica) == (made.id, "key")
        assert content(shelf.root) == before
        assert content(shelf.place(made.id)) == before
        assert not shelf.place(FRESH).exists()
        fill(shelf.root, "again")
    assert content(shelf.root) == before


def test_killed_while_the_snapshot_itself_becomes_the_replica(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain copy without space for another one."""
    shelf = Shelf(tmp_path / "replica", tmp_path / "records")
    shelf.root.mkdir()
    fill(shelf.root, "first")
    before = content(shelf.root)
    monkeypatch.setattr(ways, "_clones", lambda _: False)
    for step in range(20):
        made = shelf.take(wanted(shelf), lambda: None)
        fill(shelf.root, "second")
        with monkeypatch.context() as full:
            full.setattr(ways, "SPARE_BYTES", 1 << 60)
            if not killed(step, functools.partial(shelf.set_back, made.id, "key")):
                break
            if shelf.recover() is None:
                continue
        shelf.forget_set_back()
        assert content(shelf.root) == before
        assert shelf.find(made.id) is None
    assert content(shelf.root) == before
    shelf.forget_set_back()
    shelf.sweep()
    assert [path.name for path in shelf.place("x").parent.glob("*")] == [one.id for one in shelf.listed()]
