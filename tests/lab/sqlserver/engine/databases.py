"""All databases of an instance: made, opened at start, attached, detached, dropped."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.lab.sqlserver.engine import functions
from tests.lab.sqlserver.engine.accounts import SA
from tests.lab.sqlserver.engine.catalogue import Catalogue, Document
from tests.lab.sqlserver.engine.database import OPTIONS, Database
from tests.lab.sqlserver.engine.datafile import log_path
from tests.lab.sqlserver.engine.messages import fail, info
from tests.lab.sqlserver.engine.port import Info, SqlFailure

if TYPE_CHECKING:
    from tests.lab.sqlserver.engine.instance import Server
    from tests.lab.sqlserver.engine.session import Session

SYSTEM = {1: "master", 2: "tempdb", 3: "model", 4: "msdb"}


@dataclass(frozen=True)
class FileSpec:
    """One file of CREATE DATABASE."""

    path: str
    name: str = ""
    log: bool = False


def in_a_moment(method: Callable[..., Any]) -> Callable[..., Any]:
    """The whole of it is one moment of change on the disk."""

    @functools.wraps(method)
    def call(self: Databases, *arguments: Any, **named: Any) -> Any:
        with self.server.moments.held():
            return method(self, *arguments, **named)

    return call


class Databases:
    """By number and by name. Changes to the collection are guarded; each database has its own lock."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.by_number: dict[int, Database] = {}
        self.guard = threading.RLock()
        self.failed = ""

    def all(self) -> list[Database]:
        """In the order of their numbers."""
        with self.guard:
            return sorted(self.by_number.values(), key=lambda one: one.number)

    def find(self, name: str) -> Database | None:
        """The one so called, in any case."""
        wanted = name.lower()
        with self.guard:
            return next((one for one in self.by_number.values() if one.name.lower() == wanted), None)

    def get(self, name: str) -> Database:
        """The same; SqlFailure 911."""
        found = self.find(name)
        if found is None:
            raise fail(911, name)
        return found

    def _make(self, number: int, name: str, path: str) -> Database:
        return Database(number, name, path, self.server.volumes, functions.register, moments=self.server.moments)

    # -- start and stop -----------------------------------------------------------------------------------------------------------

    def _boot(self, owner: bytes) -> Document:
        version = self.server.personality.database_version
        return {"version": version, "created_version": version, "owner_sid": owner, "collation": self.server.collation}

    def _options(self, **changes: object) -> Document:
        return {**OPTIONS, "compatibility": self.server.personality.compatibility, **changes}

    @in_a_moment
    def make_system(self, fill_master: Callable[[Catalogue], None], fill_msdb: Callable[[Catalogue], None]) -> None:
        """The four of a new instance."""
        for number, name in SYSTEM.items():
            self.failed = name
            path = self.server.volumes.join(
                self.server.data_path, "tempdb.mdf" if number == 2 else f"{name if number != 4 else 'MSDBData'}.mdf"
            )
            database = self._make(number, name, path)
            simple = {
                "recovery": "FULL" if number == 3 else "SIMPLE",
                "broker": number in {2, 4},
                "chaining": number in {1, 2, 4},
                "trustworthy": number == 4,
            }
            database.create(self._boot(SA), self._options(**simple), [])
            self.by_number[number] = database
            fill = {1: fill_master, 4: fill_msdb}.get(number)
            if fill is not None:
                with database.lock_for_startup():
                    fill(database.catalogue)
        master = self.by_number[1]
        with master.lock_for_startup():
            for database in self.all():
                master.catalogue.put("database", database.number, self._entry(database))
        self.failed = ""

    def _entry(self, database: Database) -> Document:
        return {
            "name": database.name, "path": database.primary, "wanted": "ONLINE", "options": database.options, "boot": database.boot, "files": database.files,
        }  # fmt: skip

    @in_a_moment
    def open_all(self) -> None:
        """As the files say. SqlFailure when master, model or tempdb cannot be had."""
        self.failed = "master"
        master = self._make(1, "master", self.server.volumes.join(self.server.data_path, "master.mdf"))
        master.open()
        self._check_version(master)
        self.by_number[1] = master
        if master.boot["version"] < self.server.personality.database_version:
            with master.lock_for_startup():
                master.catalogue.update("boot", 1, version=self.server.personality.database_version)
        for number, entry in master.catalogue.all("database"):
            if number != 1:
                self._open_at_start(number, entry)
        self.failed = ""

    def _open_at_start(self, number: int, entry: Document) -> None:
        database = self._make(number, entry["name"], entry["path"])
        database.options, database.boot, database.files = {**OPTIONS, **entry["options"]}, entry["boot"], entry["files"]
        self.by_number[number] = database
        if number == 2:
            self.failed = "tempdb"
            self._renew_tempdb(database)
            return
        if entry["wanted"] != "ONLINE":
            return
        self.server.errorlog.write(f"Starting up database '{database.name}'.", "spid9s")
        try:
            database.open()
            self._upgrade(database)
        except SqlFailure as failure:
            self._say_unopened(database, failure)
            if number == 3:
                self.failed = "model"
                raise

    def _say_unopened(self, database: Database, failure: SqlFailure) -> None:
        log = self.server.errorlog
        log.error(failure)
        if failure.number == 5120:
            words = failure.message.partition("error ")[2]
            log.write("Error: 17204, Severity: 16, State: 1.", "spid9s")
            log.write(
                f"FCB::Open failed: Could not open file {failure.message.split(chr(34))[1]} for file number 1.  OS error: {words}",
                "spid9s",
            )
        if database.state == "SUSPECT":
            log.error(SqlFailure(3414, fail(3414, database.name, database.number).message, severity=21, state=2))

    def _renew_tempdb(self, database: Database) -> None:
        for path in database.real_files():
            for one in (path, log_path(path)):
                one.unlink(missing_ok=True)
        database.create(self._boot(SA), self._options(recovery="SIMPLE", chaining=True), [], ("tempdev", "templog"))

    @in_a_moment
    def close_all(self) -> None:
        """Orderly, master last."""
        for database in reversed(self.all()):
            database.close()

    def abandon(self) -> None:
        """Nothing more is written."""
        for database in self.all():
            if database.file is not None:
                database.file.abandon()
            database.file, database.contents, database.state = None, None, "OFFLINE"

    # -- versions -----------------------------------------------------------------------------------------------------------------

    def _check_version(self, database: Database) -> None:
        have, ours = database.boot["version"], self.server.personality.database_version
        if have > ours:
            database._give_up("SUSPECT", error := fail(948, database.name, have, ours))
            raise error
        if have < self.server.personality.oldest_database:
            error = SqlFailure(
                948,
                f"The database '{database.name}' cannot be opened because it is version {have}. This server supports version {self.server.personality.oldest_database} and later. An upgrade path is not supported.",
                severity=20,
            )
            database._give_up("SUSPECT", error)
            raise error

    def _upgrade(self, database: Database) -> list[Info]:
        self._check_version(database)
        have, ours = database.boot["version"], self.server.personality.database_version
        if have == ours:
            return []
        level = max(database.options.get("compatibility", 0), self.server.personality.oldest_compatibility)
        with database.lock_for_startup():
            database.catalogue.update("boot", 1, version=ours)
            database.catalogue.update("options", 1, compatibility=level)
        return [info(951, database.name, step, step + 1) for step in range(have, ours)][-3:]

    # -- made and attached --------------------------------------------------------------------------------------------------------

    def _new_number(self) -> int:
        return next(number for number in range(5, 32768) if number not in self.by_number)

    @in_a_moment
    def create(self, session: Session, name: str, files: Sequence[FileSpec], options: Document, boot: Document) -> None:
        """CREATE DATABASE. SqlFailure 1801, 5170, 5133."""
        data = [one for one in files if not one.log]
        path = data[0].path if data else self.server.volumes.join(self.server.data_path, f"{name}.mdf")
        logs = [one for one in files if one.log]
        if logs and logs[0].path.lower() != (path + "-wal").lower():
            raise fail(5105, logs[0].path)
        logical = (data[0].name or name if data else name, logs[0].name or f"{name}_log" if logs else f"{name}_log")
        with self.guard:
            if self.find(name) is not None:
                raise fail(1801, name, state=3)
            database = self._make(self._new_number(), name, path)
            model = self.by_number[3]
            settings = self._options(recovery=model.options["recovery"])
            database.create(
                {**self._boot(session.sid), **boot},
                {**settings, **options},
                [(one.name, one.path) for one in data[1:]],
                logical,
            )
            self.by_number[database.number] = database
        self._record(session, database)

    def _record(self, session: Session, database: Database) -> None:
        try:
            with session.changing(self.by_number[1]) as master:
                master.put("database", database.number, self._entry(database))
        except BaseException:
            with self.guard:
                self.by_number.pop(database.number, None)
            database.close()
            raise

    @in_a_moment
    def attach(
        self, session: Session, name: str, files: Sequence[FileSpec], options: Document, *, rebuild_log: bool = False
    ) -> list[Info]:
        """CREATE DATABASE ... FOR ATTACH; what it tells. SqlFailure 1801, 5120, 5133, 5171, 5173, 9003, 824, 948."""
        with self.guard:
            if self.find(name) is not None:
                raise fail(1801, name, state=3)
            database = self._make(self._new_number(), name, files[0].path)
        self._check_listed(database, files, rebuild_log=rebuild_log)
        database.open()
        said: list[Info] = []
        try:
            if database.data.log_was_rebuilt:
                said.append(Info(1802, 1, 10, f"New log file '{database.primary}-wal' was created."))
            said += self._upgrade(database)
            with self.guard:
                if self.find(name) is not None:
                    raise fail(1801, name, state=3)
                self.by_number[database.number] = database
            self._become_ours(session, database, files, options)
        except BaseException:
            with self.guard:
                if self.by_number.get(database.number) is database:
                    del self.by_number[database.number]
            database.close()
            raise
        self._record(session, database)
        return said

    def _check_listed(self, database: Database, files: Sequence[FileSpec], *, rebuild_log: bool) -> None:
        for one in files[1:]:
            if one.path.lower().endswith("-wal") or one.log:
                real = database._real(one.path, 5120)
                if not real.exists() and not rebuild_log:
                    raise database._unable(one.path, "2(The system cannot find the file specified.)")
                if one.path.lower() != (database.primary + "-wal").lower():
                    raise fail(5105, one.path)

    def _become_ours(self, session: Session, database: Database, files: Sequence[FileSpec], options: Document) -> None:
        given = {self.server.volumes.base(one.path).lower(): one.path for one in files}
        with database.lock_for_startup():
            contents = database.catalogue
            contents.update("boot", 1, name=database.name, owner_sid=session.sid, attached=True)
            contents.update(
                "options",
                1,
                **{
                    "trustworthy": False,
                    "chaining": False,
                    "broker": False,
                    "user_access": "MULTI_USER",
                    **_unpublished(),
                    **options,
                },
            )
            contents.update("principal", 1, sid=session.sid)
            for number, document in contents.all("file"):
                if number == 1:
                    contents.update("file", 1, path=database.primary)
                elif document["type"] == "LOG":
                    contents.update("file", number, path=database.primary + "-wal")
                else:
                    contents.update(
                        "file",
                        number,
                        path=given.get(self.server.volumes.base(document["path"]).lower(), document["path"]),
                    )

    # -- taken away ---------------------------------------------------------------------------------------------------------------

    @in_a_moment
    def detach(self, session: Session, database: Database) -> None:
        """sp_detach_db. SqlFailure 3703, 3707, 3724, 3743, 3752, 7940."""
        if database.system:
            raise fail(7940)
        self._free_of_others(database, "detach")
        if database.state in {"SUSPECT", "RECOVERY_PENDING"}:
            raise fail(3707)
        if session.current is database or self.server.sessions_in(database):
            raise fail(3703, database.name)
        self.take_away(session, database)

    def _free_of_others(self, database: Database, verb: str) -> None:
        options = database.options
        if options["published"] or options["merge_published"] or options["distributor"]:
            raise fail(3724, verb, "database", database.name)
        if options["mirroring"]:
            raise fail(3743, database.name)
        if options["availability_group"]:
            raise fail(3752, database.name)
        snapshot = next((one for one in self.all() if one.options.get("snapshot_of") == database.number), None)
        if snapshot is not None:
            raise fail(3709, verb, snapshot.name)

    @in_a_moment
    def take_away(self, session: Session, database: Database) -> None:
        """Closes it and forgets it; the files stay."""
        database.lock.acquire(session)
        try:
            database.close()
            with self.guard:
                del self.by_number[database.number]
        finally:
            database.lock.release(session)
        with session.changing(self.by_number[1]) as master:
            master.drop("database", database.number)

    @in_a_moment
    def drop(self, session: Session, database: Database) -> None:
        """DROP DATABASE: the files of one that was open go too. SqlFailure 3702, 3708, 3724..."""
        if database.system:
            raise fail(3708, "drop", "database", database.name, "database")
        if database.options.get("snapshot_of") is None:
            self._free_of_others(database, "drop")
        if session.current is database or self.server.sessions_in(database):
            raise fail(3702, database.name, state=3)
        was_online = database.online
        paths = database.real_files()
        self.take_away(session, database)
        for path in paths if was_online else ():
            path.unlink(missing_ok=True)

    # -- kept beside --------------------------------------------------------------------------------------------------------------

    @in_a_moment
    def remember(self, session: Session, database: Database, wanted: str | None = None) -> None:
        """Master's copy of what a database is, for when it is not open."""
        with session.changing(self.by_number[1]) as master:
            entry = self._entry(database)
            entry["wanted"] = wanted or (master.get("database", database.number) or entry)["wanted"]
            master.put("database", database.number, entry)


def _unpublished() -> Document:
    return {
        "published": False,
        "merge_published": False,
        "subscribed": False,
        "distributor": False,
        "mirroring": None,
        "availability_group": None,
    }
