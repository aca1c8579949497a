"""What the wire asks of the host behind it: one Protocol for running commands, and the pipes between the two."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from tests.lab.windows.wire.accounts import Identity

STOPPED_BY_CTRL_C = 0xC000013A  # STATUS_CONTROL_C_EXIT
UTF_8 = 65001
PIPE_BYTES = 1 << 20  # written and not yet fetched; a command that writes more waits, as on a full pipe


class Broken(Exception):
    """The command was ended from outside; whoever reads or writes for it stops."""


class Input:
    """Standard input of a command, filled by Send. Reading waits."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._data = bytearray()
        self.ended = False
        self._broken = False

    def put(self, data: bytes, end: bool) -> None:
        """More of it; with ``end`` the last."""
        with self._changed:
            self._data += data
            self.ended = self.ended or end
            self._changed.notify_all()

    def break_off(self) -> None:
        """Whoever reads is told that the command is over."""
        with self._changed:
            self._broken = True
            self._changed.notify_all()

    def read(self, limit_bytes: int = -1) -> bytes:
        """At most so many bytes; -1: all to its end. Empty at the end. Raises Broken."""
        with self._changed:
            self._changed.wait_for(lambda: self._broken or self.ended or (limit_bytes >= 0 and bool(self._data)))
            if self._broken:
                raise Broken
            size = len(self._data) if limit_bytes < 0 else limit_bytes
            taken = bytes(self._data[:size])
            del self._data[:size]
            return taken

    def lines(self) -> Iterator[bytes]:
        """Line by line with their ends, as they come. Raises Broken."""
        rest = b""
        while part := self.read(65536):
            *whole, rest = (rest + part).split(b"\n")
            yield from (line + b"\n" for line in whole)
        if rest:
            yield rest


@dataclass
class Output:
    """Standard output and error of a command, emptied by Receive."""

    changed: threading.Condition = field(default_factory=threading.Condition)
    parts: dict[str, bytearray] = field(default_factory=lambda: {"stdout": bytearray(), "stderr": bytearray()})
    exit_code: int | None = None
    broken: bool = False
    pieces: deque[int] = field(default_factory=deque)  # of standard output, where only whole ones may be heard

    def put(self, piece: bytes) -> None:
        """Add to standard output what must be heard in one piece; never waits, and is lost once it is over."""
        with self.changed:
            if not self.broken:
                self.parts["stdout"] += piece
                self.pieces.append(len(piece))
                self.changed.notify_all()

    def take(self, stream: str, limit_bytes: int) -> bytes:
        """What is heard of a stream now; whoever calls holds ``changed``."""
        size = limit_bytes
        if self.pieces:
            size = self.pieces.popleft()
            while self.pieces and size + self.pieces[0] <= limit_bytes:
                size += self.pieces.popleft()
        taken = bytes(self.parts[stream][:size])
        del self.parts[stream][:size]
        return taken

    def write(self, stream: str, data: bytes) -> None:
        """Add to a stream; waits while too much lies there unfetched. Raises Broken."""
        with self.changed:
            self.changed.wait_for(lambda: self.broken or len(self.parts[stream]) < PIPE_BYTES)
            if self.broken:
                raise Broken
            self.parts[stream] += data
            self.changed.notify_all()

    def end(self, exit_code: int) -> None:
        """The command has ended; the first end counts."""
        with self.changed:
            if self.exit_code is None:
                self.exit_code = exit_code
            self.broken = True
            self.changed.notify_all()


@dataclass
class Call:
    """One command line that is to run, with all that it sees of its shell."""

    line: str
    through_cmd: bool
    identity: Identity
    environment: Mapping[str, str]
    directory: str
    code_page: int
    profile: bool
    stdin: Input
    output: Output
    stopped: threading.Event

    @property
    def encoding(self) -> str:
        """How text is written in the code page of the shell."""
        return "utf-8" if self.code_page == UTF_8 else f"cp{self.code_page}"

    def out(self, data: bytes) -> None:
        """Write to standard output. Raises Broken."""
        self.output.write("stdout", data)

    def err(self, data: bytes) -> None:
        """Write to standard error. Raises Broken."""
        self.output.write("stderr", data)


class Executes(Protocol):
    """The host behind the wire."""

    def run(self, call: Call) -> int:
        """Run the command line to its end and give its exit code; keeps an eye on ``call.stopped``."""
        ...


def start(executes: Executes, call: Call, told: Callable[[BaseException], None]) -> threading.Thread:
    """Run it beside; its end stands in ``call.output``. A failure of the simulation itself is told and ends with 1."""

    def run() -> None:
        try:
            code = executes.run(call)
        except Broken:
            code = STOPPED_BY_CTRL_C
        except BaseException as error:  # noqa: BLE001 - a fault of the simulation must be seen by the test, not lost in a thread
            told(error)
            with contextlib.suppress(Broken):
                call.output.write("stderr", f"simulation failed: {type(error).__name__}: {error}\r\n".encode())
            code = 1
        call.output.end(code)

    thread = threading.Thread(target=run, daemon=True, name=f"command {call.line[:40]}")
    thread.start()
    return thread
