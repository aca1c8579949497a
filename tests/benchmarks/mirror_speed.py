"""How fast a mirror is between two processes: python -m tests.benchmarks.mirror_speed [--gib 2] [--files 20000] [DIRECTORY].

The stream is a socket pair with frames of a length and a message, without TLS: what is measured is reading, comparing and writing.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import socket
import struct
import tempfile
import threading
import time
from collections import deque
from pathlib import Path

from orchestrator.engine.mirror.messages import decode_message, decode_reply, encode
from orchestrator.engine.mirror.options import MirrorKind, MirrorOptions
from orchestrator.engine.mirror.rules import RuleSet
from orchestrator.engine.mirror.source import MirrorSource
from orchestrator.engine.mirror.target import MirrorTarget

LENGTH = struct.Struct("<I")
FULL = MirrorOptions()
DIFFERENCE = MirrorOptions(MirrorKind.DIFFERENCE)
CHECKSUM_ALL = MirrorOptions(MirrorKind.DIFFERENCE, checksum_all=True)


def send(sock: socket.socket, data: bytes) -> None:
    """One frame."""
    sock.sendall(LENGTH.pack(len(data)))
    sock.sendall(data)


class Receiver:
    """Frames out of a socket, each a view into one buffer that the next frame uses again."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._room = memoryview(bytearray(8 << 20))

    def receive(self) -> memoryview | None:
        """One frame, None at the end."""
        head = self._sock.recv(4, socket.MSG_WAITALL)
        if len(head) < 4:
            return None
        view, have = self._room[: LENGTH.unpack(head)[0]], 0
        while have < len(view):
            have += self._sock.recv_into(view[have:])
        return view


def target_process(root: Path, sock: socket.socket) -> None:
    """The target's end, until the connection is closed."""
    target, frames = MirrorTarget(root), Receiver(sock)
    while (data := frames.receive()) is not None:
        for reply in target.handle(decode_message(data)):
            send(sock, encode(reply))
    os._exit(0)


def run(source_root: Path, target_root: Path, options: MirrorOptions) -> tuple[float, MirrorSource]:
    """One mirror; seconds."""
    os.sync()  # what was written to prepare this run is not a part of it
    here, there = socket.socketpair()
    for sock in (here, there):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
    child = os.fork()
    if child == 0:
        here.close()
        target_process(target_root, there)
    there.close()
    replies: deque[bytes] = deque()
    arrived = threading.Event()
    threading.Thread(target=_collect, args=(here, replies, arrived), daemon=True).start()
    began = time.perf_counter()
    source = MirrorSource(source_root, RuleSet(), options)
    while not source.finished:
        arrived.clear()
        while replies:
            source.on_reply(decode_reply(replies.popleft()))
        batch = source.next_messages()
        for message in batch:
            send(here, encode(message))
        if not batch and not replies and not source.finished:
            arrived.wait(1)
    seconds = time.perf_counter() - began
    here.shutdown(socket.SHUT_WR)
    os.waitpid(child, 0)
    source.stop()
    return seconds, source


def _collect(sock: socket.socket, replies: deque[bytes], arrived: threading.Event) -> None:
    frames = Receiver(sock)
    while (data := frames.receive()) is not None:
        replies.append(bytes(data))
        arrived.set()


def tell(what: str, seconds: float, source: MirrorSource) -> None:
    """One line."""
    sent = source.progress.sent_bytes
    print(f"{what:42s} {seconds:7.2f} s  {sent / 1e6:9.1f} MB sent  {source.progress.files_different} different")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", nargs="?", type=Path)
    parser.add_argument("--gib", type=float, default=2.0)
    parser.add_argument("--files", type=int, default=20_000)
    given = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="dtam-mirror-", dir=given.directory))
    try:
        big_file(place, given.gib)
        many_files(place, given.files)
    finally:
        shutil.rmtree(place)


def big_file(place: Path, gib: float) -> None:
    """A big file: all of it, nothing of it, 2,000 pages of it."""
    source, target = place / "big-source", place / "big-target"
    source.mkdir()
    target.mkdir()
    size = int(gib * 2**30) // 8192 * 8192
    with (source / "file").open("wb") as file:
        for _ in range(0, size, 1 << 20):
            file.write(random.randbytes(1 << 20))
    tell(f"full, one file of {gib} GiB", *run(source, target, FULL))
    tell("difference, unchanged", *run(source, target, DIFFERENCE))
    tell("checksum of all, unchanged", *run(source, target, CHECKSUM_ALL))
    with (source / "file").open("r+b") as file:
        for _ in range(2000):
            file.seek(random.randrange(size // 8192) * 8192)
            file.write(random.randbytes(8192))
    tell("checksum, 2,000 pages of 8 KiB changed", *run(source, target, CHECKSUM_ALL))


def many_files(place: Path, count: int) -> None:
    """Many small files."""
    source, target = place / "small-source", place / "small-target"
    target.mkdir()
    for number in range(count):
        directory = source / f"d{number // 200}"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"f{number}").write_bytes(random.randbytes(10_240))
    tell(f"full, {count} files of 10 KiB", *run(source, target, FULL))
    tell("difference, unchanged", *run(source, target, DIFFERENCE))
    tell("checksum of all, unchanged", *run(source, target, CHECKSUM_ALL))
    tell("full again, over existing files", *run(source, target, FULL))


if __name__ == "__main__":
    main()
