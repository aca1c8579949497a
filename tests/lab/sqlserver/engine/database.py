"""A database: its files, its own catalogue inside them, its state."""

from __future__ import annotations

import contextlib
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.lab.sqlserver.engine import catalogue as catalogues
from tests.lab.sqlserver.engine.catalogue import Catalogue, Document
from tests.lab.sqlserver.engine.datafile import Broken, DataFile, log_path
from tests.lab.sqlserver.engine.locks import Lock
from tests.lab.sqlserver.engine.messages import fail
from tests.lab.sqlserver.engine.moments import Moments
from tests.lab.sqlserver.engine.paths import NoSuchVolume, Volumes
from tests.lab.sqlserver.engine.port import SqlFailure
from tests.lab.sqlserver.engine.values import to_storage

FIXED_ROLES = {
    16384: "db_owner", 16385: "db_accessadmin", 16386: "db_securityadmin", 16387: "db_ddladmin", 16389: "db_backupoperator",
    16390: "db_datareader", 16391: "db_datawriter", 16392: "db_denydatareader", 16393: "db_denydatawriter",
}  # fmt: skip
FIXED_SCHEMAS = {1: "dbo", 2: "guest", 3: "INFORMATION_SCHEMA", 4: "sys"}
OPTIONS: Document = {
    "recovery": "FULL", "read_only": False, "user_access": "MULTI_USER", "broker": True, "trustworthy": False, "chaining": False,
    "containment": "NONE", "page_verify": "CHECKSUM", "auto_close": False, "auto_shrink": False, "auto_create_statistics": True,
    "auto_update_statistics": True, "snapshot_isolation": False, "read_committed_snapshot": False, "quoted_identifier": False,
    "published": False, "merge_published": False, "subscribed": False, "distributor": False, "encrypted": False, "encryptor": None,
    "mirroring": None, "availability_group": None, "features": [], "delayed_durability": "DISABLED", "query_store": False, "cdc": False,
}  # fmt: skip
NDF = b"SECONDARY FILE "


def now() -> str:
    """This moment, as datetimes are kept."""
    return str(to_storage(datetime.now(UTC).replace(tzinfo=None)))


class Nobody:
    """Holds a lock for the instance itself."""

    lock_timeout_ms = -1
    waits_for: Lock | None = None

    def check_cancelled(self) -> None:
        """Nobody cancels the instance."""


@dataclass(eq=False)
class Database:
    """One database of an instance. ``state`` as sys.databases says it; ``reasons`` why it is not ONLINE."""

    number: int
    name: str
    primary: str  # the reported path of the .mdf
    volumes: Volumes
    register: Callable[[sqlite3.Connection], None]
    state: str = "OFFLINE"
    reasons: list[SqlFailure] = field(default_factory=list)
    file: DataFile | None = None
    contents: Catalogue | None = None
    options: Document = field(default_factory=lambda: dict(OPTIONS))
    boot: Document = field(default_factory=dict)
    files: list[Document] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)
    moments: Moments = field(default_factory=lambda: Moments(contextlib.nullcontext))
    _objects: dict[tuple[str, str], tuple[int, Document]] = field(default_factory=dict)
    _objects_of: int = -1

    @property
    def online(self) -> bool:
        """Can it be used?"""
        return self.state == "ONLINE"

    @property
    def catalogue(self) -> Catalogue:
        """Of an open one; the error of its state otherwise."""
        self.require()
        assert self.contents is not None
        return self.contents

    @property
    def data(self) -> DataFile:
        """Of an open one; the error of its state otherwise."""
        self.require()
        assert self.file is not None
        return self.file

    @property
    def system(self) -> bool:
        """master, tempdb, model, msdb."""
        return self.number <= 4

    def require(self) -> None:
        """SqlFailure 942, 945, 926, 927 unless it is open."""
        if self.state != "ONLINE":
            number = {"OFFLINE": 942, "SUSPECT": 926, "RESTORING": 927}.get(self.state, 945)
            raise fail(number, self.name)

    @contextlib.contextmanager
    def lock_for_startup(self) -> Iterator[None]:
        """A change that no session makes."""
        holder = Nobody()
        self.lock.acquire(holder)
        try:
            self.moments.enter()
        except BaseException:
            self.lock.release(holder)
            raise
        try:
            self.data.before_writing()
            self.data.connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self.data.connection.execute("COMMIT")
            except BaseException:
                self.data.connection.execute("ROLLBACK")
                self.catalogue.load()
                raise
            self.data.after_commit()
            self.refresh()
        finally:
            self.lock.release(holder)
            self.moments.leave()

    def objects(self) -> dict[tuple[str, str], tuple[int, Document]]:
        """Tables, views and procedures by schema and name in lower case."""
        if self._objects_of != self.catalogue.version:
            found = self.catalogue.all("object")
            self._objects = {
                (document["schema"].lower(), document["name"].lower()): (number, document) for number, document in found
            }
            self._objects_of = self.catalogue.version
        return self._objects

    # -- files --------------------------------------------------------------------------------------------------------------------

    def create(
        self,
        boot: Document,
        options: Document,
        secondary: list[tuple[str, str]],
        logical: tuple[str, str] | None = None,
    ) -> None:
        """Makes the files. SqlFailure 5133, 5170, 5123."""
        real = self._real(self.primary, 5133)
        names = logical or (self.name, f"{self.name}_log")
        files = [
            {"type": "ROWS", "name": names[0], "path": self.primary},
            {"type": "LOG", "name": names[1], "path": self.primary + "-wal"},
        ]
        files += [{"type": "ROWS", "name": name, "path": path} for name, path in secondary]
        boot = {"guid": str(uuid.uuid4()), "created": now(), "name": self.name, **boot}

        def fill(connection: sqlite3.Connection) -> None:
            catalogues.create(connection)
            contents = Catalogue(connection)
            contents.put("boot", 1, boot)
            contents.put("options", 1, options)
            for number, document in enumerate(files, 1):
                contents.put("file", number, document)
            _fill_principals(contents, boot)

        for wanted in (real, log_path(real)):
            if wanted.exists():
                raise fail(5170, self.primary if wanted == real else self.primary + "-wal")
        try:
            self.file = DataFile.create(real, self.register, fill)
        except OSError as error:
            raise fail(5123, _os_error(error, self.volumes.platform), self.primary) from error
        for _, path in secondary:
            self._real(path, 5133).write_bytes(NDF + boot["guid"].encode() + b"\n" + bytes(4096))
        self._read()
        self.state = "ONLINE"

    def open(self) -> None:
        """Recovers it. Raises SqlFailure after setting ``state`` and ``reasons``."""
        self.reasons = []
        try:
            self.file = DataFile.open(self._real(self.primary, 5120), self.register)
            self._read()
            self._check_secondary()
        except SqlFailure as error:
            self._give_up("RECOVERY_PENDING", error)
            raise
        except Broken as broken:
            error = self._said(broken)
            self._give_up(
                "SUSPECT" if broken.why in {"no-fit", "torn", "log-of-another"} else "RECOVERY_PENDING", error
            )
            raise error from broken
        except (sqlite3.DatabaseError, KeyError) as damage:
            error = fail(824, 1, self.number, "0x0", self.primary)
            self._give_up("SUSPECT", error)
            raise error from damage
        self.state = "ONLINE"

    def _give_up(self, state: str, error: SqlFailure) -> None:
        self.state, self.reasons = state, [error]
        if self.file is not None:
            self.file.close()
        self.file = self.contents = None

    def _read(self) -> None:
        assert self.file is not None
        self.contents = Catalogue(self.file.connection)
        self.refresh()

    def refresh(self) -> None:
        """What is known of it, from its file."""
        assert self.contents is not None
        self.boot = dict(self.contents.all("boot")[0][1])
        self.options = {**OPTIONS, **self.contents.all("options")[0][1]}
        self.files = [{"id": number, **document} for number, document in self.contents.all("file")]

    def _check_secondary(self) -> None:
        for document in self.files[2:]:
            path = self._real(document["path"], 5120)
            try:
                content = path.read_bytes()
            except OSError as error:
                raise self._unable(document["path"], _os_error(error, self.volumes.platform)) from error
            if content != NDF + self.boot["guid"].encode() + b"\n" + bytes(4096):
                raise fail(5173)

    def _real(self, reported: str, number: int) -> Path:
        missing = _WORDS[self.volumes.platform]
        try:
            real = self.volumes.real(reported)
        except NoSuchVolume:
            real = None
        if real is None or not real.parent.is_dir():
            if number == 5133:
                raise fail(5133, reported, missing[3])
            raise self._unable(reported, missing[3])
        return real

    def _unable(self, reported: str, words: str) -> SqlFailure:
        return fail(5120, reported, words.split("(", maxsplit=1)[0], words, state=101)

    def _said(self, broken: Broken) -> SqlFailure:
        words = _WORDS[self.volumes.platform]
        log = self.primary + "-wal"
        said: dict[str, Callable[[], SqlFailure]] = {
            "missing": lambda: self._unable(self.primary, words[2]),
            "denied": lambda: self._unable(log if broken.detail == "log" else self.primary, words[5]),
            "in-use": lambda: self._unable(self.primary, words[32]),
            "not-primary": lambda: fail(5171, self.primary),
            "bad-size": lambda: fail(5172, self.primary, "FILE SIZE"),
            "log-missing": lambda: self._unable(log, words[2]),
            "log-of-another": lambda: fail(5173),
            "no-fit": lambda: fail(9003, "0:0:0", self.name, state=9),
            "torn": lambda: fail(
                824, broken.page, self.number, hex(max(broken.page - 1, 0) * 4096), self.primary, state=2
            ),
        }
        return said[broken.why]()

    def close(self) -> None:
        """Orderly."""
        if self.file is not None:
            self.file.close()
        self.file = self.contents = None
        self.state = "OFFLINE"

    def real_files(self) -> list[Path]:
        """Where its files are here; those of volumes that are not there are left out."""
        found = []
        for document in self.files:
            try:
                found.append(self.volumes.real(document["path"]))
            except NoSuchVolume:
                continue
        return found

    def size_pages(self, document: Document) -> int:
        """Of a file, in pages of 8 KB; 0 when it is not there."""
        try:
            return (self.volumes.real(document["path"]).stat().st_size + 8191) // 8192
        except (OSError, NoSuchVolume):
            return 0


_WORDS = {
    "windows": {
        2: "2(The system cannot find the file specified.)", 3: "3(The system cannot find the path specified.)", 5: "5(Access is denied.)",
        32: "32(The process cannot access the file because it is being used by another process.)", 112: "112(There is not enough space on the disk.)",
    },
    "linux": {
        2: "2(The system cannot find the file specified.)", 3: "3(The system cannot find the path specified.)", 5: "5(Access is denied.)",
        32: "32(The process cannot access the file because it is being used by another process.)", 112: "112(There is not enough space on the disk.)",
    },
}  # fmt: skip


def _os_error(error: OSError, platform: str) -> str:
    number = {2: 2, 13: 5, 1: 5, 28: 112, 20: 3, 30: 5}.get(error.errno or 0, 5)
    return _WORDS[platform][number]


def _fill_principals(contents: Catalogue, boot: dict[str, Any]) -> None:
    at = now()

    def principal(
        name: str, kind: str, sid: bytes | None, schema: str | None = None, authentication: str = "NONE"
    ) -> Document:
        return {
            "name": name,
            "type": kind,
            "sid": sid,
            "schema": schema,
            "created": at,
            "modified": at,
            "authentication": authentication,
        }

    contents.put("principal", 0, principal("public", "R", b"\x01\x05" + bytes(5) + b"\t\x04" + bytes(19)))
    contents.put("principal", 1, principal("dbo", "S", boot["owner_sid"], "dbo", "INSTANCE"))
    contents.put("principal", 2, principal("guest", "S", b"\x00", "guest"))
    contents.put("principal", 3, principal("INFORMATION_SCHEMA", "S", None))
    contents.put("principal", 4, principal("sys", "S", None))
    for number, name in FIXED_ROLES.items():
        contents.put("principal", number, {**principal(name, "R", None), "fixed": True})
        contents.put("schema", number, {"name": name, "owner": number})
    contents.put("member", 1, {"role": 16384, "member": 1})
    for number, name in FIXED_SCHEMAS.items():
        contents.put("schema", number, {"name": name, "owner": number})
