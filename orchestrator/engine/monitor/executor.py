"""The target's own executor: carries a failover out in journaled phases, with no client alive.

    condition met -> (a person's yes) -> grant -> refuse the old connections -> pre script -> settle -> promote -> capture over the
    target path -> post script: services, names, health through the name -> done

``advance`` does at most one thing and returns one sentence; whoever calls it waits ``after_s`` and calls again (``loop.py``, the
daemon at start, the simulation). A phase that was in doubt at a crash is repeated: every deed looks before it acts.

Invariants:
- no phase after GRANT runs without the witness's grant of exactly the epoch that it carries; ``witness none`` is a recorded choice
  that waits for a person unless one insisted beforehand;
- from the first request for a grant until its clear refusal this engine gives the source no promise (``promise.py``);
- once START has begun nothing is undone: clients may have written here, and only a failback brings that to the source.

Lock: ``_lock`` makes each public call whole; the watch advances from its thread, people's requests come from others. An advance
may hold it for as long as one deed takes.
"""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from orchestrator.engine.monitor import phases
from orchestrator.engine.monitor.errors import FailoverRefused
from orchestrator.engine.monitor.journal import Entry, Journal
from orchestrator.engine.monitor.ports import Collaborators, Done, GiveUp, Outcome, Pending, ReplicaStatus, Settle
from orchestrator.engine.monitor.promise import Promise
from orchestrator.engine.monitor.run import Phase, RunState, last_run
from orchestrator.errors import DtamError

RETRY_S = 1.0
RETRY_MAX_S = 10.0
STUCK_S = 5.0
ASKING = "a failover has begun here"


@dataclass(frozen=True, slots=True)
class ExecutorSettings:
    """What the protection says about its failovers. ``candidate`` is this engine's id at the witness."""

    protection: str
    candidate: str
    manual_intervention: bool = True
    insist_without_witness: bool = False
    settle: Settle = Settle.APPLY
    wait_for_pre_script: bool = True
    wait_for_post_script: bool = True


@dataclass(frozen=True, slots=True)
class Trigger:
    """Why a failover begins: who asked (empty: the monitor did), the sentence, and what it was judged from."""

    from_epoch: int
    why: str
    by: str = ""
    graceful: bool = False
    inputs: tuple[str, ...] = ()
    forced: bool = False
    data: str = ""
    """What the failover goes on with: apply, discard, or snapshot:ID; empty: as the settings say."""


@dataclass(frozen=True, slots=True)
class Advance:
    """What one call did, when to call again (seconds), and whether the run is over or waits for a person."""

    says: str
    after_s: float
    finished: bool = False


class Executor:
    """Failovers of one protection at its target.

    Args:
        settings: how.
        with_: what it works with.
        journal: where it remembers.
        promise: what this target has promised the source about its lease; None where it promises nothing.
        new_run_id: gives unique ids.
    """

    def __init__(
        self,
        settings: ExecutorSettings,
        with_: Collaborators,
        journal: Journal,
        promise: Promise | None = None,
        *,
        new_run_id: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self.settings = settings
        self._with = with_
        self._journal = journal
        self._promise = promise
        self._new_run_id = new_run_id
        self._lock = threading.RLock()
        self._failures = 0
        self._said = ""
        self._retired = False

    @property
    def state(self) -> RunState | None:
        """The newest run, open or ended; None when there was none."""
        return last_run(self._journal.entries)

    @property
    def open_run(self) -> RunState | None:
        """The run that is not over."""
        state = self.state
        return state if state is not None and state.is_open else None

    def resume(self) -> str:
        """At daemon start, before anybody may ask for a promise: say where things stand. ``advance`` then goes on."""
        state = self.state
        if self._promise is not None:
            self._restore_promise(self._promise, state)
        if state is None or not state.is_open:
            return "no failover is under way"
        where = f"{state.in_doubt} is in doubt" if state.in_doubt else f"{state.next_phase} comes next"
        return self._say(f"failover {state.run_id} goes on: {'undoing, ' if state.undoing else ''}{where}", "warning")

    def retire(self) -> None:
        """Act and promise no more: another executor takes this one's place. Returns when no deed of this one is under way."""
        with self._lock:
            self._retired = True
            if self._promise is not None:
                self._promise.retire()

    @contextlib.contextmanager
    def standing_still(self) -> Iterator[bool]:
        """Nothing is done here meanwhile; gives whether this engine may have asked for a grant, so that it must promise nothing."""
        with self._lock:
            state = self.open_run
            yield state is not None and state.may_have_asked

    def begin(self, trigger: Trigger) -> RunState:
        """Open a run. Raises FailoverRefused when one is open already."""
        with self._lock:
            if self._retired:
                raise self._refused("a failover", "the protection is just being taken up", "ask again")
            if self.open_run is not None:
                raise self._refused("a second failover", "one is under way", "look at it, and continue or undo it")
            status = self._with.replica.status()
            waits_for = "" if trigger.by else self._waits_for(status)
            facts: dict[str, Any] = {
                "from_epoch": trigger.from_epoch,
                "graceful": trigger.graceful,
                "automatic": not trigger.by,
                "by": trigger.by,
                "data": trigger.data,
                "waits_for": waits_for,
                "inputs": list(trigger.inputs),
                "data_state": status.data_state,
                "queue_bytes": status.queue_bytes,
                "acknowledged_sequence": status.acknowledged_sequence,
            }
            run_id = self._new_run_id()
            self._write(run_id, "begin", says=trigger.why, facts=facts)
            if trigger.forced:
                self._write(
                    run_id, "approved", says=f"forced by {trigger.by}", facts={"by": trigger.by, "forced": True}
                )
            self._say(
                f"failover condition met: {trigger.why}" + (f"; waits: {waits_for}" if waits_for else ""), "error"
            )
            return self._need_open()

    def approve(self, by: str, *, forced: bool = False, data: str = "") -> str:
        """A person says yes to what waits, or lets what was stuck go on. ``forced``: over the source's lease, recorded.

        ``data``: what it goes on with from now on; empty: as before.
        """
        with self._lock:
            state = self._need_open()
            if state.stuck:
                self._write(state.run_id, "again", says=f"{by} lets it go on")
            if state.waits_for or forced or data:
                facts = {"by": by, "forced": forced or state.forced, "data": data}
                self._write(state.run_id, "approved", says=f"approved by {by}", facts=facts)
            return self._say(f"failover goes on: approved by {by}", "warning")

    def cancel(self, why: str) -> str:
        """End a run that has asked for nothing yet. Raises FailoverRefused later: then undo."""
        with self._lock:
            state = self._need_open()
            if state.may_have_asked or (state.graceful and state.next_undo is not None):
                raise self._refused("cancelling", "it has begun to act", "undo it, or let it go on")
            self._end(state, "cancelled", why)
            return self._say(f"failover cancelled: {why}", "warning")

    def undo(self, by: str) -> str:
        """Go back from here; ``advance`` then does it. Raises FailoverRefused where that would lose what clients wrote."""
        with self._lock:
            state = self._need_open()
            if Phase.START in state.done or state.in_doubt is Phase.START:
                why = "services were started here and may have taken writes"
                raise self._refused(
                    "going back", why, "let it go on; dtam failback brings what was written to the source"
                )
            self._write(state.run_id, "undo", says=f"{by} asked to go back")
            return self._say(f"failover is being undone: {by} asked for it", "warning")

    def advance(self) -> Advance:
        """Do the next thing, at most one."""
        with self._lock:
            state = self.open_run
            if state is None or self._retired:
                return Advance("no failover is under way", STUCK_S, finished=True)
            if state.waits_for:
                return Advance(f"failover condition met; waiting for a person: {state.waits_for}", STUCK_S)
            if state.stuck:
                return Advance(f"failover stands still: {state.stuck}", STUCK_S)
            try:
                return self._undo_one(state) if state.undoing else self._do_one(state)
            except (DtamError, OSError) as error:
                return self._try_later(str(error))

    def _restore_promise(self, promise: Promise, state: RunState | None) -> None:
        """After a start: silent where this engine may be, or may become, the master; else promises as before.

        A failover that a failback has left behind (its epoch is no longer current) keeps nobody silent.
        """
        left_behind = state is not None and not state.is_open and state.epoch < promise.epoch
        if state is not None and state.epoch:
            promise.set_epoch(state.epoch)
        if left_behind:
            promise.give_again()
        elif state is not None and (state.ended == "done" or (state.is_open and state.may_have_asked)):
            promise.stop_giving(ASKING)
        else:
            promise.give_again()

    def _do_one(self, state: RunState) -> Advance:
        phase = state.next_phase
        if phase is None:
            self._end(state, "done", f"failed over at epoch {state.epoch}")
            return Advance(self._say(f"failover done at epoch {state.epoch}", "warning"), 0, finished=True)
        if phase is Phase.GRANT and state.in_doubt is not phase:
            wait = phases.look_before_asking(self._with, self.settings, state)
            if wait is not None:
                return Advance(self._say(f"failover waits: {wait.says}", "warning"), wait.after_s)
        if state.in_doubt is not phase:
            self._write(state.run_id, "about_to", phase)
            return self._carry_out(self._need_open(), phase)
        return self._carry_out(state, phase)

    def _carry_out(self, state: RunState, phase: Phase) -> Advance:
        if phase is Phase.GRANT:
            return self._ask(state)
        return self._take(state, phase, phases.DO[phase](self._with, self.settings, state))

    def _ask(self, state: RunState) -> Advance:
        """The only gate to all that follows. Promises end before the question, and are given again after a clear no."""
        if self._promise is not None:
            self._promise.stop_giving(ASKING)
            promised_s = self._promise.remaining_s()
            if promised_s > 0:
                return Advance(f"this target promised the source its lease for {promised_s:.1f} s more", promised_s)
        answer = phases.ask_for_grant(self._with, self.settings, state)
        if answer.granted:
            if self._promise is not None:
                self._promise.set_epoch(answer.epoch)
            return self._take(state, Phase.GRANT, Done(answer.reason, {"epoch": answer.epoch}))
        self._write(state.run_id, "refused", Phase.GRANT, says=answer.reason)
        if self._promise is not None:
            self._promise.give_again()
        if answer.retry_after_s > 0:
            return Advance(f"not granted yet: {answer.reason}", answer.retry_after_s)
        self._end(state, "refused", answer.reason)
        return Advance(self._say(f"failover refused by the witness: {answer.reason}", "error"), 0, finished=True)

    def _take(self, state: RunState, phase: Phase, outcome: Outcome) -> Advance:
        self._failures = 0
        match outcome:
            case Done():
                self._write(state.run_id, "done", phase, outcome.says, dict(outcome.facts))
                return Advance(self._say(f"{phase} done{': ' + outcome.says if outcome.says else ''}"), 0)
            case Pending():
                return Advance(f"{phase}: {outcome.says}", outcome.after_s)
            case GiveUp():
                says = f"{phase}: {outcome.says}"
                self._write(state.run_id, "stuck", phase, says)
                return Advance(self._say(f"failover stands still: {says}. {outcome.hint}", "error"), STUCK_S)

    def _undo_one(self, state: RunState) -> Advance:
        phase = state.next_undo
        if phase is None:
            self._end(state, "undone", "everything was taken back")
            if self._promise is not None and not state.epoch:
                self._promise.give_again()
            return Advance(self._say("failover undone", "warning"), 0, finished=True)
        outcome = phases.UNDO[phase](self._with, self.settings, state)
        if isinstance(outcome, Done):
            self._write(state.run_id, "undone", phase, outcome.says)
            return Advance(self._say(f"{phase} undone{': ' + outcome.says if outcome.says else ''}"), 0)
        return self._take(state, phase, outcome)

    def _waits_for(self, status: ReplicaStatus) -> str:
        """Why the monitor may not go on alone; empty when it may."""
        if self.settings.manual_intervention:
            return "manual intervention is set"
        if self._with.granter is None and not self.settings.insist_without_witness:
            return "no witness is configured, so nobody can say that the source does not serve"
        if status.data_state != "good" and not status.falls_back:
            return f"the target's data state is {status.data_state}, not good"
        return ""

    def _try_later(self, why: str) -> Advance:
        self._failures += 1
        after_s = min(RETRY_S * 2 ** (self._failures - 1), RETRY_MAX_S)
        return Advance(self._say(f"failover waits: {why}; trying again", "warning"), after_s)

    def _write(
        self, run_id: str, event: str, phase: Phase | None = None, says: str = "", facts: dict[str, Any] | None = None
    ) -> None:
        self._journal.append(Entry(run_id, event, self._with.clock.realtime_ns(), phase or "", says, facts or {}))

    def _end(self, state: RunState, how: str, says: str) -> None:
        self._write(state.run_id, "end", says=says, facts={"how": how})

    def _need_open(self) -> RunState:
        state = self.open_run
        if state is None:
            raise self._refused("this", "no failover is under way", "dtam status shows what is")
        return state

    def _refused(self, what: str, why: str, next_: str) -> FailoverRefused:
        return FailoverRefused(what=what, protection=self.settings.protection, why=why, next=next_)

    def _say(self, sentence: str, level: str = "info") -> str:
        """Report each new sentence once; waiting repeats itself."""
        if sentence != self._said:
            self._with.events.say(sentence, level=level, protection=self.settings.protection)
            self._said = sentence
        return sentence
