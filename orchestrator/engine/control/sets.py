"""The replication sets of this engine: which files under a root belong together, saved with a check of the generation."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from orchestrator.engine.control import store
from orchestrator.engine.control.answers import SetSize
from orchestrator.engine.control.errors import Conflict, Unknown
from orchestrator.engine.control.schema import ReplicationSet
from orchestrator.engine.mirror.rules import Rule, RuleSet
from orchestrator.engine.mirror.size import calculate_size

REMIRROR = "replication set {name!r} is connected: disconnect and connect it again with a difference mirror, to be sure of the data"


class ReplicationSets:
    """The sets by name. Callable from any thread; the lock makes check-and-save one."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._sets = {document.name: document for document in store.load_all(directory, ReplicationSet)}
        self.in_use: Callable[[str], bool] = lambda _: False

    def listed(self) -> list[ReplicationSet]:
        """All sets."""
        return list(self._sets.values())

    def get(self, name: str) -> ReplicationSet:
        """A set by name."""
        document = self._sets.get(name)
        if document is None:
            raise Unknown(kind="replication set", name=name, listing="sets list")
        return document

    def create(self, document: ReplicationSet) -> ReplicationSet:
        """A new set.

        Raises:
            Conflict: the name is taken.
        """
        with self._lock:
            if document.name in self._sets:
                hint = f"change it with PUT /v1/replication-sets/{document.name}"
                raise Conflict(
                    what=f"a second replication set {document.name}", why="one of that name exists", hint=hint
                )
            return self._keep(document, 1)

    def rename(self, name: str, other: str) -> ReplicationSet:
        """Give a set another name: as it was saved under the old one, it is copied.

        Raises:
            Conflict: the other name is taken.
        """
        return self.create(self.get(name).model_copy(update={"name": other}))

    def save(self, document: ReplicationSet) -> ReplicationSet:
        """Change a set; the answer carries the next generation, and a warning when the set is connected.

        Raises:
            Conflict: somebody saved it since its generation was read, or its root changes while it is connected.
        """
        with self._lock:
            known = self.get(document.name)
            if document.generation != known.generation:
                why = f"generation {document.generation} was read, {known.generation} is current"
                raise Conflict(what=f"saving replication set {document.name}", why=why, hint="read it again and repeat")
            if document.root != known.root and self.in_use(document.name):
                raise Conflict(
                    what=f"another root for {document.name}", why="it is connected", hint="disconnect it first"
                )
            kept = self._keep(document, known.generation + 1)
        warning = REMIRROR.format(name=kept.name) if self.in_use(kept.name) else ""
        return kept.model_copy(update={"warning": warning})

    def size(self, name: str) -> SetSize:
        """Count the files of a set and their bytes, as they are while it takes.

        Raises:
            Conflict: its root cannot be read.
        """
        document, began_ns = self.get(name), time.time_ns()
        try:
            files, size_bytes = calculate_size(document.root, rule_set(document))
        except OSError as error:
            why = error.strerror or str(error)
            raise Conflict(what=f"calculating the size of {name}", why=why, hint=f"look at {document.root}") from error
        return SetSize(files=files, bytes=size_bytes, calculated_ns=began_ns)

    def delete(self, name: str) -> None:
        """Forget a set.

        Raises:
            Conflict: a connection uses it.
        """
        with self._lock:
            self.get(name)
            if self.in_use(name):
                raise Conflict(
                    what=f"deleting replication set {name}", why="it is connected", hint="disconnect it first"
                )
            store.remove(self._directory / f"{name}.json")
            self._sets = {key: known for key, known in self._sets.items() if key != name}

    def _keep(self, document: ReplicationSet, generation: int) -> ReplicationSet:
        kept = document.model_copy(update={"generation": generation, "warning": ""})
        store.save(self._directory / f"{kept.name}.json", kept)
        self._sets = {**self._sets, kept.name: kept}
        return kept


def rule_set(replication_set: ReplicationSet) -> RuleSet:
    """The rules of a set, compiled."""
    return RuleSet(Rule(rule.path, rule.include, rule.recursive) for rule in replication_set.rules)
