"""The protected services of this host: a systemd unit, or a command that the daemon runs and watches.

A protected service never starts by itself: a start is refused while the fence of its protection holds, and a unit is expected to
be disabled and ordered behind the boot fence (scripts/host). Services outlive the daemon; a restarted daemon finds them.

Locks: one per service, held during start and stop, so that deeds on one service follow each other; status takes none.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

import urllib3

from orchestrator.engine.control import commands, schema, store
from orchestrator.engine.control.answers import ServiceStatus
from orchestrator.engine.control.errors import Fenced, ServiceFailed, Unknown

State = Literal["running", "stopped", "failed"]
StartType = Literal["manual", "automatic", "unknown"]
STARTS_AT_BOOT = {"enabled", "enabled-runtime"}
WAITS_TO_BE_STARTED = {"disabled", "indirect", "linked", "linked-runtime", "masked", "masked-runtime"}
"""Words of ``systemctl is-enabled``; the others (static, generated, alias) leave open what may start the unit."""
HEALTH_BUDGET_S = 5.0
STEADY_S = 0.3


class Backend(Protocol):
    """One way to run a service."""

    kind: Literal["unit", "command"]

    def state(self) -> tuple[State, int | None]:
        """How it is, and its process id when it has one."""
        ...

    def start(self) -> None:
        """Start it, without waiting for health; fine when it runs already."""
        ...

    def stop(self, grace_s: float) -> str:
        """Stop it, by force after ``grace_s``; one sentence says how it went."""
        ...

    @property
    def start_type(self) -> StartType:
        """Whether something other than us starts it at boot."""
        ...

    @property
    def output(self) -> str:
        """Where a person finds what it said."""
        ...


class CommandBackend:
    """A command of ours, its files in ``directory``."""

    kind: Literal["unit", "command"] = "command"

    def __init__(self, service: schema.Service, directory: Path) -> None:
        self._service = service
        self._pid_file = directory / "process"
        self._output = directory / "output.log"
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def start_type(self) -> StartType:
        """Nobody but us starts it."""
        return "manual"

    @property
    def output(self) -> str:
        """Where a person finds what it said."""
        return str(self._output)

    def state(self) -> tuple[State, int | None]:
        """Running; stopped when nobody wanted it; failed when it ended by itself."""
        if self._child is not None:
            self._child.poll()
        process = commands.running(self._pid_file)
        if process is not None:
            return "running", process.pid
        return ("failed" if self._pid_file.exists() else "stopped"), None

    def start(self) -> None:
        """Start it."""
        if commands.running(self._pid_file) is not None:
            return
        environment = {"PATH": commands.PLAIN_PATH, "LANG": "C.UTF-8"} | self._service.environment
        self._child = commands.spawn(
            self._service.start_command,
            self._pid_file,
            self._output,
            environment=environment,
            user=self._service.user,
        )

    def stop(self, grace_s: float) -> str:
        """Its own stop command first, then TERM, then KILL after the grace."""
        process = commands.running(self._pid_file)
        if process is None:
            self._pid_file.unlink(missing_ok=True)
            return "it did not run"
        if self._service.stop_command:
            run_quietly(self._service.stop_command, grace_s)
        went = commands.end_group(process, grace_s)
        if self._child is not None:
            self._child.poll()
        self._pid_file.unlink(missing_ok=True)
        return "it ended" if went else f"it was killed after {grace_s:g} s of grace"


class UnitBackend:
    """A systemd unit."""

    kind: Literal["unit", "command"] = "unit"

    def __init__(self, service: schema.Service) -> None:
        self._service = service
        self._unit = service.unit or service.name

    @property
    def start_type(self) -> StartType:
        """What systemd says about the next boot; its exit code only repeats its word."""
        if shutil.which("systemctl") is None:
            return "unknown"
        word = self._run("is-enabled", self._unit).stdout.strip()
        return "automatic" if word in STARTS_AT_BOOT else "manual" if word in WAITS_TO_BE_STARTED else "unknown"

    @property
    def output(self) -> str:
        """Where a person finds what it said."""
        return f"journalctl -u {self._unit}"

    def state(self) -> tuple[State, int | None]:
        """What systemd says."""
        answer = self._systemctl("show", "--property=ActiveState,MainPID", self._unit)
        facts = dict(line.partition("=")[::2] for line in answer.splitlines())
        pid = int(facts.get("MainPID", "0")) or None
        match facts.get("ActiveState"):
            case "active" | "reloading" | "activating":
                return "running", pid
            case "failed":
                return "failed", None
            case _:
                return "stopped", None

    def start(self) -> None:
        """Start it."""
        self._systemctl("start", self._unit)

    def stop(self, grace_s: float) -> str:
        """Stop it; what still runs after the grace is killed."""
        self._systemctl("--no-block", "stop", self._unit)
        until = time.monotonic() + grace_s
        while self.state()[0] == "running" and time.monotonic() < until:
            time.sleep(0.1)
        if self.state()[0] != "running":
            return "systemd stopped it"
        self._systemctl("kill", "--signal=SIGKILL", self._unit)
        return f"systemd killed it after {grace_s:g} s of grace"

    def tell(self, word: str) -> None:
        """Say one word about the unit to systemctl: enable, disable.

        Raises:
            ServiceFailed: systemd refuses, or there is none.
        """
        self._systemctl(word, self._unit)

    def _systemctl(self, *words: str) -> str:
        if shutil.which("systemctl") is None:
            raise ServiceFailed(name=self._unit, deed=words[0], why="there is no systemctl here", output=self.output)
        done = self._run(*words)
        if done.returncode != 0:
            why = (
                done.stderr.strip().splitlines()[0]
                if done.stderr.strip()
                else f"systemctl ended with {done.returncode}"
            )
            raise ServiceFailed(name=self._unit, deed=words[0], why=why, output=self.output)
        return done.stdout

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        budget_s = self._service.start_timeout_s + self._service.grace_s
        try:
            return subprocess.run(
                ["systemctl", *words],
                capture_output=True,
                text=True,
                timeout=budget_s,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            why = f"systemctl took longer than {budget_s:g} s"
            raise ServiceFailed(name=self._unit, deed=words[0], why=why, output=self.output) from None


def run_quietly(command: list[str], budget_s: float) -> bool:
    """Run a short command; True when it ended with 0 in time."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=max(budget_s, 0.1),
            check=False,
            env={"PATH": commands.PLAIN_PATH, "LANG": "C.UTF-8"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def answers_well(url: str, budget_s: float = HEALTH_BUDGET_S) -> bool:
    """Say whether an HTTP GET gives 2xx or 3xx within the budget."""
    try:
        with urllib3.PoolManager(timeout=urllib3.Timeout(total=budget_s), retries=False) as pool:
            return pool.request("GET", url, redirect=False).status < 400
    except (urllib3.exceptions.HTTPError, OSError):
        return False


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
