"""Setup asked on a terminal, by flags alone, plans that change nothing, a run cut off and gone on with, undone, and two at once."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest
import yaml

from demo.hosts import wait_until
from demo.stage import CLIENT_NAME, CONTROL_PORT, DNS_PORT, SERVICE_PORT, Stage, program
from orchestrator.engine.client import EngineClient

ID = "fileprint_alpha_beta"
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]


class Desk:
    """A stage with hosts added, and the programs of an administrator."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.env = {**os.environ, "DTAM_HOME": str(stage.home), "TERM": "xterm", "COLUMNS": "160"}

    def begin(self) -> None:
        stage = self.stage
        stage.start_dns()
        stage.start_witness()
        stage.data(stage.alpha).mkdir(parents=True)
        (stage.data(stage.alpha) / "letter.txt").write_text("words")
        for host in (stage.alpha, stage.beta):
            stage.start_engine(host)
            stage.make_token(host)
            stage.enrol(host)
        stage.write_protection()

    def add_hosts(self) -> None:
        stage = self.stage
        for host in (stage.alpha, stage.beta):
            words = ("--address", host.address, "--port", str(CONTROL_PORT), "--fingerprint", stage.fingerprint(host))
            self.run("hosts", "add", host.name, *words, "--token-file", str(stage.token_file(host)))

    def run(self, *words: str, code: int = 0) -> str:
        command = [program("dtam"), *words]
        done = subprocess.run(
            command, env=self.env, stdin=subprocess.DEVNULL, text=True, capture_output=True, timeout=120, check=False
        )
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def terminal(self, *words: str) -> pexpect.spawn:
        return pexpect.spawn(
            program("dtam"), list(words), env=self.env, timeout=60, encoding="utf-8", dimensions=(50, 160)
        )

    def frozen(self, *words: str) -> subprocess.Popen[bytes]:
        """A command stopped in the midst of its work: an engine has its document, the rest is not done."""
        cut = subprocess.Popen(
            [program("dtam"), *words], env=self.env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        wait_until(self.known_to_engines, 20, "the first document")
        cut.send_signal(signal.SIGSTOP)
        return cut

    def kill(self, cut: subprocess.Popen[bytes]) -> None:
        cut.send_signal(signal.SIGKILL)
        cut.communicate()

    def known_to_engines(self) -> list[str]:
        found = []
        for host in (self.stage.alpha, self.stage.beta):
            with EngineClient.local(str(host.directory / "engine" / "control.sock")) as engine:
                found += [document.id for document in engine.protections()]
        return found


@pytest.fixture
def desk() -> Iterator[Desk]:
    stage = Stage.build()
    try:
        made = Desk(stage)
        made.begin()
        yield made
    finally:
        stage.strike()


def test_first_contact_and_setup_asked_on_a_terminal(desk: Desk) -> None:
    stage = desk.stage
    token = ("--token-file", str(stage.token_file(stage.alpha)))
    asked = desk.terminal("hosts", "add", "alpha", "--address", stage.alpha.address, *token)
    asked.expect(stage.fingerprint(stage.alpha))
    asked.expect("Is it the same")
    asked.sendline("n")
    asked.expect("was not confirmed: nothing was changed")
    asked.expect(pexpect.EOF)
    desk.add_hosts()
    asked = desk.terminal("/fileprint", "/advanced", "setup")
    answers = (
        ("Which server is to be protected", "alpha"),
        ("Which server takes over", "beta"),
        ("Full name that clients use", CLIENT_NAME),
        ("Directory to protect", str(stage.data(stage.alpha))),
        ("Its place on the target", str(stage.data(stage.beta))),
        ("systemd units", ""),
        ("DNS servers that hold", f"{stage.third.address}:{DNS_PORT}"),
        ("Client DNS server", f"{stage.third.address}:{DNS_PORT}"),
        ("File with the TSIG key", str(stage.key_file)),
        ("Where the same key lies", ""),
        ("URL that must answer", f"http://{{name}}:{SERVICE_PORT}/-/health"),
        ("Witness, as ADDRESS", stage.third.address),
        ("Is it the same as 'dtwitness fingerprint'", "y"),
        ("Fix ", "y"),
        ("Enable protection now", "n"),
    )
    for question, answer in answers:
        asked.expect(re.escape(question))
        asked.sendline(answer)
    asked.expect("enabling was not confirmed")
    asked.expect(pexpect.EOF)
    asked.close()
    assert asked.exitstatus == 24
    assert desk.known_to_engines() == []


@pytest.mark.covers("AM-05", "AM-08", "AM-23")
def test_setup_by_flags_then_disabled_and_offered_again(desk: Desk) -> None:
    stage = desk.stage
    desk.add_hosts()
    good = yaml.safe_load(stage.protection_file.read_text())
    witness, failover = good["monitoring"]["witness"], good["failover"]
    words = [
        "--fileprint", "setup", "--source", "alpha", "--target", "beta", "--name", CLIENT_NAME, "--yes",
        "--path", f"{stage.data(stage.alpha)}={stage.data(stage.beta)}",
        "--set", f"monitoring.witness={json.dumps(witness)}", "--set", "monitoring.missed=7",
        "--set", f"failover={json.dumps(failover)}",
    ]  # fmt: skip
    desk.run(*words, "--plan")
    assert desk.known_to_engines() == []
    desk.run(*words)
    assert desk.known_to_engines() == [ID, ID]
    assert "does not fit" in desk.run("restore", code=14)
    desk.run("disable")
    assert desk.known_to_engines() == []
    again = desk.run("--fileprint", "configure", "--source", "alpha", "--target", "beta", "--reuse", "--plan")
    assert "monitoring.missed" in again
    assert CLIENT_NAME in again


@pytest.mark.covers("AM-15")
def test_a_run_that_was_cut_off_is_gone_on_with_or_undone(desk: Desk) -> None:
    stage = desk.stage
    desk.add_hosts()
    desk.run("--fileprint", "configure", "--file", str(stage.protection_file))
    desk.run("validate", "--fix")
    cut = desk.frozen("enable")
    assert "is busy" in desk.run("enable", "--anew", code=82)
    desk.kill(cut)
    told = json.loads(desk.run("status", "--protection", ID, "--json"))
    assert [run["kind"] for run in told["unfinished_runs"]] == ["protect"]
    assert "--resume goes on with it" in desk.run("enable", code=26)
    desk.run("enable", "--undo")
    assert desk.known_to_engines() == []
    assert json.loads(desk.run("status", "--protection", ID, "--json"))["unfinished_runs"] == []
    desk.kill(desk.frozen("enable"))
    desk.run("enable", "--resume")
    told = json.loads(desk.run("status", "--protection", ID, "--json"))
    assert (told["condition"], told["unfinished_runs"]) == ("healthy", [])


@pytest.mark.covers("AM-09")
def test_own_commands_in_a_script_survive(desk: Desk, tmp_path: Path) -> None:
    desk.add_hosts()
    desk.run("--fileprint", "setup", "--file", str(desk.stage.protection_file), "--yes")
    assert "start-files-target" in desk.run("scripts")
    own = tmp_path / "own.sh"
    own.write_text("logger 'the service has moved'\n")
    assert "would be delivered" in desk.run("scripts", "edit", "post_failover", "--own", str(own), "--plan")
    assert "the service has moved" not in desk.run("scripts", "show", "post_failover")
    assert "is delivered to beta" in desk.run("scripts", "edit", "post_failover", "--own", str(own))
    desk.run("scripts", "deliver")
    assert "the service has moved" in desk.run("scripts", "show", "post_failover")
    desk.run("enable")
    assert "the service has moved" in desk.run("scripts", "show", "post_failover")


@pytest.mark.covers("AM-14")
def test_monitor_lines_and_its_switch(desk: Desk) -> None:
    desk.add_hosts()
    desk.run("--fileprint", "setup", "--file", str(desk.stage.protection_file), "--yes")
    looks = [json.loads(line) for line in desk.run("monitor", "--count", "2", "--interval", "1", "--json").splitlines()]
    assert [look["condition"] for look in looks] == ["healthy", "healthy"]
    assert looks[0]["monitor"]["time_to_fail_s"] > 0
    assert " bytes queued" in desk.run("monitor", "--count", "1", "--bytes")
    assert "beta no longer watches alpha" in desk.run("monitor", "--off")
    assert json.loads(desk.run("status", "--protection", ID, "--json"))["monitor"]["enabled"] is False
    desk.run("monitor", "--on")
    desk.run("monitor", "--interval", "30001", code=2)
    seen = desk.terminal("monitor", "--count", "1")
    seen.expect("condition")
    seen.expect(pexpect.EOF)
