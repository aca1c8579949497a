"""The replicas that this engine keeps for other engines' replication sets: found when a session comes, opened again at a start.

Who may come: a paired engine, for a place that no other replica, no captured directory and not our own state lies in. The epoch
of a protection is that of its document or of its replica, whichever is newer, so that a new document refuses old sources at once.

Lock: one for the table; replicas have their own.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from orchestrator.engine.apply.applier import RetryPolicy
from orchestrator.engine.apply.house import ReplicaHouse
from orchestrator.engine.apply.record import ReplicaRecord
from orchestrator.engine.apply.replica import Replica
from orchestrator.engine.apply.works import ReplicaSettings
from orchestrator.engine.control.answers_connections import ReplicaStatus
from orchestrator.engine.control.errors import Conflict, Unknown
from orchestrator.engine.control.events import Events
from orchestrator.engine.control.feeds import TargetFeed
from orchestrator.engine.control.forgetting import refuse_unless_over
from orchestrator.engine.control.keeping import Keeping
from orchestrator.engine.control.layout import Layout
from orchestrator.engine.control.mounts import Mounts
from orchestrator.engine.control.replica_facts import as_answer, goes_back_to, is_fed, overlap, summed_up
from orchestrator.engine.control.restored import Restored
from orchestrator.engine.control.schema import MountRequest, ReplicaAction, ReplicaActionKind
from orchestrator.engine.control.snapshots import Snapshots
from orchestrator.engine.monitor import ports as monitor_ports
from orchestrator.engine.oplog.limits import QueueLimits
from orchestrator.engine.transfer.events import Denied, Progress
from orchestrator.engine.transfer.messages import Hello, Refusal, Reply
from orchestrator.engine.transfer.tls import Peer


class Nobody:
    """A listener that hears nothing: attaching it ends the session that is open."""

    def logged(self, sequence: int) -> None:
        """Nothing."""

    def handled(self, replies: tuple[Reply, ...], payload_bytes: int) -> None:
        """Nothing."""

    def stands(self, progress: Progress) -> None:
        """Nothing."""

    def denied(self, reason: Refusal, says: str) -> None:
        """Nothing."""


class Replicas:
    """The replicas by key (the connection's uuid). Callable from any thread.

    Args:
        layout: where they are kept.
        events: the journal.
        mounts: the captured directories, which no replica may lie in.
        keeping: where a restore puts aside what it would overwrite.
        epoch_of: the epoch of a protection's document, 0 when there is none.
        snapshots: where good states are kept.
        queue: how much each may queue.
        retry_limit: how often what a file refuses is tried again before a mirror is called for; None: for ever.
    """

    def __init__(
        self,
        layout: Layout,
        events: Events,
        mounts: Mounts,
        keeping: Keeping,
        epoch_of: Callable[[str], int],
        *,
        snapshots: Snapshots,
        queue: QueueLimits | None = None,
        retry_limit: int | None = None,
    ) -> None:
        self._state = layout.root.resolve()
        self._events = events
        self._mounts = mounts
        self._lock = threading.RLock()
        self._keeping = keeping
        self._restored = Restored(mounts)
        self.heard_s: Callable[[str], float | None] = lambda _: None
        self.snapshots = snapshots
        self.unwatched: Callable[[str], None] = lambda _: None
        self.introduced: Callable[[Replica, Hello], None] = lambda _replica, _hello: None
        ports: dict[str, object] = {"mirror": self._mirror, "happened": self._happened, "snapshots": snapshots}
        ports["alert"] = lambda sentence: events.alert("queue", sentence)
        settings = ReplicaSettings(limits=queue or QueueLimits(), retry=RetryPolicy(limit=retry_limit))
        self._house = ReplicaHouse(layout.replicas, epoch_of=epoch_of, settings=settings, ports=ports)

    # -- life

    def start(self) -> None:
        """Open all; they go on applying what their queues hold. What was being set back is so first."""
        finished = self.snapshots.recover()
        for trouble in self._house.open_all():
            self._happened(trouble)
        for replica in self._house.all():
            begun = finished.get(replica.record.root)
            if begun is not None and begun.replica == replica.key:
                self.snapshots.tell_set_back(replica, begun)

    def stop(self) -> None:
        """Close all in order."""
        self._house.close()

    def _mirror(self, root: Path, kind: str) -> TargetFeed:
        """The target side of a mirror that begins; what a restore would destroy is put aside first."""
        restored = [
            one for one in self._house.all() if one.record.purpose == "restore" and one.record.root == str(root)
        ]
        whole = kind in {"full", "difference"}
        keeper = (
            self._keeping.begin(restored[0], self._mounts.places(str(root)).log_dir) if restored and whole else None
        )
        return TargetFeed(root, keeper)

    def _happened(self, sentence: str) -> None:
        self._events.tell("replica", sentence)

    # -- a session comes

    def find(self, hello: Hello, peer: Peer) -> Replica | Denied:
        """The replica that a paired source introduces, made when it comes for the first time; or why it may not come."""
        with self._lock:
            known = self._house.get(hello.connection)
            live = self._live_at(hello)
            if live is not None:
                return Denied(Refusal.RESTORE_REQUIRED, live)
            before = self._good_before(hello) if known is None else None
            why_not = self._captured_over(known) if known is not None else self._no_place_for(hello)
            found = self._house.find(hello, peer) if why_not is None else Denied(Refusal.NOT_READY, why_not)
        if isinstance(found, Denied):
            return found
        self.introduced(found, hello)
        if before is not None:
            found.take_over_good(before)
        if known is None:
            where = f"{hello.replication_set} to {hello.target_root}"
            self._events.tell("replica", f"{hello.source} replicates {where}", key=found.key, epoch=hello.epoch)
        return found

    def left(self, key: str, unwatched: bool) -> None:  # noqa: FBT001  # the listener's signature
        """The source ended the connection for good: its data stays, the replica is forgotten unless it is promoted."""
        replica = self._house.get(key)
        if replica is not None and unwatched:
            self.unwatched(replica.record.protection)
        if replica is not None and not replica.record.promoted:
            self._forget(replica)

    @contextlib.contextmanager
    def left_alone(self, path: str) -> Iterator[None]:
        """Hold off, while the block runs, every session that would come; what is applied must never be captured.

        Raises:
            Conflict: something is being applied at, above or below ``path``.
        """
        with self._lock:
            for replica in self._house.all():
                if not replica.record.promoted and overlap(Path(path), Path(replica.record.root)) and is_fed(replica):
                    record = replica.record
                    why = f"{record.root} is a replica of {record.replication_set} of {record.source}, which is being applied"
                    hint = (
                        f"end the connection at {record.source} first, or promote the replica: dtengine replicas list"
                    )
                    raise Conflict(what=f"capturing {path}", why=why, hint=hint)
            yield

    def _good_before(self, hello: Hello) -> ReplicaRecord | None:
        """The replica of the same set at the same place, good or with its last good state kept, that a new connection replaces."""
        wanted = (hello.source, hello.replication_set, hello.target_root)
        for replica in self._house.all():
            record = replica.record
            if (record.source, record.replication_set, record.root) == wanted and goes_back_to(replica) is not None:
                return record
        return None

    def _live_at(self, hello: Hello) -> str | None:
        """Why nothing may be sent to a place that clients write to."""
        wanted = Path(hello.target_root)
        for replica in self._house.all():
            record = replica.record
            if record.promoted and overlap(wanted, Path(record.root)):
                return f"{record.root} is live since epoch {record.epoch}: restore from it first, or let its changes go"
        return None

    def _captured_over(self, replica: Replica) -> str | None:
        """Why a replica that is known may not go on. A watcher over it makes it a link of a chain: it sees what is applied.

        A ring cannot come to be so: whichever of its connections is made last would begin a new replica where something is captured.
        """
        if replica.record.set_back_to:
            return replica.record.says
        capture = self._mounts.capture(replica.record.root)
        if replica.record.promoted or capture is None or capture.kind == "watcher":
            return None
        return f"{replica.record.root} is captured here: apply never writes under it"

    def _no_place_for(self, hello: Hello) -> str | None:
        """Why a new replica may not lie where it is to be; one that is idle and was of the same set is forgotten for it."""
        wanted = Path(hello.target_root)
        if not wanted.is_absolute() or ".." in wanted.parts or wanted == Path("/"):
            return f"{wanted} is no place for a replica"
        if overlap(wanted, self._state):
            return f"{wanted} holds this engine's own state"
        if any(overlap(wanted, Path(mount.path)) for mount in self._mounts.listed()):
            return f"{wanted} is captured here: apply never writes under it"
        for other in self._house.all():
            if not other.record.promoted and overlap(wanted, Path(other.record.root)):
                record = other.record
                same = (record.source, record.replication_set) == (hello.source, hello.replication_set)
                if not same or other.status().connected:
                    return f"{record.root} is a replica of {record.replication_set} of {record.source}; if that is over: dtengine replicas act {other.key} forget"
                self._forget(other)
        return None

    def _forget(self, replica: Replica) -> None:
        self._house.remove(replica.key)
        self._events.tell("replica", f"replica {replica.key} ended; its data stays in {replica.record.root}")

    # -- looked at

    def listed(self) -> list[ReplicaStatus]:
        """All replicas."""
        return [self._status(replica) for replica in self._house.all()]

    def status(self, key: str) -> ReplicaStatus:
        """One replica."""
        return self._status(self._get(key))

    def all(self) -> list[Replica]:
        """Every replica."""
        return self._house.all()

    def get(self, key: str) -> Replica:
        """One replica. Raises Unknown."""
        return self._get(key)

    def of(self, protection: str) -> list[Replica]:
        """The replicas of a protection that came to be protected, not restored."""
        return [
            replica
            for replica in self._house.all()
            if replica.record.protection == protection and replica.record.purpose == "protect"
        ]

    def summary(self, protection: str) -> monitor_ports.ReplicaStatus:
        """The replicas of a protection as one: the worst data state, the largest queue."""
        return summed_up(self.of(protection), self.heard_s)

    def _status(self, replica: Replica) -> ReplicaStatus:
        return as_answer(replica.status()).model_copy(
            update={"restored": self._restored.is_so(replica), "set_aside": self._keeping.listed(replica)}
        )

    def _get(self, key: str) -> Replica:
        replica = self._house.get(key)
        if replica is None:
            raise Unknown(kind="replica", name=key, listing="replicas list")
        return replica

    # -- what the executor asks

    def refuse_older(self, protection: str, epoch: int) -> None:
        """Know the epoch durably; sessions that carry an older one end."""
        for replica in self.of(protection):
            newer = replica.record.epoch < epoch
            replica.accept_epoch(epoch)
            if newer:
                nobody = Nobody()
                replica.attach(nobody)
                replica.detach(nobody)
            replica.hurry.begin()  # after the sessions: a new one ends it

    def settle(self, protection: str, *, discard: bool) -> int:
        """Apply (or drop) what is queued, for a short while; how many bytes are still queued (at least 1 while unsettled)."""
        left = 0
        for replica in self.of(protection):
            if discard:
                replica.discard_queue()
            elif not replica.settle(0.5):
                now = replica.status()
                left += max(1, now.queue_memory_bytes + now.queue_disk_bytes)
        return left

    def fall_back(self, protection: str, snapshot: str) -> str:
        """Give every replica a good state again: a snapshot's, or where none is named its last; what is still to be done, empty when all is.

        Raises:
            Unknown: a replica has no such snapshot.
            Conflict: a replica has no good state to go back to.
        """
        left = [self._fallen_back(replica, snapshot) for replica in self.of(protection)]
        return "; ".join(filter(None, left))

    def _fallen_back(self, replica: Replica, snapshot: str) -> str:
        record = replica.record
        wanted = snapshot or goes_back_to(replica)
        if wanted is None:
            raise Conflict(
                what=f"going back to a good state of {record.root}", why="none was kept", hint="wait for the mirror"
            )
        if not wanted:
            return self._left_as_it_is(replica)
        return self.snapshots.sent_back(replica, wanted)

    @staticmethod
    def _left_as_it_is(replica: Replica) -> str:
        """Good: what arrived is applied. Intact: nothing more is."""
        if replica.record.intact:
            replica.discard_queue()
            return ""
        return "" if replica.settle(0.5) else f"{replica.record.root} is still applying"

    def promote(self, protection: str, epoch: int) -> None:
        """Their data goes live."""
        for replica in self.of(protection):
            if not (replica.record.promoted and replica.record.epoch >= epoch):
                replica.promote(epoch)

    def demote(self, protection: str, epoch: int) -> None:
        """They are replicas again."""
        for replica in self.of(protection):
            replica.demote(epoch)

    # -- what a person asks

    def act(self, key: str, action: ReplicaAction) -> ReplicaStatus:
        """Pause, resume, settle, discard, promote, demote, forget.

        Raises:
            Conflict: it is not possible now.
        """
        replica = self._get(key)
        match action.action:
            case ReplicaActionKind.PAUSE:
                replica.pause()
            case ReplicaActionKind.RESUME:
                self.snapshots.give_up_set_back(replica.record)
                replica.resume()
            case ReplicaActionKind.SETTLE:
                self._settle(replica, action.timeout_s)
            case ReplicaActionKind.DISCARD_QUEUE:
                replica.discard_queue()
            case ReplicaActionKind.PROMOTE:
                self._promote(replica, action)
            case ReplicaActionKind.DEMOTE:
                self._demote(replica, action)
            case ReplicaActionKind.FORGET:
                refuse_unless_over(replica, action)
                self._forget(replica)
            case ReplicaActionKind.SET_ASIDE_LIST:
                pass
        return self._status(replica)

    @staticmethod
    def _settle(replica: Replica, timeout_s: float) -> None:
        if not replica.settle(timeout_s):
            hint = f"see why: dtengine replicas show {replica.key}"
            raise Conflict(what=f"settling {replica.key}", why=f"operations are left after {timeout_s:g} s", hint=hint)

    def _promote(self, replica: Replica, action: ReplicaAction) -> None:
        epoch = replica.record.epoch if action.epoch is None else action.epoch
        if epoch < replica.record.epoch:
            why = f"epoch {epoch} is older than {replica.record.epoch}"
            raise Conflict(what=f"promoting {replica.key}", why=why, hint="read the replica again")
        self._settle(replica, action.timeout_s)
        replica.promote(epoch)
        root = replica.record.root
        if action.capture and self._mounts.capture(root) is None:
            self._mounts.mount(MountRequest(path=root))
        self._events.tell("replica", f"{root} is live at epoch {epoch}", key=replica.key, by=action.by)

    def _demote(self, replica: Replica, action: ReplicaAction) -> None:
        """A live replica becomes one again once it was restored from, or when a person lets its changes go."""
        if replica.record.promoted and not (action.discard_changes or self._restored.is_so(replica)):
            raise Conflict(
                what=f"making {replica.record.root} a replica again",
                why="it was live since a failover and was not restored from",
                hint="restore it to the original source, or let its changes go with discard_changes",
            )
        if self._mounts.capture(replica.record.root) is not None:
            self._mounts.unmount(replica.record.root)
        replica.demote(action.epoch or 0)
        self._restored.forget(replica)
        self._events.tell("replica", f"{replica.record.root} is a replica again", key=replica.key, by=action.by)

    def restored(self, root: str, mark: int) -> None:
        """All that was live at ``root`` up to ``mark`` is at its original source; it holds as long as nothing more changes here."""
        for replica in self._house.all():
            if replica.record.promoted and replica.record.root == root:
                self._restored.note(replica, mark)
                self._events.tell("replica", f"{root} was restored to {replica.record.source}", key=replica.key)
