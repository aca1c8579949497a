"""What a replica hears from its works: operations that are logged, tried again or passed over, mirror items that are due, a queue that fills."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from orchestrator.engine.apply.kept import Kept
from orchestrator.engine.oplog.format import Operation
from orchestrator.engine.transfer.messages import (
    DataState,
    ItemKind,
    MirrorBegin,
    MirrorEnd,
    MirrorItem,
    Refusal,
    whole,
)
from orchestrator.errors import DtamError

log = logging.getLogger(__name__)


class Hearing(Kept):
    """The part of a replica that its works tell things (``works.Owner``), called from the applier's thread."""

    @property
    def tolerant(self) -> bool:
        """Whether the files may differ from the log."""
        return self._record.data_state is not DataState.GOOD

    def logged(self, sequence: int) -> None:
        """Operations are acknowledged."""
        listener = self._listener
        if listener is not None:
            listener.logged(sequence)

    def retrying(self, reason: str | None) -> None:
        """An operation is being tried again, or no longer."""
        if reason is not None and self._retrying is None:
            self._happened(f"replica {self.key}: {reason}; trying again, order is held")
        self._retrying = reason
        self.moved()

    def succeeded(self, what: str, retries: int, reason: str) -> None:
        """What had failed was done after all."""
        self._happened(f"replica {self.key}: done after {retries} retries: {what} ({reason})")

    def diverged(self, reason: str, *, intact: bool = False) -> None:
        """Only a mirror helps now."""
        self._happened(f"replica {self.key}: mirror required: {reason}")
        self._worsen(reason, intact=intact)

    def about_to_change(self) -> None:
        """Keep the last good state, if the files still are it. Raises OSError when that must be waited for."""
        record = self._record
        if not record.intact or record.data_state is DataState.GOOD:
            return
        self.hurry.check()
        kept = self._snapshots.before_remirror(self._moment(self._works), self.hurry.check)
        self._save(intact=False, kept=kept or record.kept)

    def lost_queue(self, reason: str) -> None:
        """The queue is damaged: what it held is gone, a new base is needed."""
        self._happened(f"replica {self.key}: {reason}")
        self._save(log_id="")
        self._worsen(reason)
        listener = self._listener
        if listener is not None:
            listener.denied(Refusal.LOG_MISMATCH, reason)

    def replayed_name(self, operation: Operation) -> None:
        """A crash of the machine left it open whether a name-changing operation had been done."""
        if not self._record.verify_required:
            self._happened(
                f"replica {self.key}: operation {operation.sequence} was replayed after a crash of this machine; verify the data"
            )
            self._save(verify_required=True)

    def marked(self, operation: Operation) -> None:
        """A MARK was reached."""
        name = bytes(operation.data).decode("utf-8", "backslashreplace")
        self._happened(f"replica {self.key}: mark {name!r} reached at operation {operation.sequence}")

    def queue_alert(self, percent: int) -> None:
        """The disk queue fills."""
        self._alert(f"replica {self.key}: {percent} % of the disk queue are in use")

    def item(self, item: MirrorItem) -> None:
        """A mirror item is due."""
        try:
            replies = self._mirrored(item)
        except (DtamError, msgspec.MsgspecError) as error:
            self._mirror, replies = None, []
            self.diverged(f"the mirror failed: {error}")
        made = self.link.done(item.index, replies)
        listener = self._listener
        if listener is not None:
            listener.handled(made, len(item.payload))

    def _mirrored(self, item: MirrorItem) -> list[bytes]:
        match item.kind:
            case ItemKind.BEGIN:
                self._begin_mirror(msgspec.msgpack.decode(whole(item.payload), type=MirrorBegin))
            case ItemKind.END:
                self._end_mirror(msgspec.msgpack.decode(whole(item.payload), type=MirrorEnd))
            case ItemKind.MESSAGE if self._mirror is not None:
                return self._mirror.handle(whole(item.payload))
            case ItemKind.MESSAGE:
                log.debug("a mirror message without a mirror was passed over")
        return []

    def _begin_mirror(self, begin: MirrorBegin) -> None:
        self._changes_state = begin.changes_state
        if begin.changes_state:
            self._worsen("a mirror begins", intact=True)
            self.about_to_change()
            self._set_state(DataState.MIRRORING, f"a {begin.kind} mirror is running")
        if self._make_mirror is not None:
            self._mirror = self._make_mirror(Path(self._record.root), begin.kind)

    def _end_mirror(self, end: MirrorEnd) -> None:
        self._mirror = None
        works = self._works
        if not self._changes_state or self._record.data_state is not DataState.MIRRORING or works is None:
            return
        if end.complete and works.position.applied >= end.log_end:
            before, self._rebased = self._record, False
            self._save(verify_required=False, kept="")
            self._set_state(DataState.GOOD, "")
            self._snapshots.good_again(before)
        else:
            self._set_state(DataState.MIRROR_REQUIRED, end.says or "the mirror was not completed")
