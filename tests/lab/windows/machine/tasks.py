"""Scheduled tasks: what they run, when, and how the last run ended; a running one is detached from whoever started it."""

from __future__ import annotations

import threading
from typing import Any

from tests.lab.windows.machine.part import Part
from tests.lab.windows.machine.refusals import Refused

CLASS = "PS_ScheduledTask"
RUNNING, NOT_YET_RUN, TERMINATED = 0x41301, 0x41303, 0x41306
NEVER = 943920000.0  # 30 November 1999, which LastRunTime shows before the first run


def task_error(message: str, hresult: str, category: str = "NotSpecified", code: int = 1) -> Refused:
    """The provider's error as Register-ScheduledTask and its like show it."""
    exception = "Microsoft.Management.Infrastructure.CimException"
    return Refused(message, f"HRESULT {hresult}", category, exception, CLASS, code)


def no_such_task(name: str) -> Refused:
    """The answer to Get-ScheduledTask -TaskName of one that is not there."""
    message = f"No MSFT_ScheduledTask objects found with property 'TaskName' equal to '{name}'.  Verify the value of the property and retry."
    exception = "Microsoft.PowerShell.Cmdletization.Cim.CimJobException"
    return Refused(message, "CmdletizationQuery_NotFound_TaskName", "ObjectNotFound", exception, name)


class Tasks(Part):
    """The task scheduler's library."""

    file = "tasks"

    def fresh(self) -> dict[str, Any]:
        return {"tasks": {}}

    def power_on(self) -> None:
        self._due: dict[tuple[str, int], float] = {}
        self._threads: dict[str, threading.Thread] = {}
        self._stopping: set[str] = set()
        self._retries: dict[str, int] = {}

    def boot(self) -> None:
        """Startup triggers count from now; a run that the power cut ended is known as such."""
        for key, task in self.data["tasks"].items():
            if task["result"] == RUNNING:
                task["result"] = TERMINATED
            self._plan(key, task, at_boot=True)

    @staticmethod
    def key(path: str, name: str) -> str:
        """How a task is found, whatever the case."""
        return (path.rstrip("\\") + "\\" + name).lower()

    def all(self) -> list[dict[str, Any]]:
        """Every task, by its path and name."""
        return [self.data["tasks"][key] for key in sorted(self.data["tasks"])]

    def find(self, name: str, path: str | None = None) -> dict[str, Any] | None:
        """A task by its name, in one folder or in any."""
        if path is not None:
            found: dict[str, Any] | None = self.data["tasks"].get(self.key(path, name))
            return found
        return next((one for one in self.all() if one["name"].lower() == name.lower()), None)

    def register(self, path: str, name: str, *, force: bool, **task: Any) -> dict[str, Any]:
        """Add a task.

        Raises:
            Refused: the name is taken and ``force`` was not said (0x800700b7).
        """
        key = self.key(path, name)
        if key in self.data["tasks"] and not force:
            raise task_error("Cannot create a file when that file already exists.", "0x800700b7", "ResourceExists", 183)
        folder = "\\" + path.strip("\\") + ("\\" if path.strip("\\") else "")
        self.data["tasks"][key] = {
            "path": folder,
            "name": name,
            "enabled": True,
            "last_run": NEVER,
            "result": NOT_YET_RUN,
            "missed": 0,
        } | task
        self.save()
        self._plan(key, self.data["tasks"][key], at_boot=False)
        found: dict[str, Any] = self.data["tasks"][key]
        return found

    def unregister(self, task: dict[str, Any]) -> None:
        """Remove it; a run that goes on goes on."""
        key = self.key(task["path"], task["name"])
        del self.data["tasks"][key]
        self._due = {at: due for at, due in self._due.items() if at[0] != key}
        self.save()

    def change(self, task: dict[str, Any], **changes: Any) -> None:
        """Change a task; its triggers count anew."""
        task.update(changes)
        self.save()
        self._plan(self.key(task["path"], task["name"]), task, at_boot=False)

    def is_running(self, task: dict[str, Any]) -> bool:
        """Whether a run of it goes on."""
        thread = self._threads.get(self.key(task["path"], task["name"]))
        return thread is not None and thread.is_alive()

    def state(self, task: dict[str, Any]) -> str:
        """Disabled, Ready or Running."""
        if self.is_running(task):
            return "Running"
        return "Ready" if task["enabled"] else "Disabled"

    def start(self, task: dict[str, Any]) -> None:
        """Run it now; a second run at once is left out (IgnoreNew)."""
        if not task["enabled"]:
            raise task_error("The task is disabled.", "0x80041326", code=1)
        if not self.machine.services.is_running("Schedule"):
            raise task_error("The task scheduler service is not available.", "0x80041322")  # number not confirmed
        if self.is_running(task):
            return
        key = self.key(task["path"], task["name"])
        self._stopping.discard(key)
        task.update(last_run=self.machine.now(), result=RUNNING)
        self.save()
        boots = self.machine.boots
        thread = threading.Thread(target=self._run, args=(key, task, boots), daemon=True, name=f"task {task['name']}")
        self._threads[key] = thread
        thread.start()

    def stop(self, task: dict[str, Any]) -> None:
        """End its run: its programs see that they are cancelled."""
        if self.is_running(task):
            self._stopping.add(self.key(task["path"], task["name"]))
            task["result"] = TERMINATED
            self.save()

    def is_cancelled(self, key: str, boots: int) -> bool:
        """Whether a run must end: it was stopped, the power went, or the lab took the machine away."""
        return (
            key in self._stopping
            or boots != self.machine.boots
            or not self.machine.booted
            or not self.machine.directory.exists()
        )

    def wait(self, task: dict[str, Any], timeout_s: float) -> bool:
        """For tests: until its run is over."""
        thread = self._threads.get(self.key(task["path"], task["name"]))
        if thread:
            thread.join(timeout_s)
        return not self.is_running(task)

    def _run(self, key: str, task: dict[str, Any], boots: int) -> None:
        from tests.lab.windows.machine.task_runs import run_action

        code = 0
        try:
            for action in task["actions"]:
                code = run_action(self.machine, action, task, lambda: self.is_cancelled(key, boots))
            with self.machine.lock:
                if self.is_cancelled(key, boots):
                    return
                task["result"] = code
                self.save()
                self._retry(key, task, code)
        except OSError:
            if self.machine.directory.exists():  # else the lab took the whole machine away under its task
                raise

    def _retry(self, key: str, task: dict[str, Any], code: int) -> None:
        count, interval = task["settings"].get("restart_count", 0), task["settings"].get("restart_interval_s", 0)
        used = self._retries.get(key, 0)
        if code and interval and used < count:
            self._retries[key] = used + 1
            self._due[key, -1] = self.machine.now() + interval
        elif not code:
            self._retries.pop(key, None)

    def _plan(self, key: str, task: dict[str, Any], *, at_boot: bool) -> None:
        self._due = {at: due for at, due in self._due.items() if at[0] != key}
        now = self.machine.now()
        for at, trigger in enumerate(task["triggers"]):
            if trigger["kind"] == "boot":
                if at_boot:
                    self._due[key, at] = now + trigger.get("delay_s", 0)
                continue
            if trigger["kind"] == "logon":
                continue
            due = self._next(trigger, now)
            missed = due is None and trigger["at"] > task["last_run"] and task["settings"].get("start_when_available")
            if due is None and missed and at_boot:
                due = now
            if due is not None:
                self._due[key, at] = due

    @staticmethod
    def _next(trigger: dict[str, Any], now: float) -> float | None:
        """The next time of a trigger by the clock; None when there is none more."""
        every = trigger.get("interval_s") or {"daily": 86400 * trigger.get("days", 1), "weekly": 604800}.get(
            trigger["kind"], 0
        )
        start = float(trigger["at"])
        if start >= now:
            return start
        if not every:
            return None
        due = start + every * (int((now - start) // every) + 1)
        until = trigger.get("duration_s")
        return due if not until or due <= start + until or trigger["kind"] != "once" else None

    def tick(self, now: float) -> None:
        """Start what is due."""
        if not self.machine.services.is_running("Schedule"):
            return
        for (key, at), due in list(self._due.items()):
            task = self.data["tasks"].get(key)
            if due > now or task is None:
                continue
            self._due.pop((key, at), None)
            self._again(key, at, task, now)
            if task["enabled"]:
                self.start(task)

    def _again(self, key: str, at: int, task: dict[str, Any], now: float) -> None:
        if at < 0:
            return
        trigger = task["triggers"][at]
        if trigger["kind"] == "boot":
            if trigger.get("interval_s"):
                self._due[key, at] = now + trigger["interval_s"]
        elif (due := self._next(trigger, now + 0.001)) is not None:
            self._due[key, at] = due

    def next_run(self, task: dict[str, Any]) -> float | None:
        """When it runs next; None when no trigger says so."""
        key = self.key(task["path"], task["name"])
        return min((due for (of, _), due in self._due.items() if of == key), default=None)
