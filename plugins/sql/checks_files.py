"""Checks about files: that every one is protected, has its place on the target, and collides with nobody's."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.model.findings import Finding
from orchestrator.model.inventory import PathFacts
from orchestrator.model.paths import inside, is_windows, same
from orchestrator.model.servers import Where
from orchestrator.model.sql import SqlInstance
from orchestrator.model.steps import Step
from orchestrator.sdk import steps
from orchestrator.sdk.checks import View, check
from orchestrator.sdk.sides import root_of
from orchestrator.sdk.steps import sql_mending
from plugins.sql.checks_databases import promised_files
from plugins.sql.checks_view import (
    SIDES,
    SOURCE,
    TARGET,
    at,
    called,
    compared,
    instance_of,
    listed,
    name,
    paths_of,
    sql_of,
    told,
    whole,
)
from plugins.sql.placing import Placing, folder_of

FILESTREAM_OPTION = "filestream access level"


@check("sql-file-not-protected", sets=("basic", "data"), passed="every file of the protected databases is protected")
def not_protected(view: View) -> Iterator[Finding]:
    """The guide: a database in a directory that is not replicated is not there after a failover."""
    for _, chosen in told(view):
        folders: dict[str, str] = {}
        for one in chosen:
            for file in one.files:
                folders.setdefault(folder_of(file.path), one.name)
        for folder, database in folders.items():
            if root_of(view.settings, folder) is None:
                written = f"'{folder}'" if is_windows(folder) else folder
                yield view.error(
                    f"files of {database} lie in {folder}, which is not protected",
                    where=view.place("connection.roots"),
                    why="the target would have a part of the database only, which opens nowhere",
                    remedy=f"add {{source_path: {written}}} to connection.roots, or let dtam choose: leave roots out",
                )


@check("sql-write-order", sets=("basic", "data"), passed="writes of the databases reach the target in their order")
def write_order(view: View) -> Iterator[Finding]:
    """A log that is older than the data it describes recovers nothing: a database needs its writes in their order."""
    engine = view.inventory.source.engine
    if engine is not None and engine.capture != "fuse":
        yield view.error(
            f"{engine.name} only watches its files: the order of writes is not kept ({engine.capture_says or engine.capture})",
            where=str(view.inventory.source.name),
            why="after a failover a database may be refused as damaged (errors 824, 3313, 9004)",
            remedy=f"on {view.inventory.source.name}: apt-get install gcc libfuse3-dev fuse3, then restart dtengine",
        )


@check("sql-file-taken", sets=("basic", "data"), passed="every file has a place of its own on the target")
def taken(view: View) -> Iterator[Finding]:
    """The guide: files must be uniquely named, or uniquely located on the target."""
    wanted: dict[str, str] = {}
    placing = Placing(view.settings)
    others = {_key(path): f"the protection {other.id}" for other, path in promised_files(view)}
    for ours, chosen in told(view):
        held = _held(instance_of(view, TARGET, ours.name), {one.name.lower() for one in chosen})
        for one in chosen:
            for file in one.files:
                path = placing.on_target(ours.name, file)
                key = _key(path)
                by = wanted.get(key) or others.get(key) or ("" if whole(view) else held.get(key, ""))
                if by:
                    yield view.error(
                        f"{path} on {name(view, TARGET)} would be of {one.name}, and is of {by}",
                        where=view.place("failover.sql.databases"),
                        why="two databases cannot share a file: the one would overwrite the other",
                        remedy=f"give it a directory of its own: failover.sql.databases: [{{name: {one.name}, target_data_path: ..., target_log_path: ...}}]",
                    )
                wanted.setdefault(key, f"{one.name} of {called(view, SOURCE, ours.name)}")


def _held(theirs: SqlInstance | None, chosen: set[str]) -> dict[str, str]:
    """The files of the target's other databases; those of the same name are another check's."""
    every = theirs.databases if theirs else ()
    return {
        _key(file.path): f"{one.name} there" for one in every if one.name.lower() not in chosen for file in one.files
    }


def _key(path: str) -> str:
    return path.lower() if is_windows(path) else path


@check(
    "sql-folder-divided", sets=("basic", "data"), passed="databases of one directory have one directory on the target"
)
def divided(view: View) -> Iterator[Finding]:
    """What lies in one protected directory travels together: files of it cannot go to two places."""
    placing = Placing(view.settings)
    for ours, chosen in told(view):
        places: dict[str, str] = {}
        for one in chosen:
            for file in one.files:
                folder, wanted = folder_of(file.path), folder_of(placing.on_target(ours.name, file))
                before = places.setdefault(folder, wanted)
                root = root_of(view.settings, folder)
                if not same(before, wanted) or (root is not None and not inside(wanted, root.on_target)):
                    yield view.error(
                        f"{file.path} of {one.name} is to lie in {wanted}, its directory goes to {before if not same(before, wanted) else (root.on_target if root else '')}",
                        where=view.place("failover.sql.databases"),
                        why="a protected directory has one place on the target; the file would not be where the database looks for it",
                        remedy="move the database to a directory of its own on the source, or give both the same target path",
                    )


@check(
    "sql-target-folder-missing",
    sets=("basic", "data"),
    passed="every directory for a database's files is on the target",
)
def folder_missing(view: View) -> Iterator[Finding]:
    """Where the directory is missing, the first file cannot be written, and the database not be attached."""
    placing, seen = Placing(view.settings), paths_of(view, TARGET)
    for ours, chosen in told(view):
        for path in placing.folders(TARGET, ours.name, chosen):
            yield from _absent(view, ours.name, path, seen.get(path), "the database's files have no place there")


@check("sql-tempdb-folder-missing", sets=("basic", "data"), passed="tempdb has its directory on the target")
def tempdb_folder(view: View) -> Iterator[Finding]:
    """Tempdb is made anew at each start, but not the directory that it is to lie in: without it the instance does not start."""
    for ours, _ in told(view):
        tempdb = ours.database("tempdb")
        if not whole(view) or tempdb is None or sql_of(view).tempdb:
            continue
        for path in Placing(view.settings).folders(TARGET, ours.name, [tempdb]):
            why = "the instance would not start after a failover (error 5123)"
            yield from _absent(view, ours.name, path, view.inventory.target.path(path), why)


def _absent(view: View, instance: str, path: str, facts: PathFacts | None, why: str) -> Iterator[Finding]:
    server, carried = name(view, TARGET), view.settings.connection.replication == "storage_replica"
    if (
        facts is None
        or facts.exists
        or (carried and any(inside(path, root.on_target) for root in view.settings.connection.roots))
    ):
        return
    by_hand = (
        f"New-Item -ItemType Directory -Path '{path}'"
        if is_windows(path)
        else f"install -d -o mssql -g mssql -m 770 {path}"
    )
    yield view.error(
        f"the directory {path} is missing on {server}",
        where=f"{server}, {view.inventory.target.origin('paths')}".strip(", "),
        why=why,
        remedy=by_hand,
        fix=[_made(view, instance, path)],
    )


def _made(view: View, instance: str, path: str) -> Step:
    """By the instance itself where it runs, so that it owns the directory; else by the host."""
    server = name(view, TARGET)
    if instance_of(view, TARGET, instance) is not None:
        return sql_mending.make_sql_directory(at(view, TARGET, instance), path)
    return steps.make_directory(TARGET, server, path)


@check("sql-paths-differ", sets=("basic", "data"), passed="both instances are installed in the same place")
def paths_differ(view: View) -> Iterator[Finding]:
    """The guide: the installation location on the target must be the source's; system databases are found by their paths."""
    if not whole(view):
        return
    for instance, ours, theirs in compared(view):
        for words, one, other in (
            ("data", ours.data_path, theirs.data_path),
            ("log", ours.log_path, theirs.log_path),
            *(("start", mine, yours) for mine, yours in _started(ours, theirs)),
        ):
            if one and other and not same(one, other):
                yield view.error(
                    f"the {words} path of {called(view, TARGET, instance)} is {other}, that of {called(view, SOURCE, instance)} {one}",
                    where=f"{called(view, TARGET, instance)}, SERVERPROPERTY('InstanceDefault...Path'), sys.dm_server_registry",
                    why="the instance looks for its system databases where it was installed, and would find its own old ones",
                    remedy="install the target at the same paths; on Linux: mssql-conf set filelocation...",
                )


def _started(ours: SqlInstance, theirs: SqlInstance) -> Iterator[tuple[str, str]]:
    """The paths of master's files (-d, -l) and of the error log (-e) as both are started with."""
    sides = [{one[:2]: one[2:].strip() for one in found.startup_parameters} for found in (ours, theirs)]
    for flag in ("-d", "-l", "-e"):
        if flag in sides[0] and flag in sides[1]:
            yield sides[0][flag], sides[1][flag]


@check("sql-drive-missing", sets=("basic", "data"), passed="the target has every drive of the source's databases")
def drives(view: View) -> Iterator[Finding]:
    """The guide: logical drive mapping must be the same on both servers, assigned beforehand."""
    placing = Placing(view.settings)
    for where in SIDES:
        found = view.inventory.on(where).windows
        if (
            found is None
            or not found.volumes
            or (where is TARGET and view.protection.id in view.inventory.target.protections)
        ):
            continue
        letters = {one.letter.rstrip(":\\").upper() for one in found.volumes if one.letter}
        wanted = {path[:1].upper() for path in all_folders(view, placing, where) if is_windows(path)}
        for letter in sorted(wanted - letters):
            yield view.error(
                f"{name(view, where)} has no drive {letter}:",
                where=f"{name(view, where)}, Get-Volume",
                why="files of the protected databases have no place there",
                remedy=f"give a volume of {name(view, where)} the letter {letter}, or map the databases elsewhere (database mode)",
            )


def all_folders(view: View, placing: Placing, where: Where) -> Iterator[str]:
    """Every directory of a side that files of protected databases, or of tempdb, lie in."""
    for ours, chosen in told(view):
        tempdb = ours.database("tempdb") if whole(view) else None
        yield from placing.folders(where, ours.name, [*chosen, *([tempdb] if tempdb else [])])


@check("sql-space-missing", sets=("basic", "data"), passed="the target has room for the databases")
def space(view: View) -> Iterator[Finding]:
    """Room is counted by the sizes that SQL Server gives its files, for each directory on the target that has them."""
    if view.on_windows and view.settings.connection.replication == "storage_replica":
        return
    placing, needed = Placing(view.settings), dict[str, int]()
    for ours, chosen in told(view):
        for one in chosen:
            for file in one.files:
                folder = folder_of(placing.on_target(ours.name, file))
                needed[folder] = needed.get(folder, 0) + file.bytes
    seen = paths_of(view, TARGET)
    for folder, wanted in needed.items():
        facts = seen.get(folder)
        free = None if facts is None or facts.free_bytes is None else facts.free_bytes + (facts.bytes or 0)
        if free is not None and free < wanted:
            yield view.error(
                f"{name(view, TARGET)} has {free / 1024**2:.0f} MB for {folder}, its databases have {wanted / 1024**2:.0f} MB",
                where=f"{name(view, TARGET)}, {folder}",
                why="the mirror would stop when the disk is full",
                remedy="make room there, or map the databases elsewhere",
            )


@check(
    "sql-filestream-disabled", sets=("basic", "data"), passed="the target lets databases have FILESTREAM where they do"
)
def filestream(view: View) -> Iterator[Finding]:
    """A database with a container for FILESTREAM is refused where the feature is switched off (error 5591)."""
    for ours, chosen in told(view):
        theirs = instance_of(view, TARGET, ours.name)
        option = theirs.configuration(FILESTREAM_OPTION) if theirs else None
        using = [one.name for one in chosen if any(file.kind == "filestream" for file in one.files)]
        if using and option is not None and option.in_use == 0:
            yield view.error(
                f"{listed(using)} uses FILESTREAM, which is switched off on {called(view, TARGET, ours.name)}",
                where=f"{called(view, TARGET, ours.name)}, sp_configure '{FILESTREAM_OPTION}'",
                why="the database could not be opened there (error 5591)",
                remedy=f"enable it in SQL Server Configuration Manager, then EXEC sp_configure '{FILESTREAM_OPTION}', 2; RECONFIGURE",
            )


FILES = (
    not_protected,
    write_order,
    taken,
    divided,
    folder_missing,
    tempdb_folder,
    paths_differ,
    drives,
    space,
    filestream,
)
