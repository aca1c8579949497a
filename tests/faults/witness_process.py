"""A real ``dtwitness`` process for the fault tests: started, killed, stopped in its tracks, started again on the same port."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from orchestrator.engine.witness.client import WitnessClient
from orchestrator.engine.witness.identity import Clients, load_or_make

PATIENCE_S = 20.0


def eventually(condition: Callable[[], bool], what: str, within_s: float = PATIENCE_S) -> None:
    """Wait on a condition, and say which one did not come true."""
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, f"not within {within_s} s: {what}"
        time.sleep(0.01)


class WitnessProcess:
    """One state directory and the process over it."""

    def __init__(self, directory: Path) -> None:
        self.state = directory / "witness"
        self._keys = directory / "keys"
        self.port = 0
        self._process: subprocess.Popen[str] | None = None
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "orchestrator.engine.cli.dtwitness", "run", "--state", str(self.state)]
        command += ["--address", "127.0.0.1", "--port", str(self.port)]
        log = (self.state.parent / "witness.log").open("ab")
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=_root())
        log.close()
        assert self._process.stdout is not None
        told = json.loads(self._process.stdout.readline())
        self.port, self.fingerprint = told["port"], told["fingerprint"]

    def kill(self) -> None:
        """As a power cut: SIGKILL, and nothing runs any more when this returns."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)
        while psutil.Process(self._process.pid).status() != psutil.STATUS_STOPPED:
            time.sleep(0.001)  # the signal is sent; the threads stop a moment later

    def thaw(self) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def end(self) -> None:
        if self._process is not None:
            self.thaw()
            self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(PATIENCE_S)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None

    def key(self, name: str, *, enrolled: bool = True) -> tuple[Path, Path]:
        """Certificate and key files of an engine."""
        directory = self._keys / name
        directory.mkdir(parents=True, exist_ok=True)
        identity = load_or_make(directory)
        if enrolled:
            Clients(self.state).enrol(identity.certificate_file.read_text(), name=name, holder=name)
        return identity.certificate_file, identity.key_file

    def client(self, name: str, *, enrolled: bool = True, budget_s: float = 2.0) -> WitnessClient:
        certificate_file, key_file = self.key(name, enrolled=enrolled)
        return WitnessClient(
            "127.0.0.1",
            self.port,
            self.fingerprint,
            certificate_file=certificate_file,
            key_file=key_file,
            budget_s=budget_s,
        )


def _root() -> Path:
    return Path(__file__).parents[2]
