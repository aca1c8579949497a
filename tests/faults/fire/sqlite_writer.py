"""A program that commits numbered transactions to an SQLite database until it is told to stop, or is killed.

Each transaction adds deed N, moves an amount between two accounts, raises a tally to N, and lets pages of a churned table
come and go. A torn, missing or reordered write would break one of these, or the database itself.
"""

from __future__ import annotations

import contextlib
import random
import signal
import sqlite3
import sys
import time
from pathlib import Path

from tests.faults.fire.diary import Diary

ACCOUNTS = 40
AMOUNT = 100
SCHEMA = f"""
create table if not exists deed (n integer primary key, note blob);
create table if not exists account (id integer primary key, amount integer);
create table if not exists tally (id integer primary key check (id = 1), n integer);
create table if not exists churn (id integer primary key, filler blob);
insert or ignore into tally values (1, 0);
insert or ignore into account select value, {AMOUNT} from generated;
"""


def opened(path: Path, journal: str) -> sqlite3.Connection:
    """The database, made if it is new."""
    db = sqlite3.connect(path, isolation_level=None, timeout=30)
    db.execute(f"pragma journal_mode={journal}")
    db.execute("pragma synchronous=extra")  # a rollback journal's end is flushed, too: it is what commits
    db.execute("pragma wal_autocheckpoint=25")
    db.execute("begin immediate")
    numbers = ",".join(f"({number})" for number in range(ACCOUNTS))
    db.execute("create temporary table generated (value)")
    db.execute(f"insert into generated values {numbers}")
    for statement in SCHEMA.strip().split(";\n"):
        db.execute(statement)
    db.execute("commit")
    return db


def commit(db: sqlite3.Connection, number: int, chance: random.Random) -> None:
    """Transaction ``number``."""
    db.execute("begin immediate")
    db.execute("insert into deed values (?, ?)", (number, chance.randbytes(chance.randrange(3000))))
    db.execute("update account set amount = amount - 1 where id = ?", (chance.randrange(ACCOUNTS),))
    db.execute("update account set amount = amount + 1 where id = ?", (chance.randrange(ACCOUNTS),))
    db.execute("update tally set n = ?", (number,))
    db.execute("insert or replace into churn values (?, ?)", (number % 30, chance.randbytes(chance.randrange(9000))))
    if number % 20 == 0:
        db.execute("delete from churn where id % 3 = ?", (chance.randrange(3),))
    db.execute("commit")


def main(path: Path, journal: str, diary: Diary, seed: int, pace_s: float) -> None:
    """Commit until SIGTERM; then close in order."""
    stop: list[int] = []  # no Event: set() from a handler that interrupts wait() would wait for ever
    signal.signal(signal.SIGTERM, lambda number, _: stop.append(number))
    with contextlib.closing(opened(path, journal)) as db:
        number = db.execute("select coalesce(max(n), 0) from deed").fetchone()[0]
        chance = random.Random(seed + number)
        while not stop:
            time.sleep(pace_s)
            number += 1
            commit(db, number, chance)
            diary.note(number)


if __name__ == "__main__":
    database, mode, diary_path, page, chosen, pace = sys.argv[1:]
    main(Path(database), mode, Diary(Path(diary_path), Path(page)), int(chosen), float(pace))
