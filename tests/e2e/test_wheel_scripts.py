"""The wheel carries the templates: installed elsewhere, away from this tree, it renders the same script."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RENDER = """
import orchestrator.scripting as scripting
from orchestrator.model.servers import Where
from orchestrator.model.steps import Action, CannotUndo, ScriptCall, Step
act = Action("test")
call = ScriptCall("post_failover", "common/start_service", {"service": "files"})
step = Step("start", Where.TARGET, "start files", act, act, CannotUndo("test"), script=call)
print(scripting.__file__)
print(scripting.render("post_failover", "files", [step]).sha256)
print(",".join(scripting.template_names()))
"""


def rendered(environment: dict[str, str], cwd: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", RENDER], env=environment, cwd=cwd, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


@pytest.mark.slow
@pytest.mark.covers("AM-09")
def test_the_wheel_renders_elsewhere(tmp_path):
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", str(tmp_path), str(ROOT)], check=True, cwd=tmp_path)
    (wheel,) = tmp_path.glob("dtam-*.whl")
    site = tmp_path / "site"
    subprocess.run([*pip, "install", "--no-deps", "--target", str(site), str(wheel)], check=True)
    here = rendered({**os.environ, "PYTHONPATH": str(ROOT)}, tmp_path)
    elsewhere = rendered({**os.environ, "PYTHONPATH": str(site)}, tmp_path)
    assert elsewhere[0].startswith(str(site))
    assert elsewhere[1:] == here[1:]
