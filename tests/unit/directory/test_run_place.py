"""The directory of a run: below the state, its own, gone at the end, and swept by the next one when its process was killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import signal, sys
from orchestrator.directory.run_place import new_directory
made = new_directory("tickets-")
(made / "cache").write_text("secret")
print(made, flush=True)
sys.stdin.read()
"""


def started(state: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process with a cache."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "DTAM_HOME": str(state)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def ended(process: subprocess.Popen[str]) -> None:
    process.communicate("", timeout=60)


@pytest.mark.covers("ENG-SEC-01")
def test_a_killed_run_s_tickets_are_removed_by_the_next_and_no_living_one_s(tmp_path):
    state = tmp_path / "state"
    (killed, left), (living, kept) = started(state), started(state)
    assert left.parent.parent == state / "tickets"
    assert {one.stat().st_mode & 0o777 for one in (state / "tickets", left.parent, left)} == {0o700}
    killed.kill()
    ended(killed)
    assert (left / "cache").exists()
    third, _ = started(state)
    try:
        assert not left.parent.exists()
        assert (kept / "cache").read_text() == "secret"
    finally:
        ended(third)
        ended(living)
    assert list((state / "tickets").glob("run-*")) == []


def test_a_state_that_cannot_be_written_gives_way_to_the_temporary_directory(tmp_path, monkeypatch):
    (tmp_path / "state").write_text("in the way")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    process, made = started(tmp_path / "state")
    ended(process)
    assert made.is_relative_to(tmp_path / f"dtam-{os.getuid()}")
