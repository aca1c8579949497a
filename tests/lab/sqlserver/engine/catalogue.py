"""The catalogue of a database, inside its own file: documents by kind and number, kept in memory, written within the transaction."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

TABLE = '"sys.catalogue"'
Document = dict[str, Any]


def _packed(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"0x": value.hex()}
    raise TypeError(type(value))


def _unpacked(value: dict[str, Any]) -> Any:
    return bytes.fromhex(value["0x"]) if value.keys() == {"0x"} else value


def create(connection: sqlite3.Connection) -> None:
    """The table of a new file."""
    connection.execute(
        f"CREATE TABLE {TABLE}(kind TEXT NOT NULL, id INTEGER NOT NULL, document TEXT NOT NULL, PRIMARY KEY(kind, id)) WITHOUT ROWID"
    )


class Catalogue:
    """All documents of one file. Written only inside a transaction of its connection; ``load`` again after a rollback."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.version = 0  # grows with every change: what was compiled against an older one is compiled again
        self._kinds: dict[str, dict[int, Document]] = {}
        self.load()

    def load(self) -> None:
        """From the file."""
        kinds: dict[str, dict[int, Document]] = {}
        for kind, number, document in self.connection.execute(f"SELECT kind, id, document FROM {TABLE}"):
            kinds.setdefault(kind, {})[number] = json.loads(document, object_hook=_unpacked)
        self._kinds = kinds
        self.version += 1

    def all(self, kind: str) -> list[tuple[int, Document]]:
        """Every document of a kind with its number, in the order of the numbers."""
        return sorted(self._kinds.get(kind, {}).items(), key=lambda pair: pair[0])

    def get(self, kind: str, number: int) -> Document | None:
        """One document."""
        return self._kinds.get(kind, {}).get(number)

    def named(self, kind: str, name: str) -> tuple[int, Document] | None:
        """The one whose name is so written, in any case."""
        wanted = name.lower()
        for number, document in list(self._kinds.get(kind, {}).items()):
            if str(document.get("name", "")).lower() == wanted:
                return number, document
        return None

    def put(self, kind: str, number: int, document: Document) -> int:
        """Writes one document; gives its number."""
        text = json.dumps(document, default=_packed)
        self.connection.execute(f"INSERT OR REPLACE INTO {TABLE} VALUES (?, ?, ?)", (kind, number, text))
        self._kinds.setdefault(kind, {})[number] = document
        self.version += 1
        return number

    def add(self, kind: str, document: Document, first: int = 1) -> int:
        """A new document under the next number; gives it."""
        numbers = [number for number in self._kinds.get(kind, {}) if number >= first]
        return self.put(kind, max(numbers, default=first - 1) + 1, document)

    def update(self, kind: str, number: int, **changes: Any) -> None:
        """Some fields of a document."""
        self.put(kind, number, {**self._kinds[kind][number], **changes})

    def drop(self, kind: str, number: int) -> None:
        """Takes one away."""
        self.connection.execute(f"DELETE FROM {TABLE} WHERE kind = ? AND id = ?", (kind, number))
        self._kinds.get(kind, {}).pop(number, None)
        self.version += 1
