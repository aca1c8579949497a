"""SQLite under load: the writer's process, and what a copy of its database must show."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from tests.faults.fire.program import Program
from tests.faults.fire.sqlite_writer import ACCOUNTS, AMOUNT

PACE_S = 0.01


@dataclass
class SqliteLoad(Program):
    """One database below the captured directory, and who writes to it."""

    database: Path
    journal: str
    seed: int

    @property
    def name(self) -> str:
        return f"sqlite {self.journal}"

    def start(self) -> None:
        """Begin, or go on after the last number that the database has."""
        facts = (self.database, self.journal, self.diary, self.page, self.seed, PACE_S)
        self.run("tests.faults.fire.sqlite_writer", *facts)

    def numbers(self, copy: Path) -> int:
        """Open the database in a copy of the tree: it must be whole and hold the numbers 1 to N; N."""
        return prefix_of(copy / self.database.name)


def prefix_of(database: Path) -> int:
    """The last number of a database, proved to be whole and without holes."""
    if not database.exists():
        return 0
    with contextlib.closing(sqlite3.connect(database, timeout=30)) as db:
        assert db.execute("pragma integrity_check").fetchone() == ("ok",)
        if not db.execute("select count(*) from sqlite_master where type = 'table'").fetchone()[0]:
            return 0
        count, last = db.execute("select count(*), coalesce(max(n), 0) from deed").fetchone()
        tally = db.execute("select n from tally").fetchone()[0]
        money = db.execute("select count(*), sum(amount) from account").fetchone()
    assert count == last == tally, f"{database.name}: {count} deeds, the last is {last}, the tally {tally}"
    assert money == (ACCOUNTS, ACCOUNTS * AMOUNT)
    return int(last)
