"""What a replica is, on disk and in memory: its record, what its files are worth, how it stands.

Invariant: the record on disk never claims a better state than the files have (it is worsened before the deed, bettered after it).
``_lock`` guards record, works and listener; the applier takes it, so nobody waits for the applier while holding it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from orchestrator.engine.apply.errors import ReplicaPromoted
from orchestrator.engine.apply.last_good import Hurry, Moment, NoSnapshots, Snapshotter
from orchestrator.engine.apply.operations import BeforeChange
from orchestrator.engine.apply.ports import Listener, MirrorHandler, ReplicaStatus
from orchestrator.engine.apply.record import ReplicaRecord, save_record
from orchestrator.engine.apply.standing import Standing, progress_of, status_of
from orchestrator.engine.apply.works import ReplicaSettings, Works
from orchestrator.engine.transfer.events import MirrorLink, Progress, ReplicaFacts
from orchestrator.engine.transfer.messages import (
    DataState,
)

log = logging.getLogger(__name__)


class Kept:
    """The part of a replica that the others change. See ``Replica``."""

    def __init__(
        self,
        directory: Path,
        record: ReplicaRecord,
        settings: ReplicaSettings | None = None,
        *,
        mirror: Callable[[Path, str], MirrorHandler] | None = None,
        before_change: BeforeChange | None = None,
        happened: Callable[[str], None] = log.warning,
        alert: Callable[[str], None] | None = None,
        snapshots: Snapshotter | None = None,
    ) -> None:
        """Use ``create`` or ``open``.

        Args:
            directory: where its queue, position and record are.
            record: what it is.
            settings: its limits.
            mirror: makes the mirror's target side for a root and a kind of mirror, at each begin of one.
            before_change: called before an operation overwrites, moves or removes something.
            happened: takes a sentence for the log and the events.
            alert: takes one that a person must see; ``happened`` when absent.
            snapshots: keeps good states before they are overwritten.
        """
        self.directory = directory
        self.link = MirrorLink()
        self._record = record
        self._settings = settings or ReplicaSettings()
        self._make_mirror = mirror
        self._mirror: MirrorHandler | None = None
        self._before_change = before_change
        self._happened = happened
        self._alert = alert or happened
        self._snapshots: Snapshotter = snapshots or NoSnapshots()
        self.hurry = Hurry()
        self._lock = threading.RLock()
        self._command = threading.RLock()
        self._works: Works | None = None
        self._listener: Listener | None = None
        self._paused = False
        self._retrying: str | None = None
        self._changes_state = True
        self._token = ""
        self._rebased = True

    @property
    def key(self) -> str:
        """The connection's id."""
        return self._record.key

    @property
    def record(self) -> ReplicaRecord:
        """What is remembered across restarts."""
        return self._record

    def facts(self) -> ReplicaFacts:
        """What a session needs to decide; everything appended is committed first."""
        with self._lock:
            record, works = self._record, self._works
            acknowledged = works.writer.commit() if works else 0
            applied = works.position.applied if works else 0
            return ReplicaFacts(
                record.epoch, record.promoted, record.log_id, acknowledged, applied, record.data_state, self.link
            )

    def progress(self) -> Progress:
        """How it stands, for the source."""
        return progress_of(self._standing())

    def status(self) -> ReplicaStatus:
        """How it stands, for people."""
        return status_of(self._standing())

    def _standing(self) -> Standing:
        return Standing(self._record, self._works, self._paused, self._retrying, self._listener is not None)

    def moved(self) -> None:
        """Something changed that the source is told."""
        listener = self._listener
        if listener is not None:
            listener.stands(self.progress())

    def _moment(self, works: Works | None) -> Moment:
        if works is None or (self._rebased and self._record.data_state is not DataState.GOOD):
            return Moment(self._record, 0, 0)  # the files stand nowhere in the log that the queue continues
        return Moment(self._record, works.position.applied, works.position.applied_time_ns)

    def _refuse_promoted(self) -> None:
        if self._record.promoted:
            raise ReplicaPromoted(source=self._record.source, root=self._record.root)

    def _worsen(self, reason: str, *, intact: bool = False) -> None:
        if self._record.data_state is DataState.RESTORE_REQUIRED:
            return
        if self._record.data_state is DataState.GOOD:
            self._save(data_state=DataState.MIRROR_REQUIRED, says=reason, intact=intact)
            self.moved()
        else:
            self._set_state(DataState.MIRROR_REQUIRED, reason)

    def _set_state(self, state: DataState, says: str) -> None:
        if (self._record.data_state, self._record.says) == (state, says):
            return
        self._save(data_state=state, says=says)
        self.moved()

    def _save(self, **changes: object) -> None:
        """Change the record, on disk and here."""
        with self._lock:
            record = msgspec.structs.replace(self._record, **changes)
            save_record(self.directory, record)
            self._record = record
