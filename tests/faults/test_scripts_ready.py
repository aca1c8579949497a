"""The process that stands ready beside a script: steps run by it end as if they had started their program, and it is not needed.

Scripts are rendered ones, the programs those of the installation.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.scripting import render
from tests.lab.scripts import ScriptHost, step
from tests.lab.waiting import until


@pytest.fixture
def host(tmp_path: Path) -> ScriptHost:
    made = ScriptHost(tmp_path / "beta")
    for name in ("dfo", "dtengine"):  # else it would not stand ready for this host's own
        (made.path / "bin" / name).unlink()
    return made


def run(host: ScriptHost, *commands: list[str], **request: object) -> dict[str, dict[str, str]]:
    """The last line of each step."""
    steps = [step(f"step-{number}", "common/run_command", command=words) for number, words in enumerate(commands)]
    host.deliver("post_failover", render("post_failover", "files", steps).text)
    host.run("post_failover", fenced="", **request)  # the engine says that nobody else serves
    return {line["step"]: line for line in host.lines()}


def test_a_step_has_its_own_input_output_and_exit_code(host: ScriptHost) -> None:
    document = '{"server": "nonsense"}'
    asked = ["eval", f"dtam step names show --undo {host.path}/undo.json <<<'{document}'"]
    taken = ["eval", f"! dtam step names show --undo {host.path}/undo.json <<<'{document}'"]  # before it can answer
    seen = run(host, taken, ["dtam", "--version"], ["eval", "dfo --help | tail -n 1"], asked)
    assert "names of the server 'nonsense'" in seen["step-0"]["says"]
    assert "dtam, version" in seen["step-1"]["says"]
    assert seen["step-2"]["says"].strip() not in {"", "do step-2"}
    assert seen["step-3"]["event"] == "failed"
    assert "names of the server 'nonsense'" in seen["step-3"]["says"]


def test_it_runs_them_in_the_scripts_session_without_starting_a_program(host: ScriptHost) -> None:
    told = ["eval", "dtam --version; echo by $IS_READY; ps -o args= -p $READY_PID"]
    seen = run(host, ["true"], told)
    assert "by 1" in seen["step-1"]["says"]
    assert "dtam ready" in seen["step-1"]["says"]


def test_a_script_goes_on_without_it(host: ScriptHost) -> None:
    seen = run(
        host, ["eval", "kill -9 $READY_PID; while kill -0 $READY_PID; do sleep 0.01; done"], ["dtam", "--version"]
    )
    assert "dtam, version" in seen["step-1"]["says"]
    assert seen["step-1"]["event"] == "done"


def test_programs_of_somebody_else_are_started(host: ScriptHost) -> None:
    host.program("dfo", "#!/bin/bash\necho another one\n")
    seen = run(host, ["dfo", "--help"], ["eval", "echo ready ${IS_READY}"])
    assert seen["step-0"]["says"] == "another one"
    assert seen["step-1"]["says"] == "ready 0"


def test_none_is_left_behind(host: ScriptHost) -> None:
    note = host.path / "pid"
    seen = run(host, ["eval", f"echo $READY_PID >{note}.ready"], ["true"])
    assert seen["step-1"]["event"] == "done"
    pid = int(Path(f"{note}.ready").read_text())
    until("it has ended", lambda: not _lives(pid), 30)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]
