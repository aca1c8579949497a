"""The connections that start at this engine: remembered by key, numbered from one since the daemon started.

A connection replicates one set to one target. Its record says what is wanted (replication on or off, paused); the link does it,
reconnects by itself, and resumes where the target acknowledged. A connection of a set whose directory is not captured is refused.

Lock: one for the table.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.engine.control import schema, store
from orchestrator.engine.control.answers_connections import ConnectionStatus
from orchestrator.engine.control.connection_answers import as_answer
from orchestrator.engine.control.edges import Link, LinkFactory
from orchestrator.engine.control.errors import Conflict, Unknown
from orchestrator.engine.control.events import Events
from orchestrator.engine.control.fields import Name, Request
from orchestrator.engine.control.flushing import refuse_unordered
from orchestrator.engine.control.lines import Lines
from orchestrator.engine.control.mounts import Mounts
from orchestrator.engine.control.orphaned import check_orphans
from orchestrator.engine.control.peers import Peers
from orchestrator.engine.control.sets import ReplicationSets
from orchestrator.engine.mirror.mapping import MappingKind, TargetMapping
from orchestrator.engine.mirror.placement import Placement, check_placement
from orchestrator.errors import DtamError

Kind = schema.ConnectionActionKind

ON_ITS_WAY_S = 5.0
"""How long the end of a restore waits for word of what was applied."""


class ConnectionRecord(Request):
    """The stored form of a connection: what was asked for, and what is wanted now."""

    key: str
    request: schema.ConnectionRequest
    source_name: Name
    target_root: str
    created_ns: int
    replicating: bool
    paused: bool = False
    mirrored: bool = False


@dataclass(slots=True)
class Held:
    """A connection while the daemon runs."""

    number: int
    record: ConnectionRecord
    link: Link | None
    problem: str = ""
    waiting: bool = False
    """It was connected before the daemon started, and is not to connect again by itself."""


class Connections:
    """The connections by key and by number. Callable from any thread."""

    def __init__(
        self,
        directory: Path,
        own_name: str,
        *,
        peers: Peers,
        sets: ReplicationSets,
        mounts: Mounts,
        events: Events,
        lines: Lines,
        auto_reconnect: bool = True,
        make_link: LinkFactory,
    ) -> None:
        self._directory = directory
        self._own_name = own_name
        self._peers = peers
        self._sets = sets
        self._mounts = mounts
        self._events = events
        self._lines = lines
        self._auto_reconnect = auto_reconnect
        self._make_link = make_link
        self._lock = threading.RLock()
        self._held: dict[str, Held] = {}
        self._numbers = 0
        self.restored: Callable[[str, int], None] = lambda _root, _mark: None

    # -- life

    def start(self) -> None:
        """Connect again what was connected, oldest first."""
        records = sorted(store.load_all(self._directory, ConnectionRecord), key=lambda record: record.created_ns)
        with self._lock:
            for record in records:
                self._hold(record, fresh=False, start=self._auto_reconnect)

    def stop(self) -> None:
        """End the sessions; the connections stay."""
        with self._lock:
            held, self._held = list(self._held.values()), {}
        for each in held:
            if each.link is not None:
                each.link.stop()

    def capture_ended(self, path: str, *, resumable: bool, why: str) -> None:
        """The capture over a directory was lost or began anew: what replicates it opens its log again, and mirrors if it must."""
        for held in self._of_root(path):
            if held.link is not None and not held.waiting:
                held.link.log_changed(resumable=resumable, why=why)

    # -- what is asked

    def connect(self, request: schema.ConnectionRequest) -> ConnectionStatus:
        """Connect a set to a target.

        Raises:
            Unknown: there is no such set or peer.
            Conflict: the set's directory is not captured, or it is connected to that target already.
            SetConflict: another set goes to that place, or the same data goes out by another set.
        """
        replication_set = self._sets.get(request.replication_set)
        if not request.simulate:
            self._peers.get(request.target)
        capture = self._mounts.capture(replication_set.root)
        if capture is None:
            raise Conflict(
                what=f"connecting {request.replication_set}",
                why=f"{replication_set.root} is not captured on this engine",
                hint=f"capture it first: dtengine mounts add {replication_set.root}",
            )
        refuse_unordered(request, capture)
        with self._lock:
            self._refuse_twice(request)
            target_root = located(request.mapping, replication_set, self._own_name)
            self._refuse_place(request, replication_set.root, target_root)
            record = ConnectionRecord(
                key=str(uuid.uuid4()),
                request=request,
                source_name=self._own_name,
                target_root=target_root,
                created_ns=time.time_ns(),
                replicating=request.start_replication,
                mirrored=request.start_mirror,
            )
            self._keep(record)
            held = self._hold(record, fresh=True)
        self._lines.carry(self._status(held).target_address, request)
        where = f"{request.target}:{target_root}"
        self._events.tell("connection", f"{request.replication_set} is connected to {where}", key=record.key)
        return self._status(held)

    def disconnect(self, key: str, *, unwatched: bool = False) -> None:
        """End a connection for good; ``unwatched``: its target stops watching this server for failure.

        Raises:
            Conflict: the target is to stop watching, and cannot be told now.
        """
        if unwatched and self.status(key).state not in {"Started", "Paused"}:
            hint = "disconnect, then stop the watch at the target: dtengine protections act PROTECTION disable_monitor"
            raise Conflict(what="ending the watch at the target", why="it is not connected", hint=hint)
        restored = self._restored_upto(self._get(key))
        with self._lock:
            held = self._get(key)
            if restored is not None:
                self.restored(self._sets.get(held.record.request.replication_set).root, restored)
            del self._held[held.record.key]
            store.remove(self._directory / f"{held.record.key}.json")
        if held.link is not None:
            held.link.disconnect(unwatched=unwatched)
        self._events.tell("connection", f"connection {held.number} ended", key=held.record.key)

    def change(self, key: str, terms: schema.ConnectionTerms) -> ConnectionStatus:
        """Carry a connection on by other terms from now on; what was sent stays sent.

        Raises:
            Conflict: it cannot be carried on like that, or not now.
        """
        held = self._get(key)
        link = self._link(held)
        known = held.record.request
        request = known.model_copy(update={name: getattr(terms, name) for name in schema.ConnectionTerms.model_fields})
        if request.is_sparing != known.is_sparing:
            hint = "disconnect it, and restore again"
            raise Conflict(
                what=f"changing connection {held.number}", why="what a restore spares is decided first", hint=hint
            )
        refuse_unordered(request, link.capture)
        self._want(held, request=request)
        link.follow(held.record)
        self._lines.carry(self._status(held).target_address, terms)
        self._events.tell("connection", f"connection {held.number} goes on by other terms", key=held.record.key)
        return self._status(held)

    def act(self, key: str, action: schema.ConnectionAction) -> ConnectionStatus:
        """Tell a connection something.

        Raises:
            Conflict: it is not possible now, or it did not settle in time.
        """
        held = self._get(key)
        link = self._link(held)
        match action.action:
            case Kind.START_MIRROR:
                self._want(held, mirrored=True)
                link.start_mirror(action.options or held.record.request.mirror)
            case Kind.STOP_MIRROR:
                link.stop_mirror()
            case Kind.PAUSE_MIRROR | Kind.RESUME_MIRROR:
                link.pause_mirror(on=action.action is Kind.PAUSE_MIRROR)
            case Kind.START_REPLICATION | Kind.STOP_REPLICATION:
                self._want(held, replicating=action.action is Kind.START_REPLICATION)
                link.replicate(on=action.action is Kind.START_REPLICATION)
            case Kind.RESUME if held.waiting:
                held.waiting = False
                link.start()
            case Kind.PAUSE | Kind.RESUME:
                self._want(held, paused=action.action is Kind.PAUSE)
                link.pause(on=action.action is Kind.PAUSE)
            case Kind.SETTLE:
                self._settle(held, link, action.timeout_s)
            case Kind.VERIFY | Kind.REMOVE_ORPHANS | Kind.STOP_ORPHANS:
                self._compare(held, link, action)
            case Kind.SYNCHRONOUS | Kind.ASYNCHRONOUS:
                self._flush_by(held, link, action.action)
        self._events.tell("connection", f"connection {held.number}: {action.action}", key=held.record.key)
        return self._status(held)

    def _compare(self, held: Held, link: Link, action: schema.ConnectionAction) -> None:
        """Without a mirror: verify, or deal with orphans."""
        if action.action is Kind.VERIFY:
            options = action.options or schema.MirrorOptions(kind="difference", checksum=True)
            link.verify(options, remirror=action.remirror)
        elif action.action is Kind.REMOVE_ORPHANS:
            wanted = (action.options or held.record.request.mirror).orphans
            check_orphans(self._status(held), wanted, held.record.target_root)
            link.remove_orphans(wanted)
        elif not link.remove_orphans(None):
            hint = f"see what it does: dtengine connections show {held.number}"
            raise Conflict(what="stopping", why=f"connection {held.number} looks for no orphans", hint=hint)

    def _flush_by(self, held: Held, link: Link, mode: str) -> None:
        request = held.record.request.model_copy(update={"mode": str(mode)})
        refuse_unordered(request, link.capture)
        self._want(held, request=request)
        link.follow(held.record)

    def _settle(self, held: Held, link: Link, timeout_s: float) -> None:
        """Wait until the target has applied all that was in the log when it was asked."""
        wanted = link.mark()
        until = time.monotonic() + timeout_s
        while not link.reached(wanted):
            if time.monotonic() >= until:
                now = link.now()
                left = now.committed_sequence - now.applied_sequence
                why = f"{left} operations are not applied after {timeout_s:g} s ({now.last_error or now.state})"
                hint = f"see why: dtengine connections show {held.number}"
                raise Conflict(what=f"settling connection {held.number}", why=why, hint=hint)
            time.sleep(0.01)

    # -- what is so

    def listed(self) -> list[ConnectionStatus]:
        """All connections."""
        return [self._status(held) for held in list(self._held.values())]

    def status(self, key: str) -> ConnectionStatus:
        """One connection, by number or key."""
        return self._status(self._get(key))

    def uses_set(self, name: str) -> bool:
        """Whether a set is connected."""
        return any(held.record.request.replication_set == name for held in list(self._held.values()))

    def uses_root(self, path: str) -> bool:
        """Whether the captured directory is replicated."""
        return bool(self._of_root(path))

    def accepted(self, protection: str, epoch: int) -> bool:
        """Whether the protection's target accepted a session of this epoch since the daemon started."""
        return any(
            held.link is not None and held.link.now().accepted_epoch == epoch
            for held in list(self._held.values())
            if held.record.request.protection == protection
        )

    def route(self, protection: str) -> schema.Route | None:
        """The route that a protection's replication was told to take; None when it is the peer's own address."""
        requests = (held.record.request for held in list(self._held.values()))
        return next((one.route for one in requests if (one.protection, one.purpose) == (protection, "protect")), None)

    @staticmethod
    def _restored_upto(held: Held) -> int | None:
        """The mark up to which a restore is complete: the original source has all that was here then. None: it is not.

        What is on its way is waited for, and so is word of what was applied.
        """
        request, link = held.record.request, held.link
        if request.purpose != "restore" or request.is_sparing or link is None:
            return None
        until, mark = time.monotonic() + ON_ITS_WAY_S, link.mark()
        while link.now().target_data_state == "good":
            if link.reached(mark):
                return mark
            if time.monotonic() >= until:
                break
            time.sleep(0.01)
        return None

    def _of_root(self, path: str) -> list[Held]:
        roots = {one.name: one.root for one in self._sets.listed()}
        return [held for held in list(self._held.values()) if roots.get(held.record.request.replication_set) == path]

    def _status(self, held: Held) -> ConnectionStatus:
        return as_answer(held, held.link.now() if held.link is not None else None, self._peers, self._lines)

    # -- how

    def _hold(self, record: ConnectionRecord, *, fresh: bool, start: bool = True) -> Held:
        """Under the lock. What cannot be linked now is shown as an error, and tried again at the next start."""
        self._numbers += 1
        held = Held(self._numbers, record, None, waiting=not start)
        try:
            held.link = self._make_link(self._sets.get(record.request.replication_set), record, fresh=fresh)
            if start:
                held.link.start()
        except (DtamError, OSError) as error:
            if fresh:
                store.remove(self._directory / f"{record.key}.json")
                raise
            held.problem = str(error)
            self._events.tell("connection", f"connection {held.number} could not be linked: {error}", key=record.key)
        self._held[record.key] = held
        return held

    def _get(self, key: str) -> Held:
        with self._lock:
            found = [held for held in self._held.values() if key in (held.record.key, str(held.number))]
        if not found:
            raise Unknown(kind="connection", name=key, listing="connections list")
        return found[0]

    @staticmethod
    def _link(held: Held) -> Link:
        if held.link is None:
            hint = "mend that, then restart the daemon or connect anew"
            raise Conflict(what=f"acting on connection {held.number}", why=held.problem, hint=hint)
        return held.link

    def _want(self, held: Held, **wanted: bool | schema.ConnectionRequest) -> None:
        with self._lock:
            held.record = held.record.model_copy(update=wanted)
            self._keep(held.record)

    def _keep(self, record: ConnectionRecord) -> None:
        store.save(self._directory / f"{record.key}.json", record)

    def _refuse_place(self, request: schema.ConnectionRequest, root: str, target_root: str) -> None:
        """Under the lock."""
        wanted = Placement(request.replication_set, root, request.target, target_root)
        roots = {one.name: one.root for one in self._sets.listed()}
        others = [
            Placement(
                one.request.replication_set, roots[one.request.replication_set], one.request.target, one.target_root
            )
            for one in (held.record for held in self._held.values())
            if one.request.replication_set in roots
        ]
        check_placement(wanted, self._own_name, others)

    def _refuse_twice(self, request: schema.ConnectionRequest) -> None:
        for held in self._held.values():
            known = held.record.request
            if (known.replication_set, known.target) == (request.replication_set, request.target):
                raise Conflict(
                    what=f"a second connection of {request.replication_set} to {request.target}",
                    why=f"connection {held.number} is one",
                    hint=f"disconnect it first: dtengine connections disconnect {held.number}",
                )


def located(mapping: schema.Mapping, replication_set: schema.ReplicationSet, own_name: str) -> str:
    """Where the set's root goes on the target."""
    pairs = tuple((pair.source, pair.target) for pair in mapping.pairs)
    target = TargetMapping(MappingKind(mapping.kind), mapping.target_root or "", pairs)
    return target.locate(replication_set.root, own_name, replication_set.name)
