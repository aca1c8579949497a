"""The target's end of a protection: watches the source, fails over, and serves only under an epoch that was granted here.

The watch runs in the daemon's event loop (its executor's deeds in threads). It runs also while monitoring is disabled: a failover
that was begun is carried on whatever happens to the daemon in between.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass

from orchestrator.engine.control import guard, takeover
from orchestrator.engine.control.answers import FenceStatus, ProtectionState
from orchestrator.engine.control.asking import Asking
from orchestrator.engine.control.confirming import SystemClock
from orchestrator.engine.control.documents import ProtectionRecord
from orchestrator.engine.control.errors import Conflict
from orchestrator.engine.control.following import Following
from orchestrator.engine.control.guard import Rooms
from orchestrator.engine.control.observing import Signs
from orchestrator.engine.control.refreshing import LOGINS, Refreshing, first_after
from orchestrator.engine.control.schema import ProtectionAction, ProtectionActionKind
from orchestrator.engine.control.target_state import (
    details_of,
    executor_settings,
    monitor_settings,
    monitor_status,
    phase_of,
    says_of,
)
from orchestrator.engine.monitor.decisions import DecisionLog
from orchestrator.engine.monitor.executor import Executor, Trigger
from orchestrator.engine.monitor.journal import Journal, RealAppendFile
from orchestrator.engine.monitor.loop import Watch
from orchestrator.engine.monitor.promise import Promise
from orchestrator.engine.monitor.run import RunState
from orchestrator.engine.monitor.verdict import Observations
from orchestrator.engine.transfer.messages import PromiseAnswer, PromiseAsk, PromiseVerb
from orchestrator.engine.transfer.tls import Peer
from orchestrator.engine.witness.rules import LeaseAnswer, is_valid_lease


@dataclass(slots=True)
class Wish:
    """The id that a person's request gives to the run it begins."""

    run_id: str = ""

    def take(self) -> str:
        """The wished id once, else a new one."""
        wished, self.run_id = self.run_id, ""
        return wished or uuid.uuid4().hex


class TargetGuard:
    """The target's end of one protection."""

    def __init__(self, protection: str, rooms: Rooms, loop: asyncio.AbstractEventLoop) -> None:
        document = rooms.documents.get(protection)
        folder = rooms.layout.protections / protection
        self._id = protection
        self._rooms = rooms
        self._loop = loop
        self._wish = Wish()
        self._journal = Journal(RealAppendFile(folder / "failover.journal"), f"failover journal of {protection}")
        with_ = takeover.collaborators(protection, rooms)
        self._granter = with_.granter
        self._promise = Promise(protection, rooms.promises, document.epoch)
        self._executor = Executor(
            executor_settings(document, rooms.identity.engine_id),
            with_,
            self._journal,
            self._promise,
            new_run_id=self._wish.take,
        )
        self._watch = Watch(
            protection,
            monitor_settings(document),
            self._executor,
            observe=self._observe,
            epoch=lambda: rooms.documents.get(protection).epoch,
            clock=SystemClock(),
            decisions=DecisionLog(folder / "decisions.jsonl"),
        )
        self._signs = Signs(protection, rooms)
        self._watch.enabled = rooms.documents.record(protection).monitor_enabled
        self._refreshing = Refreshing(protection, rooms, self._serving_since_ns)
        self._gathering = Refreshing(protection, rooms, self._waiting_since_ns, LOGINS)
        self._since_ns = time.time_ns() - first_after(document.failover.refresh_logins_s)
        self._following = Following(protection, rooms, self._is_waiting)
        self._asking = Asking(protection, rooms, self._is_waiting, lambda: self._watch.enabled)
        self._stop = asyncio.Event()
        self._ended = False

    @property
    def record(self) -> ProtectionRecord:
        """What is stored about the protection."""
        return self._rooms.documents.record(self._id)

    # -- life

    def start(self) -> None:
        """Begin: go on with an open failover, watch the source, close what must not run here."""
        self._rooms.events.tell("failover", f"{self._id}: {self._executor.resume()}")
        if self.fence_reason() is not None:
            self._close("this engine does not hold the epoch")
        elif self._executor.open_run is None:
            self._rooms.services.start_wanted(self._id)
        asyncio.run_coroutine_threadsafe(self._watch.run(self._stop), self._loop)
        asyncio.run_coroutine_threadsafe(self._refreshing.run(self._stop), self._loop)
        asyncio.run_coroutine_threadsafe(self._gathering.run(self._stop), self._loop)
        asyncio.run_coroutine_threadsafe(self._following.run(self._stop), self._loop)
        asyncio.run_coroutine_threadsafe(self._asking.run(self._stop), self._loop)

    def let_go(self) -> None:
        """The daemon ends, or the document changed: the watch ends, all else goes on."""
        self._ended = True
        self._loop.call_soon_threadsafe(self._stop.set)

    def retire(self) -> None:
        """Another guard takes over; no deed of this one is under way and nothing is promised by it when this returns."""
        self.let_go()
        self._refreshing.retire()
        self._gathering.retire()
        self._following.retire()
        self._asking.retire()
        self._executor.retire()

    def end(self) -> None:
        """The protection is no more."""
        self.retire()
        self._refreshing.end()
        self._gathering.end()
        guard.fence_mounts(self._rooms, self.record.document, on=False)

    # -- what is so

    def fence_reason(self) -> str | None:
        """Why protected services may not run here; None when this engine was granted the current epoch."""
        record = self.record
        if record.fenced is not None:
            return f"{record.fenced.by} fenced it: {record.fenced.why}"
        document = record.document
        if record.promoted_epoch is not None and record.promoted_epoch == document.epoch:
            return None
        return f"{document.source.name} serves epoch {document.epoch}; this engine is the target"

    def state(self) -> ProtectionState:
        """Where the protection stands."""
        record, reason, run = self.record, self.fence_reason(), self._current_run()
        return ProtectionState(
            id=self._id,
            role="target",
            epoch=record.document.epoch,
            phase=phase_of(run),
            says="; ".join(filter(None, (says_of(run) or self._watch.sentence, *self._problems()))),
            fence=FenceStatus(held=reason is not None, reason=reason or ""),
            monitor=monitor_status(self._watch),
            run_id=run.run_id if run else None,
            detected_ns=run.began_ns if run else None,
            finished_ns=self._finished_ns(run),
            waiting_for_person=bool(run and run.is_open and run.waits_for),
            details=details_of(run) | self._asking.details,
        )

    def _problems(self) -> tuple[str, str, str]:
        return self._refreshing.problem, self._gathering.problem, self._following.problem

    def _is_waiting(self) -> bool:
        """Whether the source serves and this target stands by."""
        return self.fence_reason() is not None and self._executor.open_run is None

    def _waiting_since_ns(self) -> int | None:
        """Since when this guard knows that the target waits; None while it does not."""
        return self._since_ns if self._is_waiting() else None

    def _current_run(self) -> RunState | None:
        """The newest run, unless a failback has left it behind."""
        run = self._executor.state
        if run is None or (not run.is_open and run.epoch < self.record.document.epoch):
            return None
        return run

    def _finished_ns(self, run: RunState | None) -> int | None:
        if run is None or run.is_open:
            return None
        ends = [entry.time_ns for entry in self._journal.entries if (entry.run_id, entry.event) == (run.run_id, "end")]
        return ends[-1] if ends else None

    def _serving_since_ns(self) -> int | None:
        """Since when this target serves after a failover that is over; None while it does not."""
        closed = self.fence_reason() is not None or self._executor.open_run is not None
        return None if closed else self._finished_ns(self._current_run()) or 0

    # -- what the source asks

    def promise(self, peer: Peer, question: PromiseAsk) -> PromiseAnswer:
        """Answer the source that asks this target not to take over for a while. Raises OSError when it cannot be stored."""
        record = self.record
        document = record.document
        known = (document.source.fingerprint.lower(), document.source.engine_id)
        if (peer.fingerprint, question.holder) != known or document.witness is None:
            return refused(question.epoch, f"{peer.name} has nothing to ask about {self._id}")
        if not is_valid_lease(question.lease_s):
            return refused(question.epoch, f"a lease of {question.lease_s} s is not given")
        if record.promoted_epoch is not None and record.promoted_epoch == document.epoch:
            return refused(document.epoch, f"epoch {document.epoch} was granted to {document.target.name}")
        answer = self._promised(question, min(question.lease_s, document.witness.lease_s))
        if not answer.granted:
            return refused(question.epoch, answer.reason)
        return PromiseAnswer(granted=True, epoch=answer.epoch, expires_in_s=answer.expires_in_s)

    def _promised(self, question: PromiseAsk, lease_s: float) -> LeaseAnswer:
        epoch, holder = question.epoch, question.holder
        if question.verb is PromiseVerb.RELEASE:
            return self._promise.release(epoch, holder)
        return self._promise.confirm(epoch, holder, lease_s, take_up=question.verb is PromiseVerb.TAKE_UP)

    # -- what is asked

    def act(self, action: ProtectionAction) -> None:
        """Monitor, fail over, go on, undo, fence, release, take an epoch, follow the shares."""
        match action.action:
            case ProtectionActionKind.ENABLE_MONITOR | ProtectionActionKind.DISABLE_MONITOR:
                self._enable(on=action.action is ProtectionActionKind.ENABLE_MONITOR)
            case ProtectionActionKind.FAILOVER:
                self._fail_over(action)
            case ProtectionActionKind.CONTINUE_FAILOVER | ProtectionActionKind.UNDO_FAILOVER:
                self._carry_on(action)
            case ProtectionActionKind.FENCE:
                self._fence(action)
            case ProtectionActionKind.UNFENCE:
                self._unfence()
            case ProtectionActionKind.RELEASE:
                self._release(action)
            case ProtectionActionKind.SET_EPOCH:
                self._take_epoch(action)
            case _:
                self._beside(action)

    def _beside(self, action: ProtectionAction) -> None:
        """What changes neither who serves nor who watches."""
        match action.action:
            case ProtectionActionKind.RENEW_SHARES:
                self._following.follow()
            case ProtectionActionKind.ASK_APPLICATION:
                self._asking.now()
            case ProtectionActionKind.ACKNOWLEDGE:
                self._rooms.events.tell("failover", f"{self._id}: {action.by or 'a person'} has seen it")

    async def _observe(self) -> Observations:
        return await self._signs.observe(self._watch.settings, self._watch.verdict)

    def _enable(self, *, on: bool) -> None:
        self._rooms.documents.change(self._id, lambda record: record.model_copy(update={"monitor_enabled": on}))
        self._watch.enabled = on
        self._rooms.events.tell("monitor", f"{self._id}: monitoring is {'on' if on else 'off'}")

    def _carry_on(self, action: ProtectionAction) -> None:
        by = action.by or "a person"
        if action.action is ProtectionActionKind.UNDO_FAILOVER:
            self._executor.undo(by)
        else:
            self._executor.approve(by, forced=action.forced, data=action.data)

    def _fail_over(self, action: ProtectionAction) -> None:
        by = action.by or "a person"
        if self._executor.open_run is not None:
            self._executor.approve(by, forced=action.forced, data=action.data)
            return
        self._wish.run_id = action.run_id or ""
        why = action.reason or f"{by} asked for it"
        epoch = self.record.document.epoch
        told = (f"asked by {by}",)
        self._executor.begin(Trigger(epoch, why, by=by, forced=action.forced, inputs=told, data=action.data))

    def _fence(self, action: ProtectionAction) -> None:
        fence = guard.fenced_by(action.by, action.reason, self.record.document.epoch)
        self._rooms.documents.change(self._id, lambda record: record.model_copy(update={"fenced": fence}))
        self._close(fence.why)

    def _unfence(self) -> None:
        self._rooms.documents.change(self._id, lambda record: record.model_copy(update={"fenced": None}))
        if self.fence_reason() is None:
            self._open("the fence was lifted")

    def _release(self, action: ProtectionAction) -> None:
        self._fence(action.model_copy(update={"reason": action.reason or "the epoch was released"}))
        if self._granter is not None:
            self._granter.release(self._id, self.record.document.epoch, self._rooms.identity.engine_id)

    def _take_epoch(self, action: ProtectionAction) -> None:
        known = self.record.document.epoch
        epoch = known if action.epoch is None else action.epoch
        if epoch == known and self.fence_reason() is None:
            return
        if epoch < known:
            why = f"this engine knows epoch {known}"
            raise Conflict(what=f"epoch {epoch} for {self._id}", why=why, hint="an epoch never goes back")
        with self._executor.standing_still() as asking:
            self._keep_promises(epoch, action, asking=asking)
            if self.record.promoted_epoch != epoch:
                self._ask_for_epoch(epoch, action, asking=asking)
            self._promise.set_epoch(epoch)
            self._rooms.documents.raise_epoch(self._id, epoch)
            change = {"fenced": None, "promoted_epoch": epoch}
            self._rooms.documents.change(self._id, lambda record: record.model_copy(update=change))
        self._rooms.replicas.promote(self._id, epoch)
        self._open(f"epoch {epoch} was taken")

    def _keep_promises(self, epoch: int, action: ProtectionAction, *, asking: bool) -> None:
        """Promise nothing from now on; what was promised runs out before anything is asked for, whoever wants it.

        Where a person forces it, nothing is promised until the next try: that finds the last promise run out.
        """
        self._promise.stop_giving(f"epoch {epoch} is being taken here")
        left_s = self._promise.remaining_s()
        if left_s <= 0:
            return
        if not action.forced and not asking:
            self._promise.give_again()
        why = f"this target promised the source its lease for {left_s:.1f} s more"
        raise Conflict(what=f"taking epoch {epoch} of {self._id}", why=why, hint="ask again then")

    def _ask_for_epoch(self, epoch: int, action: ProtectionAction, *, asking: bool) -> None:
        """Be granted an epoch, or be told again that it is ours. One that is known here may be the source's."""
        why = self._refusal_of(epoch, action)
        if not why:
            return
        if not asking:
            self._promise.give_again()
        hint = "the other side must release its epoch first, or its lease run out"
        raise Conflict(what=f"taking epoch {epoch} of {self._id}", why=why, hint=hint)

    def _refusal_of(self, epoch: int, action: ProtectionAction) -> str:
        """Why an epoch is not given; empty when it is."""
        if self._granter is not None:
            own = self._rooms.identity.engine_id
            answer = self._granter.grant(self._id, epoch - 1, own, forced=action.forced, by=action.by)
            return "" if answer.granted else answer.reason
        source_has_it = epoch == self.record.document.epoch and not action.forced
        return f"{self.record.document.source.name} serves it, as far as is known here" if source_has_it else ""

    # -- how

    def _open(self, why: str) -> None:
        guard.fence_mounts(self._rooms, self.record.document, on=False)
        started = self._rooms.services.start_wanted(self._id)
        self._rooms.events.tell("fence", f"{self._id} is open: {why}", started=started)

    def _close(self, why: str) -> None:
        self._refreshing.end()
        stopped = self._rooms.services.stop_all(self._id)
        guard.fence_mounts(self._rooms, self.record.document, on=True)
        self._rooms.events.tell("fence", f"{self._id} is fenced: {why}", stopped=stopped)


def refused(epoch: int, says: str) -> PromiseAnswer:
    """No promise. An epoch newer than the source's tells it that its own is over."""
    return PromiseAnswer(granted=False, epoch=epoch, says=says)
