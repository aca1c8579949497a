"""An application that places orders in SQL Server, and knows the server by one name only.

    python -m tests.lab.sqlclient load --connection FILE --journal FILE [--writers 8] [--rate 200] [--keytab FILE --principal NAME]
    python -m tests.lab.sqlclient ask --connection FILE [--keytab FILE --principal NAME] STATEMENT

FILE holds the connection string (0600). Each order is one transaction: a row, and the writer's total. What the server acknowledged is written to
the journal, one line each: writer, number, life, time in ns. A writer whose connection fails, or does not answer, connects anew, looks how far it
had come, and goes on from there with its next life; with a keytab each connection has a new ticket. ``ask`` prints rows as JSON lines.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pyodbc

TABLES = """
CREATE TABLE dbo.orders (writer int NOT NULL, number bigint NOT NULL, life int NOT NULL, note nvarchar(100) NOT NULL,
    CONSTRAINT pk_orders PRIMARY KEY (writer, number));
CREATE TABLE dbo.totals (writer int NOT NULL PRIMARY KEY, orders bigint NOT NULL);
"""
BEGIN_WRITER = (
    "IF NOT EXISTS (SELECT 1 FROM dbo.totals WHERE writer = ?) INSERT INTO dbo.totals (writer, orders) VALUES (?, 0)"
)
HOW_FAR = "SELECT COALESCE(MAX(number), 0) FROM dbo.orders WHERE writer = ?"
PLACE = "INSERT INTO dbo.orders (writer, number, life, note) VALUES (?, ?, ?, ?)"
COUNT = "UPDATE dbo.totals SET orders = orders + 1 WHERE writer = ?"
PATIENCE_S = 2
"""How long a log-in or a statement may take."""
HANGS_S = 4.0
"""A connection without an answer for so long is left alone."""
AGAIN_S = 0.2


@dataclass(frozen=True)
class Door:
    """How the server is reached; with a keytab as somebody of the domain, with a ticket of his own for each connection."""

    connection: str
    keytab: str = ""
    principal: str = ""

    def open(self) -> pyodbc.Connection:
        """A new connection. Raises pyodbc.Error, or OSError without a ticket."""
        if self.keytab:
            cache = f"/run/sqlclient.{os.getpid()}.{next(TICKETS)}"
            words = ["kinit", "-c", cache, "-k", "-t", self.keytab, self.principal]
            if subprocess.run(words, capture_output=True, check=False).returncode:
                raise OSError("no ticket")
            os.environ["KRB5CCNAME"] = f"FILE:{cache}"
        opened = pyodbc.connect(self.connection, timeout=PATIENCE_S, autocommit=False)
        opened.timeout = PATIENCE_S
        return opened


TICKETS = itertools.count()


class Journal:
    """What was acknowledged, as it was; a line is written in one piece."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def acknowledged(self, writer: int, number: int, life: int) -> None:
        """A row that the server acknowledged."""
        os.write(self._file, f"{writer} {number} {life} {time.time_ns()}\n".encode())

    def noted(self, what: str, writer: int) -> None:
        """Something else that happened to a writer."""
        os.write(self._file, f"# {what} {writer} {time.time_ns()}\n".encode())


class Life:
    """One connection of a writer, from its beginning until it fails."""

    def __init__(self, writer: int, number: int, door: Door, journal: Journal, pace_s: float) -> None:
        self.writer = writer
        self.number = number
        self._door, self._journal, self._pace_s = door, journal, pace_s
        self.answered_s = time.monotonic()
        self.is_over = threading.Event()
        threading.Thread(target=self._live, daemon=True).start()

    def hangs(self) -> bool:
        """Whether nothing was answered for too long."""
        return time.monotonic() - self.answered_s > HANGS_S

    def _live(self) -> None:
        try:
            with contextlib.closing(self._door.open()) as opened:
                self._place_orders(opened)
        except (pyodbc.Error, OSError) as why:
            if not self.is_over.is_set():
                sys.stderr.write(f"writer {self.writer}, life {self.number}: {why}\n")
                self._journal.noted("lost", self.writer)
        finally:
            self.is_over.set()

    def _place_orders(self, opened: pyodbc.Connection) -> None:
        cursor = opened.cursor()
        cursor.execute(BEGIN_WRITER, self.writer, self.writer)
        opened.commit()
        number = int(cursor.execute(HOW_FAR, self.writer).fetchval())
        opened.commit()
        due_s = time.monotonic()
        while not self.is_over.is_set():
            number += 1
            cursor.execute(PLACE, self.writer, number, self.number, f"order {number} of {self.writer}")
            cursor.execute(COUNT, self.writer)
            opened.commit()
            if self.is_over.is_set():  # given up meanwhile: nobody counts on it
                return
            self._journal.acknowledged(self.writer, number, self.number)
            self.answered_s = time.monotonic()
            due_s = max(due_s + self._pace_s, self.answered_s - 1)
            self.is_over.wait(max(0.0, due_s - self.answered_s))


def load(door: Door, journal: Journal, writers: int, rate: float) -> None:
    """Until SIGTERM: so many transactions a second over so many connections."""
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    pace_s = writers / rate
    first = int(time.time())  # higher than any life of an earlier run
    lives = {one: Life(one, first, door, journal, pace_s) for one in range(1, writers + 1)}
    while not over.wait(AGAIN_S):
        for writer, life in lives.items():
            if life.is_over.is_set() or life.hangs():
                life.is_over.set()
                lives[writer] = Life(writer, life.number + 1, door, journal, pace_s)
    for life in lives.values():
        life.is_over.set()


def ask(door: Door, statement: str) -> None:
    """Print the rows of a statement's results."""
    with contextlib.closing(door.open()) as opened:
        opened.autocommit = True
        opened.timeout = 0
        cursor = opened.execute(statement)
        while True:
            if cursor.description is not None:
                for row in cursor.fetchall():
                    sys.stdout.write(json.dumps(list(row), default=str) + "\n")
            if not cursor.nextset():
                return


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("load", "ask"))
    parser.add_argument("--connection", type=Path, required=True)
    parser.add_argument("--keytab", default="")
    parser.add_argument("--principal", default="")
    parser.add_argument("--journal", type=Path)
    parser.add_argument("--writers", type=int, default=8)
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("statement", nargs="?", default="")
    given = parser.parse_intermixed_args()
    pyodbc.pooling = False
    door = Door(given.connection.read_text().strip(), given.keytab, given.principal)
    if given.what == "ask":
        ask(door, given.statement)
    else:
        load(door, Journal(given.journal), given.writers, given.rate)


if __name__ == "__main__":
    main()
