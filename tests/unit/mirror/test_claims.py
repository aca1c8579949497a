"""Files of several names at the target: a link is made only to what is surely the file, and nothing else is written through it."""

from __future__ import annotations

import os

import pytest

from orchestrator.engine.mirror.claims import Claims, inode_of
from orchestrator.engine.mirror.messages import Begin, Entries, Entry, Files, Meta, Need, SmallFile, Verdicts
from orchestrator.engine.mirror.options import MirrorKind, MirrorOptions
from orchestrator.engine.mirror.target import MirrorTarget

GROUP = 77


def meta(size: int, group: int = GROUP) -> Meta:
    return Meta(0o100640, os.geteuid(), os.getegid(), size, 1_600_000_000_000_000_000, 1_600_000_000_000_000_000, group)


@pytest.fixture
def target(tmp_path):
    end = MirrorTarget(tmp_path)
    end.handle(Begin(1, MirrorOptions(MirrorKind.DIFFERENCE)))
    end.handle(Files(2, b"", [SmallFile(b"one", meta(3), b"the")]))
    yield end
    end.close()


def need(target: MirrorTarget, name: bytes, twin: bytes) -> Need:
    answer = target.handle(Entries(3, b"", [Entry(name, meta(3), force=True, twin=twin)]))[0]
    assert isinstance(answer, Verdicts)
    return answer.verdicts[0].need


def test_a_further_name_becomes_a_link_to_its_twin(target, tmp_path):
    assert need(target, b"two", b"one") is Need.LINKED
    assert (tmp_path / "one").samefile(tmp_path / "two")


def test_a_name_whose_twin_is_another_file_by_now_is_sent(target, tmp_path):
    (tmp_path / "other").write_bytes(b"mine")
    (tmp_path / "other").rename(tmp_path / "one")  # an operation that travelled between the question and this
    assert need(target, b"two", b"one") is Need.WHOLE
    target.handle(Files(4, b"", [SmallFile(b"two", meta(3), b"the")]))
    assert ((tmp_path / "one").read_bytes(), (tmp_path / "two").read_bytes()) == (b"mine", b"the")


def test_a_twin_that_became_a_file_of_one_name_is_no_twin(target, tmp_path):
    target.handle(Files(3, b"", [SmallFile(b"one", meta(3, group=0), b"new")]))
    assert need(target, b"two", b"one") is Need.WHOLE
    assert (tmp_path / "one").stat().st_nlink == 1


def test_a_file_that_got_the_inode_of_a_removed_one_is_not_that_one(tmp_path):
    claims, fd = Claims(), os.open(tmp_path, os.O_RDONLY)
    (tmp_path / "first").touch()
    claims.claim(GROUP, fd, b"first")
    before = inode_of(fd, b"first")
    assert claims.claimed(GROUP, fd, b"first")
    (tmp_path / "first").unlink()
    (tmp_path / "second").touch()  # ext4 gives it the same number
    after = inode_of(fd, b"second")
    os.close(fd)
    if before.isdigit():
        pytest.skip("this file system tells no file handles")
    assert before != after
