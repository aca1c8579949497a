"""The SQLite file: opened tight, with a write-ahead log and full syncs, and brought to this program's schema version.

A newer schema is refused; an older one is migrated in one transaction, so that an interrupted migration leaves the old one.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from orchestrator.store.errors import StoreUnusable

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        (
            "CREATE TABLE protections (id TEXT PRIMARY KEY, application TEXT NOT NULL, source TEXT NOT NULL, target TEXT NOT NULL,"
            " stage TEXT NOT NULL, document TEXT NOT NULL, changed_at_s REAL NOT NULL) STRICT"
        ),
        "CREATE TABLE servers (name TEXT PRIMARY KEY, document TEXT NOT NULL, changed_at_s REAL NOT NULL) STRICT",
        "CREATE TABLE inventories (protection TEXT PRIMARY KEY, taken_at_s REAL NOT NULL, document TEXT NOT NULL) STRICT",
        (
            "CREATE TABLE pairs (application TEXT NOT NULL, source TEXT NOT NULL, target TEXT NOT NULL, document TEXT NOT NULL,"
            " addresses TEXT NOT NULL, changed_at_s REAL NOT NULL, PRIMARY KEY (application, source, target)) STRICT"
        ),
        (
            "CREATE TABLE runs (id TEXT PRIMARY KEY, protection TEXT NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL,"
            " started_at_s REAL NOT NULL, finished_at_s REAL, by TEXT NOT NULL, says TEXT NOT NULL, document TEXT NOT NULL) STRICT"
        ),
        "CREATE INDEX runs_by_start ON runs (started_at_s)",
        (
            "CREATE TABLE audit (n INTEGER PRIMARY KEY AUTOINCREMENT, at_s REAL NOT NULL, by TEXT NOT NULL, protection TEXT NOT NULL,"
            " deed TEXT NOT NULL, says TEXT NOT NULL, run TEXT) STRICT"
        ),
    ),
)
VERSION = len(MIGRATIONS)


def connect(path: Path) -> sqlite3.Connection:
    """Open the database, made with mode 0600 and migrated.

    Raises:
        StoreUnusable: it cannot be opened, is no database, or was written by a newer dtam.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _make(path)
        connection = sqlite3.connect(path, timeout=10.0, isolation_level=None)
        _prepare(connection, path)
    except (OSError, sqlite3.Error) as error:
        why = getattr(error, "strerror", None) or str(error)
        advice = "is the directory of DTAM_HOME yours, and is there room? a damaged store can be moved away: engines keep their own state"
        raise StoreUnusable(path=path, why=why, advice=advice) from error
    return connection


def _make(path: Path) -> None:
    """An empty file with its mode. One that is there is never opened here: to close it would drop the locks of this process's other connections."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    with transaction(connection):
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > VERSION:
            why = f"it has schema version {version}, this program knows {VERSION}"
            raise StoreUnusable(path=path, why=why, advice="use the dtam that wrote it, or a newer one")
        for statements in MIGRATIONS[version:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version={VERSION}")


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All or nothing, and nobody else writes meanwhile."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
