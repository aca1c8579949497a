"""Running: a plan becomes a run with its journal, its row in the store and its line in the audit; one run at a time a protection.

A run that was cut off stays visible until it is resumed or undone: nothing is half-applied without being said. How a run ended
is told by its journal alone; the store's row is a copy that may be old, so an open row is checked against the journal.
"""

from __future__ import annotations

import fcntl
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from orchestrator import recording
from orchestrator.engine.client import ProtectionState
from orchestrator.executing import Executor, Progress
from orchestrator.model.outcomes import Outcome
from orchestrator.model.plan import Plan, PlanKind
from orchestrator.model.runs import Ended, Measured, Run, RunState
from orchestrator.model.servers import ProtectionId, RunId
from orchestrator.sdk.context import Ports
from orchestrator.store import journal
from orchestrator.store.errors import RunBusy
from orchestrator.store.store import Store


@dataclass(frozen=True, slots=True)
class Finished:
    """A run and how it ended."""

    run: Run
    ended: Ended


OVERTAKING = frozenset({PlanKind.PROTECT, PlanKind.UNPROTECT, PlanKind.FAILOVER, PlanKind.FAILBACK})
"""Kinds of plans that leave both sides in a known state."""
Tell = Callable[[Progress], None]
Figures = Callable[[Run], Mapping[str, float]]


def nothing_measured(_run: Run) -> Mapping[str, float]:
    """For runs that nobody but the journal measured."""
    return {}


def _overtakes(run: Run) -> bool:
    return run.state is RunState.DONE and run.plan.kind in OVERTAKING


class Running:
    """Runs below ``home``. ``by`` is who asks; ``now`` gives seconds since the epoch."""

    def __init__(self, home: Path, store: Store, by: str, now: Callable[[], float] = time.time) -> None:
        self.journals = home / "runs"
        self._locks = home / "locks"
        self._store = store
        self._by = by
        self._now = now

    def start(
        self, plan: Plan, ports: Ports, budget_s: float, tell: Tell, figures: Figures = nothing_measured
    ) -> Finished:
        """Carry out a plan as a new run; how it ended is in the run.

        Raises:
            PlanRefused: the plan refuses itself.
            RunBusy: another process works on this protection.
        """
        plan.raise_if_refused()
        header = journal.Header(journal.VERSION, self._new_id(plan), self._now(), self._by, plan)
        with self._alone(plan.protection), journal.create(self.journals, header, ports.texts) as log:
            return self._carry_out(log, ports, budget_s, tell, figures, undo=False)

    def go_on(
        self,
        run: str,
        make_ports: Callable[[Mapping[str, str]], Ports],
        budget_s: float,
        tell: Tell,
        *,
        undo: bool,
        figures: Figures = nothing_measured,
    ) -> Finished:
        """Resume a run that was cut off or failed, or undo it; ``make_ports`` gets the texts of the run's scripts."""
        header, _ = journal.read(self.journals, run)
        ports = make_ports(journal.texts(self.journals, run))
        with self._alone(header.plan.protection), journal.open_to_write(self.journals, run) as log:
            return self._carry_out(log, ports, budget_s, tell, figures, undo=undo)

    def unfinished(self, protection: str) -> tuple[Run, ...]:
        """Runs that left something half-applied, newest first. What is older than a done run of ``OVERTAKING`` is nobody's to go on with or to undo."""
        records = takewhile(lambda one: not _overtakes(one.run), self._store.runs(protection))
        kept = [record.run for record in records if not record.run.state.over]
        return tuple(run for run in map(self.as_told, kept) if not run.state.over)

    def as_told(self, run: Run) -> Run:
        """A run as its journal tells it: one whose process is gone is interrupted, whatever the store last heard."""
        if run.state is not RunState.RUNNING or journal.is_busy(self.journals, run.id):
            return run
        header, lines = journal.read(self.journals, run.id)
        return recording.run_of(run.id, header.plan, lines, started_at_s=header.started_at_s, by=header.by)

    def note_failover_by_target(
        self,
        protection: str,
        server: str,
        state: ProtectionState,
        steps: Callable[[str], tuple[Outcome, ...]] = lambda _run: (),
    ) -> None:
        """A failover that the target made without being asked here stands in the history like any other.

        ``steps`` gives what became of the steps of its script, by the failover's id; asked only when it is new here.
        """
        began_s = (state.detected_ns or self._now() * 1e9) / 1e9
        ended_s = state.finished_ns / 1e9 if state.finished_ns else None
        run_id = RunId(state.run_id or f"failover-{server}-{state.epoch}")
        if any(record.run.id == run_id for record in self._store.runs(protection)):
            return
        plan = Plan(
            PlanKind.FAILOVER, ProtectionId(protection), (), state.epoch - 1, nothing_because=f"{server} did it"
        )
        by = f"{server} by itself"
        says = f"{by}: {state.says or 'failed over'}"
        run = Run(run_id, plan, RunState.DONE, began_s, by, ended_s, steps(run_id), says)
        self._store.put_run(run, Measured(rto_s=ended_s - began_s if ended_s and state.detected_ns else None))
        self._store.audit(by, protection, "failover", run.says, run_id)

    def _new_id(self, plan: Plan) -> RunId:
        return RunId(f"{plan.kind}-{time.strftime('%Y%m%dT%H%M%S', time.gmtime(self._now()))}-{uuid.uuid4().hex[:6]}")

    def _carry_out(
        self, log: journal.Journal, ports: Ports, budget_s: float, tell: Tell, figures: Figures, *, undo: bool
    ) -> Finished:
        plan = log.header.plan
        self._keep(log, Ended(RunState.RUNNING, "it is under way"), nothing_measured)
        executor = Executor(log.header.run, ports, log, budget_s=budget_s, tell=tell)
        ended: Ended | None = None
        try:
            ended = executor.undo(plan) if undo else executor.execute(plan)
        finally:
            run = self._keep(log, ended, figures)
            self._store.audit(self._by, plan.protection, str(plan.kind), recording.sentence(run), run.id)
        return Finished(run, ended)

    def _keep(self, log: journal.Journal, ended: Ended | None, figures: Figures) -> Run:
        header, lines = log.header, log.lines
        run = recording.run_of(header.run, header.plan, lines, ended, started_at_s=header.started_at_s, by=header.by)
        self._store.put_run(run, recording.measured(run, lines, figures(run)))
        return run

    @contextmanager
    def _alone(self, protection: str) -> Iterator[None]:
        """The lock of a protection: it ends with the process, however that ends."""
        self._locks.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._locks / protection, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                who = os.pread(descriptor, 100, 0).decode(errors="replace") or "another process"
                raise RunBusy(what=f"protection {protection}", who=who) from None
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{self._by} (pid {os.getpid()})".encode(), 0)
            yield
        finally:
            os.close(descriptor)
