"""A name of a file with several that the target loses to the mirror before the operations by that name come to it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.engine.apply.operations import FileOperations
from orchestrator.engine.apply.root import Root
from orchestrator.engine.mirror.messages import MirrorReply
from orchestrator.engine.mirror.options import MirrorOptions, OrphanAction, OrphanPolicy
from orchestrator.engine.mirror.rules import RuleSet
from orchestrator.engine.mirror.source import MirrorSource
from orchestrator.engine.mirror.target import MirrorTarget
from orchestrator.engine.oplog.format import Kind, Operation
from tests.unit.mirror.loopback import picture

FULL = MirrorOptions(orphans=OrphanPolicy(OrphanAction.DELETE))


class Stream:
    """A mirror of a directory with one file, ``kept`` and ``below/other``, whose operations have not travelled yet."""

    def __init__(self, root: Path) -> None:
        self.tree, self.copy = root / "source", root / "target"
        (self.tree / "below").mkdir(parents=True)
        (self.copy / "below").mkdir(parents=True)
        (self.tree / "kept").write_bytes(b"x" * 1000)
        (self.tree / "below/other").hardlink_to(self.tree / "kept")
        self.operations: list[Operation] = []
        self.travelled = 0
        self.source = MirrorSource(self.tree, RuleSet(), FULL, self)
        self.target = MirrorTarget(self.copy)

    def end(self) -> int:
        return len(self.operations)

    def shipped(self) -> int:
        return self.travelled

    def record(self, kind: Kind, path: bytes, **more: object) -> None:
        self.operations.append(Operation(kind, len(self.operations) + 1, 0, path, **more))

    def change_by_both_names(self) -> None:
        """What is done by the first name destroys what was written by the second, unless that is done again."""
        os.truncate(self.tree / "kept", 3)
        self.record(Kind.TRUNCATE, b"kept", a=3)
        with (self.tree / "below/other").open("r+b") as file:
            file.seek(100)
            file.write(b"later")
        self.record(Kind.WRITE, b"below/other", a=100, data=b"later")
        info = (self.tree / "kept").stat()
        self.record(Kind.UTIMENS, b"below/other", a=info.st_atime_ns, b=info.st_mtime_ns)

    def mirror(self) -> list[MirrorReply]:
        """A batch reaches the target; its answers."""
        return [reply for message in self.source.next_messages() for reply in self.target.handle(message)]

    def hear(self, replies: list[MirrorReply]) -> None:
        for reply in replies:
            self.source.on_reply(reply)

    def ship(self) -> None:
        """All operations travel."""
        deeds = FileOperations(Root(self.copy))
        for operation in self.operations[self.travelled :]:
            self.source.note_operation(operation)
            self.travelled = operation.sequence
            with contextlib.suppress(OSError):
                deeds.perform(operation, tolerant=True, mirrored=True)
        deeds.root.close()


@pytest.fixture
def stream(tmp_path):
    made = Stream(tmp_path)
    made.change_by_both_names()
    yield made
    made.source.close()
    made.target.close()


def _ends_equal(stream: Stream) -> None:
    stream.ship()
    for _ in range(20):
        stream.hear(stream.mirror())
    assert stream.source.finished
    assert picture(stream.copy, directory_times=False) == picture(stream.tree, directory_times=False)


def _unlink(stream: Stream) -> None:
    (stream.tree / "below/other").unlink()
    stream.record(Kind.UNLINK, b"below/other")


def test_a_name_that_goes_as_an_orphan(stream) -> None:
    stream.hear(stream.mirror())
    _unlink(stream)
    for _ in range(3):
        stream.hear(stream.mirror())
    assert not (stream.copy / "below/other").exists()
    _ends_equal(stream)


def _directory(stream: Stream) -> None:
    (stream.tree / "below/other").mkdir()
    stream.record(Kind.MKDIR, b"below/other", a=(stream.tree / "below/other").stat().st_mode)


def _symbolic_link(stream: Stream) -> None:
    (stream.tree / "below/other").symlink_to("../kept")
    stream.record(Kind.SYMLINK, b"below/other", path2=b"../kept")


@pytest.mark.parametrize("makes", [_directory, _symbolic_link])
def test_a_name_that_something_else_takes(stream, makes: Callable[[Stream], None]) -> None:
    stream.hear(stream.mirror())
    _unlink(stream)
    makes(stream)
    stream.source.again(b"below/other")
    stream.hear(stream.mirror())
    _ends_equal(stream)


def test_a_name_that_another_file_takes_while_the_answer_about_it_is_awaited(stream) -> None:
    replies = stream.mirror()
    _unlink(stream)
    (stream.tree / "below/other").touch()
    stream.record(Kind.CREATE, b"below/other", a=(stream.tree / "below/other").stat().st_mode)
    stream.source.again(b"below/other")
    replies += stream.mirror()
    stream.hear(replies)
    _ends_equal(stream)
