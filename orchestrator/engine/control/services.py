"""The protected services of this host: a systemd unit, or a command that the daemon runs and watches.

A protected service never starts by itself: a start is refused while the fence of its protection holds, and a unit is expected to
be disabled and ordered behind the boot fence (scripts/host). Services outlive the daemon; a restarted daemon finds them.

Locks: one per service, held during start and stop, so that deeds on one service follow each other; status takes none.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from orchestrator.engine.control import schema, store
from orchestrator.engine.control.answers import ServiceStatus
from orchestrator.engine.control.backends import (
    HEALTH_BUDGET_S,
    Backend,
    CommandBackend,
    UnitBackend,
    answers_well,
    run_quietly,
)
from orchestrator.engine.control.errors import Fenced, ServiceFailed, Unknown

STEADY_S = 0.3


class ServiceKeeper:
    """One service with its backend, health and lock."""

    def __init__(self, service: schema.Service, protection: str, directory: Path) -> None:
        self.service = service
        self.protection = protection
        directory.mkdir(mode=0o700, exist_ok=True)
        self.backend: Backend = UnitBackend(service) if service.unit else CommandBackend(service, directory)
        self.lock = threading.Lock()
        self._wanted = directory / "wanted"

    @property
    def wanted(self) -> bool:
        """Whether somebody started it and nobody stopped it since; a fence does not change what is wanted."""
        return self._wanted.exists()

    def want(self, *, on: bool) -> None:
        """Remember durably that it shall run, or not."""
        if on:
            store.write_text(self._wanted, "")
        else:
            store.remove(self._wanted)

    def healthy(self) -> bool | None:
        """Whether it answers; None when no health question is configured."""
        if self.service.health_command:
            return run_quietly(self.service.health_command, HEALTH_BUDGET_S)
        return answers_well(self.service.health_url) if self.service.health_url else None

    def status(self, fence: str | None, *, ask_health: bool) -> ServiceStatus:
        """How it is."""
        state, pid = self.backend.state()
        healthy = self.healthy() if ask_health and state == "running" else None
        says = f"{self.service.name} is {state}" + (f", fenced: {fence}" if fence else "")
        return ServiceStatus(
            name=self.service.name,
            protection=self.protection,
            backend=self.backend.kind,
            state=state,
            pid=pid,
            healthy=healthy,
            fenced=fence is not None,
            start_type=self.backend.start_type,
            says=says,
        )

    def _is_up(self, running_s: float) -> bool:
        """Healthy; or, where no health question is configured, running for a moment already."""
        healthy = self.healthy()
        return running_s >= STEADY_S if healthy is None else healthy

    def start(self) -> None:
        """Start it and wait for health; what does not become healthy is stopped again.

        Raises:
            ServiceFailed: it ended, or did not become healthy in time.
        """
        began_s = time.monotonic()
        self.backend.start()
        until = began_s + self.service.start_timeout_s
        while True:
            state, _ = self.backend.state()
            if state == "running" and self._is_up(time.monotonic() - began_s):
                return
            if state == "failed":
                why = "it ended at once"
                break
            if time.monotonic() >= until:
                why = f"it was not healthy after {self.service.start_timeout_s:g} s"
                break
            time.sleep(0.05)
        self.backend.stop(self.service.grace_s)
        raise ServiceFailed(name=self.service.name, deed="start", why=why, output=self.backend.output)


class Services:
    """All protected services of this engine. ``fence_of`` says why a protection is fenced, or None."""

    def __init__(self, directory: Path, fence_of: Callable[[str], str | None]) -> None:
        self._directory = directory
        self._fence_of = fence_of
        self._lock = threading.Lock()
        self._keepers: dict[str, ServiceKeeper] = {}

    def configure(self, protection: str, services: list[schema.Service]) -> None:
        """Take over the services of a protection's document; those no longer named are forgotten, not stopped."""
        with self._lock:
            rest = {name: keeper for name, keeper in self._keepers.items() if keeper.protection != protection}
            for service in services:
                known = self._keepers.get(service.name)
                same = known is not None and known.service == service and known.protection == protection
                rest[service.name] = (
                    known if same and known else ServiceKeeper(service, protection, self._directory / service.name)
                )
            self._keepers = rest

    def owner(self, name: str) -> str | None:
        """The protection that a service name belongs to."""
        keeper = self._keepers.get(name)
        return keeper.protection if keeper else None

    def listed(self) -> list[ServiceStatus]:
        """All services, without asking their health."""
        return [keeper.status(self._fence_of(keeper.protection), ask_health=False) for keeper in self._keepers.values()]

    def status(self, name: str) -> ServiceStatus:
        """One service, its health asked now."""
        keeper = self._keeper(name)
        return keeper.status(self._fence_of(keeper.protection), ask_health=True)

    def start(self, name: str) -> ServiceStatus:
        """Start a service.

        Raises:
            Fenced: the fence of its protection holds.
        """
        keeper = self._keeper(name)
        with keeper.lock:
            self._refuse_if_fenced(keeper, f"starting {name}")
            keeper.start()
            keeper.want(on=True)
        fence = self._fence_of(keeper.protection)
        if fence is not None:  # it came while we were starting
            self._stop(keeper, keeper.service.grace_s)
            raise Fenced(what=f"starting {name}", protection=keeper.protection, why=fence)
        return self.status(name)

    def stop(self, name: str) -> ServiceStatus:
        """Stop a service; it is not wanted any more."""
        keeper = self._keeper(name)
        keeper.want(on=False)
        self._stop(keeper, keeper.service.grace_s)
        return self.status(name)

    def start_all(self, protection: str) -> list[str]:
        """Start the services of a protection in order; gives their names."""
        names = self.names(protection)
        for name in names:
            self.start(name)
        return names

    def start_wanted(self, protection: str) -> list[str]:
        """Start those services of a protection that ran before a fence or a restart, in order; gives their names."""
        names = [name for name in self.names(protection) if self._keepers[name].wanted]
        for name in names:
            self.start(name)
        return names

    def stop_all(self, protection: str, within_s: float | None = None) -> list[str]:
        """Stop the services of a protection in reverse order, what is wanted unchanged; gives the names of those that ran.

        ``within_s``: all of them must be gone after so long, whatever their grace is.
        """
        until = None if within_s is None else time.monotonic() + within_s
        ran = [name for name in self.names(protection) if self._keepers[name].backend.state()[0] == "running"]
        for name in reversed(ran):
            keeper = self._keepers[name]
            left_s = keeper.service.grace_s if until is None else max(0.0, until - time.monotonic())
            self._stop(keeper, min(keeper.service.grace_s, left_s))
        return ran

    def any_running(self, protection: str) -> bool:
        """Say whether a service of the protection runs."""
        return any(self._keepers[name].backend.state()[0] == "running" for name in self.names(protection))

    def names(self, protection: str) -> list[str]:
        """The services of a protection in start order."""
        return [name for name, keeper in self._keepers.items() if keeper.protection == protection]

    def _keeper(self, name: str) -> ServiceKeeper:
        keeper = self._keepers.get(name)
        if keeper is None:
            raise Unknown(kind="service", name=name, listing="services list")
        return keeper

    @staticmethod
    def _stop(keeper: ServiceKeeper, grace_s: float) -> None:
        with keeper.lock:
            keeper.backend.stop(grace_s)

    def _refuse_if_fenced(self, keeper: ServiceKeeper, what: str) -> None:
        fence = self._fence_of(keeper.protection)
        if fence is not None:
            raise Fenced(what=what, protection=keeper.protection, why=fence)
