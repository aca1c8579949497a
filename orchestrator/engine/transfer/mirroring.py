"""The mirror of a source connection: which one runs, feeding it into the stream in its place, asking for one when it is due.

Used by the sending thread alone. Invariant: messages are read only after the log's end was noted, so that the core can give each the
place at which the files looked like that.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from orchestrator.engine.oplog.format import Operation
from orchestrator.engine.transfer.events import MirrorClosed, MirrorOpened, MirrorRead, SourceEvent
from orchestrator.engine.transfer.messages import Ack, DataState
from orchestrator.engine.transfer.ports import MirrorJob, SharedState, SourceHooks
from orchestrator.engine.transfer.protocol import Phase, SourceSession

STEP_BYTES = 4 << 20
AGAIN_S = 2.0
"""A mirror that failed at the target is not begun again sooner."""


class Mirroring:
    """The mirror that runs, if one does."""

    def __init__(self, core: SourceSession, handle: Callable[[SourceEvent], None], hooks: SourceHooks) -> None:
        self.job: MirrorJob | None = None
        self.is_open = False
        """Whether its begin was handed to the core."""
        self.paused = False
        self._core = core
        self._handle = handle
        self._hooks = hooks
        self._asked = False
        self._not_before_s = 0.0

    @property
    def _makes_good(self) -> bool:
        """Whether the mirror that runs, or is to run, leaves the target's data good."""
        return self.job is not None and self.job.changes_state

    def take(self, job: MirrorJob) -> None:
        """Run this one; one that is running is given up first.

        One that makes nothing good (of what a watcher found, a comparison) takes no place of one that does: who made it may not have
        known yet that the other had become due.
        """
        if self._makes_good and not job.changes_state:
            job.done(False, "a mirror of everything is under way")
            return
        self.close(complete=False, says="another mirror was started")
        self.job, self.is_open, self.paused = job, False, False

    def close(self, *, complete: bool, says: str, log_end: int | None = None) -> None:
        """The mirror is over, or given up."""
        job, was_open = self._clear()
        if job is None:
            return
        if was_open and self._core.mirroring:
            self._handle(MirrorClosed(self._core.sent if log_end is None else log_end, complete, says))
        job.done(complete, says)

    def _clear(self) -> tuple[MirrorJob | None, bool]:
        job, was_open = self.job, self.is_open
        self.job, self.is_open = None, False
        return job, was_open

    def broken(self, says: str) -> None:
        """The target's part of it is gone: begin anew."""
        job, _ = self._clear()
        if job is not None:
            job.done(False, says)
        self.due(says)

    def due(self, says: str) -> bool:
        """A mirror has become necessary; whether one will run."""
        self._asked = False
        return self.ask(says)

    def ask(self, says: str) -> bool:
        """As ``due``, but only once until the data is good again."""
        if self._asked or self._makes_good:
            return self._makes_good
        self._asked = True
        job = self._hooks.mirror_due(says)
        if job is not None:
            self.take(job)
        return job is not None

    def note(self, operations: list[Operation] | tuple[Operation, ...]) -> None:
        """These operations were shipped."""
        if self.job is not None and self.is_open:
            for operation in operations:
                self.job.feed.note_operation(operation)

    def replied(self, payload: bytes) -> None:
        """The target answered."""
        if self.job is not None:
            self.job.feed.on_reply(payload)

    def feed(self, state: SharedState) -> bool:
        """Read the next messages and hand them to the core; whether there were any."""
        job = self.job
        if job is None or self.paused or self._core.phase is not Phase.STREAMING or not self._opened(job, state):
            return False
        budget = min(self._core.mirror_budget_bytes, STEP_BYTES)
        log_end = state.committed_sequence
        messages = job.feed.next_messages(budget) if budget else []
        if messages:
            self._handle(MirrorRead(tuple(messages), log_end))
        elif job.feed.finished:
            self.close(complete=True, says="", log_end=state.committed_sequence)
        return bool(messages)

    def _opened(self, job: MirrorJob, state: SharedState) -> bool:
        if not self.is_open and time.monotonic() >= self._not_before_s:
            self.is_open = True
            self._handle(MirrorOpened(job.kind, state.committed_sequence, job.changes_state))
        return self.is_open

    def look(self, ack: Ack) -> None:
        """What the target's word means for the mirror: it may have failed there, or one may be required."""
        if ack.data_state is DataState.MIRROR_REQUIRED and self._has_failed(ack):
            self._not_before_s = time.monotonic() + AGAIN_S
            self.broken(f"the mirror failed at the target: {ack.says}")
        elif ack.data_state is DataState.MIRROR_REQUIRED:
            self.ask(ack.says or "the target requires a mirror")
        elif ack.data_state is DataState.GOOD:
            self._asked = False

    def _has_failed(self, ack: Ack) -> bool:
        """The target began the mirror that runs, and requires one all the same."""
        job = self.job
        return job is not None and self.is_open and job.changes_state and ack.mirror_handled >= self._core.mirror_begun
