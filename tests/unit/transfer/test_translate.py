"""What a connection with rules and a mapping ships."""

from __future__ import annotations

from orchestrator.engine.oplog.format import Kind, Operation, UnlinkFlag, encode
from orchestrator.engine.oplog.reader import Run
from orchestrator.engine.transfer.target_session import verify_run
from orchestrator.engine.transfer.translate import Translated, Translator, decode_run


class InSet:
    def selects(self, path: bytes) -> bool:
        return path.startswith(b"in/")

    def carries(self, path: bytes) -> bool:
        return self.selects(path) or path == b"in"


class Below:
    def map(self, path: bytes) -> bytes:
        return b"alpha/" + path


def translated(*operations: Operation) -> Translated:
    data = b"".join(map(encode, operations))
    run = Run(memoryview(data), operations[0].sequence, operations[-1].sequence, len(operations))
    found = Translator(InSet(), Below()).translate(run)
    assert verify_run(found.operations.data, run.first - 1) == run.last, "the stream stays gapless"
    return found


def shipped(found: Translated) -> list[tuple[Kind, int, bytes, bytes]]:
    return [
        (op.kind, op.sequence, op.path, op.path2)
        for op in decode_run(memoryview(found.operations.data))
        if op.kind is not Kind.SKIP
    ]


def op(kind: Kind, sequence: int, path: bytes, path2: bytes = b"") -> Operation:
    return Operation(kind, sequence, 5, path, path2)


def test_only_what_is_selected_travels_under_the_targets_names() -> None:
    found = translated(
        op(Kind.CREATE, 4, b"out/a"),
        op(Kind.CREATE, 5, b"in/b"),
        op(Kind.WRITE, 6, b"out/a"),
        op(Kind.RENAME, 7, b"in/b", b"in/c"),
    )
    assert shipped(found) == [(Kind.CREATE, 5, b"alpha/in/b", b""), (Kind.RENAME, 7, b"alpha/in/b", b"alpha/in/c")]


def test_a_run_of_nothing_selected_is_one_small_record() -> None:
    found = translated(*(op(Kind.WRITE, n, b"out/a") for n in range(1, 1001)))
    assert len(found.operations.data) == 64


def test_a_rename_out_of_the_set_removes_and_one_into_it_asks_for_the_mirror() -> None:
    out = translated(op(Kind.RENAME, 1, b"in/d", b"out/d"))
    assert shipped(out) == [(Kind.UNLINK, 1, b"alpha/in/d", b"")]
    assert decode_run(memoryview(out.operations.data))[0].flags == UnlinkFlag.TREE
    into = translated(op(Kind.RENAME, 1, b"out/d", b"in/d"))
    assert into.moved_in == (b"in/d",)
    linked = translated(op(Kind.LINK, 1, b"out/d", b"in/d"))
    assert linked.moved_in == (b"in/d",)
    assert shipped(translated(op(Kind.LINK, 1, b"in/d", b"out/d"))) == []


def into_replica(link: bytes) -> bytes:
    return link.replace(b"/source", b"/target")


def test_soft_links_into_the_set_point_into_the_replica() -> None:
    data = encode(op(Kind.CREATE, 1, b"in/f")) + encode(op(Kind.SYMLINK, 2, b"in/l", b"/source/in/f"))
    run = Run(memoryview(data), 1, 2, 2)
    remapping = Translator(None, None, into_replica)
    assert remapping.concerns(run)
    assert shipped(remapping.translate(run))[1] == (Kind.SYMLINK, 2, b"in/l", b"/target/in/f")
    assert remapping.translate(run).shipped[1].path2 == b"/source/in/f", "the source's own form goes to its mirror"
    assert shipped(Translator(InSet(), Below()).translate(run))[1] == (Kind.SYMLINK, 2, b"alpha/in/l", b"/source/in/f")


def test_what_has_no_soft_link_travels_untouched() -> None:
    data = encode(op(Kind.CREATE, 1, b"a")) + encode(op(Kind.WRITE, 2, b"a"))
    assert not Translator(None, None, into_replica).concerns(Run(memoryview(data), 1, 2, 2))
    assert Translator(InSet(), None).concerns(Run(memoryview(data), 1, 2, 2))


class OneFile:
    """``out/x`` is also ``in/x``."""

    def note(self, operation: Operation) -> None:
        pass

    def inside(self, path: bytes) -> bytes:
        return b"in/x" if path == b"out/x" else b""

    def companions(self, path: bytes) -> list[bytes]:
        return [b"in/x"] if path == b"in/moved" else []


def test_a_file_with_a_name_inside_is_replicated_by_whichever_name_it_was_changed() -> None:
    told = [
        op(Kind.WRITE, 1, b"out/x"),
        op(Kind.LINK, 2, b"out/x", b"in/y"),
        op(Kind.LINK, 3, b"out/x", b"out/y"),
        op(Kind.UNLINK, 4, b"out/x"),
        op(Kind.RENAME, 5, b"out/z", b"in/moved"),
    ]
    data = b"".join(map(encode, told))
    found = Translator(InSet(), None, None, OneFile()).translate(Run(memoryview(data), 1, 5, 5))
    assert shipped(found) == [
        (Kind.WRITE, 1, b"in/x", b""),
        (Kind.LINK, 2, b"in/x", b"in/y"),
        (Kind.UNLINK, 5, b"in/moved", b""),
    ]
    assert found.moved_in == (b"in/moved", b"in/x")


def test_the_way_to_what_is_selected_comes_and_goes_with_it() -> None:
    assert shipped(translated(op(Kind.MKDIR, 1, b"in"))) == [(Kind.MKDIR, 1, b"alpha/in", b"")]
    assert shipped(translated(op(Kind.RMDIR, 1, b"in"))) == [(Kind.UNLINK, 1, b"alpha/in", b"")]
    assert shipped(translated(op(Kind.RENAME, 1, b"in", b"out"))) == [(Kind.UNLINK, 1, b"alpha/in", b"")]
    assert translated(op(Kind.RENAME, 1, b"out", b"in")).moved_in == (b"in",)
    assert shipped(translated(op(Kind.MKDIR, 1, b"out"))) == []
