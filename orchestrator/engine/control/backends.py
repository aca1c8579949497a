"""How a protected service is run: a systemd unit, or a command that the daemon runs and watches; and whether it answers."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path
from typing import Literal, Protocol

import urllib3

from orchestrator.engine.control import commands, schema
from orchestrator.engine.control.errors import ServiceFailed

State = Literal["running", "stopped", "failed"]
StartType = Literal["manual", "automatic", "unknown"]
STARTS_AT_BOOT = {"enabled", "enabled-runtime"}
WAITS_TO_BE_STARTED = {"disabled", "indirect", "linked", "linked-runtime", "masked", "masked-runtime"}
"""Words of ``systemctl is-enabled``; the others (static, generated, alias) leave open what may start the unit."""
HEALTH_BUDGET_S = 5.0


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
