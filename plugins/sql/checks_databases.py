"""Checks about the protected databases: that they can be moved, by their states and by what else holds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.model.findings import Finding
from orchestrator.model.inventory import OtherProtection
from orchestrator.model.sql import SqlDatabase, SqlInstance
from orchestrator.sdk.checks import View, check
from orchestrator.sdk.steps import sql_mending
from plugins.sql.checks_view import (
    SOURCE,
    TARGET,
    at,
    called,
    instance_of,
    listed,
    name,
    protected,
    sql_of,
    told,
    whole,
)

LOWEST = {11: 90, 12: 100, 13: 100, 14: 100, 15: 100, 16: 100, 17: 100}
"""The lowest compatibility level that each major version knows; a database below it is raised when it is attached."""
NOT_ONLINE_REMEDY = {
    "SUSPECT": "DBCC CHECKDB, then restore it from a backup",
    "RECOVERY_PENDING": "look at the error log: a file is missing, or the disk is full",
    "RESTORING": "RESTORE DATABASE ... WITH RECOVERY, once all of it is restored",
    "OFFLINE": "ALTER DATABASE ... SET ONLINE, or leave it out of the protection",
    "EMERGENCY": "repair it (DBCC CHECKDB), then ALTER DATABASE ... SET ONLINE",
}


def _each(view: View) -> Iterator[tuple[SqlInstance, SqlDatabase]]:
    for ours, chosen in told(view):
        yield from ((ours, one) for one in chosen)


def _leave_out(one: SqlDatabase) -> str:
    return f"leave it out: failover.sql.databases: [{{name: {one.name}, protect: false}}]"


@check("sql-database-missing", sets=("basic", "data"), passed="every chosen database is there")
def missing(view: View) -> Iterator[Finding]:
    """A chosen database that the source does not have is a mistake of spelling, or was dropped."""
    for ours, _ in told(view):
        there = {one.name.lower() for one in ours.databases}
        for position, one in enumerate(sql_of(view).databases):
            if one.instance.lower() == ours.name.lower() and one.protect and one.name.lower() not in there:
                yield view.error(
                    f"{called(view, SOURCE, ours.name)} has no database {one.name}",
                    where=view.place(f"failover.sql.databases.{position}"),
                    why="it would not be there after a failover, and somebody counts on it",
                    remedy=f"it has {listed(sorted(each.name for each in ours.databases if not each.system))}; mend the name",
                )


@check("sql-no-database", sets=("basic", "data"), passed="there are databases to protect")
def none_chosen(view: View) -> Iterator[Finding]:
    """Databases alone are protected, and there is none: nothing would follow a failover."""
    for ours, chosen in told(view):
        if not whole(view) and not chosen:
            yield view.warning(
                f"no database of {called(view, SOURCE, ours.name)} is protected",
                where=view.place("failover.sql.databases"),
                why="a failover would move names and no data",
                remedy="make the databases first, or protect the whole instance: failover.sql.mode: instance",
            )


@check("sql-database-not-online", sets=("basic", "data"), passed="every protected database is online")
def not_online(view: View) -> Iterator[Finding]:
    """A database that does not start here starts nowhere: its files are the same on the target."""
    for ours, one in _each(view):
        if one.state not in {"ONLINE", ""}:
            yield view.error(
                f"{one.name} of {called(view, SOURCE, ours.name)} is {one.state}",
                where=f"{called(view, SOURCE, ours.name)}, sys.databases.state_desc",
                why="it can be neither detached nor opened on the target",
                remedy=NOT_ONLINE_REMEDY.get(one.state, "wait until it is ONLINE"),
            )


@check("sql-database-published", sets=("basic", "data"), passed="no protected database is published")
def published(view: View) -> Iterator[Finding]:
    """sp_detach_db refuses a published database; a whole instance moves with its publications, which name the server."""
    for ours, one in _each(view):
        if one.published:
            speak = view.warning if whole(view) else view.error
            yield speak(
                f"{one.name} of {called(view, SOURCE, ours.name)} is published for replication",
                where=f"{called(view, SOURCE, ours.name)}, sys.databases.is_published",
                why="subscribers and distributor know its server by name"
                if whole(view)
                else "a published database cannot be detached (error 3724), so a failback would end half-way",
                remedy="keep the server's name in a failover, and test the subscriptions afterwards"
                if whole(view)
                else f"EXEC sp_removedbreplication N'{one.name}', or {_leave_out(one)}",
            )


@check("sql-database-mirrored", sets=("basic", "data"), passed="no protected database is mirrored by SQL Server itself")
def mirrored(view: View) -> Iterator[Finding]:
    """What mirrors itself has another master already, and cannot be detached (error 3743)."""
    for ours, one in _each(view):
        if one.mirrored:
            yield view.error(
                f"{one.name} of {called(view, SOURCE, ours.name)} is mirrored",
                where=f"{called(view, SOURCE, ours.name)}, sys.database_mirroring",
                why="its partner may become the principal by itself: two masters, and it cannot be detached",
                remedy=f"ALTER DATABASE [{one.name}] SET PARTNER OFF, or {_leave_out(one)}",
            )


@check("sql-database-in-group", sets=("basic", "data"), passed="no protected database is of an availability group")
def in_group(view: View) -> Iterator[Finding]:
    """The group moves it already, and it cannot be detached while it belongs to it."""
    for ours, one in _each(view):
        if one.availability_group:
            yield view.error(
                f"{one.name} of {called(view, SOURCE, ours.name)} belongs to the availability group {one.availability_group}",
                where=f"{called(view, SOURCE, ours.name)}, sys.availability_databases_cluster",
                why="the group may make another replica its primary by itself, and a database of it cannot be detached",
                remedy=f"ALTER AVAILABILITY GROUP [{one.availability_group}] REMOVE DATABASE [{one.name}], or {_leave_out(one)}",
            )


@check("sql-database-snapshot", sets=("basic", "data"), passed="no protected database is a snapshot, or has one")
def snapshots(view: View) -> Iterator[Finding]:
    """A snapshot lives on its database's pages on the same instance; a database that has one cannot be detached (error 3709)."""
    for ours, chosen in told(view):
        of = {one.snapshot_of.lower(): one.name for one in ours.databases if one.snapshot_of}
        for one in chosen:
            held = one.name if one.snapshot_of else of.get(one.name.lower())
            if held is not None:
                speak = view.warning if whole(view) else view.error
                yield speak(
                    f"{held} is a snapshot of {one.snapshot_of or one.name}",
                    where=f"{called(view, SOURCE, ours.name)}, sys.databases.source_database_id",
                    why="a snapshot is not moved, and a database that has one can be neither detached nor replaced",
                    remedy=f"DROP DATABASE [{held}], when nobody needs it any more",
                )


@check("sql-database-compatibility", passed="the target knows every database's compatibility level")
def compatibility(view: View) -> Iterator[Finding]:
    """A level that the target no longer knows is raised when the database is attached, which may change how queries behave."""
    for ours, one in _each(view):
        theirs = instance_of(view, TARGET, ours.name)
        lowest = LOWEST.get(theirs.major) if theirs else None
        if lowest is not None and 0 < one.compatibility < lowest:
            yield view.warning(
                f"{one.name} has compatibility level {one.compatibility}; {called(view, TARGET, ours.name)} knows {lowest} and above",
                where=f"{called(view, SOURCE, ours.name)}, sys.databases.compatibility_level",
                why="it would be raised when the database is attached: queries may behave otherwise, and it stays so",
                remedy=f"test the application with level {lowest}, and set it: ALTER DATABASE [{one.name}] SET COMPATIBILITY_LEVEL = {lowest}",
            )


@check("sql-target-database-online", sets=("basic", "data"), passed="no protected database is attached on the target")
def online_at_target(view: View) -> Iterator[Finding]:
    """The guide: it must be offline or detached before it is protected; Fix detaches it. Its files stay where they are."""
    if whole(view):
        return
    others = {key for other in _others(view) for key, _ in _promised(other.takeover)}
    for ours, chosen in told(view):
        theirs = instance_of(view, TARGET, ours.name)
        there = {one.name.lower(): one for one in theirs.databases} if theirs else {}
        held = [there[one.name.lower()] for one in chosen if one.name.lower() in there]
        for one in held:
            if one.state == "OFFLINE":
                continue
            theirs_too = (ours.name.lower(), one.name.lower()) in others
            step = sql_mending.detach_databases(
                at(view, TARGET, ours.name),
                [{"name": one.name, "files": [file.path for file in one.files]}],
            )
            yield view.error(
                f"{one.name} is {one.state or 'attached'} on {called(view, TARGET, ours.name)}",
                where=f"{called(view, TARGET, ours.name)}, sys.databases",
                why="the instance holds its files, which replication is to write; a failover could not attach it",
                remedy=f"EXEC sp_detach_db N'{one.name}' on {called(view, TARGET, ours.name)}: its files stay",
                fix=() if theirs_too or one.system or _bound(one) else [step],
            )


def _bound(one: SqlDatabase) -> bool:
    """Whether the server would refuse to detach it."""
    return bool(one.published or one.mirrored or one.availability_group or one.snapshot_of or one.state == "SUSPECT")


@check(
    "sql-database-name-taken", sets=("basic", "data"), passed="no other protection wants a database of this name there"
)
def name_taken(view: View) -> Iterator[Finding]:
    """Many to one: one instance attaches one database of a name; the second source to fail over would be left without."""
    wanted: dict[tuple[str, str], OtherProtection] = {}
    for other in _others(view):
        wanted.update((key, other) for key, _ in _promised(other.takeover))
    for ours, one in _each(view):
        other_one = wanted.get((ours.name.lower(), one.name.lower()))
        if other_one is not None:
            yield view.error(
                f"{one.name} of {called(view, TARGET, ours.name)} is wanted by the protection {other_one.id} of {other_one.source}, too",
                where=view.place("failover.sql.databases"),
                why="an instance attaches one database of a name: the second server to fail over would be left without its own",
                remedy=f"rename one of both, or {_leave_out(one)}",
            )


def _others(view: View) -> Iterator[OtherProtection]:
    for one in view.inventory.target.parts or ():
        if one.id != view.protection.id and "sql" in one.takeover:
            yield one


def _promised(takeover: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], list[str]]]:
    """What a host was told to attach: (instance, database) in small letters, with the paths of its files there."""
    for instance in (takeover.get("sql") or {}).get("instances", ()):
        for one in instance.get("databases", ()):
            files = [str(file["target"]) for file in one.get("files", ())]
            yield (str(instance["name"]).lower(), str(one["name"]).lower()), files


def promised_files(view: View) -> Iterator[tuple[OtherProtection, str]]:
    """The files on the target that other protections are to attach."""
    for other in _others(view):
        for _, files in _promised(other.takeover):
            yield from ((other, path) for path in files)


@check("sql-changed-since", sets=("basic", "data"), passed="the target was told of every database as it is")
def changed_since(view: View) -> Iterator[Finding]:
    """The guide: a database that is added afterwards is not protected until protection is enabled anew. A failover asks the source nothing."""
    takeover = view.inventory.target.takeover or {}
    if "sql" not in takeover or whole(view):
        return
    before = {key for key, _ in _promised(takeover)}
    now = {(ours.name.lower(), one.name.lower()): one.name for ours, one in _each(view) if not one.snapshot_of}
    answered = {one.name.lower() for one in protected(view) if one.ours is not None}
    new = [shown for key, shown in now.items() if key not in before]
    gone = [database for instance, database in before if instance in answered and (instance, database) not in now]
    if new or gone:
        said = [*([f"{listed(sorted(new))} came"] if new else []), *([f"{listed(sorted(gone))} went"] if gone else [])]
        yield view.error(
            f"{' and '.join(said)} since {name(view, TARGET)} was told",
            where=name(view, SOURCE),
            why="a failover attaches what the target was told of, and asks the source nothing",
            remedy="tell the target anew: dtam enable",
        )


@check("sql-probe-database", sets=("basic", "failover"), passed="the probe asks a protected database")
def probe_database(view: View) -> Iterator[Finding]:
    """A probe of a database that does not move would call a good failover a failed one."""
    wanted = sql_of(view).probe.database
    asked = list(told(view))
    if wanted is None or not asked or wanted.lower() in {one.name.lower() for _, chosen in asked for one in chosen}:
        return
    yield view.error(
        f"the probe asks the database {wanted}, which is not protected",
        where=view.place("failover.sql.probe.database"),
        why="it would not be on the target, and a good failover would count as failed",
        remedy="name a protected database, or leave failover.sql.probe.database out",
    )


DATABASES = (
    missing,
    none_chosen,
    not_online,
    published,
    mirrored,
    in_group,
    snapshots,
    compatibility,
    online_at_target,
    name_taken,
    changed_since,
    probe_database,
)
