"""Scripts in the manner of the published cmdlet pages, and what a server answers: stories of steps, as data."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.lab.windows.machine.settings import Hooks
from tests.lab.windows.powershell.commands import Session
from tests.lab.windows.powershell.run import run

HERE = Path(__file__).parent
STORIES = [story for file in sorted(HERE.glob("cases_*.yaml")) for story in yaml.safe_load(file.read_text())]
SESSION = {
    "SessionId": 7,
    "ClientComputerName": "10.0.0.50",
    "ClientUserName": "LAB\\writer",
    "OpenFiles": [{"FileId": 11, "Path": "E:\\d\\a.txt"}],
}


def words(text):
    """What a step says, without the lines that the console breaks."""
    return " ".join(text.split())


def error_id(text):
    """The FullyQualifiedErrorId of the first error."""
    found = re.search(r"FullyQualifiedErrorId : (.+)", text)
    return found[1].strip() if found else text


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story["story"])
def test_a_server_answers_as_windows_does(build, story):
    machine = build(hooks=Hooks(answers=lambda address: address == story.get("answers")), **story.get("machine", {}))
    session = Session(user="LAB\\operator", elevated=story.get("elevated", True))
    if story.get("sessions"):
        machine.shares.lab_sessions = [dict(SESSION)]
    if story.get("cluster"):
        resources = {"disk": {"type": "Physical Disk"}, "share": {"type": "File Server", "requires": ["disk"]}}
        machine.cluster.form(
            "CL1", ["FS1", "FS2"], {"files": {"owner": "FS1", "type": "FileServer", "resources": resources}}
        )
    wrong = []
    for step in story["steps"]:
        if "skip" in step:
            continue
        ran = run(step["run"], machine, session)
        build.clock.sleep(story.get("wait", 0))
        if step.get("restart"):
            machine.restart()
            machine.tick()
        if task := step.get("restart") or step.get("task"):
            assert machine.tasks.wait(machine.tasks.find(task), 60)
        out, err = ran.stdout.decode(), ran.stderr.decode()
        fine = all((
            "OutsideSubset" not in err,
            "says" not in step or (words(out) == str(step["says"]) and not err),
            "has" not in step or str(step["has"]) in out,
            "id" not in step or error_id(err) == step["id"],
            not step.get("fails") or bool(err),
        ))  # fmt: skip
        if not fine:
            wrong.append((step, out, err))
    assert wrong == []
