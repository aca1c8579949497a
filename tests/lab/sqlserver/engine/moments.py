"""The moments in which bytes on the disk change: whoever replicates the volumes underneath is told of each, once a thread."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from tests.lab.sqlserver.engine.messages import fail

Writing = Callable[[], contextlib.AbstractContextManager[None]]


class Moments:
    """Enters the given context at the outermost level of each thread."""

    def __init__(self, writing: Writing) -> None:
        self._writing = writing
        self._here = threading.local()

    def enter(self) -> None:
        """SqlFailure 823 when the volume is not ready."""
        depth = getattr(self._here, "depth", 0)
        if depth == 0:
            context = self._writing()
            try:
                context.__enter__()
            except OSError as error:
                raise fail(
                    823, f"21(The device is not ready: {error})", "write", "0x0000000000000000", "the volume"
                ) from error
            self._here.context = context
        self._here.depth = depth + 1

    def leave(self) -> None:
        """The outermost one waits until the bytes are where they must be."""
        self._here.depth -= 1
        if self._here.depth == 0:
            context, self._here.context = self._here.context, None
            context.__exit__(None, None, None)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Around some work."""
        self.enter()
        try:
            yield
        finally:
            self.leave()
