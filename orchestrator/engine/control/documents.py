"""The protection documents that this engine was given, and what it decided about each, durably.

Invariant: the epoch of a protection never goes down.
Lock: one around each read-change-write of a record.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

from orchestrator.engine.control import store
from orchestrator.engine.control.errors import Conflict, Unknown
from orchestrator.engine.control.fields import Epoch, Request
from orchestrator.engine.control.schema import Protection


class StoredOverride(Request):
    """A person's word that this engine may serve: for one boot and one epoch."""

    by: str
    why: str
    time_ns: int
    boot_id: str
    epoch: Epoch


class StoredFence(Request):
    """A fence that stands until a person or a new epoch opens it."""

    by: str
    why: str
    time_ns: int
    epoch: Epoch


class ProtectionRecord(Request):
    """The stored form of a protection on this engine."""

    document: Protection
    monitor_enabled: bool = False
    fenced: StoredFence | None = None
    override: StoredOverride | None = None
    registered: bool = False
    promoted_epoch: Epoch | None = None


class Documents:
    """The protections by id. Callable from any thread."""

    def __init__(self, directory: Path, own_engine_id: str) -> None:
        self._directory = directory
        self._own = own_engine_id
        self._lock = threading.RLock()
        records = (store.load(path, ProtectionRecord) for path in sorted(directory.glob("*/document.json")))
        self._records = {record.document.id: record for record in records}

    def listed(self) -> list[Protection]:
        """All documents."""
        return [record.document for record in self._records.values()]

    def record(self, protection_id: str) -> ProtectionRecord:
        """A protection with what was decided about it."""
        record = self._records.get(protection_id)
        if record is None:
            raise Unknown(kind="protection", name=protection_id, listing="protections list")
        return record

    def get(self, protection_id: str) -> Protection:
        """A protection's document."""
        return self.record(protection_id).document

    def put(self, document: Protection) -> ProtectionRecord:
        """Take a document.

        Raises:
            Conflict: it carries an older epoch than the one known, or is not meant for this engine.
        """
        self._check_side(document)
        with self._lock:
            known = self._records.get(document.id)
            if known is not None and document.epoch < known.document.epoch:
                raise Conflict(
                    what=f"protection {document.id} at epoch {document.epoch}",
                    why=f"this engine knows epoch {known.document.epoch}",
                    hint=f"read it first: dtengine protections show {document.id}",
                )
            if known is None:
                return self._keep(ProtectionRecord(document=document))
            same = document.target.engine_id == known.document.target.engine_id
            change = {"document": document, "registered": known.registered and same}
            return self._keep(known.model_copy(update=change))

    def change(self, protection_id: str, change: Callable[[ProtectionRecord], ProtectionRecord]) -> ProtectionRecord:
        """Change a record durably."""
        with self._lock:
            known = self.record(protection_id)
            changed = change(known)
            return changed if changed == known else self._keep(changed)

    def raise_epoch(self, protection_id: str, epoch: int) -> ProtectionRecord:
        """Know a newer epoch; an older one is refused.

        Raises:
            Conflict: it is older than the one known.
        """

        def raised(record: ProtectionRecord) -> ProtectionRecord:
            if epoch < record.document.epoch:
                raise Conflict(
                    what=f"epoch {epoch} for {protection_id}",
                    why=f"this engine knows epoch {record.document.epoch}",
                    hint="an epoch never goes back",
                )
            return record.model_copy(update={"document": record.document.model_copy(update={"epoch": epoch})})

        return self.change(protection_id, raised)

    def remove(self, protection_id: str) -> None:
        """Forget a protection with its scripts."""
        with self._lock:
            self.record(protection_id)
            store.remove(self._directory / protection_id / "document.json")
            shutil.rmtree(self._directory / protection_id, ignore_errors=True)
            self._records = {key: record for key, record in self._records.items() if key != protection_id}

    def _keep(self, record: ProtectionRecord) -> ProtectionRecord:
        folder = self._directory / record.document.id
        folder.mkdir(mode=0o700, exist_ok=True)
        store.save(folder / "document.json", record)
        self._records = {**self._records, record.document.id: record}
        return record

    def _check_side(self, document: Protection) -> None:
        side = document.own_side
        if side.engine_id != self._own:
            raise Conflict(
                what=f"protection {document.id}",
                why=f"its {document.role} is {side.name} (engine {side.engine_id}), not this engine",
                hint="give each engine its own document",
            )
        if document.source.engine_id == document.target.engine_id:
            raise Conflict(
                what=f"protection {document.id}", why="source and target are the same server", hint="name two servers"
            )
