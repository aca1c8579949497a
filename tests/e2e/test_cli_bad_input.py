"""Bad input: each one clear line, a hint, an exit code; and nothing half-done stays behind.

Every case is a file in tests/cases/bad_input: what is changed in a good protection file (or which command is typed), and what is
expected. The program runs as a real process against two real engines, a real witness and the embedded DNS server.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from demo.stage import SERVICE_PORT, Stage, program
from orchestrator.configure import merged
from orchestrator.engine.client import EngineClient
from orchestrator.store.store import Store

CASES = sorted((Path(__file__).parents[1] / "cases" / "bad_input").glob("*.yaml"))
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]


class Room:
    """A stage where hosts are added and nothing is protected; each case gets the administrator's state anew."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.clean_home = stage.directory / "clean"
        self.held: list[socket.socket] = []

    def places(self) -> dict[str, str]:
        stage = self.stage
        return {
            "directory": str(stage.directory),
            "data": str(stage.data(stage.alpha)),
            "nobody": f"{stage.network}.99",
            "alpha": stage.alpha.address,
            "third": stage.third.address,
            "token": str(stage.token_file(stage.alpha)),
        }

    def dtam(self, *words: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "DTAM_HOME": str(self.stage.home)}
        command = [program("dtam"), *words]
        return subprocess.run(
            command, env=env, stdin=subprocess.DEVNULL, text=True, capture_output=True, timeout=60, check=False
        )

    def traces(self) -> dict[str, Any]:
        """What a half-done setup would leave behind: on both engines, in DNS, on the target's disk."""
        stage = self.stage
        found: dict[str, Any] = {"zone": (stage.third.directory / "forward.zone").read_text()}
        found["replica"] = stage.data(stage.beta).exists()
        for host in (stage.alpha, stage.beta):
            with EngineClient.local(str(host.directory / "engine" / "control.sock")) as engine:
                found[host.name] = [
                    engine.protections(), engine.mounts(), engine.replication_sets(), engine.connections(), engine.peers()
                ]  # fmt: skip
        return found


@pytest.fixture(scope="module")
def room() -> Iterator[Room]:
    stage = Stage.build()
    made = Room(stage)
    try:
        stage.start_dns()
        stage.start_witness()
        stage.data(stage.alpha).mkdir(parents=True)
        (stage.data(stage.alpha) / "letter.txt").write_text("words")
        (stage.data(stage.alpha) / "big.bin").write_bytes(b"0" * 8_000_000)
        for host in (stage.alpha, stage.beta):
            stage.start_engine(host)
            stage.make_token(host)
            stage.enrol(host)
            words = ("--address", host.address, "--fingerprint", stage.fingerprint(host))
            added = made.dtam("hosts", "add", host.name, *words, "--token-file", str(stage.token_file(host)))
            assert added.returncode == 0, added.stderr
        stage.write_protection()
        shutil.copytree(stage.home, made.clean_home)
        yield made
    finally:
        stage.strike()


def reverse(room: Room) -> None:
    """Another protection, from beta to alpha."""
    words = ("--source", "beta", "--target", "alpha", "--name", "other.example.test", "--path", "/srv/other=/srv/copy")
    done = room.dtam("--fileprint", "configure", *words, "--protection", "other")
    assert done.returncode == 0, done.stderr


def alias(room: Room) -> None:
    """The engine of alpha under a second name."""
    alpha = room.stage.alpha
    words = ("--address", alpha.address, "--fingerprint", room.stage.fingerprint(alpha))
    done = room.dtam("hosts", "add", "alias", *words, "--token-file", str(room.stage.token_file(alpha)))
    assert done.returncode == 0, done.stderr


def private(path: Path, text: str, mode: int = 0o600) -> None:
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(mode)


def other_key(room: Room) -> None:
    private(room.stage.directory / "other.key", room.stage.key_file.read_text().replace("dtam-demo", "stranger"))


def open_key(room: Room) -> None:
    private(room.stage.directory / "open.key", room.stage.key_file.read_text(), 0o644)


def open_token(room: Room) -> None:
    private(room.stage.directory / "open.token", "secret", 0o644)


def other_token(room: Room) -> None:
    private(room.stage.directory / "other.token", "nobody-knows-this-token")


def small_target(room: Room) -> None:
    """A file system with less room than the data needs."""
    small = room.stage.directory / "small"
    small.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(small)], check=True)


def withdrawn(room: Room) -> None:
    """The witness admits alpha's engine no more."""
    stage = room.stage
    who = json.loads(stage.run_on(stage.alpha, "server", "--json"))
    command = [program("dtwitness"), "enrol", "-", "--state", str(stage.third.directory / "witness"), "--withdraw"]
    subprocess.run(command, input=who["certificate_pem"], check=True, capture_output=True, text=True)


def taken_port(room: Room) -> None:
    taken = socket.socket()
    taken.bind((room.stage.beta.address, SERVICE_PORT))
    taken.listen()
    room.held.append(taken)


PREPARATIONS: dict[str, Callable[[Room], None]] = {
    one.__name__: one
    for one in (reverse, alias, other_key, open_key, open_token, other_token, small_target, taken_port, withdrawn)
}
NEEDS = {"small_target": "root"}


@pytest.fixture
def clean(room: Room) -> Iterator[Room]:
    """The administrator's state as it was, and nothing held."""
    shutil.rmtree(room.stage.home)
    shutil.copytree(room.clean_home, room.stage.home)
    yield room
    room.stage.enrol(room.stage.alpha)
    for taken in room.held:
        taken.close()
    room.held.clear()
    with contextlib.suppress(subprocess.CalledProcessError):
        subprocess.run(["umount", str(room.stage.directory / "small")], check=True, capture_output=True)


def filled(value: Any, places: Mapping[str, str]) -> Any:
    """The value with ``{data}`` and the like replaced; other braces stay."""
    if isinstance(value, dict):
        return {key: filled(one, places) for key, one in value.items()}
    if isinstance(value, list):
        return [filled(one, places) for one in value]
    if isinstance(value, str):
        for name, text in places.items():
            value = value.replace(f"{{{name}}}", text)
    return value


def typed(room: Room, case: Mapping[str, Any]) -> list[str]:
    """The words of the command, its protection file written."""
    if "command" in case:
        return list(case["command"])
    stage = room.stage
    path = stage.directory / "case" / "protection.yaml"
    path.parent.mkdir(exist_ok=True)
    good = yaml.safe_load(stage.protection_file.read_text())
    path.write_text(case.get("text") or yaml.safe_dump(merged(good, case.get("change", {})), sort_keys=False))
    return ["--fileprint", "setup", "--file", str(path), "--yes", *case.get("words", [])]


@pytest.mark.covers("AM-02", "AM-04", "AM-11", "AM-27")
@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_bad_input(clean: Room, path: Path, needs: Callable[..., None]) -> None:
    room = clean
    case = filled(yaml.safe_load(path.read_text()), room.places())
    for preparation in case.get("before", []):
        if preparation in NEEDS:
            needs(NEEDS[preparation])
        PREPARATIONS[preparation](room)
    before = room.traces()
    done = room.dtam(*typed(room, case))
    told = done.stderr.strip().splitlines()
    wanted = case["expect"]
    assert done.returncode == wanted["exit_code"], f"{done.stdout[-2000:]}\n{done.stderr}"
    assert "Traceback" not in done.stdout + done.stderr
    assert [line.partition(":")[0] for line in told] == ["dtam", "hint"], done.stderr
    assert wanted["line"] in told[0]
    assert wanted.get("also", "") in told[0]
    assert wanted.get("hint", "") in told[1]
    assert room.traces() == before, "something half-done stayed behind"
    with Store(room.stage.home / "dtam.db", time.time) as store:
        assert [one.id for one in store.protections()] == (["other"] if "reverse" in case.get("before", []) else [])
        assert store.runs() == ()
