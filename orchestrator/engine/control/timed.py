"""Work that may hang (PAM modules, name services, Kerberos) in threads of its own, each waited for with a limit.

Python cannot end a thread. One that hangs keeps its place until it ends by itself, so that at most ``at_once`` of them exist;
the event loop goes on, and a daemon that stops does not wait for them (they are daemon threads).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

Result = TypeVar("Result")


class TimedThreads:
    """Used from one event loop. ``limit_s`` covers waiting for a place and the work."""

    def __init__(self, limit_s: float = 30.0, at_once: int = 4) -> None:
        self.limit_s = limit_s
        self._places = asyncio.Semaphore(at_once)

    async def run(self, work: Callable[[], Result]) -> Result:
        """What ``work`` gives or raises.

        Raises:
            TimeoutError: it did not end within the limit.
        """
        async with asyncio.timeout(self.limit_s):
            await self._places.acquire()
            loop = asyncio.get_running_loop()
            ended: asyncio.Future[Result] = loop.create_future()
            threading.Thread(target=self._work, args=(work, loop, ended), daemon=True, name="log-in").start()
            return await ended

    def _work(self, work: Callable[[], Result], loop: asyncio.AbstractEventLoop, ended: asyncio.Future[Result]) -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001  it is raised where it is awaited
            self._tell(loop, ended, lambda error=error: ended.set_exception(error))  # type: ignore[misc]
        else:
            self._tell(loop, ended, lambda: ended.set_result(result))

    def _tell(self, loop: asyncio.AbstractEventLoop, ended: asyncio.Future[Result], settle: Callable[[], None]) -> None:
        def on_loop() -> None:
            self._places.release()
            if not ended.done():
                settle()

        with suppress(RuntimeError):  # the loop has ended: nobody waits any more
            loop.call_soon_threadsafe(on_loop)
