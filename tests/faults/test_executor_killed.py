"""The target's executor killed with SIGKILL at every phase: before, inside, after; then resumed, or undone."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from orchestrator.engine.monitor.errors import FailoverRefused
from orchestrator.engine.monitor.executor import Executor, ExecutorSettings, Trigger
from orchestrator.engine.monitor.run import GRACEFUL_ONLY, Phase
from orchestrator.engine.witness.wire import RegisterRequest, ReleaseRequest
from tests.faults.executor_fakes import PROTECTION, BookGranter, Host, collaborators, journal, with_book

POINTS = ("before", "inside", "after")
SETTINGS = ExecutorSettings(PROTECTION, "beta", manual_intervention=False)


def _executor(directory: Path, phase: Phase | None = None, point: str = "") -> tuple[Executor, Host]:
    event = {"before": "about_to", "after": "done"}.get(point)
    inside = phase if phase is not None and point == "inside" else None
    host = Host(directory, die_inside=inside or "", scripts=("pre_failover",))
    granter = BookGranter(with_book(directory), die_inside=inside is Phase.GRANT)
    kill_after = (event, phase.value) if event and phase else None
    return Executor(SETTINGS, collaborators(host, granter), journal(directory, kill_after)), host


def _go(executor: Executor) -> None:
    for _ in range(200):
        advance = executor.advance()
        if advance.finished:
            return
        time.sleep(min(advance.after_s, 0.05))
    raise AssertionError(f"never finished: {advance.says}")


def _killed_run(directory: Path, phase: Phase, point: str, *, graceful: bool) -> None:
    """A child process runs the failover and is killed on its way."""
    directory.mkdir()
    book = with_book(directory)
    book.register(PROTECTION, RegisterRequest(1, "alpha", 0.5))
    if not graceful:
        book.release(PROTECTION, ReleaseRequest(1, "alpha"))
    child = os.fork()
    if child == 0:
        executor, _ = _executor(directory, phase, point)
        executor.resume()
        executor.begin(Trigger(1, "the source is silent", by="anna" if graceful else "", graceful=graceful))
        _go(executor)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"it should have been killed {point} {phase}"


def _scenarios() -> list[tuple[Phase, str, bool]]:
    automatic = [(phase, point, False) for phase in Phase if phase not in GRACEFUL_ONLY for point in POINTS]
    return automatic + [(phase, point, True) for phase in GRACEFUL_ONLY for point in POINTS]


@pytest.mark.covers("AM-15", "ENG-FO-01")
@pytest.mark.parametrize(("phase", "point", "graceful"), _scenarios())
def test_resumed_it_ends_as_if_nothing_had_happened(tmp_path: Path, phase: Phase, point: str, graceful: bool) -> None:
    directory = tmp_path / "target"
    _killed_run(directory, phase, point, graceful=graceful)
    executor, host = _executor(directory)
    assert "goes on" in executor.resume()
    _go(executor)
    state = executor.state
    assert state is not None
    assert (state.ended, state.epoch) == ("done", 2)
    wanted = ["stop_source", "settle_source", "release_lease"] if graceful else []
    wanted += ["refuse_source", "pre_script", "settle", "promote", "mount", "start"]
    assert host.diary() == wanted, "each deed once, in order"
    view = with_book(directory).look(PROTECTION)
    assert view is not None
    assert (view.epoch, view.holder, view.lease) == (2, "beta", "held")


@pytest.mark.covers("AM-15")
@pytest.mark.parametrize(("phase", "point", "graceful"), _scenarios())
def test_undone_it_goes_back_or_says_why_not(tmp_path: Path, phase: Phase, point: str, graceful: bool) -> None:
    directory = tmp_path / "target"
    _killed_run(directory, phase, point, graceful=graceful)
    executor, host = _executor(directory)
    executor.resume()
    if phase is Phase.START:
        with pytest.raises(FailoverRefused, match="may have taken writes") as refused:
            executor.undo("anna")
        assert "failback" in refused.value.hint
        return
    executor.undo("anna")
    _go(executor)
    assert executor.state is not None
    assert executor.state.ended == "undone"
    assert not any(host.has(mark) for mark in ("promoted", "mounted", "pre_failover", "source-stopped", "serving"))
    view = with_book(directory).look(PROTECTION)
    assert view is not None
    if graceful:
        assert (view.epoch, view.holder, view.lease) == (1, "alpha", "timed"), "the source has its epoch again"
    else:
        assert (view.epoch, view.lease) == (2, "released"), "epochs never fall, but it is given back"


@pytest.mark.covers("AM-15")
def test_a_torn_last_line_is_what_a_crash_leaves(tmp_path: Path) -> None:
    directory = tmp_path / "target"
    _killed_run(directory, Phase.SETTLE, "inside", graceful=False)
    path = directory / "failover.journal"
    path.write_bytes(path.read_bytes()[:-7])
    executor, host = _executor(directory)
    executor.resume()
    _go(executor)
    assert executor.state is not None
    assert executor.state.ended == "done"
    assert host.diary().count("settle") == 1
