"""The target's copies of replication sets: kept with each replica, for the day when a source lost its own (Linux guide, chapter 14).

A source sends the rules of its set whenever it introduces a connection; the copy is as old as the last session. A restore may take it as
the definition of what goes back, and may give it to the server that is restored, which keeps it as its own set.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError

from orchestrator.engine.apply.replica import Replica
from orchestrator.engine.control import store
from orchestrator.engine.control.errors import Conflict, StateFileDamaged
from orchestrator.engine.control.events import Events
from orchestrator.engine.control.fields import Path as AbsolutePath
from orchestrator.engine.control.fields import Request
from orchestrator.engine.control.schema_sets import ReplicationSet, Rule
from orchestrator.engine.control.sets import ReplicationSets
from orchestrator.engine.transfer.messages import Hello


class BackupSet(Request):
    """A set as its source sends it. ``give``: who receives it is to keep it as a set of its own."""

    root: AbsolutePath
    rules: list[Rule] = Field(default=[], max_length=10_000)
    give: bool = False


def as_sent(replication_set: ReplicationSet, *, give: bool) -> str:
    """What a source sends of a set."""
    return BackupSet(root=replication_set.root, rules=replication_set.rules, give=give).model_dump_json()


class BackupSets:
    """The copies at this engine. Callable from any thread: a replica has one session at a time."""

    def __init__(self, sets: ReplicationSets, events: Events) -> None:
        self._sets = sets
        self._events = events

    def heard(self, replica: Replica, hello: Hello) -> None:
        """A connection was introduced: keep its set. A source that sends none leaves the copy as it is."""
        if not hello.backup_set:
            return
        try:
            sent = BackupSet.model_validate_json(hello.backup_set)
        except ValidationError as error:
            says = f"the replication set {hello.replication_set} of {hello.source} cannot be kept: {error.errors()[0]['msg']}"
            self._events.tell("replica", says, key=replica.key)
            return
        path = _file(replica)
        if not path.exists() or store.load(path, BackupSet) != sent:
            store.save(path, sent)
        if sent.give:
            self._take(replica, sent)

    def of(self, replica: Replica) -> ReplicationSet:
        """The copy of a replica's set, with the root that it has at its source.

        Raises:
            Conflict: its source sent none, or the copy cannot be read.
        """
        record, path = replica.record, _file(replica)
        what = f"reading the copy of the replication set {record.replication_set}"
        hint = "name a set of this engine instead: dtengine sets list"
        if not path.exists():
            raise Conflict(what=what, why=f"{record.source} sent none", hint=hint)
        try:
            kept = store.load(path, BackupSet)
        except StateFileDamaged as error:
            raise Conflict(what=what, why=str(error), hint=hint) from error
        return ReplicationSet(name=record.replication_set, root=kept.root, rules=kept.rules)

    def _take(self, replica: Replica, sent: BackupSet) -> None:
        """Restored from: a set that is known here stays as it is."""
        record = replica.record
        if any(known.name == record.replication_set for known in self._sets.listed()):
            return
        self._sets.create(ReplicationSet(name=record.replication_set, root=record.root, rules=sent.rules))
        says = f"replication set {record.replication_set} of {record.root} was restored from {record.source}"
        self._events.tell("set", says, key=replica.key)


def _file(replica: Replica) -> Path:
    return replica.directory / "set.json"
