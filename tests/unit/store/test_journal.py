"""A journal believes whole lines only, and one process at a time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.model.plan import Plan, PlanKind
from orchestrator.model.runs import Event, Line
from orchestrator.model.servers import ProtectionId, RunId
from orchestrator.model.steps import Action
from orchestrator.store import journal
from orchestrator.store.errors import JournalDamaged, RunBusy, RunUnknown, StoreUnusable

PLAN = Plan(PlanKind.FIX, ProtectionId("p"), ())
LINE = Line(1.0, "a", Event.ABOUT_TO, undo=Action("nothing"), found={"text": "ä\n"})


def header(run: str = "run") -> journal.Header:
    return journal.Header(journal.VERSION, RunId(run), 1.0, "ann", PLAN)


def written(place: Path, *lines: Line) -> Path:
    with journal.create(place, header(), {"f" * 64: "echo\n"}) as log:
        for line in lines:
            log.write(line)
    return place / "run" / "journal"


def test_what_was_written_is_read(tmp_path: Path) -> None:
    written(tmp_path, LINE)
    found, lines = journal.read(tmp_path, "run")
    assert (found, lines) == (header(), (LINE,))
    assert journal.texts(tmp_path, "run") == {"f" * 64: "echo\n"}
    assert journal.runs(tmp_path) == ("run",)


def test_modes_are_tight(tmp_path: Path) -> None:
    place = tmp_path / "runs"
    written(place)
    assert place.stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in place.rglob("*"))


@pytest.mark.parametrize("torn", [b"{", b'{"at_s":2.0,"step":"a","event":"done"', b"\x00" * 7])
def test_a_torn_last_line_is_cut_off(tmp_path: Path, torn: bytes) -> None:
    path = written(tmp_path, LINE)
    with path.open("ab") as file:
        file.write(torn)
    assert journal.read(tmp_path, "run")[1] == (LINE,)
    with journal.open_to_write(tmp_path, "run") as log:
        log.write(LINE)
    assert journal.read(tmp_path, "run")[1] == (LINE, LINE)


def test_every_cut_of_the_file_is_readable(tmp_path: Path) -> None:
    path = written(tmp_path, LINE, LINE, LINE)
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for end in range(first, len(whole) + 1):
        path.write_bytes(whole[:end])
        assert len(journal.read(tmp_path, "run")[1]) == whole[first:end].count(b"\n")


def test_damage_in_the_middle_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, LINE, LINE)
    rows = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(rows[0] + b"{rubbish}\n" + rows[2])
    with pytest.raises(JournalDamaged, match="line 2"):
        journal.read(tmp_path, "run")


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with journal.create(tmp_path, header(), {}):
        assert journal.is_busy(tmp_path, "run")
        with pytest.raises(RunBusy):
            journal.open_to_write(tmp_path, "run")
    assert not journal.is_busy(tmp_path, "run")
    journal.open_to_write(tmp_path, "run").close()


@pytest.mark.parametrize("name", ["absent", "../run", "a/b"])
def test_an_unknown_run(tmp_path: Path, name: str) -> None:
    with pytest.raises(RunUnknown):
        journal.read(tmp_path, name)


def test_a_newer_journal_is_refused(tmp_path: Path) -> None:
    newer = journal.Header(journal.VERSION + 1, RunId("run"), 1.0, "ann", PLAN)
    journal.create(tmp_path, newer, {}).close()
    with pytest.raises(StoreUnusable, match="version"):
        journal.read(tmp_path, "run")


def test_a_full_disk_leaves_whole_lines(tmp_path: Path, needs: object) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    log = journal.create(tmp_path, header(), {})
    log._descriptor = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(StoreUnusable, match="No space left"):
        log.write(LINE)
    assert log.lines == ()
