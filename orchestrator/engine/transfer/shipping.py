"""The operations of a source connection: read from the log in runs, translated, handed to the core; what the log lost is said in the stream."""

from __future__ import annotations

import time
from collections.abc import Callable

from orchestrator.engine.oplog.errors import CorruptRecord, LogUnusable
from orchestrator.engine.oplog.format import HEADER
from orchestrator.engine.oplog.reader import Run
from orchestrator.engine.transfer.events import OperationsRead, SourceEvent
from orchestrator.engine.transfer.messages import Operations
from orchestrator.engine.transfer.mirroring import Mirroring
from orchestrator.engine.transfer.ports import LogAccess, SourceHooks
from orchestrator.engine.transfer.protocol import SourceSession
from orchestrator.engine.transfer.tally import Tally
from orchestrator.engine.transfer.translate import Translator, decode_run, gap_record

RUN_BYTES = 1 << 20


class Shipping:
    """Ships the log; used by the sending thread alone."""

    def __init__(
        self,
        core: SourceSession,
        handle: Callable[[SourceEvent], None],
        translator: Translator,
        *,
        mirror: Mirroring,
        tally: Tally,
        hooks: SourceHooks,
    ) -> None:
        """Hand what is read to ``handle``; the mirror and the tally are told of it."""
        self._core = core
        self._handle = handle
        self._translator = translator
        self._mirror = mirror
        self._tally = tally
        self._hooks = hooks

    def is_held(self, access: LogAccess) -> bool:
        """Whether no operation may be sent now: paused, too many on their way, or something of the mirror comes first."""
        up_to = self._core.operations_up_to
        return not self._core.may_send_operations or (up_to is not None and access.reader.position >= up_to)

    def ship(self, access: LogAccess) -> bool:
        """Send the next run of the log; whether there was one.

        Raises:
            CorruptRecord, LogUnusable: the log lost operations; the target was told that it needs a mirror.
        """
        if not self._core.may_send_operations:
            return False
        run = self._read(access)
        if run is None:
            return False
        oldest_ns = HEADER.unpack_from(run.data)[4]
        operations, moved_in = self._translate(run)
        self._tally.shipped(operations, oldest_ns)
        self._handle(OperationsRead(operations))
        for path in moved_in:
            self._moved_in(path)
        return True

    def _read(self, access: LogAccess) -> Run | None:
        try:
            run = access.reader.read_run(RUN_BYTES, self._core.operations_up_to)
        except (CorruptRecord, LogUnusable) as error:
            self._ship_gap(access, access.reader.position + 1, f"the source's log is damaged: {error}")
            raise
        if run is None and access.state.out_of_step and access.reader.position >= access.state.committed_sequence:
            lost_from = access.state.committed_sequence + 1
            self._ship_gap(access, lost_from, f"the source's log lost operations from {lost_from} on")
        return run

    def _translate(self, run: Run) -> tuple[Operations, tuple[bytes, ...]]:
        if self._translator.concerns(run):
            translated = self._translator.translate(run)
            self._mirror.note(translated.shipped)
            return translated.operations, translated.moved_in
        if self._mirror.is_open:
            self._mirror.note(decode_run(run.data))
        return Operations(run.first, run.last, run.count, run.data), ()

    def _moved_in(self, path: bytes) -> None:
        if not self._hooks.moved_in(path) and not self._mirror.is_open:
            self._mirror.ask(f"{path!r} came into the replication set")

    def _ship_gap(self, access: LogAccess, sequence: int, says: str) -> None:
        """Operations are missing from ``sequence`` on: say so in the stream, once, and let the owner restart the log."""
        if self._core.sent >= sequence:
            return
        self._handle(OperationsRead(Operations(sequence, sequence, 1, gap_record(sequence, time.time_ns()))))
        self._hooks.happened(says)
        if self._hooks.log_lost():
            raise LogUnusable(where=access.log_id, why="it lost operations and was restarted")
