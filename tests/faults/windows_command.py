"""Two simulated Windows servers over real WinRM, a protection of a file server between them, and the real `dtam` that is killed in the midst.

The data is moved by a tool that answers from a file. There is no domain and no DNS: shares, names of the Server service and epochs are what moves.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from orchestrator.failover.guards import Wish
from orchestrator.hosts.winrm import WinRmHost
from orchestrator.hosts.winrm_reach import winrm_host
from orchestrator.model.located import Located
from orchestrator.model.plan import PlanKind
from orchestrator.model.protections import Protection
from orchestrator.model.servers import Server, Where
from orchestrator.pipeline import Pipeline
from orchestrator.store.credentials import CredentialCache
from tests.conformance.pairs import laid_on
from tests.lab.windows.starting import WindowsHost, windows_host

LONG_S = 180.0
ROOT = Path(__file__).parents[2]
SHARES = [f"share{number}" for number in range(3)]
FRESH = {"in_step": True, "age_s": 1.0, "receiving": True}
LIVES = FRESH | {"receiving": False}
WHERES = (Where.SOURCE, Where.TARGET)


class WindowsCommand:
    """The servers, dtam's state directory, and the protection, which is enabled."""

    def __init__(self, place: Path, stack: ExitStack) -> None:
        self.place, self.home, self._stack = place, place / "home", stack
        self.home.mkdir(mode=0o700)
        self.served: dict[Where, WindowsHost] = {}
        self.hosts: dict[Where, WinRmHost] = {}
        self.servers: dict[Where, Server] = {}
        for where, name in zip(WHERES, ("ALPHA", "BETA"), strict=True):
            self.served[where] = stack.enter_context(windows_host(place / name, name=name))
            server, caller = laid_on(self.served[where], stack)
            self.servers[where], self.hosts[where] = server, winrm_host(server, caller)
            CredentialCache(self.home, time.time).remember(
                server.own_winrm.account, server.name, self.served[where].passwords["dtam"]
            )
            for share in SHARES:
                self.hosts[where].make_directory(f"C:\\Data\\{share}")
        for share in SHARES:
            self.served[Where.SOURCE].control.ask("share", name=share, path=f"C:\\Data\\{share}")
        self.tool({"state": FRESH, "promoted": LIVES})
        self.protection = self._enabled()

    def tool(self, files: Mapping[str, Any]) -> None:
        """What the tool that moves the data says, now and once it was told to promote."""
        for name, told in files.items():
            (self.place / f"{name}.json").write_text(json.dumps(told))

    def _settings(self) -> dict[str, Any]:
        state, promoted = (str(self.place / f"{name}.json") for name in ("state", "promoted"))
        commands = {"ask": ["cat", state], "promote": ["cp", promoted, state]}
        return {
            "source": "alpha",
            "target": "beta",
            "name": "files.lab.example",
            "connection": {"roots": [{"source_path": "C:\\Data"}], "replication": "external", "external": commands},
            "failover": {"items": {"spns": False}, "health": {}},
            "monitoring": {"without_witness": True, "lease": {"lease_s": 20, "grace_s": 5}},
        }

    def _enabled(self) -> Protection:
        with Pipeline(self.home, "test") as pipeline:
            for server in self.servers.values():
                pipeline.store.put_server(server)
            made = pipeline.configure("fileprint", [Located(self._settings())])
            pipeline.keep(made)
            planned = pipeline.plan(PlanKind.PROTECT, made, Wish("enable"))
            done = pipeline.execute(planned, lambda _: None)
            assert str(done.run.state) == "done", done
            return next(one for one in pipeline.store.protections() if one.id == made.id)

    def lose_source(self) -> None:
        """The source's power goes, and whoever speaks to its address hears nothing, not even a refusal."""
        lost = self.served[Where.SOURCE]
        lost.power_cut()
        self._stack.enter_context(silence(lost.address, lost.http_port))

    def start(self, *words: str) -> subprocess.Popen[str]:
        """A program of dtam over this state directory."""
        return subprocess.Popen(
            [sys.executable, "-m", "orchestrator.cli.dtam", *words, "--protection", self.protection.id],
            cwd=ROOT,
            env={**os.environ, "DTAM_HOME": str(self.home)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def dtam(self, *words: str) -> tuple[int, str]:
        """One that runs to its end: its exit code, and what it said."""
        with self.start(*words) as process:
            said, _ = process.communicate(timeout=LONG_S)
            return process.returncode, said


@contextmanager
def silence(address: str, port: int) -> Iterator[None]:
    """A port that answers nothing: a listener whose queue is full drops whatever else wants to connect."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
        listening.listen(0)
        for _ in range(8):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0.2)
            with suppress(TimeoutError):
                waiting.connect((address, port))
        yield
