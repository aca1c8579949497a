"""Large pieces go past the page cache, and stay one file with what is written the common way."""

from __future__ import annotations

import errno
import mmap
import os
from pathlib import Path

import pytest

from orchestrator.engine.mirror import placing
from orchestrator.engine.mirror.bigfiles import BigFiles
from orchestrator.engine.mirror.claims import Claims
from orchestrator.engine.mirror.direct import FROM_BYTES, PIECE_BYTES, Direct
from orchestrator.engine.mirror.flushing import EarlyFlush
from orchestrator.engine.mirror.messages import Close, Data, Meta, Open
from orchestrator.engine.transfer.rooms import Rooms

PIECE = 1 << 20


def _piece(content: bytes, rooms: Rooms) -> memoryview:
    """As it arrives: something stands before it."""
    payload = rooms.take(37 + len(content))
    payload[37:] = content
    return payload[37:]


@pytest.fixture
def file(tmp_path: Path):
    path = tmp_path / "file"
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    yield path, fd
    os.close(fd)


def test_a_piece_goes_past_the_page_cache_between_writes_that_do_not(file):
    path, fd = file
    direct, rooms = Direct(fd), Rooms()
    os.pwrite(fd, b"a" * (3 * PIECE), 0)
    done = direct.write(_piece(b"b" * PIECE, rooms), PIECE)
    direct.close()
    if not done:
        pytest.skip("this file system writes nothing past the page cache")
    os.pwrite(fd, b"c" * 10, 2 * PIECE - 5)
    assert path.read_bytes() == b"a" * PIECE + b"b" * (PIECE - 5) + b"c" * 10 + b"a" * (PIECE - 5)


def test_what_is_small_or_lies_across_pages_goes_the_common_way(file):
    _, fd = file
    direct, rooms = Direct(fd), Rooms()
    assert direct.write(_piece(b"x" * (PIECE_BYTES - mmap.PAGESIZE), rooms), 0) == 0
    assert direct.write(_piece(b"x" * PIECE, rooms), 512) == 0
    assert direct.write(memoryview(bytearray(PIECE + 1))[1:], 0) == 0
    assert direct.write(memoryview(bytes(PIECE)), 0) == 0
    direct.close()


def test_a_file_system_that_refuses_is_asked_once(file, monkeypatch):
    _, fd = file
    asked = []

    def refuse(*arguments: object) -> int:
        asked.append(arguments)
        raise OSError(errno.EINVAL, "not here")

    direct, rooms = Direct(fd), Rooms()
    monkeypatch.setattr(os, "pwrite", refuse)
    piece = _piece(b"x" * PIECE, rooms)
    assert [direct.write(piece, 0), direct.write(piece, 0)] == [0, 0]
    assert len(asked) <= 1
    direct.close()


def test_a_full_disk_is_told(file, monkeypatch):
    _, fd = file

    def full(*_arguments: object) -> int:
        raise OSError(errno.ENOSPC, "no room")

    direct = Direct(fd)
    piece = _piece(b"x" * PIECE, Rooms())
    if not direct.write(piece, 0):
        pytest.skip("this file system writes nothing past the page cache")
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="no room"):
        direct.write(piece, 0)
    direct.close()


def test_a_big_file_arrives_whole_though_its_end_is_no_page(tmp_path):
    root_fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    big, rooms = (
        BigFiles(root_fd, Claims(), placing.nothing, lambda _path: lambda _why: None, EarlyFlush(root_fd)),
        Rooms(),
    )
    size = FROM_BYTES + 4097
    meta = Meta(mode=0o100640, uid=os.getuid(), gid=os.getgid(), size=size, atime_ns=6, mtime_ns=5)
    big.open(Open(1, 1, b"file", meta, True))
    last = FROM_BYTES // PIECE - 1
    for number in (0, last):
        big.data(Data(2, 1, number * PIECE, _piece(bytes([number + 1]) * PIECE, rooms)))
    big.data(Data(3, 1, FROM_BYTES, _piece(b"e" * 4097, rooms)))
    big.finish(Close(4, 1, meta))
    os.close(root_fd)
    with (tmp_path / "file").open("rb") as file:
        assert file.read(PIECE) == b"\1" * PIECE
        file.seek(last * PIECE)
        assert file.read() == bytes([last + 1]) * PIECE + b"e" * 4097
