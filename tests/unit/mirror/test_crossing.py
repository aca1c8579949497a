"""Files with names inside and outside of a set, on a real tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.engine.mirror.crossing import Crossing
from orchestrator.engine.mirror.rules import Rule, RuleSet
from orchestrator.engine.oplog.format import Kind, Operation


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for part in ("in/deep", "out"):
        (tmp_path / part).mkdir(parents=True)
    (tmp_path / "in/deep/near").write_text("x")
    (tmp_path / "out/far").hardlink_to(tmp_path / "in/deep/near")
    (tmp_path / "out/one").write_text("alone")
    (tmp_path / "out/two").hardlink_to(tmp_path / "out/one")
    return tmp_path


def crossing(root: Path) -> Crossing:
    return Crossing(root, RuleSet([Rule("in")]))


def op(kind: Kind, path: bytes, path2: bytes = b"") -> Operation:
    return Operation(kind, 1, 5, path, path2)


def test_a_name_from_before_is_found_on_disk(root: Path) -> None:
    names = crossing(root)
    assert names.inside(b"out/far") == b"in/deep/near"
    assert names.inside(b"out/one") == names.inside(b"out/missing") == names.inside(b"out") == b""


def test_what_was_found_is_followed_in_the_order_of_the_stream(root: Path) -> None:
    names = crossing(root)
    assert names.inside(b"out/far") == b"in/deep/near"
    (root / "in/deep").rename(root / "in/elsewhere")
    assert names.inside(b"out/far") == b"in/deep/near", "the stream has not come to the rename"
    names.note(op(Kind.RENAME, b"in/deep", b"in/elsewhere"))
    (root / "out/far").unlink()
    assert names.inside(b"out/far") == b"in/elsewhere/near", "nor to the removal"
    names.note(op(Kind.UNLINK, b"out/far"))
    assert names.inside(b"out/far") == b""


def test_links_are_known_from_the_stream_alone(root: Path) -> None:
    names = crossing(root)
    names.note(op(Kind.LINK, b"in/new", b"out/new"))
    assert names.inside(b"out/new") == b"in/new"


def test_names_that_appear_after_the_tree_was_looked_through_are_found(root: Path) -> None:
    names = crossing(root)
    assert names.inside(b"out/one") == b""
    (root / "out/two").rename(root / "in/two")
    names.note(op(Kind.RENAME, b"out/two", b"in/two"))
    assert names.inside(b"out/one") == b"in/two"


def test_companions_of_what_came_in_are_its_names_elsewhere_inside(root: Path) -> None:
    names = crossing(root)
    (root / "out").rename(root / "in/came")
    assert names.companions(b"in/came") == [b"in/deep/near"]
    assert names.companions(b"in/missing") == []
