"""Runs of delivered scripts.

A run gets JSON on standard input and a minimal environment (PATH, LANG, RUNDIR, DTENGINE_STATE, DTENGINE_SOCKET); it writes its own
lines to RUNDIR/RUN_ID.SCRIPT.run. The script runs in its own session and outlives the daemon: a restarted daemon finds it by its
process file and its exit file. One that left neither was cut off (``interrupted``); asked again with the same run id it goes on,
for scripts look before they act.

Lock: one for the table of runs; a script's own work happens outside of it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from orchestrator.engine.control import commands, schema, store
from orchestrator.engine.control.answers import RunStatus
from orchestrator.engine.control.errors import Conflict, Unknown
from orchestrator.engine.control.fields import Epoch, Name, Request
from orchestrator.engine.control.layout import Layout
from orchestrator.engine.control.scripts import Scripts

RUN_THEN_SAY_HOW = '/bin/bash "$1"; code=$?; printf "%s" "$code" >"$2.new" && mv "$2.new" "$2"; exit "$code"'
REFRESH = "refresh-names"
"""The step of a script that registers again what is so: it may run beside others."""
KEEP = "keep-logins"
"""What the runs are called that gather log-ins while a target waits: a takeover ends what is at work of them."""
OUTPUT_SHOWN_BYTES = 64 * 1024
END_GRACE_S = 0.5


class RunRecord(Request):
    """The stored form of a run."""

    run_id: schema.RunId
    protection: Name
    script: schema.ScriptName
    sha256: schema.Sha256
    started_ns: int
    request: schema.RunRequest
    epoch: Epoch

    @property
    def key(self) -> str:
        """The name that its files share."""
        return f"{self.run_id}.{self.script}"


class Runs:
    """All runs of this engine."""

    def __init__(
        self, layout: Layout, scripts: Scripts, fence_of: Callable[[str], str | None] = lambda _: None
    ) -> None:
        """``fence_of`` says why a protection is fenced here; a script is told so, and takes nothing then."""
        self._layout = layout
        self._fence_of = fence_of
        self._runs = layout.runs
        self._scripts = scripts
        self._lock = threading.Lock()
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def run(self, protection: schema.Protection, name: str, request: schema.RunRequest) -> RunStatus:
        """Start a run, or answer how it is when the very same is running.

        Raises:
            Conflict: another request runs under this run id, another script of the protection runs, or the request carries an
                older epoch.
            ScriptRefused: the script is not what was delivered.
        """
        script = self._scripts.read(protection.id, name)
        self._refuse_older_epoch(protection, name, request)
        record = RunRecord(
            run_id=request.run_id,
            protection=protection.id,
            script=name,
            sha256=script.sha256,
            started_ns=time.time_ns(),
            request=request,
            epoch=protection.epoch if request.epoch is None else request.epoch,
        )
        with self._lock:
            if self._is_running(record.key):
                self._refuse_different(record)
            else:
                self._refuse_beside(record)
                self._start(record)
        return self.status(record.key)

    def status(self, name: str) -> RunStatus:
        """A run with its lines, by ``RUN_ID.SCRIPT``, or by its run id when that was used with one script."""
        found = [path for path in self._records() if name in (path.stem, path.stem.partition(".")[0])]
        if len(found) > 1:
            keys = ", ".join(path.stem for path in found)
            raise Conflict(
                what=f"showing run {name}", why="several scripts ran under it", hint=f"ask for one of: {keys}"
            )
        if not found:
            raise Unknown(kind="run", name=name, listing="runs list")
        return self._status(store.load(found[0], RunRecord), whole=True)

    def last(self, key: str) -> RunStatus | None:
        """How the run RUN_ID.SCRIPT is, or None when there was none."""
        path = self._runs / f"{key}.json"
        return self._status(store.load(path, RunRecord), whole=False) if path.exists() else None

    def end(self, key: str) -> None:
        """Kill the run RUN_ID.SCRIPT with all that it started, should it be at work."""
        process = commands.running(self._at(self._runs / key, ".process"))
        if process is not None:
            commands.end_group(process, END_GRACE_S)
            self._is_running(key)  # whoever was our child is reaped

    def end_gathering(self, protection: str) -> None:
        """Kill what gathers log-ins for a protection: a takeover does not wait for it."""
        for path in [*self._runs.glob(f"{KEEP}-*.process")]:
            record = self._runs / f"{path.stem}.json"
            if record.exists() and store.load(record, RunRecord).protection == protection:
                self.end(path.stem)

    def listed(self) -> list[RunStatus]:
        """All runs, newest first, without lines and output."""
        records = [store.load(path, RunRecord) for path in self._records()]
        records.sort(key=lambda record: record.started_ns, reverse=True)
        return [self._status(record, whole=False) for record in records]

    def _records(self) -> list[Path]:
        return sorted(self._runs.glob("*.json"))

    def _refuse_older_epoch(self, protection: schema.Protection, name: str, request: schema.RunRequest) -> None:
        if request.epoch is not None and request.epoch < protection.epoch:
            raise Conflict(
                what=f"running {name}",
                why=f"it carries epoch {request.epoch}, the protection is at {protection.epoch}",
                hint="plan again: somebody failed over since",
            )

    def _refuse_different(self, record: RunRecord) -> None:
        known = store.load(self._runs / f"{record.key}.json", RunRecord)
        if known.request != record.request:
            raise Conflict(
                what=f"another run {record.key}",
                why="one with other arguments is running under this id",
                hint=f"wait for it: dtengine runs show {record.key}",
            )

    def _refuse_beside(self, record: RunRecord) -> None:
        """One script gives back what another still takes: those of a protection run one after the other, but for parts of one run."""
        if record.request.dry_run:
            return
        for key in [path.stem for path in self._runs.glob("*.process")]:
            other = self._beside(key, record) if self._is_running(key) else None
            if other is not None:
                raise Conflict(
                    what=f"running {record.script} of {record.protection}",
                    why=f"{other.script} of it still runs ({other.run_id})",
                    hint=f"wait for its end: dtengine runs show {other.key}",
                )

    def _beside(self, key: str, record: RunRecord) -> RunRecord | None:
        """A run of another script of the same protection that changes something; None when it is none."""
        other = store.load(self._runs / f"{key}.json", RunRecord)
        if [REFRESH] in (other.request.segments, record.request.segments):
            return None
        same = other.protection == record.protection and not other.request.dry_run
        return other if same and other.script != record.script and other.run_id != record.run_id else None

    def _start(self, record: RunRecord) -> None:
        base = self._runs / record.key
        self._at(base, ".exit").unlink(missing_ok=True)
        store.save(self._at(base, ".json"), record)
        asked = standard_input(record, self._fence_of(record.protection) or "")
        store.write_text(self._at(base, ".in"), json.dumps(asked) + "\n")
        script = self._scripts.path(record.protection, record.script)
        self._children[record.key] = commands.spawn(
            ["/bin/sh", "-c", RUN_THEN_SAY_HOW, "sh", str(script), str(self._at(base, ".exit"))],
            self._at(base, ".process"),
            self._at(base, ".out"),
            environment=self._environment(),
            stdin=self._at(base, ".in"),
        )

    def _environment(self) -> dict[str, str]:
        own_programs = Path(sys.executable).parent
        return {
            "PATH": f"{own_programs}:{commands.PLAIN_PATH}",
            "LANG": "C.UTF-8",
            "RUNDIR": str(self._runs),
            "DTENGINE_STATE": str(self._layout.root),
            "DTENGINE_SOCKET": str(self._layout.socket),
        }

    def _is_running(self, key: str) -> bool:
        child = self._children.get(key)
        if child is not None:
            child.poll()
        return commands.running(self._at(self._runs / key, ".process")) is not None

    @staticmethod
    def _at(base: Path, suffix: str) -> Path:
        return base.with_name(base.name + suffix)

    def _status(self, record: RunRecord, *, whole: bool) -> RunStatus:
        base = self._runs / record.key
        alive = self._is_running(record.key)  # looked at before the exit file: it may end in between
        exit_file = self._at(base, ".exit")
        code = int(exit_file.read_text(encoding="ascii")) if exit_file.exists() else None
        return RunStatus(
            run_id=record.run_id,
            protection=record.protection,
            script=record.script,
            state=run_state(alive=alive, code=code),
            script_exit_code=code,
            started_ns=record.started_ns,
            finished_ns=exit_file.stat().st_mtime_ns if code is not None else None,
            dry_run=record.request.dry_run,
            undo=record.request.undo,
            lines=read_lines(self._at(base, ".run")) if whole else [],
            output=_tail(self._at(base, ".out")) if whole else "",
        )


def standard_input(record: RunRecord, fenced: str = "") -> dict[str, Any]:
    """What a script reads; ``fenced`` says why protected services may not run here."""
    return {
        "run_id": record.run_id,
        "epoch": record.epoch,
        "protection": record.protection,
        "segments": record.request.segments,
        "dry_run": record.request.dry_run,
        "undo": record.request.undo,
        "facts": record.request.facts,
        "fenced": " ".join(fenced.split()),
    }


def run_state(*, alive: bool, code: int | None) -> Literal["running", "done", "failed", "interrupted"]:
    """How a run is, from whether its process lives and whether it said how it ended."""
    if code is not None:
        return "done" if code == 0 else "failed"
    return "running" if alive else "interrupted"


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The JSON lines of a run file; a torn last line is left out."""
    if not path.exists():
        return []
    lines = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        lines.append(value if isinstance(value, dict) else {"says": value})
    return lines


def _tail(path: Path) -> str:
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - OUTPUT_SHOWN_BYTES))
        return file.read().decode(errors="replace")
