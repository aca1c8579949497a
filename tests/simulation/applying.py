"""The target's queue, and what becomes of it in the files: the product's order of deeds, on disks that refuse."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import msgspec

from orchestrator.engine.oplog.format import Kind, decode
from orchestrator.engine.oplog.reader import split
from orchestrator.engine.transfer.events import ItemHandled, Logged, MirrorLink, Progress
from orchestrator.engine.transfer.messages import DataState, ItemKind, MirrorBegin, MirrorEnd, MirrorItem, Operations
from tests.simulation.disk import FaultyDisk
from tests.simulation.replica import GAP, HALF, Replica
from tests.simulation.world import Crashed

if TYPE_CHECKING:
    from tests.simulation.target_party import TargetParty


class Applying:
    """Of one target. ``disk`` holds the queue, ``data`` the files and snapshots."""

    def __init__(self, party: TargetParty, disk: FaultyDisk, data: FaultyDisk, *, ack_before_fsync: bool) -> None:
        self._party, self._world = party, party.world
        self.disk, self.data = disk, data
        self._ack_before_fsync = ack_before_fsync
        self.replica = Replica()
        self.link = MirrorLink()
        self.hurry = False
        self._token = ""
        self._todo: deque[int | MirrorItem] = deque()

    def start(self) -> None:
        """The daemon starts: what the log has and the files lack is to be done."""
        replica = self.replica
        replica.forget_mirror()
        self.link, self.hurry, self._token = MirrorLink(), False, ""
        self._todo = deque(range(replica.applied + 1, replica.durable + 1))
        self.soon()

    def daemon_dies(self) -> None:
        """The host goes on: what was written stays, fsynced or not; the last of it may be torn."""
        replica, rng = self.replica, self._world.rng
        replica.log.extend(replica.tail[: rng.randint(0, len(replica.tail))])
        replica.tail = []

    def attach(self) -> None:
        """A session is welcome; mirror items of a numbering that is over are dropped."""
        self.hurry = False
        if self._token != self.link.token:
            self._token = self.link.token
            self._todo = deque(one for one in self._todo if isinstance(one, int))
            self.replica.forget_mirror()
        self.tell()

    def commit(self) -> None:
        """What was appended is fsynced. Raises OSError."""
        self.disk.point()
        self.replica.log.extend(self.replica.tail)
        self.replica.tail = []

    def prepare(self, log_id: str, committed: int) -> bool:
        """A new base: what was acknowledged is applied first; False when that was not possible."""
        replica = self.replica
        if replica.log_id and not self.catch_up():
            return False
        replica.sync()
        replica.worsen(intact=True)
        replica.log_id, replica.first, replica.log, replica.tail = log_id, committed + 1, [], []
        replica.applied = replica.base_sequence = committed
        self._todo.clear()
        return True

    def append(self, operations: Operations) -> None:
        """Written now, fsynced a moment later, acknowledged after that (or, as a planted bug, before)."""
        replica = self.replica
        names = [_name_of(record) for record in split(memoryview(operations.data))]
        replica.tail.extend(names)
        last = replica.durable + len(replica.tail)
        self._todo.extend(range(last - len(names) + 1, last + 1))
        if self._ack_before_fsync:
            self._party.feed(Logged(last))
        life = self._party.daemon_life
        self._world.after(self._world.rng.uniform(0.001, 0.05), lambda: self._sync(life))

    def _sync(self, life: int) -> None:
        if self._party.daemon_life != life:
            return
        try:
            self.commit()
        except Crashed:
            return
        except OSError:
            self._world.after(0.2, lambda: self._sync(life))
            return
        self._party.feed(Logged(self.replica.durable))
        self.soon()

    def enqueue(self, item: MirrorItem) -> None:
        """A mirror item, in its place."""
        self._todo.append(item)
        self.soon()

    def soon(self) -> None:
        """Do the next thing in a moment, and what comes after it."""
        life = self._party.daemon_life

        def apply() -> None:
            if self._party.daemon_life != life:
                return
            try:
                did = self._next()
            except OSError:
                self._world.after(0.3, apply)
                return
            except Crashed:
                return
            if did:
                self.tell()
                self.soon()

        self._world.after(self._world.rng.uniform(0.001, 0.03), apply)

    def tell(self) -> None:
        """How the replica stands, for the source."""
        self._party.feed(Progress(self.replica.applied, self.replica.data_state))

    def catch_up(self) -> bool:
        """Do all that can be done; True when nothing is left."""
        try:
            while self._next():
                pass
        except OSError:
            return False
        return not self._todo

    def discard(self) -> None:
        """Forget what was not applied; the files stay as they are."""
        self._todo.clear()
        self.replica.worsen(intact=True)
        self.replica.leave_log()

    def _next(self) -> bool:
        """One thing of the queue, in order; an operation only when it is durable in the log."""
        if not self._todo or self.replica.promoted:
            return False
        first = self._todo[0]
        if isinstance(first, int) and first > self.replica.durable:
            return False
        self.data.point()
        self._keep_good_state()
        if isinstance(first, int):
            if first > self.replica.applied:
                self.replica.apply_one()
            self._done(first)
            return True
        self._item(first)
        self._done(first)
        self._party.feed(ItemHandled(self.link.done(first.index, []), len(first.payload)))
        return True

    def _done(self, first: int | MirrorItem) -> None:
        if self._todo and self._todo[0] is first:
            self._todo.popleft()

    def _keep_good_state(self) -> None:
        """Before the first write that makes the files no state of the source: a snapshot of them."""
        replica = self.replica
        if not replica.intact or replica.data_state is DataState.GOOD:
            return
        if self.hurry:
            raise BlockingIOError
        replica.kept, replica.intact = list(replica.files), False

    def _item(self, item: MirrorItem) -> None:
        replica = self.replica
        match item.kind:
            case ItemKind.BEGIN if msgspec.msgpack.decode(item.payload, type=MirrorBegin).changes_state:
                self._party.history.remirrors += replica.was_good
                replica.sync()
                replica.worsen(intact=True)
                self._keep_good_state()
                replica.data_state = DataState.MIRRORING
            case ItemKind.MESSAGE if replica.data_state is DataState.MIRRORING:
                files = msgspec.msgpack.decode(item.payload, type=list[str] | None)
                replica.files = [*replica.files, HALF] if files is None else files
                replica.sync()
            case ItemKind.END if replica.data_state is DataState.MIRRORING:
                self._end(msgspec.msgpack.decode(item.payload, type=MirrorEnd))
            case _:
                pass

    def _end(self, end: MirrorEnd) -> None:
        replica = self.replica
        if end.complete and replica.applied >= end.log_end:
            self._party.history.based_anew(self._party.name, self._party.source.files)  # type: ignore[attr-defined]
            replica.data_state, replica.kept, replica.was_good = DataState.GOOD, None, True
        else:
            replica.data_state = DataState.MIRROR_REQUIRED


def _name_of(record: memoryview) -> str:
    operation = decode(record)
    return GAP if operation.kind is Kind.GAP else bytes(operation.data).decode()
