"""Redirections: streams into the output, into a file, or nowhere."""

from __future__ import annotations

import ntpath
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from tests.lab.windows.powershell import tree as t
from tests.lab.windows.powershell.convert import to_text
from tests.lab.windows.powershell.frames import Frame
from tests.lab.windows.powershell.values import OutsideSubset, Terminating

if TYPE_CHECKING:
    from tests.lab.windows.powershell.evaluate import Interpreter as Base
else:
    Base = object

STREAMS = {"2": "error", "3": "warning", "4": "verbose", "5": "debug", "6": "information"}


class Redirecting(Base):
    """The part of the interpreter that sends streams elsewhere."""

    def redirected(self, stream: Iterator[Any], redirections: list[t.Redirection], frame: Frame) -> Iterator[Any]:
        """Send streams elsewhere: into the output (`2>&1`), a file, or nowhere."""
        merged: deque[Any] = deque()
        sinks = dict(self.sinks)
        into_file: tuple[Any, bool] | None = None
        drop = False
        for one in redirections:
            names = list(STREAMS.values()) if one.stream == "*" else [STREAMS[one.stream]] if one.stream != "1" else []
            if one.into is None:
                for name in names:
                    sinks[name] = merged.append
                if "information" in names:
                    sinks["host"] = merged.append
                continue
            target = self.evaluate(one.into, frame)
            if target is not None and one.stream not in {"1", "*"}:
                raise OutsideSubset("a stream other than the output into a file lies outside the subset")
            for name in names:
                sinks[name] = _nowhere
            if "information" in names:
                sinks["host"] = _nowhere
            if one.stream in "1*":
                drop = target is None
                into_file = None if target is None else (target, one.append)
        routed = self._routed(stream, sinks, merged, frame)
        if into_file is not None:
            return self.into_file(routed, to_text(into_file[0]), append=into_file[1], frame=frame)
        return self._dropped(routed) if drop else routed

    def _routed(
        self, stream: Iterator[Any], sinks: dict[str, Callable[[Any], None]], merged: deque[Any], frame: Frame
    ) -> Iterator[Any]:
        while True:
            saved, self.sinks = self.sinks, sinks
            try:
                item = next(stream)
            except StopIteration:
                break
            except Terminating as error:
                if (
                    error.everywhere
                    or self.trying
                    or "error" not in sinks
                    or self.preference("ErrorActionPreference", frame) == "Stop"
                ):
                    raise
                self.ok = False
                self.remember(error.record)
                sinks["error"](error.record)
                break
            finally:
                self.sinks = saved
                ready = list(merged)
                merged.clear()
            yield from ready
            yield item
        yield from ready

    def _dropped(self, stream: Iterator[Any]) -> Iterator[Any]:
        for _ in stream:
            pass
        yield from ()

    def into_file(self, stream: Iterator[Any], name: str, *, append: bool, frame: Frame) -> Iterator[Any]:
        """`>` and `>>`: UTF-16 with a byte order mark, as 5.1 writes."""
        from tests.lab.windows.powershell.formatting import lines_of

        path = self.machine.files.open_path(ntpath.normpath(ntpath.join(self.location, name)))
        text = "".join(line + "\r\n" for line in lines_of(list(stream)))
        old = path.read_bytes() if append and path.exists() else b""
        mark = b"" if old else b"\xff\xfe"
        path.write_bytes(old + mark + text.encode("utf-16-le"))
        yield from ()


def _nowhere(_: Any) -> None:
    """Where `$null` leads."""
