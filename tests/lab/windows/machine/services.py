"""Services: what runs, what may be asked of it, what depends on what, how long it takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.lab.windows.machine.default_services import default_services, record, rows_of_feature
from tests.lab.windows.machine.part import Part
from tests.lab.windows.machine.refusals import Refused, win32

START_TYPES = ("Automatic", "AutomaticDelayedStart", "Manual", "Disabled")
PENDING = {"StartPending": "Running", "StopPending": "Stopped", "PausePending": "Paused", "ContinuePending": "Running"}


class DoesNotStart(Exception):
    """What is behind a service ended at once; ``code`` is its Win32 exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(f"ended with {code}")
        self.code = code


@dataclass
class Running:
    """What a service is at the moment; gone with the power."""

    status: str = "Stopped"
    settles_at: float = 0.0
    pid: int = 0
    exit_code: int = 0
    started_at: float | None = None


class Services(Part):
    """The service control manager."""

    file = "services"

    def fresh(self) -> dict[str, Any]:
        return {"services": default_services(self.machine.settings.features)}

    def power_on(self) -> None:
        self._running: dict[str, Running] = {}
        self._delayed: list[tuple[float, str]] = []
        self._next_pid = 600
        self.on_running: dict[str, list[Callable[[], None]]] = {}
        self.on_stopped: dict[str, list[Callable[[], None]]] = {}

    def all(self) -> list[dict[str, Any]]:
        """Every service, in the order of names."""
        return sorted(self.data["services"], key=lambda one: one["name"].lower())

    def find(self, name: str) -> dict[str, Any] | None:
        """The service of that name (not display name), whatever the case."""
        return next((one for one in self.data["services"] if one["name"].lower() == name.lower()), None)

    def get(self, name: str) -> dict[str, Any]:
        """The same, refused with 1060 when there is none."""
        found = self.find(name)
        if found is None:
            raise win32(1060, "NoServiceFoundForGivenName")
        return found

    def state(self, name: str) -> Running:
        """What it is now."""
        state = self._running.setdefault(name.lower(), Running())
        self._settle(name, state)
        return state

    def status(self, name: str) -> str:
        """Stopped, StartPending, StopPending, Running or Paused."""
        return self.state(name).status

    def is_running(self, name: str) -> bool:
        """Whether it runs now."""
        return self.status(name) == "Running"

    def required(self, name: str) -> list[dict[str, Any]]:
        """The services that it needs directly."""
        return [one for needed in self.get(name)["requires"] if (one := self.find(needed))]

    def dependents(self, name: str, *, running: bool = False) -> list[dict[str, Any]]:
        """Those that need it, directly or not, the outermost first."""
        found: list[dict[str, Any]] = []
        for one in self.all():
            if name.lower() not in [needed.lower() for needed in one["requires"]]:
                continue
            found += [further for further in [*self.dependents(one["name"]), one] if further not in found]
        return [one for one in found if not running or self.status(one["name"]) != "Stopped"]

    def create(self, name: str, display: str, path: str, **other: Any) -> dict[str, Any]:
        """Install one; refused with 1073 when the name is taken."""
        if self.find(name):
            raise win32(1073, "CouldNotNewService")
        made = record((name, display, "Automatic", "", "LocalSystem", "x"), "Win32OwnProcess") | {"path": path} | other
        self.data["services"].append(made)
        self.save()
        self._mirror(made)
        return made

    def add_of_feature(self, feature: str) -> None:
        """The services that a newly installed feature brings."""
        for row in rows_of_feature(feature):
            if not self.find(row[0]):
                self.data["services"].append(record(row))
                self.begin_start(row[0])
        self.save()

    def delete(self, name: str) -> None:
        """Remove it; a running one must be stopped first (Windows would mark it for deletion)."""
        if self.status(name) != "Stopped":
            raise win32(1072, "ServiceMarkedForDeletion")
        self.data["services"].remove(self.get(name))
        self.save()

    def configure(self, name: str, /, **changes: Any) -> None:
        """Change start type, display name, description, account, dependencies."""
        service = self.get(name)
        if changes.get("start", "Manual") not in START_TYPES:
            raise win32(87, "CouldNotSetService")
        service.update(changes)
        self.save()
        self._mirror(service)

    def begin_start(self, name: str) -> None:
        """Ask it to start, and what it needs before it; Win32 errors 1056, 1058, 1068 as refusals."""
        service, state = self.get(name), self.state(name)
        if state.status != "Stopped":
            raise win32(1056, "CouldNotStartService")
        if service["start"] == "Disabled":
            raise win32(1058, "CouldNotStartService")
        delay = 0.0
        for needed in self.required(name):
            delay = max(delay, self._start_needed(needed["name"]))
        slow = self.machine.faults.slow_start_s.get(name.lower(), 0.0)
        self._next_pid += 4
        state.status, state.exit_code, state.pid = "StartPending", 0, self._next_pid
        state.settles_at = self.machine.now() + delay + slow
        self._settle(name, state)

    def _start_needed(self, name: str) -> float:
        """Start what another needs; seconds until it will run. A failure is 1068."""
        if self.status(name) == "Stopped":
            try:
                self.begin_start(name)
            except Refused as why:
                raise win32(1068, "CouldNotStartService") from why
        state = self.state(name)
        if state.status == "Stopped":
            raise win32(1068, "CouldNotStartService")
        return max(0.0, state.settles_at - self.machine.now()) if state.status == "StartPending" else 0.0

    def begin_stop(self, name: str) -> None:
        """Ask it to stop; 1051 while dependents run, 1062 when it does not run, 1061 while it is pending."""
        self.get(name)
        state = self.state(name)
        if state.status == "Stopped":
            raise win32(1062, "CouldNotStopService")
        if state.status in PENDING:
            raise win32(1061, "CouldNotStopService")
        if self.dependents(name, running=True):
            raise win32(1051, "ServiceHasDependentServices")
        slow = self.machine.faults.slow_stop_s.get(name.lower(), 0.0)
        state.status, state.settles_at = "StopPending", self.machine.now() + slow
        self._settle(name, state)

    def set_paused(self, name: str, *, paused: bool) -> None:
        """Pause or continue one that can."""
        state = self.state(name)
        if not self.get(name)["can_pause"] or state.status not in {"Running", "Paused"}:
            raise win32(1061, "CouldNotSuspendService")
        state.status = "Paused" if paused else "Running"

    def kill(self, name: str) -> None:
        """Its process dies, as by a crash."""
        self._become_stopped(name, self.state(name), 1067)

    def next_settling(self, name: str) -> float | None:
        """When its pending state ends; None while it hangs or is settled."""
        state = self.state(name)
        hangs = state.status == "StopPending" and name.lower() in self.machine.faults.hanging_stop
        return state.settles_at if state.status in PENDING and not hangs else None

    def boot(self) -> None:
        """Start the automatic ones, each after what it needs; the delayed ones later."""
        for driver in [one for one in self.data["services"] if one["kind"] == "KernelDriver"]:
            self._running[driver["name"].lower()] = Running("Running", started_at=self.machine.now())
        for service in self.data["services"]:
            self._mirror(service)
            if service["start"] == "Automatic":
                self._try_start(service["name"])
            elif service["start"] == "AutomaticDelayedStart":
                self._delayed.append((self.machine.now() + self.machine.settings.delayed_start_s, service["name"]))

    def tick(self, now: float) -> None:
        """Settle what is pending and start what was delayed."""
        due = [name for at, name in self._delayed if at <= now]
        self._delayed = [(at, name) for at, name in self._delayed if at > now]
        for name in due:
            self._try_start(name)
        for name in list(self._running):
            self.state(name)

    def _try_start(self, name: str) -> None:
        if not self.find(name) or self.status(name) != "Stopped":
            return
        try:
            self.begin_start(name)
        except Refused as why:
            source = "Service Control Manager"
            self.machine.events.write(
                "System", source, 7000, "Error", f"The {name} service failed to start: {why.message}"
            )

    def _settle(self, name: str, state: Running) -> None:
        if state.status not in PENDING or state.settles_at > self.machine.now():
            return
        if state.status == "StartPending":
            failing = self.machine.faults.failing_start.get(name.lower())
            if failing is not None:
                self._become_stopped(name, state, failing)
            else:
                self._become_running(name, state)
        elif name.lower() not in self.machine.faults.hanging_stop:
            self._become_stopped(name, state, 0)

    def _become_running(self, name: str, state: Running) -> None:
        if name.lower() in self._deeds():
            state.settles_at = math.inf  # who asks meanwhile is told that it is pending
            try:
                self._deeds()[name.lower()][0]()
            except DoesNotStart as why:
                self._become_stopped(name, state, why.code)
                return
        state.status, state.started_at = "Running", self.machine.now()
        self._tell(self.on_running, name)
        self._note(name, "running")

    def _become_stopped(self, name: str, state: Running, exit_code: int) -> None:
        was_running = state.status in {"Running", "StopPending", "Paused"}
        state.status, state.pid, state.exit_code, state.started_at = "Stopped", 0, exit_code, None
        if was_running and name.lower() in self._deeds():
            self._deeds()[name.lower()][1]()
        self._tell(self.on_stopped, name)
        self._note(name, "stopped")

    def _deeds(self) -> dict[str, tuple[Callable[[], None], Callable[[], None]]]:
        return {name.lower(): deed for name, deed in self.machine.hooks.deeds.items()}

    def _tell(self, listeners: dict[str, list[Callable[[], None]]], name: str) -> None:
        for listener in listeners.get(name.lower(), []):
            listener()

    def _note(self, name: str, what: str) -> None:
        if self.machine.booted:
            text = f"The {self.get(name)['display']} service entered the {what} state."
            self.machine.events.write("System", "Service Control Manager", 7036, "Information", text)

    def _mirror(self, service: dict[str, Any]) -> None:
        """The service's key in the registry."""
        key = rf"SYSTEM\CurrentControlSet\Services\{service['name']}"
        numbers = {"Automatic": 2, "AutomaticDelayedStart": 2, "Manual": 3, "Disabled": 4}
        put = self.machine.registry.put
        put(key, "Start", "DWord", numbers[service["start"]])
        put(key, "DisplayName", "String", service["display"])
        put(key, "ImagePath", "ExpandString", service["path"])
        put(key, "ObjectName", "String", service["account"])
        put(key, "DependOnService", "MultiString", list(service["requires"]))
        put(key, "DelayedAutostart", "DWord", int(service["start"] == "AutomaticDelayedStart"))

    def processes(self) -> Iterator[tuple[int, dict[str, Any], Running]]:
        """Those that have a process now."""
        for service in self.all():
            state = self.state(service["name"])
            if state.status != "Stopped" and service["kind"] != "KernelDriver":
                yield state.pid, service, state
