"""Whole directories by one digest: said only of what is equal, and everything else goes the long way."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from orchestrator.engine.mirror import survey, target
from orchestrator.engine.mirror.messages import Entries, Survey
from orchestrator.engine.mirror.options import MirrorKind, MirrorOptions, OrphanAction, OrphanPolicy
from orchestrator.engine.mirror.rules import Rule
from tests.unit.mirror.loopback import mirror, picture

DIFFERENCE = MirrorOptions(MirrorKind.DIFFERENCE, orphans=OrphanPolicy(OrphanAction.DELETE))
pytestmark = pytest.mark.skipif(
    shutil.which("gcc") is None and os.environ.get("CI") != "true", reason="gcc is not installed"
)


@pytest.fixture
def trees(tmp_path) -> tuple[Path, Path]:
    """Equal trees: a plain directory, one with a file that has two names, one with attributes and a link."""
    source, copy = tmp_path / "source", tmp_path / "target"
    for directory in ("plain", "plain/below", "linked", "more"):
        (source / directory).mkdir(parents=True, exist_ok=True)
        for number in range(3):
            (source / directory / f"file{number}").write_bytes(b"x" * number)
    (source / "plain/empty").mkdir()
    (source / "plain/empty").chmod(0o750)
    (source / "linked/other").hardlink_to(source / "linked/file1")
    (source / "more/link").symlink_to("file1")
    os.setxattr(source / "more/file1", "user.note", b"one")
    subprocess.run(["cp", "-a", f"{source}/.", str(copy)], check=True)
    return source, copy


def told(sent: list) -> set[bytes]:
    """Directories of which names were told."""
    return {message.directory for message in sent if isinstance(message, Entries)}


def test_of_equal_plain_directories_no_name_travels(trees) -> None:
    source, sent = mirror(*trees, DIFFERENCE)
    assert told(sent) == {b"linked"}
    assert sorted(path for message in sent if isinstance(message, Survey) for path in message.directories) == [
        b"",
        b"more",
        b"plain",
        b"plain/below",
        b"plain/empty",
    ]
    assert source.progress.files_compared == 13
    assert source.progress.done_bytes == 13


def _owner(tree: Path) -> None:
    os.chown(tree / "plain/file1", 1234, 1234)


def _many_attributes(tree: Path) -> None:
    for number in range(30):
        os.setxattr(tree / "plain/file1", f"user.an attribute with a long name {number}", b"x")


CHANGES = {
    "size": lambda tree: (tree / "plain/file1").write_bytes(b"longer"),
    "time": lambda tree: os.utime(tree / "plain/file1", ns=(5, 5)),
    "mode": lambda tree: (tree / "plain/file1").chmod(0o4711),
    "owner": _owner,
    "attribute": lambda tree: os.setxattr(tree / "plain/file1", "user.note", b"two"),
    "long attribute": lambda tree: os.setxattr(tree / "plain/file1", "user.long", b"x" * 2000),
    "many attributes": _many_attributes,
    "more names": lambda tree: (tree / "plain/more").write_bytes(b""),
    "empty directory gone": lambda tree: (tree / "plain/empty").rmdir(),
    "name gone": lambda tree: (tree / "plain/file1").unlink(),
    "directory gone": lambda tree: shutil.rmtree(tree / "plain"),
    "kind": lambda tree: (shutil.rmtree(tree / "plain/below"), (tree / "plain/below").write_bytes(b"")),
    "second name": lambda tree: os.link(tree / "plain/file1", tree / "linked/yet another"),
}


@pytest.mark.covers("ENG-MIR-02")
@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize("change", CHANGES)
def test_whatever_differs_is_found_and_made_equal(trees, change, side) -> None:
    CHANGES[change](trees[0] if side == "source" else trees[1])
    mirror(*trees, DIFFERENCE)
    assert picture(trees[0]) == picture(trees[1])


def test_where_a_link_leads_and_what_an_attribute_holds_count(trees) -> None:
    source, copy = trees
    (copy / "more/link").unlink()
    (copy / "more/link").symlink_to("file2")
    info = (source / "more/link").lstat()
    os.utime(copy / "more/link", ns=(info.st_atime_ns, info.st_mtime_ns), follow_symlinks=False)
    os.setxattr(copy / "plain/below/file1", "user.note", b"two")
    _, sent = mirror(source, copy, DIFFERENCE)
    assert told(sent) == {b"more", b"plain/below", b"linked"}
    assert picture(source) == picture(copy)


def test_a_directory_in_which_a_rule_names_something_is_told_by_name(trees) -> None:
    rules = [Rule(), Rule("plain/file1", include=False)]
    (trees[1] / "plain/file1").write_bytes(b"the target's own")
    _, sent = mirror(*trees, DIFFERENCE, rules)
    assert told(sent) == {b"plain", b"linked"}
    assert (trees[1] / "plain/file1").read_bytes() == b"the target's own"


@pytest.mark.parametrize(
    "options",
    [
        MirrorOptions(MirrorKind.DIFFERENCE, checksum_all=True),
        MirrorOptions(MirrorKind.DIFFERENCE, only_newer=True),
        MirrorOptions(MirrorKind.DIFFERENCE, only_missing=True),
        MirrorOptions(MirrorKind.DIFFERENCE, report_only=True),
        MirrorOptions(),
    ],
)
def test_a_mirror_that_does_not_go_by_size_and_time_alone_takes_no_digest(trees, options) -> None:
    _, sent = mirror(*trees, options)
    assert not [message for message in sent if isinstance(message, Survey)]


def test_a_target_that_does_not_understand_digests_is_told_names(trees, monkeypatch) -> None:
    monkeypatch.setattr(target.survey, "available", lambda: False)
    _, sent = mirror(*trees, DIFFERENCE)
    assert not [message for message in sent if isinstance(message, Survey)]
    assert told(sent) == {b"", b"plain", b"plain/below", b"linked", b"more"}


def test_without_a_compiler_it_goes_the_long_way(tmp_path, monkeypatch, caplog) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setenv("DTAM_CACHE", str(tmp_path / "cache"))
    survey._library.cache_clear()
    try:
        assert not survey.available()
        assert "gcc is not installed" in caplog.text
    finally:
        survey._library.cache_clear()
