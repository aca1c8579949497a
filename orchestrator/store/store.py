"""The store: what dtam remembers between two commands. One file, any number of processes.

Each method is one transaction. Reading something that is not there gives None or an empty tuple, or the named error.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import msgspec

from orchestrator.model.inventory import Inventory
from orchestrator.model.protections import Protection
from orchestrator.model.runs import Measured, Run
from orchestrator.model.servers import Server
from orchestrator.store.database import connect, transaction
from orchestrator.store.errors import ProtectionUnknown, RunUnknown
from orchestrator.store.records import ProtectionRecord, RunRecord, protection_of, record_of


class AuditLine(msgspec.Struct, frozen=True):
    """Who did what, when. ``says`` is the sentence of the deed."""

    n: int
    at_s: float
    by: str
    protection: str
    deed: str
    says: str
    run: str | None = None


class PreviousSettings(msgspec.Struct, frozen=True):
    """What was last configured for a pair, and the addresses both servers had then."""

    settings: dict[str, Any]
    addresses: tuple[str, ...]
    changed_at_s: float


class Store:
    """Opens the database at ``path``; a context manager. ``now`` gives seconds since the epoch."""

    def __init__(self, path: Path, now: Callable[[], float]) -> None:
        self._connection = connect(path)
        self._now = now

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- servers

    def put_server(self, server: Server) -> None:
        """Know a server, or its new addresses."""
        row = (server.name, _text(server), self._now())
        self._write("INSERT OR REPLACE INTO servers VALUES (?, ?, ?)", row)

    def server(self, name: str) -> Server | None:
        """A known server; names are compared without regard to case."""
        row = self._one("SELECT document FROM servers WHERE lower(name) = lower(?)", (name,))
        return msgspec.json.decode(row[0], type=Server) if row else None

    def servers(self) -> tuple[Server, ...]:
        """All known servers by name."""
        rows = self._connection.execute("SELECT document FROM servers ORDER BY name").fetchall()
        return tuple(msgspec.json.decode(row[0], type=Server) for row in rows)

    def remove_server(self, name: str) -> None:
        """Know it no more."""
        self._write("DELETE FROM servers WHERE lower(name) = lower(?)", (name,))

    # -- protections

    def put_protection(self, protection: Protection) -> None:
        """Keep a protection as it is now; its settings become the previous ones of its pair."""
        record, pair, now = record_of(protection), protection.pair, self._now()
        row = (record.id, record.application, pair.source.name, pair.target.name, str(record.stage), _text(record), now)
        addresses = (*pair.source.addresses, *pair.target.addresses)
        previous = (
            record.application,
            pair.source.name,
            pair.target.name,
            _text(record.settings),
            _text(addresses),
            now,
        )
        with transaction(self._connection) as connection:
            connection.execute("INSERT OR REPLACE INTO protections VALUES (?, ?, ?, ?, ?, ?, ?)", row)
            connection.execute("INSERT OR REPLACE INTO pairs VALUES (?, ?, ?, ?, ?, ?)", previous)

    def protection(self, protection: str) -> Protection:
        """A protection by its id.

        Raises:
            ProtectionUnknown: there is none of that id.
        """
        row = self._one("SELECT document FROM protections WHERE id = ?", (protection,))
        if row is None:
            raise ProtectionUnknown(protection=protection)
        return protection_of(msgspec.json.decode(row[0], type=ProtectionRecord))

    def protections(self, application: str | None = None) -> tuple[Protection, ...]:
        """All protections, or those of one application, by id."""
        rows = self._connection.execute("SELECT document FROM protections ORDER BY id").fetchall()
        records = (msgspec.json.decode(row[0], type=ProtectionRecord) for row in rows)
        return tuple(protection_of(one) for one in records if application in {None, one.application})

    def remove_protection(self, protection: str) -> None:
        """Forget it; the previous settings of its pair stay."""
        with transaction(self._connection) as connection:
            connection.execute("DELETE FROM protections WHERE id = ?", (protection,))
            connection.execute("DELETE FROM inventories WHERE protection = ?", (protection,))

    def previous(self, application: str, source: str, target: str) -> PreviousSettings | None:
        """What was last configured for this pair, also after the protection has gone."""
        query = (
            "SELECT document, addresses, changed_at_s FROM pairs WHERE application = ? AND source = ? AND target = ?"
        )
        return self._settings(query, (application, source, target))

    def latest(self, application: str) -> PreviousSettings | None:
        """What was configured last for any pair of an application."""
        query = "SELECT document, addresses, changed_at_s FROM pairs WHERE application = ? ORDER BY changed_at_s DESC LIMIT 1"
        return self._settings(query, (application,))

    def _settings(self, query: str, values: tuple[str, ...]) -> PreviousSettings | None:
        row = self._one(query, values)
        if row is None:
            return None
        return PreviousSettings(msgspec.json.decode(row[0]), tuple(msgspec.json.decode(row[1])), row[2])

    # -- inventories

    def put_inventory(self, protection: str, inventory: Inventory) -> None:
        """Keep what was gathered; its age is judged by its own time."""
        row = (protection, inventory.taken_at_s, _text(inventory))
        self._write("INSERT OR REPLACE INTO inventories VALUES (?, ?, ?)", row)

    def inventory(self, protection: str) -> Inventory | None:
        """What was last gathered."""
        row = self._one("SELECT document FROM inventories WHERE protection = ?", (protection,))
        return msgspec.json.decode(row[0], type=Inventory) if row else None

    # -- runs and audit

    def put_run(self, run: Run, measured: Measured | None = None) -> None:
        """Keep a run as it stands."""
        record = RunRecord(run, measured or Measured())
        row = (
            run.id,
            run.plan.protection,
            str(run.plan.kind),
            str(run.state),
            run.started_at_s,
            run.finished_at_s,
            run.by,
            run.says,
            _text(record),
        )
        self._write("INSERT OR REPLACE INTO runs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)

    def run(self, run: str) -> RunRecord:
        """One run.

        Raises:
            RunUnknown: there is none of that id.
        """
        row = self._one("SELECT document FROM runs WHERE id = ?", (run,))
        if row is None:
            raise RunUnknown(run=run)
        return msgspec.json.decode(row[0], type=RunRecord)

    def runs(self, protection: str | None = None, limit: int = 100) -> tuple[RunRecord, ...]:
        """Runs, newest first."""
        query = "SELECT document FROM runs WHERE ? IS NULL OR protection = ? ORDER BY started_at_s DESC, id LIMIT ?"
        rows = self._connection.execute(query, (protection, protection, limit)).fetchall()
        return tuple(msgspec.json.decode(row[0], type=RunRecord) for row in rows)

    def audit(self, by: str, protection: str, deed: str, says: str, run: str | None = None) -> None:
        """Write who did what; lines are only ever added."""
        row = (self._now(), by, protection, deed, says, run)
        self._write("INSERT INTO audit (at_s, by, protection, deed, says, run) VALUES (?, ?, ?, ?, ?, ?)", row)

    def audit_lines(self, protection: str | None = None, limit: int = 1000) -> tuple[AuditLine, ...]:
        """Audit lines, newest first."""
        query = "SELECT n, at_s, by, protection, deed, says, run FROM audit WHERE ? IS NULL OR protection = ? ORDER BY n DESC LIMIT ?"
        rows = self._connection.execute(query, (protection, protection, limit)).fetchall()
        return tuple(AuditLine(*row) for row in rows)

    # -- how

    def _one(self, query: str, row: tuple[object, ...]) -> tuple[Any, ...] | None:
        found: tuple[Any, ...] | None = self._connection.execute(query, row).fetchone()
        return found

    def _write(self, statement: str, row: tuple[object, ...]) -> None:
        with transaction(self._connection) as connection:
            connection.execute(statement, row)


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()
