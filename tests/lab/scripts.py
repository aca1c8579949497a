"""A host for scripts in tests: a directory with the programs that scripts call, a run directory, and a way to run one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.model.servers import Where
from orchestrator.model.steps import Action, CannotUndo, ScriptCall, Step

FAKE_ENGINE = """#!/bin/bash
# A stand-in for dtengine: services are files; each start and stop is written down.
state=$HOST/service.$3
case $2 in
  list) for one in "$HOST"/service.*; do
      printf '%s\\tfiles\\t%s\\t1\\tFalse\\n' "${one##*/service.}" "$(cat "$one")"; done ;;
  start) printf 'start %s\\n' "$3" >>"$HOST/deeds"; printf running >"$state"; "$HOST/bin/inside" start-files ;;
  stop) printf 'stop %s\\n' "$3" >>"$HOST/deeds"; printf stopped >"$state" ;;
esac
"""
# Kills the script when its name of the moment is asked for, once.
INSIDE = """#!/bin/bash
[[ -e $HOST/kill && $(cat "$HOST/kill") == "inside $1" ]] || exit 0
rm "$HOST/kill"
kill -9 "$(cat "$HOST/pid")"
exit 1
"""
# Stands in for sync: after the real one, kills the script when the line just written is the one waited for.
SYNC = """#!/bin/bash
/usr/bin/sync "$@" || exit 1
[[ -e $HOST/kill && $1 == *.run ]] || exit 0
read -r event step <"$HOST/kill"
[[ $(tail -n 1 "$1") == *"\\"step\\": \\"$step\\", \\"event\\": \\"$event\\""* ]] || exit 0
rm "$HOST/kill"
kill -9 "$(cat "$HOST/pid")"
"""
DFO = """#!/bin/bash
"{python}" -m orchestrator.cli.dfo "$@"
code=$?
case $1 in failover) "$HOST/bin/inside" names-to-target ;; ask) "$HOST/bin/inside" clients-served ;; esac
exit $code
"""


def step(step_id: str, template: str, sentence: str = "", script: str = "post_failover", **variables: Any) -> Step:
    """A step that lives in a script."""
    act = Action("test")
    sentence = sentence or f"do {step_id}"
    call = ScriptCall(script, template, variables)
    return Step(step_id, Where.TARGET, sentence, act, act, CannotUndo("test"), script=call)


@dataclass
class ScriptHost:
    """The host; ``path`` is its directory."""

    path: Path

    def __post_init__(self) -> None:
        (self.path / "bin").mkdir(parents=True)
        self.program("dtengine", FAKE_ENGINE)
        self.program("inside", INSIDE)
        self.program("sync", SYNC)
        self.program("dfo", DFO.replace("{python}", sys.executable))
        (self.path / "service.files").write_text("stopped")

    def program(self, name: str, text: str) -> None:
        """Put a program on the host's PATH."""
        path = self.path / "bin" / name
        path.write_text(text)
        path.chmod(0o755)

    def environment(self) -> dict[str, str]:
        """What the engine gives a script, and where this host is."""
        return {
            "PATH": f"{self.path}/bin:{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "RUNDIR": str(self.path / "runs"),
            "DTENGINE_STATE": str(self.path / "state"),
            "HOST": str(self.path),
            "DTAM_HOME": str(self.path / "home"),
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        }

    def deliver(self, name: str, text: str) -> Path:
        """Put a script on the host."""
        path = self.path / name
        path.write_text(text)
        path.chmod(0o700)
        return path

    def run(self, name: str, kill: str = "", **request: Any) -> subprocess.CompletedProcess[str]:
        """Run a delivered script as the engine does, to its end or to its killing at the point ``kill``."""
        if kill:
            (self.path / "kill").write_text(f"{kill}\n")
        asked = {"run_id": "run1", "epoch": 2, "protection": "files", "segments": [], **request}
        process = subprocess.Popen(
            ["/bin/bash", str(self.path / name)],
            env=self.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        (self.path / "pid").write_text(str(process.pid))
        out, err = process.communicate(json.dumps(asked), timeout=60)
        return subprocess.CompletedProcess(name, process.returncode, out, err)

    def lines(self, name: str = "post_failover", run_id: str = "run1") -> list[dict[str, Any]]:
        """The run file."""
        path = self.path / "runs" / f"{run_id}.{name}.run"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def events(self, name: str = "post_failover") -> list[tuple[str, str]]:
        """(step, event) in order."""
        return [(line["step"], line["event"]) for line in self.lines(name)]

    def deeds(self) -> list[str]:
        """What the engine's stand-in was asked to do."""
        path = self.path / "deeds"
        return path.read_text().splitlines() if path.exists() else []

    def service(self) -> str:
        """The state of the service."""
        return (self.path / "service.files").read_text()
