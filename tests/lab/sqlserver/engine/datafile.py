"""One database file and its log: opened, proved, checkpointed, closed. Pages as ``pages`` proves them.

Locking: the file belongs to one process and one connection (SQLite's exclusive mode), so a second instance that opens it is refused.
The states on the disk: *closed* (seal DONE over the whole file, the log says so too), *running* (log with frames whose first commit is
the proof of all pages as they were when that log began), *just checkpointed* (seal, log with a header alone).
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.lab.sqlserver.engine import pages

CLOSED_LOG = b"LOG CLOSED "
FRAMES_BEFORE_CHECKPOINT = 2000
MAGIC = b"SQLite format 3\0"
DONE = b"DONE"

_open_here: set[str] = set()
_guard = threading.Lock()


class Broken(Exception):
    """The files are not a database that can be recovered. ``why`` is one of the words below; the caller says it as SQL Server does."""

    def __init__(self, why: str, detail: str = "", page: int = 0) -> None:
        super().__init__(f"{why} {detail}".strip())
        self.why = why  # missing denied in-use not-primary bad-size log-missing log-of-another no-fit torn
        self.detail = detail
        self.page = page


def log_path(path: Path) -> Path:
    """Where the log of a file is."""
    return path.with_name(path.name + "-wal")


class DataFile:
    """An open file. Not locked by itself: the database's lock says who may use ``connection``."""

    def __init__(self, path: Path, register: Callable[[sqlite3.Connection], None]) -> None:
        self.path = path
        self.log = log_path(path)
        self._register = register
        self._hashes: array[int] = array("Q")
        self._proved: array[int] = array("Q")  # as the rows of the proof say it
        self._proof_due = True
        self._running = False
        self._held = False
        self._fd = -1
        self.log_was_rebuilt = False
        self.connection: sqlite3.Connection

    # -- opening ------------------------------------------------------------------------------------------------------------------

    @classmethod
    def create(
        cls, path: Path, register: Callable[[sqlite3.Connection], None], fill: Callable[[sqlite3.Connection], None]
    ) -> DataFile:
        """A new file with what ``fill`` writes. FileExistsError when there is one."""
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o660)
        os.close(descriptor)
        self = cls(path, register)
        self._hold()
        try:
            self._fd = os.open(path, os.O_RDWR)
            self._connect()
            self.connection.execute("PRAGMA page_size=4096")
            self.connection.execute("PRAGMA journal_mode=WAL")
            self.connection.execute("BEGIN IMMEDIATE")
            self.connection.execute('CREATE TABLE "sys.page_proof"(chunk INTEGER PRIMARY KEY, hashes BLOB NOT NULL)')
            fill(self.connection)
            self.connection.execute("COMMIT")
            self.checkpoint()
        except BaseException:
            self.abandon()
            raise
        _fsync_directory(path.parent)
        return self

    @classmethod
    def open(cls, path: Path, register: Callable[[sqlite3.Connection], None]) -> DataFile:
        """An existing file, recovered from its log. Raises Broken."""
        self = cls(path, register)
        self._hold()
        try:
            self._open()
        except sqlite3.DatabaseError as error:
            self.abandon()
            raise Broken("in-use" if "locked" in str(error) else "torn", str(error)) from error
        except BaseException:
            self.abandon()
            raise
        return self

    def _hold(self) -> None:
        with _guard:
            if str(self.path) in _open_here:
                raise Broken("in-use")
            _open_here.add(str(self.path))
            self._held = True

    def _connect(self) -> None:
        self.connection = sqlite3.connect(
            self.path, isolation_level=None, check_same_thread=False, cached_statements=512, timeout=0
        )
        self.connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        self.connection.execute("PRAGMA synchronous=FULL")
        self.connection.execute("PRAGMA wal_autocheckpoint=0")
        self.connection.execute("PRAGMA foreign_keys=ON")
        self.connection.execute("PRAGMA temp_store=MEMORY")
        self.connection.execute("PRAGMA cache_spill=OFF")  # nothing goes into the log before a commit
        self._register(self.connection)

    def _open(self) -> None:
        try:
            self._fd = os.open(self.path, os.O_RDWR)
        except FileNotFoundError as error:
            raise Broken("missing") from error
        except OSError as error:
            raise Broken("denied") from error
        size = os.fstat(self._fd).st_size
        header = os.pread(self._fd, 100, 0)
        if header[:16] != MAGIC or header[16:18] != b"\x10\x00":
            raise Broken("not-primary")
        if size % pages.PAGE:
            raise Broken("bad-size")
        self._hashes = pages.hash_pages(self._fd, size)
        mark = header[pages.SEAL_AT : pages.SEAL_AT + pages.SEAL_LENGTH]
        sealed = mark[:4] in {DONE, pages.SEAL_MAGIC} and mark[4:] == pages.seal(self._hashes)[4:]
        log = self._read_log(closed=sealed and mark[:4] == DONE, mark=mark)
        if not log.frames and not sealed:
            raise Broken("torn", page=1)
        if log.frames:
            self._compare(log, sealed=sealed)
        self._connect()
        self.connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()  # takes the lock, replays the log
        self._proved = self._read_proof(self.connection)
        if log.frames:
            self.checkpoint()

    def _read_log(self, *, closed: bool, mark: bytes) -> pages.Log:
        try:
            descriptor = os.open(self.log, os.O_RDONLY)
        except FileNotFoundError as error:
            if not closed:
                raise Broken("log-missing") from error
            self.log_was_rebuilt = True
            return pages.EMPTY
        except OSError as error:
            raise Broken("denied", "log") from error
        with os.fdopen(descriptor, "rb") as stream:
            start = stream.read(64)
            if start.startswith(CLOSED_LOG):
                if start[len(CLOSED_LOG) :].split(b"\n")[0] != mark[4:].hex().encode():
                    raise Broken("log-of-another")
                if not closed:
                    raise Broken("torn", page=1)
                return pages.EMPTY
            log = pages.read_log(descriptor, os.fstat(descriptor).st_size)
        if not log.valid_header and not closed:
            raise Broken("no-fit")
        self.log_was_rebuilt = not log.valid_header
        return log

    def _read_proof(self, connection: sqlite3.Connection) -> array[int]:
        proof = array("Q")
        for (row,) in connection.execute('SELECT hashes FROM "sys.page_proof" ORDER BY chunk'):
            proof.frombytes(row)
        return proof

    def _compare(self, log: pages.Log, *, sealed: bool) -> None:
        """Before anything is carried from the log into the file: files that do not fit are left as they are."""
        descriptor = os.open(self.log, os.O_RDONLY)
        reader = sqlite3.connect(":memory:")
        try:
            reader.deserialize(pages.image(self._fd, descriptor, log))
            proof = self._read_proof(reader)
        finally:
            reader.close()
            os.close(descriptor)
        wrong = pages.differing(self._hashes, proof, log.pages)
        if wrong:
            raise Broken("no-fit" if sealed else "torn", page=wrong[0])

    @property
    def proof_due(self) -> bool:
        """Will the next write begin a log?"""
        return self._proof_due

    # -- writing ------------------------------------------------------------------------------------------------------------------

    def before_writing(self) -> None:
        """The first commit of a log is the proof of the file as it is now."""
        if not self._proof_due:
            return
        if not self._running:
            self._write_mark(pages.SEAL_MAGIC)
            self._running = True
        chunks = range((len(self._hashes) + pages.CHUNK - 1) // pages.CHUNK)
        rows = [(chunk, pages.chunk_hash_bytes(self._hashes, chunk)) for chunk in chunks]
        rows = [(chunk, row) for chunk, row in rows if row != pages.chunk_hash_bytes(self._proved, chunk)]
        if not rows:  # a log needs a first commit: the first row is written again
            rows = [(0, pages.chunk_hash_bytes(self._hashes, 0))]
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.executemany('INSERT OR REPLACE INTO "sys.page_proof" VALUES (?, ?)', rows)
        self.connection.execute("COMMIT")
        self._proved = self._hashes[:]
        self._proof_due = False

    def after_commit(self) -> None:
        """A long log is carried into the file."""
        if self.log.stat().st_size > FRAMES_BEFORE_CHECKPOINT * (pages.PAGE + pages.FRAME_HEADER):
            self.checkpoint()

    def checkpoint(self) -> None:
        """The log carried into the file, the file sealed. No statement may be open."""
        busy, frames, _ = self.connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
        if busy:
            return
        size = os.fstat(self._fd).st_size
        known = len(self._hashes)
        changed = set(range(known + 1, size // pages.PAGE + 1))
        if frames > 0:
            descriptor = os.open(self.log, os.O_RDONLY)
            try:
                changed |= pages.frame_pages(descriptor, frames)
            finally:
                os.close(descriptor)
        for page in sorted(changed):
            content = os.pread(self._fd, pages.PAGE, (page - 1) * pages.PAGE)
            if page <= len(self._hashes):
                self._hashes[page - 1] = pages.page_hash(page, content)
            else:
                self._hashes.append(pages.page_hash(page, content))
        self._write_mark(pages.SEAL_MAGIC)
        self._running = True
        self._proof_due = True

    def _write_mark(self, word: bytes) -> None:
        os.pwrite(self._fd, word + pages.seal(self._hashes)[4:], pages.SEAL_AT)
        os.fdatasync(self._fd)

    def differing_pages(self) -> list[int]:
        """The pages that are no longer what was written (CHECKDB)."""
        self.checkpoint()
        now = pages.hash_pages(self._fd, os.fstat(self._fd).st_size)
        return pages.differing(now, self._hashes, frozenset())

    # -- closing ------------------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Orderly: the file is whole without its log, and the log says so."""
        self.checkpoint()
        if pages.differing(pages.hash_pages(self._fd, os.fstat(self._fd).st_size), self._hashes, frozenset()):
            self.abandon()  # what another wrote below is not sealed as if it were ours
            return
        if self._running or self.log_was_rebuilt or not self.log.exists():
            self._write_mark(DONE)
        self.connection.close()
        temporary = self.log.with_name(self.log.name + "~")
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o660), "wb") as out:
            out.write(CLOSED_LOG + pages.seal(self._hashes)[4:].hex().encode() + b"\n")
            out.flush()
            os.fsync(out.fileno())
        temporary.rename(self.log)
        _fsync_directory(self.path.parent)
        self._let_go()

    def abandon(self) -> None:
        """Lets everything go; SQLite would take the log away, which stays as it was."""
        if hasattr(self, "connection"):
            with contextlib.suppress(sqlite3.Error):
                kept = self.log.read_bytes() if self.log.exists() else None
                self.connection.close()
                if kept is not None and not self.log.exists():
                    self.log.write_bytes(kept)
        self._let_go()

    def _let_go(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if self._held:
            with _guard:
                _open_here.discard(str(self.path))
            self._held = False

    def rows(self, sql: str, parameters: Any = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self.connection.execute(sql, parameters).fetchall()


def _fsync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
