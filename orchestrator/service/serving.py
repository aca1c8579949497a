"""`dtam serve`: one process, a watch for each protection whose target has no engine, and a door for people.

The list of protections is read again every few seconds, so that what a command enables is watched without being told. One state directory has one such process.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.errors import DtamError
from orchestrator.executing import Progress
from orchestrator.failover import kept
from orchestrator.model.conditions import Stage
from orchestrator.pipeline import Pipeline
from orchestrator.service.door import Door
from orchestrator.service.errors import ServedAlready
from orchestrator.service.hand import Hand, Opened, over
from orchestrator.service.watching import Watch
from orchestrator.service.wire import Reply, Request

LIST_AGAIN_S = 2.0
HEAR_AGAIN_S = 20.0
WATCHED = {Stage.ENABLED, Stage.FAILED_OVER, Stage.RESTORED}
log = logging.getLogger("dtam.serve")


class Service:
    """The whole process; ``run`` ends when ``stop`` is set and everything was ended in order."""

    def __init__(self, home: Path, opened: Opened | None = None) -> None:
        self._home = home
        self._opened = opened or over(home)
        self._watches: dict[str, tuple[Watch, asyncio.Task[None], asyncio.Event]] = {}
        self._heard: dict[str, list[asyncio.Queue[Reply]]] = {}
        self._list = Hand(self._opened, "list")

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until told to stop.

        Raises:
            ServedAlready: another one works over this state directory.
        """
        with _alone(self._home):
            door = Door(kept.place(self._home) / "socket", self._answer)
            await door.open()
            log.info("dtam serve watches over %s", self._home)
            _notify("READY=1")
            try:
                while not stop.is_set():
                    await self._look_at_list()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), LIST_AGAIN_S)
            finally:
                _notify("STOPPING=1")
                await door.close()
                await asyncio.gather(*(self._end(name) for name in list(self._watches)))
                await self._list.close()
                log.info("dtam serve ends")

    async def _look_at_list(self) -> None:
        try:
            wanted = set(await self._list.submit(_watched))
        except DtamError as error:
            log.warning("the list of protections cannot be read: %s", error)
            return
        for name in wanted - self._watches.keys():
            self._begin(name)
        for name in self._watches.keys() - wanted:
            await self._end(name)

    def _begin(self, name: str) -> None:
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()

        def tell(progress: Progress) -> None:
            loop.call_soon_threadsafe(self._progress, name, progress)

        watch = Watch(self._home, name, self._opened, tell)
        self._watches[name] = (watch, asyncio.create_task(watch.run(stop), name=name), stop)
        log.info("%s: is watched", name)

    async def _end(self, name: str) -> None:
        _, task, stop = self._watches.pop(name)
        stop.set()
        try:
            await task
        except Exception:
            log.exception("%s: the watch ended by a mistake of the program", name)
        log.info("%s: is watched no longer", name)

    def _progress(self, name: str, progress: Progress) -> None:
        says = progress.says or progress.step.sentence
        if progress.event != "waiting":
            log.info("%s: %s: %s: %s", name, progress.step.id, progress.event, says)
        for queue in self._heard.get(name, ()):
            queue.put_nowait(Reply(says, step=progress.step.id, event=progress.event))

    # -- people

    async def _answer(self, request: Request) -> AsyncIterator[Reply]:
        if request.verb == "status":
            yield Reply("dtam serve is at work", last=True, protections=tuple(sorted(self._watches)))
            return
        found = self._watches.get(request.protection)
        if found is None:
            hint = "it watches protections that are enabled and whose target has no engine"
            yield Reply(f"{request.protection} is not watched here", last=True, refused=True, hint=hint)
            return
        if request.verb == "monitor":
            found[0].change(switched=request.on)
            log.info("%s: %s turned the watch %s", request.protection, request.by, "on" if request.on else "off")
            yield Reply(f"the watch over {request.protection} is {'on' if request.on else 'off'}", last=True)
        elif request.verb == "failover":
            async for reply in self._fail_over(found[0], request):
                yield reply
        else:
            yield Reply(f"there is no request {request.verb}", last=True, refused=True)

    async def _fail_over(self, watch: Watch, request: Request) -> AsyncIterator[Reply]:
        """Let the watch begin it, and tell how it goes. Whoever asked may go away: it goes on."""
        if watch.is_at_work:
            yield Reply("a failover is under way already", last=True, refused=True, hint="dtam monitor follows it")
            return
        queue: asyncio.Queue[Reply] = asyncio.Queue()
        self._heard.setdefault(watch.protection, []).append(queue)
        watch.ended = asyncio.Event()
        why = watch.kept.waiting or "asked for by a person"
        watch.change(
            waiting=why, approved=request.by, forced=request.forced, graceful=request.graceful, data=request.data
        )
        try:
            while not (watch.ended.is_set() and queue.empty()):
                reply = await _next(queue, watch.ended)
                if reply is not None:
                    yield reply
            says, run = watch.last
            yield Reply(says, last=True, run=run, refused=not run)
        finally:
            self._heard[watch.protection].remove(queue)


async def _next(queue: asyncio.Queue[Reply], ended: asyncio.Event) -> Reply | None:
    """The next line; one that says that it goes on where nothing happens for long; None when it has ended."""
    waits = [asyncio.ensure_future(queue.get()), asyncio.ensure_future(ended.wait())]
    done, left = await asyncio.wait(waits, timeout=HEAR_AGAIN_S, return_when=asyncio.FIRST_COMPLETED)
    for one in left:
        one.cancel()
    if waits[0] in done:
        return waits[0].result()  # type: ignore[return-value]
    return None if done else Reply("it goes on", event="waiting")


def _watched(pipeline: Pipeline) -> list[str]:
    protections = pipeline.store.protections()
    return [one.id for one in protections if one.pair.target.engine is None and one.stage in WATCHED]


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    place = kept.place(home)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(place / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ServedAlready(home=home) from None
        yield
    finally:
        os.close(descriptor)


def _notify(state: str) -> None:
    """Tell systemd, where it asked to be told (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.sendto(state.encode(), "\0" + address[1:] if address.startswith("@") else address)


async def serve(home: Path, opened: Opened | None = None) -> None:
    """Serve until SIGTERM or SIGINT; a second one kills. ``opened`` opens pipelines, by default over ``home``."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stopping, stop, number)
    await Service(home, opened).run(stop)


def _stopping(stop: asyncio.Event, number: signal.Signals) -> None:
    stop.set()
    loop = asyncio.get_running_loop()
    loop.remove_signal_handler(number)
