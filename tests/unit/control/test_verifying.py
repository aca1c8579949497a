"""When verifications are done by themselves."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from orchestrator.engine.control import schema
from orchestrator.engine.control.errors import Conflict, Unknown
from orchestrator.engine.control.schema_verify import VerifySchedule
from orchestrator.engine.control.verifying import Verifying, action_of, following

SECOND = 1_000_000_000


class Connections:
    """One connection, ``one``, that is told things."""

    def __init__(self) -> None:
        self.state, self.mirror_state = "Started", "Idle"
        self.told: list[schema.ConnectionAction] = []
        self.refuses = False

    def status(self, key: str) -> SimpleNamespace:
        if key not in {"one", "1"}:
            raise Unknown(kind="connection", name=key, listing="connections list")
        return SimpleNamespace(key="one", state=self.state, mirror_state=self.mirror_state)

    def act(self, key: str, action: schema.ConnectionAction) -> None:
        assert key == "one"
        if self.refuses:
            raise Conflict(what="verifying", why="no", hint="wait")
        self.told.append(action)


class Clock:
    now_ns = 1000 * SECOND

    def __call__(self) -> int:
        return self.now_ns


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def connections() -> Connections:
    return Connections()


@pytest.fixture
def verifying(tmp_path, connections, clock) -> Verifying:
    return Verifying(tmp_path / "plans", connections, now_ns=clock)


@pytest.mark.covers("ENG-VER-01")
def test_a_schedule_begins_at_its_hour_and_is_kept_to(verifying, connections, clock):
    verifying.plan("1", VerifySchedule(first_ns=1100 * SECOND, interval_s=600, remirror=True))
    verifying.look()
    assert connections.told == []
    clock.now_ns = 1101 * SECOND
    verifying.look()
    verifying.look()
    assert [action.remirror for action in connections.told] == [True]
    clock.now_ns = 1700 * SECOND
    verifying.look()
    assert len(connections.told) == 2, "ten minutes after its hour, not after it was done"


@pytest.mark.covers("ENG-VER-01")
def test_once_is_once_and_at_once_is_now(verifying, connections, clock):
    verifying.plan("one", VerifySchedule())
    for _ in range(3):
        verifying.look()
        clock.now_ns += 10_000 * SECOND
    assert len(connections.told) == 1
    assert verifying.planned("1").due_ns is None


@pytest.mark.parametrize(("state", "mirror_state"), [("Paused", "Idle"), ("Stopped", "Idle"), ("Started", "40 %")])
def test_what_cannot_be_done_now_waits(verifying, connections, state, mirror_state):
    connections.state, connections.mirror_state = state, mirror_state
    verifying.plan("one", VerifySchedule(interval_s=600))
    verifying.look()
    assert connections.told == []
    connections.state, connections.mirror_state = "Started", "Idle"
    verifying.look()
    assert len(connections.told) == 1


def test_a_refusal_is_told_and_the_next_one_is_tried(verifying, connections, clock):
    connections.refuses = True
    verifying.plan("one", VerifySchedule(interval_s=600))
    verifying.look()
    assert "no" in verifying.planned("one").last
    connections.refuses = False
    clock.now_ns += 600 * SECOND
    verifying.look()
    assert len(connections.told) == 1


def test_plans_outlive_the_daemon_and_go_with_their_connection(tmp_path, verifying, connections, clock):
    verifying.plan("one", VerifySchedule(first_ns=2000 * SECOND, interval_s=600))
    again = Verifying(tmp_path / "plans", connections, now_ns=clock)
    again.start()
    again.stop()
    assert again.planned("one").schedule.interval_s == 600
    again.forget("one")
    assert list((tmp_path / "plans").iterdir()) == []
    with pytest.raises(Unknown):
        again.planned("one")
    with pytest.raises(Unknown):
        again.plan("two", VerifySchedule())


def test_what_was_due_while_nobody_was_there_is_done_once():
    schedule = VerifySchedule(interval_s=60)
    assert following(schedule, 100 * SECOND, 100 * SECOND) == 160 * SECOND
    assert following(schedule, 100 * SECOND, 1000 * SECOND) == 1060 * SECOND
    assert following(schedule, 100 * SECOND, 1001 * SECOND) == 1060 * SECOND


@pytest.mark.covers("ENG-VER-01")
@pytest.mark.parametrize("only_newer", [False, True])
@pytest.mark.parametrize("checksum", [False, True])
def test_a_schedule_says_how(only_newer, checksum):
    action = action_of(VerifySchedule(only_newer=only_newer, checksum=checksum))
    assert action.action == "verify"
    assert not action.remirror
    assert action.options == schema.MirrorOptions(
        kind="difference", checksum=checksum, only_newer=only_newer, orphans=schema.Orphans(action="log")
    )
