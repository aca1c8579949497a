"""Trouble on the way, as ``dtam status`` tells it: a full disk on the target, a log segment whose bytes were damaged.

In both cases the application goes on, the line names the cause, and when the cause is gone both sides are equal again.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from demo.hosts import DemoHost, wait_until
from demo.stage import CONTROL_PORT, Stage, program

ID = "fileprint_alpha_beta"
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]


class Pair:
    """A stage with a protection, or on the way to one."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.source, self.target = stage.data(stage.alpha), stage.data(stage.beta)

    def begin(self) -> None:
        stage = self.stage
        stage.start_dns()
        stage.start_witness()
        self.source.mkdir(parents=True)
        (self.source / "letter.txt").write_text("words")
        for host in (stage.alpha, stage.beta):
            stage.start_engine(host)
            stage.make_token(host)
            stage.enrol(host)
            words = ("--address", host.address, "--port", str(CONTROL_PORT), "--fingerprint", stage.fingerprint(host))
            self.dtam("hosts", "add", host.name, *words, "--token-file", str(stage.token_file(host)))
        stage.write_protection()

    def dtam(self, *words: str) -> str:
        env = {**os.environ, "DTAM_HOME": str(self.stage.home)}
        done = subprocess.run(
            [program("dtam"), *words], env=env, stdin=subprocess.DEVNULL, text=True, capture_output=True, timeout=120,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    def protect(self) -> None:
        self.dtam("--fileprint", "setup", "--file", str(self.stage.protection_file), "--yes")
        self.dtam("monitor", "--off")

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.dtam("status", "--protection", ID, "--json"))
        return found

    def equal(self) -> bool:
        return contents(self.source) == contents(self.target)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def pair() -> Iterator[Pair]:
    stage = Stage.build()
    made = Pair(stage)
    try:
        made.begin()
        yield made
    finally:
        stage.strike()
        subprocess.run(["umount", "-l", str(made.target)], check=False, capture_output=True)


@pytest.mark.covers("AM-14")
def test_full_disk_on_the_target(pair: Pair, needs: Callable[..., None]) -> None:
    needs("root")
    pair.target.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(pair.target)], check=True)
    pair.protect()
    (pair.source / "large.bin").write_bytes(os.urandom(4_000_000))
    wait_until(lambda: pair.status()["last_error"], 30, "the full disk being told")
    told = pair.status()
    assert "no space left" in told["last_error"].lower()
    assert "\n" not in told["last_error"]
    assert told["source"]["services"][0]["state"] == "running", "protecting never stops production"
    subprocess.run(["mount", "-o", "remount,size=64m", str(pair.target)], check=True)
    wait_until(lambda: pair.status()["condition"] == "healthy" and pair.equal(), 60, "both sides being equal again")


@pytest.mark.covers("AM-14")
def test_damaged_log_segment(pair: Pair, needs: Callable[..., None]) -> None:
    needs("fuse")
    pair.protect()
    with frozen_daemon(pair.stage.alpha):
        (pair.source / "waiting.bin").write_bytes(os.urandom(3_000_000))
        damage(pair.stage)
    wait_until(lambda: "damaged" in told(pair) or "corrupt" in told(pair), 30, "the damage being told")
    wait_until(lambda: pair.status()["condition"] == "healthy" and pair.equal(), 90, "both sides being equal again")


@contextmanager
def frozen_daemon(host: DemoHost) -> Iterator[None]:
    """The engine reads nothing of its log for a moment; the capture goes on writing it."""
    daemons = [one for one in host.processes() if {"run", "--control-port"} <= set(one.cmdline())]
    for one in daemons:
        one.suspend()
    try:
        yield
    finally:
        for one in daemons:
            one.resume()


def told(pair: Pair) -> str:
    """All that the source's engine has told so far."""
    return pair.stage.run_on(pair.stage.alpha, "events").lower() + pair.status()["last_error"].lower()


def damage(stage: Stage) -> None:
    """Flip bytes near the end of the newest segment of the source's log: what was not read yet."""
    found = [*stage.memory_directory(stage.alpha).rglob("*.seg"), *stage.alpha.directory.rglob("*.seg")]
    newest = max(found, key=lambda path: path.stat().st_mtime_ns)
    content = newest.read_bytes().rstrip(b"\0")
    with newest.open("r+b") as file:
        file.seek(len(content) - 2_000)
        file.write(bytes(byte ^ 0xFF for byte in content[-2_000:-1_900]))
