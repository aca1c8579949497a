"""What a failover goes on with: the queue applied or discarded, a snapshot, the last good state; never half a mirror by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.engine.monitor.executor import Executor, ExecutorSettings, Trigger
from orchestrator.engine.monitor.ports import Outcome, Settle
from orchestrator.engine.witness.wire import RegisterRequest, ReleaseRequest
from tests.faults.executor_fakes import PROTECTION, BookGranter, Host, collaborators, journal, with_book

SNAPSHOT = "20260102T030405Z-a1b2c3"


def executor(tmp_path: Path, host: Host) -> Executor:
    """Its source had the epoch and let it go: the witness grants the next one at once."""
    book = with_book(tmp_path)
    book.register(PROTECTION, RegisterRequest(1, "alpha", 5.0))
    book.release(PROTECTION, ReleaseRequest(1, "alpha"))
    settings = ExecutorSettings(PROTECTION, "beta", manual_intervention=False)
    return Executor(settings, collaborators(host, BookGranter(book)), journal(tmp_path))


def run(made: Executor) -> None:
    for _ in range(40):
        if made.advance().finished:
            return


@pytest.mark.covers("ENG-FO-08")
@pytest.mark.parametrize(
    ("data", "mark"),
    [
        ("", "settled-apply"),
        ("apply", "settled-apply"),
        ("discard", "settled-discard"),
        (f"snapshot:{SNAPSHOT}", f"at-{SNAPSHOT}"),
    ],
)
def test_a_persons_choice(tmp_path: Path, data: str, mark: str) -> None:
    host = Host(tmp_path)
    made = executor(tmp_path, host)
    made.begin(Trigger(1, "asked", by="a person", forced=True, data=data))
    run(made)
    assert (made.state.ended, host.has(mark)) == ("done", True)


@pytest.mark.covers("ENG-FO-08")
def test_by_itself_half_a_mirror_is_never_served(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.data_state = "mirroring"
    made = executor(tmp_path, host)
    assert "mirroring" in made.begin(Trigger(1, "silent")).waits_for
    made.approve("a person", forced=True, data=f"snapshot:{SNAPSHOT}")
    run(made)
    assert host.has(f"at-{SNAPSHOT}")
    assert made.state.ended == "done"


@pytest.mark.covers("ENG-FO-08")
def test_by_itself_it_goes_back_to_the_last_good_state(tmp_path: Path) -> None:
    host = Host(tmp_path)
    host.data_state, host.falls_back = "mirroring", True
    made = executor(tmp_path, host)
    assert made.begin(Trigger(1, "silent")).waits_for == ""
    run(made)
    assert host.diary()[:3] == ["refuse_source", "fall_back", "promote"]


@pytest.mark.covers("ENG-FO-08")
def test_what_became_half_a_mirror_since_the_beginning_stands_still(tmp_path: Path) -> None:
    """Good when the failover began, and no more when its data is settled; nothing was kept."""
    host = Host(tmp_path)
    made = executor(tmp_path, host)
    made.begin(Trigger(1, "silent"))
    for _ in range(40):
        if "refuse_source" in host.diary():
            break
        made.advance()
    host.data_state = "mirroring"
    run(made)
    assert "no good state was kept" in made.state.stuck
    made.approve("a person", data="apply")
    run(made)
    assert (made.state.ended, host.has("settled-apply")) == ("done", True)


class MirrorInTheQueue(Host):
    """What is applied on settling ends with the first half of a mirror."""

    def settle(self, how: Settle) -> Outcome:
        self.data_state, self.falls_back = "mirroring", True
        return super().settle(how)


@pytest.mark.covers("ENG-FO-08")
def test_a_mirror_that_began_in_the_queue_is_not_taken_for_the_good_data_before_it(tmp_path: Path) -> None:
    host = MirrorInTheQueue(tmp_path)
    made = executor(tmp_path, host)
    made.begin(Trigger(1, "silent"))
    run(made)
    assert made.state.ended == "done"
    assert host.diary()[:4] == ["refuse_source", "settle", "fall_back", "promote"]
