"""A simulated Windows server for rendered scripts: they are laid there, run as dtam runs them, killed on request, and its state is compared."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.model.servers import Platform
from orchestrator.model.steps import Step
from orchestrator.scripting import render
from tests.lab.windows.alone import AlternateNames, PassingClock, lay
from tests.lab.windows.machine.machine import Machine
from tests.lab.windows.machine.settings import Hooks, MachineSettings
from tests.lab.windows.powershell.commands import Session
from tests.lab.windows.powershell.run import start
from tests.lab.windows.powershell.values import Cancelled

FOLDER = "C:\\ProgramData\\dtam\\protections\\files"
LANMAN = r"SYSTEM\CurrentControlSet\Services\LanmanServer\Parameters"
LOOPBACK = r"SYSTEM\CurrentControlSet\Control\Lsa\MSV1_0"
FASTER = 5
SYSTEM = Session(user="NT AUTHORITY\\SYSTEM", is_network_logon=False)


class HurriedClock(PassingClock):
    """It goes on by itself as well, and fast: what looks for an address's other owners, say, looks for less."""

    def __call__(self) -> float:
        return self.now + time.monotonic() * FASTER


@dataclass
class Ended:
    """How a run ended; ``code`` None: it was killed."""

    code: int | None
    out: str
    err: str


class WindowsScriptHost:
    """The server, with a protection's folder."""

    def __init__(self, directory: Path, settings: MachineSettings, folders: Sequence[str] = ()) -> None:
        self.names = AlternateNames()
        clock = HurriedClock()
        self.machine = Machine(directory, settings, Hooks(directory=self.names), clock, clock.sleep).boot()
        self.kill: Callable[[], None] = lambda: None
        for folder in (*folders, f"{FOLDER}\\scripts"):
            self.path(folder).mkdir(parents=True, exist_ok=True)
        self.fence("")

    def path(self, windows: str) -> Path:
        """The real path behind a Windows path."""
        return self.machine.files.open_path(windows)

    def install(self) -> None:
        """Lay the scripts that dtam installs on a server."""
        lay(self.machine)

    def fence(self, why: str, epoch: int = 2) -> None:
        """What the server keeps about the protection."""
        self.path(f"{FOLDER}\\protection.json").write_text(json.dumps({"epoch": epoch, "fenced": why, "services": []}))

    def deliver(self, name: str, steps: Sequence[Step], own: str = "") -> None:
        """Render and lay a script."""
        text = render(name, "files", steps, own, Platform.WINDOWS).text
        self.path(f"{FOLDER}\\scripts\\{name}.ps1").write_bytes(text.encode())

    def run(
        self, name: str, *words: str, kill: str = "", meanwhile: Callable[[], None] | None = None, **asked: Any
    ) -> Ended:
        """Run a delivered script: with words by hand, else by a request; to its end or until it says ``kill``.

        ``meanwhile`` is called once, when it has said something.
        """
        line = ["powershell.exe", "-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass"]
        line += ["-File", f"{FOLDER}\\scripts\\{name}.ps1", *words]
        request = {"run_id": "run1", "epoch": 2, "protection": "files", "segments": [], "fenced": "", **asked}
        out, err = bytearray(), bytearray()
        waiting = [meanwhile] if meanwhile else []
        started: list[Any] = []

        def heard(text: bytes) -> None:
            out.extend(text)
            if kill and kill.encode() in out:
                started[0].cancel()
            while waiting:
                waiting.pop()()

        stdin = io.BytesIO(b"" if words else json.dumps(request).encode())
        started.append(start(line, self.machine, SYSTEM, heard, err.extend, stdin))
        self.kill = started[0].cancel
        try:
            code: int | None = started[0]()
        except Cancelled:
            code = None
        return Ended(code, out.decode(), err.decode())

    def lines(self, name: str, run_id: str = "run1") -> list[dict[str, Any]]:
        """The run file."""
        path = self.path(f"{FOLDER}\\runs\\{run_id}.{name}.jsonl")
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []

    def events(self, name: str, run_id: str = "run1") -> list[tuple[str, str]]:
        """(step, event) in order."""
        return [(line["step"], line["event"]) for line in self.lines(name, run_id)]

    def forget_last(self, name: str, run_id: str) -> None:
        """Take the last line off a run file: the script was killed before it wrote it."""
        path = self.path(f"{FOLDER}\\runs\\{run_id}.{name}.jsonl")
        path.write_text("".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[:-1]), encoding="utf-8")

    def shares(self) -> list[dict[str, Any]] | None:
        """What is offered; None while the Server service does not run."""
        if not self.machine.services.is_running("LanmanServer"):
            return None
        return [dict(sorted(one.items())) for one in self.machine.shares.all()]

    def state(self) -> dict[str, Any]:
        """What a deed could change."""
        machine = self.machine
        values = machine.registry
        return {
            "shares": self.shares(),
            "configuration": machine.shares.configuration(),
            "services": {
                one["name"]: (one["start"], machine.services.status(one["name"])) for one in machine.services.all()
            },
            "names": [values.value(LANMAN, "OptionalNames"), values.value(LOOPBACK, "BackConnectionHostNames")],
            "alternate": {account: list(names) for account, names in self.names.names.items() if names},
            "addresses": [(one["address"], one["adapter"], one["skip"]) for one in machine.network.addresses()],
            "registers": [(one["name"], one["register"]) for one in machine.network.data["adapters"]],
        }
