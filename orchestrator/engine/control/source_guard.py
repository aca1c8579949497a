"""The source's end of a protection: serves only while its epoch is confirmed, fences itself when it no longer is.

With a witness the lease keeper decides, on the witness's lease or the target's promise, whichever runs longer; the capture's own deadline stands behind it should this daemon die, and a restarted daemon
inherits that deadline. Without a witness, the protection's document (given in this boot), a person, or the target accepting a
session of this epoch confirms it. Services start in the guard's own thread, each looking at the gate again.

The lock orders a person's actions; the keeper's callbacks (``KeeperFence``) never take it.
"""

from __future__ import annotations

import threading

from orchestrator.engine.control import guard
from orchestrator.engine.control.addresses import Addresses
from orchestrator.engine.control.answers import FenceStatus, MonitorStatus, ProtectionState
from orchestrator.engine.control.confirming import TargetArbiter, WitnessArbiter, boottime_ns, witness_client
from orchestrator.engine.control.documents import ProtectionRecord
from orchestrator.engine.control.errors import Conflict, Unknown
from orchestrator.engine.control.guard import Rooms
from orchestrator.engine.control.holding import Holding
from orchestrator.engine.control.schema import ProtectionAction, ProtectionActionKind
from orchestrator.engine.transfer import tls
from orchestrator.engine.transfer.ports import Route
from orchestrator.engine.witness import boot_fence
from orchestrator.engine.witness.lease import LeaseKeeper, LeaseSettings, LeaseView
from orchestrator.errors import DtamError

NS = 1_000_000_000
LOOK_S = 0.1


class SourceGuard:
    """The source's end of one protection."""

    def __init__(self, protection: str, rooms: Rooms) -> None:
        self._id = protection
        self._rooms = rooms
        self._lock = threading.RLock()
        self._keeper: LeaseKeeper | None = None
        self._keeper_fence: KeeperFence | None = None
        self._ended = threading.Event()
        self._closing = ""
        self._opened = False
        self._holding = Holding(
            Addresses(rooms.layout.addresses / protection),
            lambda: self.record.document,
            self._tell,
            lambda: self.fence_reason() is None,
        )
        self._target = TargetArbiter(self._route_to_target, rooms.identity, lambda: self.record.registered)

    @property
    def record(self) -> ProtectionRecord:
        """What is stored about the protection."""
        return self._rooms.documents.record(self._id)

    def _tell(self, says: str, *, level: str = "info") -> None:
        self._rooms.events.tell("fence", f"{self._id}: {says}", level=level)

    # -- life

    def start(self) -> None:
        """Begin: fenced until the epoch is confirmed, or on the lease that an earlier daemon left."""
        if self.record.fenced is not None:
            self._close("it was fenced before", None)
        else:
            self._start_keeper()
        if self.fence_reason() is not None and not self._rooms.services.any_running(self._id):
            self._holding.let_go()
        threading.Thread(target=self._follow, name=f"guard-{self._id}", daemon=True).start()

    def let_go(self) -> None:
        """The daemon ends, or another guard takes over: services go on, the deadline in the logs stands."""
        self._ended.set()
        self._stop_keeper("the daemon ends", fence=False)

    def retire(self) -> None:
        """Another guard takes over."""
        self.let_go()

    def end(self) -> None:
        """The protection is no more: nothing is fenced by it."""
        self.let_go()
        document = self.record.document
        for path in guard.own_paths(document):
            self._rooms.mounts.set_deadline(path, 0)
        guard.fence_mounts(self._rooms, document, on=False)

    # -- what is so

    def fence_reason(self) -> str | None:
        """Why protected services may not run here; None when they may."""
        record = self.record
        if record.fenced is not None:
            return f"{record.fenced.by} fenced it: {record.fenced.why}"
        if self._closing:
            return self._closing
        if self._confirmed_by_target(record):
            return None
        answer = boot_fence.judge(
            self._view(),
            guard.override_of(record),
            boot_id=self._rooms.boot_id,
            epoch=record.document.epoch,
            promoted=False,
        )
        return None if answer.gate is boot_fence.Gate.OPEN else answer.says

    def state(self) -> ProtectionState:
        """Where the protection stands."""
        record, reason, view = self.record, self.fence_reason(), self._view()
        says = reason or (view.why if view else f"epoch {record.document.epoch} is confirmed")
        remaining_s = None if view is None else max(0.0, (view.deadline_ns - boottime_ns()) / NS)
        return ProtectionState(
            id=self._id,
            role="source",
            epoch=record.document.epoch,
            says=says,
            fence=FenceStatus(held=reason is not None, reason=reason or ""),
            monitor=MonitorStatus(enabled=False),
            lease_remaining_s=remaining_s,
            details={"last_error": view.last_error} if view and view.last_error else {},
        )

    def _view(self) -> LeaseView | None:
        keeper = self._keeper
        return keeper.view() if keeper is not None else None

    def _confirmed_by_target(self, record: ProtectionRecord) -> bool:
        document = record.document
        return document.witness is None and self._rooms.connections.accepted(self._id, document.epoch)

    # -- what is asked

    def act(self, action: ProtectionAction) -> None:
        """Fence, unfence, release, take an epoch, acknowledge."""
        match action.action:
            case ProtectionActionKind.FENCE:
                self._fence(action.by, action.reason)
            case ProtectionActionKind.UNFENCE:
                self._unfence(action)
            case ProtectionActionKind.RELEASE:
                self._release(action)
            case ProtectionActionKind.SET_EPOCH:
                self._take_epoch(action)
            case ProtectionActionKind.ACKNOWLEDGE:
                pass
            case _:
                hint = "ask the target's engine"
                raise Conflict(what=f"{action.action} of {self._id}", why="this engine is its source", hint=hint)

    def _fence(self, by: str, why: str) -> None:
        with self._lock:
            fence = guard.fenced_by(by, why, self.record.document.epoch)
            self._rooms.documents.change(
                self._id, lambda record: record.model_copy(update={"fenced": fence, "override": None})
            )
            self._stop_keeper(fence.why, fence=True)
            self._close(fence.why, None)

    def _unfence(self, action: ProtectionAction) -> None:
        with self._lock:
            record = self.record
            override = guard.overridden_by(action.by, action.reason, record.document.epoch, self._rooms.boot_id)
            by_person = action.forced or record.document.witness is None
            change = {"fenced": None} | ({"override": override} if by_person else {})
            self._rooms.documents.change(self._id, lambda known: known.model_copy(update=change))
            self._closing, self._opened = "", False
            if record.fenced is not None:
                self._start_keeper()

    def _release(self, action: ProtectionAction) -> None:
        record = self.record
        self._fence(action.by, action.reason or "the epoch was released")
        if record.document.witness is not None:
            self._release_promise(record.document.epoch, record.document.witness.lease_s)
            with_witness = witness_client(record.document.witness, self._rooms.identity)
            with_witness.release(self._id, record.document.epoch, self._rooms.identity.engine_id)

    def _release_promise(self, epoch: int, lease_s: float) -> None:
        """A target that does not hear it waits until its promise has run out."""
        try:
            self._target.release(self._id, epoch, self._rooms.identity.engine_id, lease_s)
        except DtamError as error:
            self._rooms.events.tell("fence", f"{self._id}: the target's promise runs out by itself: {error}")

    def _take_epoch(self, action: ProtectionAction) -> None:
        document = self.record.document
        epoch = document.epoch if action.epoch is None else action.epoch
        if epoch < document.epoch:
            raise Conflict(
                what=f"epoch {epoch} for {self._id}",
                why=f"this engine knows epoch {document.epoch}",
                hint="an epoch never goes back",
            )
        if epoch == document.epoch and self.fence_reason() is None:
            return
        self._ask_for_epoch(epoch, action)
        override = guard.overridden_by(action.by, action.reason or "the epoch was taken", epoch, self._rooms.boot_id)
        with self._lock:
            self._stop_keeper(f"epoch {epoch} was taken", fence=False)
            self._rooms.documents.raise_epoch(self._id, epoch)
            change = {"fenced": None, "registered": True, "override": None if document.witness else override}
            self._rooms.documents.change(self._id, lambda record: record.model_copy(update=change))
            self._closing, self._opened = "", False
            self._start_keeper()

    def _ask_for_epoch(self, epoch: int, action: ProtectionAction) -> None:
        document, own = self.record.document, self._rooms.identity.engine_id
        if document.witness is None:
            return
        client, lease_s = witness_client(document.witness, self._rooms.identity), document.witness.lease_s
        if epoch == document.epoch:
            taken = client.register(self._id, epoch, own, lease_s, document.target.engine_id)
            granted, reason = taken.granted, taken.reason
            if granted:
                self._take_promise_up(epoch, lease_s)
        else:
            answer = client.grant(self._id, epoch - 1, own, lease_s=lease_s, forced=action.forced, by=action.by)
            granted, reason = answer.granted, answer.reason
        if not granted:
            hint = "the other side must release its epoch first, or its lease run out"
            raise Conflict(what=f"taking epoch {epoch} of {self._id}", why=reason, hint=hint)

    def _take_promise_up(self, epoch: int, lease_s: float) -> None:
        """Without it the witness's lease alone counts."""
        try:
            self._target.take_up(self._id, epoch, self._rooms.identity.engine_id, lease_s)
        except DtamError as error:
            self._rooms.events.tell("fence", f"{self._id}: the target promises nothing: {error}")

    # -- how

    def _route_to_target(self) -> Route:
        """The target's data port as replication reaches it; the key is the paired one that the document names."""
        side = self.record.document.target
        peers = (peer for peer in self._rooms.peers.listed() if peer.engine_id == side.engine_id)
        peer = next(peers, None)
        if peer is None:
            raise Unknown(kind="peer", name=side.name, listing="peers")
        chosen = self._rooms.connections.route(self._id)
        address, port = (chosen.address, chosen.port) if chosen else (peer.address, peer.data_port)
        return Route(address, port, tls.Peer(peer.name, peer.certificate_pem))

    def _start_keeper(self) -> None:
        record = self.record
        witness = record.document.witness
        if witness is None:
            self._keeper = None
            return
        self._keeper_fence = KeeperFence(self)
        self._keeper = LeaseKeeper(
            self._id,
            record.document.epoch,
            self._rooms.identity.engine_id,
            arbiters=[
                WitnessArbiter(witness_client(witness, self._rooms.identity), self._rooms.documents),
                self._target,
            ],
            fence=self._keeper_fence,
            settings=LeaseSettings(lease_s=witness.lease_s),
            inherited_ns=self._inherited_ns(),
        )
        self._keeper.start()

    def _inherited_ns(self) -> int:
        """The deadline of this boot that the logs carry, where services run on it; 0 when there is none."""
        paths = guard.own_paths(self.record.document)
        deadline_ns = min((self._rooms.mounts.deadline(path) for path in paths), default=0)
        running = self._rooms.services.any_running(self._id)
        return deadline_ns if running and deadline_ns > boottime_ns() else 0

    def _stop_keeper(self, why: str, *, fence: bool) -> None:
        keeper, self._keeper = self._keeper, None
        if keeper is None:
            return
        if not fence and self._keeper_fence is not None:
            self._keeper_fence.dead = True
        keeper.stop(why)

    def _follow(self) -> None:
        """Start what is wanted when the gate opens; stop what an earlier daemon left running behind a closed gate."""
        while not self._ended.wait(LOOK_S):
            try:
                if self.fence_reason() is None:
                    self._open_once()
                elif not self._opened and not self._closing:
                    self._keep_closed()
            except (DtamError, OSError) as error:
                self._rooms.events.tell("guard", f"{self._id}: {error}; trying again")
                self._ended.wait(1.0)

    def _keep_closed(self) -> None:
        """Behind a closed gate nothing runs that an earlier daemon or the boot left, and no address is held that the target may have."""
        if self._rooms.services.any_running(self._id):
            self._close("its epoch is not confirmed", None)
        self._holding.let_go()

    def _open_once(self) -> None:
        self._holding.take_up()
        if self._opened or self.fence_reason() is not None:
            return
        guard.fence_mounts(self._rooms, self.record.document, on=False)
        if self.record.document.witness is None or self.overridden():
            self.set_deadline(0)
        started = self._rooms.services.start_wanted(self._id)
        self._opened = True
        self._rooms.events.tell("fence", f"{self._id} is open", started=started)

    def open(self) -> None:
        """The keeper confirmed the epoch: capture writable; the services follow when the gate is seen open."""
        guard.fence_mounts(self._rooms, self.record.document, on=False)
        self._closing, self._opened = "", False

    def close(self, why: str, deadline_ns: int) -> None:
        """The keeper's lease is ending: gate closed, services gone before ``deadline_ns``, capture read-only."""
        keeper = self._keeper
        if self.overridden() and not (keeper is not None and keeper.view().is_over):
            return
        self._close(why, max(0.0, (deadline_ns - boottime_ns()) / NS))

    def _close(self, why: str, within_s: float | None) -> None:
        self._closing = f"fenced: {why}"
        self._opened = False
        stopped = self._rooms.services.stop_all(self._id, within_s)
        guard.fence_mounts(self._rooms, self.record.document, on=True)
        self._holding.let_go()
        if self._keeper is None or within_s is None:
            self._closing = ""  # the stored fence, or the unconfirmed epoch, speaks from here on
        self._rooms.events.tell("fence", f"{self._id} is fenced: {why}", stopped=stopped)

    def set_deadline(self, deadline_ns: int) -> None:
        """Write the instant into every log of the protection."""
        for path in guard.own_paths(self.record.document):
            self._rooms.mounts.set_deadline(path, deadline_ns)

    def overridden(self) -> bool:
        """Whether a person's word stands for this boot and epoch."""
        stored, epoch = self.record.override, self.record.document.epoch
        return stored is not None and (stored.boot_id, stored.epoch) == (self._rooms.boot_id, epoch)


class KeeperFence:
    """What the lease keeper does to this host, through the guard; once ``dead`` it does nothing more."""

    def __init__(self, of: SourceGuard) -> None:
        self._guard = of
        self.dead = False

    def set_deadline(self, deadline_ns: int) -> None:
        """Write the deadline, unless a person's word stands for it."""
        if not self.dead and not self._guard.overridden():
            self._guard.set_deadline(deadline_ns)

    def fence(self, why: str, deadline_ns: int) -> None:
        """Fence in time."""
        if not self.dead:
            self._guard.close(why, deadline_ns)

    def open(self, epoch: int, why: str) -> None:  # noqa: ARG002  # the guard knows both
        """Open."""
        if not self.dead:
            self._guard.open()
