"""The target asks the application on its source, at an interval, while the source serves; errors in a row are an alert, never a failover.

``look`` is one round, made in a thread; ``health`` is replaced whole, so that a status reads it without a lock. A person's round (``now``)
and the interval's come one after the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrator.engine.control import commands
from orchestrator.engine.control.errors import Conflict
from orchestrator.engine.control.guard import Rooms
from orchestrator.engine.control.schema_application import ApplicationWatch
from orchestrator.engine.monitor.application import ApplicationHealth, Point, ask


class Asking:
    """The application of one protection. ``waiting`` says whether this target stands by; ``watching`` whether its monitor is on."""

    def __init__(
        self, protection: str, rooms: Rooms, waiting: Callable[[], bool], watching: Callable[[], bool]
    ) -> None:
        self._id = protection
        self._rooms = rooms
        self._waiting = waiting
        self._watching = watching
        self._lock = threading.Lock()
        self._ended = False
        settings = self.settings
        self.health = None if settings is None else ApplicationHealth(settings.errors)

    @property
    def settings(self) -> ApplicationWatch | None:
        """How it is asked; None: nobody wants that."""
        return self._rooms.documents.get(self._id).monitor.application

    async def run(self, stop: asyncio.Event) -> None:
        """Ask at the interval, until ``stop``."""
        settings = self.settings
        while settings is not None and not stop.is_set():
            if self._waiting() and self._watching():
                await asyncio.to_thread(self.look)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), settings.interval_s)

    def look(self) -> None:
        """One round; news of it are told once."""
        settings, before = self.settings, self.health
        if settings is None or before is None:
            return
        with self._lock:
            answer = ask(
                [Point(one.name, tuple(one.command), one.reads) for one in settings.points],
                self._environment(settings),
                settings.timeout_s,
                str(self._rooms.layout.root),
            )
            if self._ended:
                return
            self.health = before.after(answer)
        news = self.health.news_since(before)
        if news:
            tell = self._rooms.events.alert if self.health.alarmed else self._rooms.events.tell
            with contextlib.suppress(OSError):
                tell("application", f"{self._id}: {news}")

    def now(self) -> None:
        """One round because a person asks, which is how credentials and script are tested.

        Raises:
            Conflict: nothing is to be asked.
        """
        if self.health is None:
            why = "its protection says nothing of application monitoring"
            raise Conflict(
                what=f"asking the application of {self._id}",
                why=why,
                hint="give monitoring.application, then dtam enable",
            )
        if not self._waiting():
            why = "this target serves, or is about to"
            raise Conflict(what=f"asking the application of {self._id}", why=why, hint="see dtengine protections show")
        self.look()

    def retire(self) -> None:
        """Another one takes over: what is under way counts no more."""
        self._ended = True

    @property
    def details(self) -> dict[str, Any]:
        """What a status says of it; empty where nothing is asked, and while this target serves."""
        health = self.health
        if health is None or not self._waiting():
            return {}
        told = {"errors": health.errors, "allowed": health.allowed, "alarmed": health.alarmed}
        return {"application": told | {"says": health.sentence}}

    def _environment(self, settings: ApplicationWatch) -> dict[str, str]:
        own_programs = Path(sys.executable).parent
        plain = {"PATH": f"{own_programs}:{commands.PLAIN_PATH}", "LANG": "C.UTF-8"}
        return plain | {"DTENGINE_STATE": str(self._rooms.layout.root)} | settings.environment
