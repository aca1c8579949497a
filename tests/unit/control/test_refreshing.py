"""When moved names are registered again, and that nothing is at work any more once the gate is closed."""

from __future__ import annotations

import hashlib
import time
from types import SimpleNamespace

import pytest

from orchestrator.engine.control import schema
from orchestrator.engine.control.answers import RunStatus
from orchestrator.engine.control.layout import Layout
from orchestrator.engine.control.refreshing import LOGINS, NS, Refreshing, is_due
from orchestrator.engine.control.runs import Runs
from orchestrator.engine.control.scripts import Scripts

DAY_S = 86400.0
HANGS = '#!/bin/bash\necho begun >>"$RUNDIR/begun"\nsleep 600\n'


def ran(state: str, started_s: float) -> RunStatus:
    return RunStatus(
        run_id="refresh-names-2",
        protection="files",
        script="post_failover",
        state=state,
        started_ns=int(started_s * NS),
    )


@pytest.mark.parametrize(
    ("known", "since_s", "now_s", "due"),
    [
        (None, 0, DAY_S - 1, False),
        (None, 0, DAY_S, True),
        (ran("done", 100), 0, DAY_S, False),
        (ran("done", 100), 0, DAY_S + 100, True),
        (ran("failed", 100), 0, 3000, False),
        (ran("failed", 100), 0, 3700, True),
        (ran("interrupted", 100), 0, 3700, True),
        (ran("done", 100), 200, DAY_S + 150, False),
    ],
)
def test_when_it_is_time(known, since_s, now_s, due):
    assert is_due(known, since_s * NS, DAY_S, now_s * NS) is due


@pytest.fixture
def desk(tmp_path):
    """A refreshing over real runs of a script that hangs, while the target serves."""
    layout = Layout(tmp_path / "state")
    layout.make()
    scripts = Scripts(layout.protections)
    sha256 = hashlib.sha256(HANGS.encode()).hexdigest()
    scripts.deliver("files", "post_failover", schema.Script(text=HANGS, sha256=sha256))
    settings = SimpleNamespace(
        post_script="post_failover", refresh_names_s=1.0, refresh_logins_s=1.0, logins=["gather"]
    )
    document = SimpleNamespace(id="files", epoch=2, failover=settings)
    told = []
    rooms = SimpleNamespace(
        documents=SimpleNamespace(get=lambda _: document),
        runs=Runs(layout, scripts),
        events=SimpleNamespace(tell=lambda _kind, says, **_facts: told.append(says)),
    )
    serving = [0]
    made = Refreshing("files", rooms, lambda: serving[0])
    yield SimpleNamespace(made=made, rooms=rooms, serving=serving, told=told, begun=layout.runs / "begun")
    made.end()


def state_of(desk) -> str:
    return desk.rooms.runs.last("refresh-names-2.post_failover").state


def begin(desk) -> None:
    desk.made.look(1.0)
    until_s = time.monotonic() + 60
    while not (desk.begun.exists() and desk.begun.read_text()) and time.monotonic() < until_s:
        time.sleep(0.01)


def test_never_two_at_once(desk):
    begin(desk)
    desk.made.look(0.0)
    assert state_of(desk) == "running"
    assert desk.begun.read_text().splitlines() == ["begun"]


def test_a_target_that_serves_no_more_has_nothing_at_work(desk):
    begin(desk)
    desk.serving[0] = None
    desk.made.end()
    assert state_of(desk) == "interrupted"
    desk.made.look(0.0)
    assert state_of(desk) == "interrupted"
    assert desk.made.problem == ""


def test_a_run_that_was_cut_off_is_told_once_and_done_again(desk):
    begin(desk)
    desk.rooms.runs.end("refresh-names-2.post_failover")
    desk.made.look(DAY_S)
    desk.made.look(DAY_S)
    assert "could not be registered again" in desk.made.problem
    assert len(desk.told) == 1
    desk.made.look(0.0)
    assert state_of(desk) == "running"


def test_who_was_taken_over_from_starts_nothing(desk):
    desk.made.retire()
    desk.made.look(0.0)
    assert not desk.begun.exists()


def test_log_ins_are_gathered_while_the_target_waits_and_a_takeover_does_not_wait_for_them(desk):
    gathering = Refreshing("files", desk.rooms, lambda: desk.serving[0], LOGINS)
    gathering.look(0.0)
    key = "keep-logins-files-2.post_failover"
    assert desk.rooms.runs.last(key).state == "running"
    assert desk.rooms.runs.status(key).run_id == "keep-logins-files-2"
    desk.rooms.runs.end_gathering("others")
    assert desk.rooms.runs.last(key).state == "running"
    desk.rooms.runs.end_gathering("files")
    assert desk.rooms.runs.last(key).state == "interrupted"
