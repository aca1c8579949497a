"""The story of a protection, told by the program itself: set up, lose the source, go on, come back, hand over, end.

Everything is real: two engines, a witness, the embedded DNS server, an HTTP file service on each side, and ``dtam`` as a process
of its own for every sentence. The administrator's state directory is thrown away once, between the loss and the coming back of
the tool, to show that a failover needs nothing of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import urllib3
import yaml

from demo.hosts import DemoHost, wait_until
from demo.stage import CLIENT_NAME, CONTROL_PORT, DNS_PORT, SERVICE_PORT, Stage, program
from orchestrator.engine.client import Bandwidth, EngineClient, LineSettings
from orchestrator.hosts.clients import NameClients

ID = "fileprint_alpha_beta"
FILES = {f"letter-{number}.txt": b"words " * number for number in range(1, 60)}


@dataclass
class Play:
    """A stage with its administrator."""

    stage: Stage

    def dtam(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run ``dtam`` without a terminal; the exit code is asserted."""
        env = {**os.environ, "DTAM_HOME": str(self.stage.home)}
        done = subprocess.run(
            [program("dtam"), *words],
            env=env,
            stdin=subprocess.DEVNULL,
            text=True,
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, f"dtam {' '.join(words)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stdout + done.stderr
        return done

    def json(self, *words: str, code: int = 0) -> Any:
        """What ``dtam ... --json`` prints."""
        return json.loads(self.dtam(*words, "--json", code=code).stdout)

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.json("status", "--protection", ID)
        return found

    def begin(self) -> None:
        self.stage.start_dns()
        self.stage.start_witness()
        for host in (self.stage.alpha, self.stage.beta):
            self.stage.start_engine(host)
            self.stage.make_token(host)
            self.stage.enrol(host)
        data = self.stage.data(self.stage.alpha)
        data.mkdir(parents=True)
        for name, content in FILES.items():
            (data / name).write_bytes(content)
        self.stage.write_protection()
        self._protect_more()

    def _protect_more(self) -> None:
        """A second directory beside the first, with a set and a connection of its own."""
        more = [self.more(host) for host in (self.stage.alpha, self.stage.beta)]
        more[0].mkdir()
        (more[0] / "ledger.txt").write_bytes(b"1, 2, 3")
        given = yaml.safe_load(self.stage.protection_file.read_text())
        given["connection"]["roots"].append({"source_path": str(more[0]), "target_path": str(more[1])})
        self.stage.protection_file.write_text(yaml.safe_dump(given, sort_keys=False))

    def more(self, host: DemoHost) -> Path:
        """The second directory."""
        return self.stage.data(host).with_name("more")

    def engine(self, host: DemoHost) -> EngineClient:
        return EngineClient.local(str(host.directory / "engine" / "control.sock"))

    def add_host(self, host: DemoHost) -> None:
        where = ("--address", host.address, "--port", str(CONTROL_PORT))
        words = (*where, "--fingerprint", self.stage.fingerprint(host))
        self.dtam("hosts", "add", host.name, *words, "--token-file", str(self.stage.token_file(host)))

    def lose_power(self, host: DemoHost) -> None:
        """Everything of the host at once: what carries its mark, and what its engine started."""
        directory = str(host.directory)
        victims = [one for one in psutil.process_iter(["cmdline"]) if directory in " ".join(one.info["cmdline"] or [])]
        for victim in victims:
            with contextlib.suppress(psutil.Error):
                victim.send_signal(signal.SIGKILL)
        psutil.wait_procs(victims, timeout=5)
        host.cut_power()

    def address(self) -> str:
        """Where the clients' name leads, asked at the DNS server itself."""
        return NameClients([(self.stage.third.address, DNS_PORT)]).addresses(CLIENT_NAME, 2.0)[0]

    def read(self, name: str) -> bytes:
        url = f"http://{self.address()}:{SERVICE_PORT}/{name}"
        return urllib3.request("GET", url, retries=False, timeout=3.0).data

    def write(self, name: str, content: bytes) -> None:
        url = f"http://{self.address()}:{SERVICE_PORT}/{name}"
        assert urllib3.request("PUT", url, body=content, retries=False, timeout=3.0).status == 201

    def until(self, condition: Callable[[], object], what: str, within_s: float = 40) -> None:
        wait_until(condition, within_s, what)


@pytest.fixture
def play() -> Iterator[Play]:
    stage = Stage.build()
    try:
        yield Play(stage)
    finally:
        for host in (stage.alpha, stage.beta, stage.third):
            Play(stage).lose_power(host)
        stage.strike()


def content_of(play: Play, host: DemoHost) -> dict[str, bytes]:
    data = play.stage.data(host)
    return {path.name: path.read_bytes() for path in sorted(data.iterdir()) if not path.name.startswith(".")}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.covers(
    "AM-01", "AM-13", "AM-14", "AM-15", "AM-21", "AM-23", "AM-27", "AM-28", "AM-30", "AM-35", "ENG-RST-01"
)
def test_story(play: Play) -> None:
    play.begin()
    for host in (play.stage.alpha, play.stage.beta):
        play.add_host(host)
    _set_up(play)
    _verify(play)
    _keep_and_go_back(play)
    _lose_the_source(play)
    _copy_to_another_server(play)
    _come_back(play)
    _hand_over_and_restore(play)
    _end(play)


def _set_up(play: Play) -> None:
    planned = play.json("--fileprint", "setup", "--file", str(play.stage.protection_file), "--plan")
    assert (planned["plan"]["kind"], planned["fixes"]["plan"]["kind"]) == ("protect", "fix")
    assert play.json("status") == [], "a plan keeps nothing"
    done = play.json("/fileprint", "setup", "--file", str(play.stage.protection_file), "--yes")
    assert done["run"]["state"] == "done"
    status = play.status()
    assert (status["condition"], status["stage"], status["epoch"]) == ("healthy", "enabled", 1)
    assert status["monitor"]["enabled"]
    assert status["fitting"] == ["enable", "disable", "failover"]
    assert play.address() == play.stage.alpha.address
    assert play.read("letter-3.txt") == FILES["letter-3.txt"]
    checked = play.json("validate", "--fix", "--plan")
    assert (checked["counts"]["errors"], checked["plan"]["kind"], checked["plan"]["steps"]) == (0, "fix", [])
    again = play.json("enable")
    assert {step["result"] for step in again["steps"]} == {"already"}
    assert "there is nothing to failback" in play.dtam("failback", code=14).stderr
    play.dtam("status", "--check")


def _verify(play: Play) -> None:
    """The target's data is the source's; what was spoilt there is found by its content, and sent when that is asked for."""
    found, _ = play.json("--fileprint", "verify-data")["sets"]
    assert (found["same"], found["files_different"], found["orphans"]) == (True, 0, 0)
    spoilt = play.stage.data(play.stage.beta) / "letter-4.txt"
    before = spoilt.stat()
    spoilt.write_bytes(b"x" * before.st_size)
    os.utime(spoilt, ns=(before.st_atime_ns, before.st_mtime_ns))
    told = play.json("verify-data", code=1)
    assert (told["same"], [one["files_different"] for one in told["sets"]]) == (False, [1, 0])
    assert spoilt.read_bytes() != FILES["letter-4.txt"]
    assert "1 different" in play.dtam("verify-data", "--remirror").stdout
    assert spoilt.read_bytes() == FILES["letter-4.txt"]
    play.until(lambda: play.status()["condition"] == "healthy", "healthy after the verification")


def _keep_and_go_back(play: Play) -> None:
    """A snapshot by hand; the target set back to it and, once it is resumed, in step again."""
    shelf, other = sorted(
        play.json("--fileprint", "snapshots", "take", "--label", "as set up"), key=lambda one: one["root"]
    )
    (taken,), (same,) = shelf["snapshots"], other["snapshots"]
    assert taken["id"] == same["id"], "those taken together share their id"
    assert (taken["label"], taken["good"], shelf["protection"]) == ("as set up", True, ID)
    play.write("after-the-snapshot.txt", b"later")
    replica = play.stage.data(play.stage.beta) / "after-the-snapshot.txt"
    play.until(replica.exists, "the write at the target")
    play.dtam("--fileprint", "snapshots", "revert", taken["id"], "--yes")
    assert not replica.exists()
    assert play.status()["snapshots"]["set_back_to"] == taken["id"]
    play.dtam("--fileprint", "failover", code=14)
    play.dtam("--fileprint", "snapshots", "resume")
    play.until(lambda: play.status()["condition"] == "healthy", "in step again", within_s=90)
    assert replica.read_bytes() == b"later"
    shelves = play.json("--fileprint", "snapshots", "delete", taken["id"], "--yes")
    assert taken["id"] not in [one["id"] for shelf in shelves for one in shelf["snapshots"]]


def _lose_the_source(play: Play) -> None:
    play.write("after-mirror.txt", b"written under protection")
    play.until(lambda: "after-mirror.txt" in content_of(play, play.stage.beta), "the write arriving on beta")
    shutil.move(play.stage.home, play.stage.home.with_suffix(".away"))
    play.lose_power(play.stage.alpha)
    play.until(lambda: play.address() == play.stage.beta.address, "the name leading to beta")
    shutil.move(play.stage.home.with_suffix(".away"), play.stage.home)
    play.until(lambda: play.status()["stage"] == "failed_over", "the failover being done")
    assert play.read("after-mirror.txt") == b"written under protection"
    status = play.status()
    assert (status["condition"], status["epoch"]) == ("failed_over", 2)
    assert not status["source"]["answers"]
    by_itself = play.json("history")[0]
    assert (by_itself["kind"], by_itself["by"]) == ("failover", "beta by itself")
    assert {one["result"] for one in by_itself["steps"]} <= {"done", "already"}
    assert "names-to-target" in [one["step"] for one in by_itself["steps"]]
    assert by_itself["measured"]["rto_s"] > 0
    assert "alpha must answer" in play.dtam("failback", code=14).stderr
    assert "beta serves already" in play.dtam("failover", code=14).stderr
    play.dtam("status", "--check", code=1)
    play.write("while-away.txt", b"written on beta")
    (play.stage.data(play.stage.beta) / "letter-5.txt").unlink()


def _copy_to_another_server(play: Play) -> None:
    """The source is still lost: its data goes to a new server, into another directory, and the protection stands as it stood."""
    third = play.stage.third
    play.stage.start_engine(third)
    play.stage.make_token(third)
    play.add_host(third)
    place, other = third.directory / "restored", third.directory / "more"
    assert "say which directory" in play.dtam("restore", "--to", "third", "--into", str(place), code=2).stderr
    letters = f"{play.stage.data(play.stage.alpha)}={place}"
    to_third = ("restore", "--to", "THIRD", "--into", letters, "--into", f"{play.more(play.stage.alpha)}={other}")
    planned = play.dtam(*to_third, "--plan").stdout
    assert "from beta to third" in planned
    assert "fence" not in planned
    _cut_in_the_middle(play, *to_third)
    assert play.json("restore", "--resume")["state"] == "done"
    copied = {path.name: path.read_bytes() for path in place.iterdir() if not path.name.startswith(".")}
    assert copied == content_of(play, play.stage.beta)
    assert (other / "ledger.txt").read_bytes() == b"1, 2, 3"
    with play.engine(play.stage.beta) as beta:
        assert beta.connections() == [], "a copy ends by itself"
    status = play.status()
    assert (status["stage"], status["epoch"]) == ("failed_over", 2)
    assert play.address() == play.stage.beta.address
    play.dtam("hosts", "remove", "third", "--yes")
    assert "third is not known" in play.dtam("restore", "--to", "third", code=15).stderr


def _cut_in_the_middle(play: Play, *words: str) -> None:
    """``dtam`` is killed while the data travels, on a line so slow that it cannot be there yet."""
    slow = LineSettings(address=play.stage.third.address, bandwidth=Bandwidth(bytes_per_s=1024))
    with play.engine(play.stage.beta) as beta:
        beta.save_line(slow)
        env = {**os.environ, "DTAM_HOME": str(play.stage.home)}
        with subprocess.Popen([program("dtam"), *words], env=env, stdin=subprocess.DEVNULL) as cut:
            play.until(lambda: [bool(one.sent_bytes) for one in beta.connections()] == [True] * 2, "data on its way")
            cut.kill()
        assert {one.target_data_state for one in beta.connections()} != {"good"}
        beta.save_line(slow.model_copy(update={"bandwidth": None}))


def _come_back(play: Play) -> None:
    never_arrived = play.stage.data(play.stage.alpha) / "never-arrived.txt"
    with contextlib.suppress(OSError):
        never_arrived.write_bytes(b"known to alpha alone")
    play.stage.start_engine(play.stage.alpha)
    play.until(lambda: play.status()["source"]["fenced"], "alpha being back and fenced")
    assert all(one["state"] != "running" for one in play.status()["source"]["services"])
    assert play.json("restore", "--no-overwrite")["state"] == "done"
    assert "while-away.txt" in content_of(play, play.stage.alpha)
    assert "letter-5.txt" in content_of(play, play.stage.alpha), "what is restored in part deletes nothing"
    assert play.status()["stage"] == "failed_over", "a part is no restored source"
    assert "cannot be undone" in play.dtam("failback", "--plan").stdout
    plan_id = play.json("failback", "--plan")["id"]
    assert play.dtam("failback", "--plan-id", "0000000", code=13).stderr.startswith("dtam: the plan that was read")
    done = play.json("failback", "--plan-id", plan_id)
    assert done["state"] == "done"
    status = play.status()
    assert (status["condition"], status["stage"], status["epoch"]) == ("healthy", "enabled", 3)
    assert play.address() == play.stage.alpha.address
    assert play.read("while-away.txt") == b"written on beta"
    assert content_of(play, play.stage.alpha) == content_of(play, play.stage.beta)
    assert "letter-5.txt" not in content_of(play, play.stage.alpha), (
        "what was deleted while alpha was away stays deleted"
    )


def _hand_over_and_restore(play: Play) -> None:
    assert play.json("failover", "--graceful")["state"] == "done"
    assert play.address() == play.stage.beta.address
    play.write("on-beta-again.txt", b"2")
    assert play.json("restore")["state"] == "done"
    assert play.json("failback")["state"] == "done"
    assert play.status()["epoch"] == 5
    assert play.read("on-beta-again.txt") == b"2"
    play.until(
        lambda: content_of(play, play.stage.alpha) == content_of(play, play.stage.beta), "both sides being equal"
    )


def _end(play: Play) -> None:
    kinds = [run["kind"] for run in play.json("history")]
    coming_back = ["failback", "restore", "restore"]
    assert kinds == ["failback", "restore", "failover", *coming_back, "failover", "protect", "protect", "fix"]
    assert {run["state"] for run in play.json("history")} == {"done"}
    assert play.json("disable")["state"] == "done"
    status = play.status()
    assert (status["condition"], status["stage"]) == ("unprotected", "disabled")
    assert play.read("while-away.txt") == b"written on beta", "the service goes on where it is"
    deeds = [line["deed"] for line in play.json("history", "--audit")]
    assert deeds[0] == "unprotect"
    assert "hosts add" in deeds
    play.dtam("hosts", "remove", "beta", "--yes")
    assert [one["name"] for one in play.json("hosts", "list")] == ["alpha"]
