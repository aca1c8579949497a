"""The source's end of a connection, put together: the log (or the watcher), the mirror, and the session that carries both.

A connection resumes where the target acknowledged. When the logs cannot be joined, or the target lost its data's good state, a
difference mirror with checksums is run by itself, unless ``auto_remirror`` is off, nobody ever asked for a mirror, or a person
stopped it. Several connections may read one log: what the slowest has not acknowledged is kept.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

from orchestrator.engine.capture.state import StatePage
from orchestrator.engine.capture.synchronous import SynchronousState
from orchestrator.engine.control import schema
from orchestrator.engine.control.backup_sets import as_sent
from orchestrator.engine.control.connections import ConnectionRecord
from orchestrator.engine.control.desk import MirrorDesk
from orchestrator.engine.control.edges import Capture, LinkNow
from orchestrator.engine.control.flushing import Flushing, flushing_of
from orchestrator.engine.control.link_status import link_now
from orchestrator.engine.control.sets import rule_set
from orchestrator.engine.control.simulating import EmptyTarget
from orchestrator.engine.control.watching import WatchCapture
from orchestrator.engine.control.watchlink import Findings
from orchestrator.engine.mirror.crossing import Crossing
from orchestrator.engine.mirror.mapping import RemapLink
from orchestrator.engine.mirror.orphans import REMOVED
from orchestrator.engine.mirror.rules import RuleSet
from orchestrator.engine.oplog.reader import LogReader
from orchestrator.engine.transfer import tls
from orchestrator.engine.transfer.messages import DataState, Refusal
from orchestrator.engine.transfer.null_target import NullTarget
from orchestrator.engine.transfer.ports import LogAccess, MirrorJob, SourceHooks
from orchestrator.engine.transfer.protocol import Terms
from orchestrator.engine.transfer.source import SourceConnection

if TYPE_CHECKING:
    from orchestrator.engine.control.links import Links

REMIRRORS = {
    "checksum": schema.MirrorOptions(kind="difference", checksum=True),
    "difference": schema.MirrorOptions(kind="difference"),
    "full": schema.MirrorOptions(),
}
"""The guide's three kinds of automatic mirrors."""


class SourceLink:
    """One connection's link."""

    def __init__(
        self,
        links: Links,
        capture: Capture,
        replication_set: schema.ReplicationSet,
        record: ConnectionRecord,
        *,
        fresh: bool,
    ) -> None:
        rules = rule_set(replication_set)
        self._links = links
        self._capture = capture
        self._record = record
        self._replicating = record.replicating
        self._paused = record.paused
        self._auto = record.request.auto_remirror and not record.request.is_sparing
        self._ever_mirrored = record.mirrored
        self._stopped_by_hand = False
        self._accepted: int | None = None
        self._rules = rules
        self._backup_set = as_sent(replication_set, give=record.request.restore_set)
        self._remap = remap_link(replication_set, record, rules)
        self._lock = threading.Lock()
        self.desk = MirrorDesk(
            record,
            rules,
            lambda: self._capture,
            self._shipped,
            remap=self._remap,
            events=links.events,
            logs=links.verify_logs,
        )
        self._findings = Findings(capture, self.desk, self._start_job) if isinstance(capture, WatchCapture) else None
        self._fresh = fresh
        self._flushing = Flushing(capture, record, links.events)
        self._connection = self._connected(fresh=fresh)

    # -- life

    def start(self) -> None:
        """Begin; a fresh connection with its first mirror, if one was asked for."""
        request = self._record.request
        self._links.releases.hold(self._capture.path, self._record.key, self._arrived_ns)
        if self._paused:
            self._connection.pause()
        if self._fresh and request.start_mirror:
            self._connection.start_mirror(self.desk.mirror(request.mirror))
        if self._findings is not None:
            self._findings.listen()
        self._flushing.by(request)
        self._connection.start()

    def stop(self) -> None:
        """End the session."""
        self._flushing.stop()
        self._end(disconnect=False)

    def disconnect(self, *, unwatched: bool = False) -> None:
        """End for good; ``unwatched``: the target need not watch this server any more."""
        self._flushing.end()
        self._end(disconnect=True, unwatched=unwatched)
        self._links.releases.forget(self._capture.path, self._record.key)

    def _end(self, *, disconnect: bool, unwatched: bool = False) -> None:
        if self._findings is not None:
            self._findings.end()
        self._connection.stop(disconnect=disconnect, unwatched=unwatched)
        self._connection.close()
        self.desk.end()

    def _connected(self, *, fresh: bool) -> SourceConnection:
        request, identity = self._record.request, self._links.identity
        terms = Terms(
            connection=self._record.key,
            protection=request.protection or self._record.key,
            epoch=request.epoch,
            source=self._record.source_name,
            replication_set=request.replication_set,
            target_root=self._record.target_root,
            purpose=request.purpose,
            backup_set=self._backup_set,
        )
        hooks = SourceHooks(
            released=self._released,
            mirror_due=self._mirror_due,
            moved_in=self._moved_in,
            log_lost=self._log_lost,
            heard=self._heard,
            happened=self._happened,
        )
        return SourceConnection(
            terms,
            self._links.route(self._record),
            tls.Identity(identity.certificate_file, identity.key_file),
            self._open_log,
            rules=self._selected(),
            remap=self._remap.remap if self._remap is not None else None,
            names=self._other_names(),
            hooks=hooks,
            keeps_deleted=request.ignore_deletes,
            line=self._links.lines.to(self._links.route(self._record).address),
            reach=NullTarget(EmptyTarget).dial if request.simulate else None,
            fresh=fresh,
            longest_wait_s=2.0,
        )

    def _selected(self) -> RuleSet | None:
        if not self._replicating:
            return RuleSet(())
        return None if self._rules.everything else self._rules

    def _other_names(self) -> Crossing | None:
        limited = self._replicating and not self._rules.everything
        return Crossing(self._capture.lower_path, self._rules) if limited else None

    # -- what the connection asks

    def _open_log(self) -> LogAccess:
        places = self._capture.places
        page = StatePage(places.log_dir / "state")
        reader = LogReader(places.mem_dir, places.disk_dir, page, wake=places.log_dir / "wake")

        def close() -> None:
            reader.close()
            page.close()

        return LogAccess(reader, page, str(page.log_id), close)

    def _heard(self, log_id: str, sequence: int, good: bool) -> None:  # noqa: FBT001 - as the hook gives it
        self._flushing.heard(log_id, sequence, good=good and self._replicating)

    def _released(self, sequence: int) -> None:
        self._links.releases.acknowledged(self._capture.path, self._record.key, sequence)

    def _arrived_ns(self) -> int:
        """Up to when every change is at the target, 0 when that is not known; a restore's link says nothing of its own directory."""
        if self._record.request.purpose == "restore":
            return 0
        if self._findings is not None:
            return self._findings.reported_ns
        now_ns, committed = time.time_ns(), self._capture.state.committed_sequence
        status = self._connection.status()
        if status.target_data_state is not DataState.GOOD:
            return 0
        return now_ns if status.acknowledged_sequence >= committed else status.acknowledged_time_ns

    def _shipped(self) -> int:
        return self._connection.status().sent_sequence

    def _mirror_due(self, says: str) -> MirrorJob | None:
        if self._stopped_by_hand or not (self._auto and self._ever_mirrored):
            return None
        self._happened(f"{self._record.request.replication_set} is mirrored again: {says}")
        return self.desk.mirror(self._remirror(), thorough=True)

    def _remirror(self) -> schema.MirrorOptions:
        """What the log lost includes removals: names that only the target has are put aside beside the replica, not lost.

        Where deletions are ignored they stay.
        """
        request = self._record.request
        orphans, wanted = request.mirror.orphans, REMIRRORS[request.auto_remirror_kind]
        if request.ignore_deletes:
            return wanted.model_copy(update={"orphans": orphans})
        if orphans.action in {"ignore", "log"} or orphans.older_than_s:
            orphans = schema.Orphans(action="move", move_to=self._record.target_root + REMOVED)
        return wanted.model_copy(update={"orphans": orphans})

    def _moved_in(self, path: bytes) -> bool:
        """What came into the set is brought by a small mirror of its own, or by the one that runs."""
        if self._stopped_by_hand:
            return False
        self.desk.bring(path, self._start_job)
        return True

    def _start_job(self, job: MirrorJob) -> bool:
        self._connection.start_mirror(job)
        return True

    def _log_lost(self) -> bool:
        self._capture.restart_log()
        return True

    def _happened(self, sentence: str) -> None:
        self._links.events.tell("connection", sentence, key=self._record.key)

    # -- what is told

    def start_mirror(self, options: schema.MirrorOptions) -> None:
        """Mirror from now on."""
        self._stopped_by_hand, self._ever_mirrored = False, True
        self._connection.start_mirror(self.desk.mirror(options))

    def stop_mirror(self) -> None:
        """Give the mirror up; the target needs another."""
        self._stopped_by_hand = True
        self.desk.bring_nothing()
        self._connection.stop_mirror()

    def pause_mirror(self, *, on: bool) -> None:
        """Hold the mirror, or let it go on."""
        self.desk.paused = on
        self._connection.pause_mirror(paused=on)

    def pause(self, *, on: bool) -> None:
        """Hold all sending, or let it go on."""
        self._paused = on
        if on:
            self._connection.pause()
        else:
            self._connection.resume()

    def replicate(self, *, on: bool) -> None:
        """Send operations, or let them pass; when sending begins again, a mirror brings what passed."""
        if on == self._replicating:
            return
        self._replicating = on
        if self._findings is not None:
            self._findings.active = on
        self._anew()
        if on and self._auto:
            self._connection.start_mirror(self.desk.mirror(self._remirror(), thorough=True))

    def verify(self, options: schema.MirrorOptions, *, remirror: bool) -> None:
        """Compare and report; send what differs only if that is asked for."""
        self._stopped_by_hand = self._stopped_by_hand and not remirror
        self._connection.start_mirror(self.desk.verification(options, remirror=remirror))

    def remove_orphans(self, wanted: schema.Orphans | None) -> bool:
        """Deal with what only the target has; None: look for no more. False if none were looked for."""
        if wanted is None:
            return self.desk.enough()
        self._connection.start_mirror(self.desk.orphans(wanted))
        return True

    def follow(self, record: ConnectionRecord) -> None:
        """Go on as the record says now; where it travels, or what is sent, takes a new session."""
        before, now = self._record.request, record.request
        self._record = self.desk.record = record
        if flushing_of(before) != flushing_of(now):
            self._flushing.by(now)
        if (before.route, before.ignore_deletes) != (now.route, now.ignore_deletes):
            self._anew()

    def log_changed(self, *, resumable: bool, why: str) -> None:  # noqa: ARG002  # told by the caller already
        """Open the log again; whether it can be continued is seen by its id."""
        with self._lock:
            self._connection.stop()
            self._connection.start()

    def _anew(self) -> None:
        """The same connection with other rules; the session resumes."""
        with self._lock:
            self._connection.stop()
            self._connection.close()
            self._connection = self._connected(fresh=False)
            if self._paused:
                self._connection.pause()
            self._connection.start()

    # -- what is so

    def mark(self) -> int:
        """All that was changed until now."""
        return self._findings.mark() if self._findings is not None else self._capture.mark()

    def reached(self, mark: int) -> bool:
        """Whether the target has applied all up to a mark."""
        if self._findings is not None:
            return self._findings.reached(mark) and self._connection.status().connected
        return not self.desk.brings and self._connection.status().applied_sequence >= mark

    def now(self) -> LinkNow:
        """How it stands."""
        status = self._connection.status()
        if status.connected:
            self._accepted = self._record.request.epoch
        return link_now(self, status)

    @property
    def capture(self) -> Capture:
        """What is replicated."""
        return self._capture

    @property
    def findings(self) -> Findings | None:
        """The watcher's findings, where there is no log."""
        return self._findings

    @property
    def synchrony(self) -> SynchronousState | None:
        """How a synchronous connection stands."""
        return self._flushing.now

    @property
    def accepted(self) -> int | None:
        """The epoch that the target accepted since the daemon started."""
        return self._accepted

    @property
    def restore_required(self) -> bool:
        """Whether the target is live since a failover, so that nothing may be sent over its data."""
        return self._connection.refused_for is Refusal.RESTORE_REQUIRED

    @property
    def replicating(self) -> bool:
        """Whether operations are sent."""
        return self._replicating


def remap_link(replication_set: schema.ReplicationSet, record: ConnectionRecord, rules: RuleSet) -> RemapLink | None:
    """RemapLink of a connection; None when it is off, or when the data has the same place on both servers."""
    if not record.request.remap_link or replication_set.root == record.target_root:
        return None
    return RemapLink(os.fsencode(replication_set.root), os.fsencode(record.target_root), rules)
