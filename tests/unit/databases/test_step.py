"""``dtam step sql``: what was before is on disk before anything is changed, whatever ends it where."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from orchestrator.databases.deeds.book import DEEDS
from orchestrator.databases.deeds.deed import Deed, Document
from orchestrator.databases.errors import DeedInvalid
from orchestrator.databases.step import Calling, step
from orchestrator.model.outcomes import TryAgain
from orchestrator.model.sqlaccess import SqlAccess
from orchestrator.model.sqlport import SqlLook

WORLD: dict[str, Any] = {}


class Killed(BaseException):
    """The process ends here."""


class ToyDocument(Document, frozen=True):
    wanted: int = 0


class Toy(Deed[ToyDocument]):
    """A number is so."""

    name = "toy"
    document = ToyDocument

    def look(self) -> SqlLook:
        if WORLD.get("busy", 0) > 0:
            WORLD["busy"] -= 1
            raise TryAgain("recovering")
        return SqlLook(WORLD["now"] == self.asked.wanted, f"it is {WORLD['now']}", {"was": WORLD["now"]})

    def do(self, found: Mapping[str, Any]) -> None:
        assert found
        if WORLD.pop("kill", False):
            WORLD["now"] = -1
            raise Killed
        WORLD["now"] = self.asked.wanted

    def undo(self, found: Mapping[str, Any]) -> None:
        WORLD["now"] = found["was"]


@pytest.fixture
def undo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(DEEDS, "toy", Toy)
    monkeypatch.setattr("orchestrator.databases.step.POLL_S", 0.0)
    WORLD.clear()
    WORLD.update(now=1, hosts=[])
    return tmp_path / "sales" / "toy.json"


@contextmanager
def session(access: SqlAccess) -> Iterator[Any]:
    WORLD["hosts"].append(access.host)
    yield type("Session", (), {"label": access.label})()


def play(undo: Path, act: str = "do", wanted: int = 5, host: str = "", **more: Any) -> Any:
    text = json.dumps({"wanted": wanted, "access": {"server": "A", "host": "10.0.0.1"}} | more).encode()
    return step("toy", text, undo, Calling(act, host=host), session)  # type: ignore[arg-type]


def test_a_deed_is_noted_done_and_undone(undo: Path) -> None:
    assert play(undo).so
    assert stat.S_IMODE(undo.stat().st_mode) == 0o600
    assert json.loads(undo.read_bytes())["found"] == {"was": 1}
    assert play(undo).says == "it is 5"
    assert play(undo, "undo").so
    assert WORLD["now"] == 1
    assert not undo.exists()
    assert undo.with_name("toy.json.done").exists()
    assert "nothing to undo" in play(undo, "undo").says


def test_a_deed_that_was_cut_off_remembers_what_was_before_it(undo: Path) -> None:
    WORLD["kill"] = True
    with pytest.raises(Killed):
        play(undo)
    assert WORLD["now"] == -1
    assert play(undo).so
    assert json.loads(undo.read_bytes())["found"] == {"was": 1}
    play(undo, "undo")
    assert WORLD["now"] == 1


def test_the_next_life_of_a_deed_begins_a_new_note(undo: Path) -> None:
    play(undo)
    WORLD["now"] = 7
    play(undo)
    assert json.loads(undo.read_bytes())["found"] == {"was": 7}


def test_a_run_that_did_nothing_undoes_nothing(undo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log-in that an earlier failover made was there before this one."""
    monkeypatch.setenv("DTAM_RUN_ID", "first")
    play(undo)
    play(undo)  # resumed: still that run's own
    assert undo.exists()
    monkeypatch.setenv("DTAM_RUN_ID", "second")
    play(undo)
    assert "nothing to undo" in play(undo, "undo").says
    assert WORLD["now"] == 5


def test_looking_changes_nothing(undo: Path) -> None:
    assert not play(undo, "show").so
    assert not undo.exists()
    assert play(undo, "show", wanted=1, host="10.0.0.9").so
    assert WORLD["hosts"] == ["10.0.0.1", "10.0.0.9"]


def test_what_passes_by_waiting_is_waited_for(undo: Path) -> None:
    WORLD["busy"] = 3
    with pytest.raises(TryAgain, match="recovering"):
        play(undo)
    assert play(undo, within_s=60).so


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("toy", b"[]", "not an object"),
        ("toy", b"{", "not JSON"),
        ("toy", b'{"wanted": 1}', "access is missing"),
        ("toy", b'{"wnated": 1}', "wnated"),
        ("nonesuch", b"{}", "no such deed"),
    ],
)
def test_a_document_that_says_nothing_sensible_is_refused(undo: Path, name: str, text: bytes, says: str) -> None:
    with pytest.raises(DeedInvalid, match=says):
        step(name, text, undo, Calling(), session)  # type: ignore[arg-type]


def test_an_undo_file_of_another_deed_is_refused(undo: Path) -> None:
    play(undo)
    undo.write_text(undo.read_text().replace('"toy"', '"attach"'))
    with pytest.raises(DeedInvalid, match="is of attach"):
        play(undo, "undo")
