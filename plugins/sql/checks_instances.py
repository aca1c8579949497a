"""Checks about the instances themselves: that they answer, are of one kind, and let dtam in."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.model.findings import Finding
from orchestrator.model.servers import Where
from orchestrator.model.sql import SqlInstance
from orchestrator.sdk.checks import View, check
from orchestrator.sdk.steps import sql_mending
from plugins.sql.checks_view import (
    SIDES,
    SOURCE,
    TARGET,
    answering,
    at,
    called,
    compared,
    databases,
    engine_of,
    instance_of,
    listed,
    name,
    protected,
    protects_already,
    side_of,
    sql_of,
    told,
    whole,
)

EXPRESS = 4
ENTERPRISE = 3
EXPRESS_LIMIT_BYTES = 10 * 1024**3
FREE_SINCE = (13, 0, 4001)
"""2016 SP1, with which all editions understand what only Enterprise did before, but for transparent encryption."""
TDE_FREE_SINCE = (15,)
DEARER = frozenset({"Compression", "Partitioning", "ColumnStoreIndex", "InMemoryOLTP", "ChangeCapture"})
TDE = "TransparentDataEncryption"


@check("sql-instance-silent", passed="every protected instance answers")
def silent(view: View) -> Iterator[Finding]:
    """Nothing can be said about a silent instance. One that is stopped on the target, as it is to be, is no fault."""
    for where, one in _silent(view):
        if not _stopped_there(view, where, one.name):
            yield view.error(
                f"{called(view, where, one.name)} does not answer: {one.silence}",
                where=f"{name(view, where)}, {view.place('failover.sql.instances')}",
                why="what nobody can ask can be neither compared nor protected",
                remedy=one.hint or f"dtam --sql discover --test {called(view, where, one.name)}",
            )


@check("sql-not-compared", passed="the instances of both servers were compared")
def not_compared(view: View) -> Iterator[Finding]:
    """While a whole instance is protected its twin is stopped; before that it should be asked once."""
    for where, one in _silent(view):
        if _stopped_there(view, where, one.name) and not protects_already(view):
            yield view.warning(
                f"{called(view, where, one.name)} is stopped, and was not compared with {called(view, where.other, one.name)}",
                where=name(view, where),
                why="versions, paths and options that differ would show themselves in a failover only",
                remedy="start it, validate, and let --fix stop it again",
            )


def _silent(view: View) -> Iterator[tuple[Where, SqlInstance]]:
    for where in SIDES:
        side = side_of(view, where)
        yield from ((where, one) for one in (side.instances if side else ()) if one.silence)


def _stopped_there(view: View, where: Where, instance: str) -> bool:
    """Whether the engine of an instance is stopped on the side that does not serve, where whole instances are protected."""
    if not whole(view) or where is view.serving:
        return False
    engine = engine_of(view, instance)
    facts = view.inventory.on(where).service(engine.name) if engine else None
    return facts is not None and facts.state == "stopped"


@check("sql-facts-missing", passed="the instances tell all that was asked of them")
def facts_missing(view: View) -> Iterator[Finding]:
    """What could not be asked is unknown, not well."""
    for where in SIDES:
        side = side_of(view, where)
        said = [problem for one in side.instances for problem in one.problems] if side else []
        for problem in [*(side.problems if side else ()), *said]:
            yield view.warning(
                f"{name(view, where)} could not say everything: {problem}",
                where=name(view, where),
                why="checks that need it see nothing wrong because they see nothing",
                remedy="give dtam's log-in the role sysadmin there, and look again",
            )


@check("sql-instance-names", passed="every protected instance is there under its name on both servers")
def names(view: View) -> Iterator[Finding]:
    """The guide: both servers must have instances with exactly the same names."""
    for one in protected(view):
        for where in SIDES:
            side, found = side_of(view, where), one.on(where)
            known = [entry.instance for entry in side.browser.entries] if side else []
            absent = found is None and known and one.name.lower() not in {each.lower() for each in known}
            other = found is not None and found.name.lower() != one.name.lower()
            if absent or other:
                has = found.name if found is not None else listed(sorted(known))
                yield view.error(
                    f"{name(view, where)} has no instance {one.name}, but {has}",
                    where=view.place("failover.sql.instances"),
                    why="clients ask for an instance by its name: it must have the same one on both servers",
                    remedy=f"install an instance of that name on {name(view, where)}, or name one that both have",
                )


@check("sql-builds-differ", passed="both instances have the same build")
def builds_differ(view: View) -> Iterator[Finding]:
    """The guide: the same version and service pack on both. System databases of a newer build do not start on an older one."""
    for instance, ours, theirs in compared(view):
        if ours.release[:2] != theirs.release[:2] or ours.release == theirs.release:
            continue
        older = theirs.release < ours.release
        speak = view.error if older and whole(view) else view.warning
        yield speak(
            f"{called(view, TARGET, instance)} has build {theirs.version}, {called(view, SOURCE, instance)} {ours.version}",
            where=f"{called(view, TARGET, instance)}, SERVERPROPERTY('ProductVersion')",
            why="an older build may refuse the system databases of a newer one"
            if older
            else "the target upgrades what it opens, at the very moment of a failover, and the way back may be refused",
            remedy=f"install the same cumulative update on {name(view, TARGET if older else SOURCE)}",
        )


@check("sql-edition-differs", passed="both instances are of one edition")
def edition_differs(view: View) -> Iterator[Finding]:
    """A smaller edition has less memory, fewer cores and no Agent in Express: slower, or lame, after a failover."""
    for instance, ours, theirs in compared(view):
        if ours.edition and theirs.edition and ours.edition != theirs.edition:
            yield view.warning(
                f"{called(view, TARGET, instance)} is {theirs.edition}, {called(view, SOURCE, instance)} {ours.edition}",
                where=f"{called(view, TARGET, instance)}, SERVERPROPERTY('Edition')",
                why="limits of memory, cores and features differ: what works here may be slow or refused there",
                remedy="install the same edition on both",
            )


@check("sql-edition-features", sets=("basic", "data"), passed="the target's edition can open every protected database")
def edition_features(view: View) -> Iterator[Finding]:
    """A database that uses what the edition lacks does not start there (sys.dm_db_persisted_sku_features)."""
    for ours, chosen in told(view):
        theirs = instance_of(view, TARGET, ours.name)
        for one in chosen if theirs is not None else ():
            lacking = [feature for feature in one.features or () if theirs is not None and not _can(theirs, feature)]
            if lacking:
                yield view.error(
                    f"{one.name} uses {', '.join(lacking)}, which {theirs.edition if theirs else ''} of {called(view, TARGET, ours.name)} does not have",
                    where=f"{called(view, SOURCE, ours.name)}, {one.name}.sys.dm_db_persisted_sku_features",
                    why="the database would not start on the target",
                    remedy="install Enterprise on the target, or take the feature out of the database",
                )


@check("sql-express-too-small", sets=("basic", "data"), passed="no database is larger than the target's edition allows")
def express_small(view: View) -> Iterator[Finding]:
    """Express opens databases of 10 GB of data at most."""
    for ours, chosen in told(view):
        theirs = instance_of(view, TARGET, ours.name)
        if theirs is None or theirs.engine_edition != EXPRESS:
            continue
        for one in chosen:
            held = sum(file.bytes for file in one.files if file.kind == "rows")
            if held > EXPRESS_LIMIT_BYTES:
                yield view.error(
                    f"{one.name} holds {held / 1024**3:.1f} GB, and {called(view, TARGET, ours.name)} is Express",
                    where=f"{called(view, SOURCE, ours.name)}, sys.master_files",
                    why="Express refuses databases of more than 10 GB of data",
                    remedy="install Standard or Enterprise on the target",
                )


def _can(theirs: SqlInstance, feature: str) -> bool:
    if theirs.engine_edition == ENTERPRISE:
        return True
    if feature == TDE:
        return theirs.release >= TDE_FREE_SINCE and theirs.engine_edition != EXPRESS
    return feature not in DEARER or theirs.release >= FREE_SINCE


@check("sql-collation-differs", passed="both instances have the same collation")
def collation_differs(view: View) -> Iterator[Finding]:
    """Tempdb and names of log-ins, variables and databases follow the instance's collation."""
    for instance, ours, theirs in compared(view):
        if ours.collation and theirs.collation and ours.collation != theirs.collation:
            yield view.warning(
                f"the collation of {called(view, TARGET, instance)} is {theirs.collation}, that of {called(view, SOURCE, instance)} {ours.collation}",
                where=f"{called(view, TARGET, instance)}, SERVERPROPERTY('Collation')",
                why="comparisons with temporary tables fail (error 468), and names may differ by case",
                remedy=f"rebuild the target's system databases with {ours.collation} (setup /ACTION=REBUILDDATABASE)",
            )


@check("sql-login-mode", sets=("basic", "failover"), passed="the target lets the same kinds of log-ins in")
def login_mode(view: View) -> Iterator[Finding]:
    """Log-ins of SQL Server are refused where Windows' alone are let in (error 18456)."""
    for instance, ours, theirs in compared(view):
        if theirs.integrated_only and not ours.integrated_only:
            yield view.error(
                f"{called(view, TARGET, instance)} lets Windows log-ins in only, {called(view, SOURCE, instance)} those of SQL Server, too",
                where=f"{called(view, TARGET, instance)}, SERVERPROPERTY('IsIntegratedSecurityOnly')",
                why="clients with a log-in of SQL Server would be refused after a failover",
                remedy="allow both in the server's properties (Security), and restart the instance",
                fix=[sql_mending.allow_sql_logins(at(view, TARGET, instance))],
            )


@check("sql-not-sysadmin", passed="dtam's log-in is sysadmin on both sides")
def not_sysadmin(view: View) -> Iterator[Finding]:
    """The guide wants the role on source and target: attaching, log-ins and options are refused without it."""
    for _, here, found in answering(view):
        if not found.sysadmin:
            yield view.error(
                f"{found.login or 'the log-in'} is not sysadmin of {here}",
                where=f"{here}, IS_SRVROLEMEMBER('sysadmin')",
                why="databases cannot be attached, detached or given their log-ins without it",
                remedy=f"on {here}: ALTER SERVER ROLE [sysadmin] ADD MEMBER [{found.login}]",
            )


@check("sql-server-name", sets=("basic", "names"), passed="every instance knows its own name")
def server_name(view: View) -> Iterator[Finding]:
    """@@SERVERNAME is kept when a machine is renamed; replication, mirroring and maintenance plans go by it."""
    for where, here, found in answering(view):
        moved = whole(view) and where is TARGET and view.serving is TARGET
        if found.server_name and found.machine and found.server_name.lower() != found.full_name.lower() and not moved:
            yield view.warning(
                f"@@SERVERNAME of {here} is {found.server_name}, its machine says {found.full_name}",
                where=f"{here}, @@SERVERNAME",
                why="jobs, replication and maintenance plans that ask for their server's name act under a wrong one",
                remedy=f"EXEC sp_dropserver N'{found.server_name}'; EXEC sp_addserver N'{found.full_name}', N'local'; restart it",
            )


@check("sql-availability-groups", passed="no availability group works against a failover")
def availability(view: View) -> Iterator[Finding]:
    """What fails over by itself must not be moved by another hand, too."""
    for _, here, found in answering(view):
        if found.hadr:
            groups = sorted({one.availability_group for one in databases(view, found) if one.availability_group})
            yield view.warning(
                f"availability groups are switched on for {here}" + (f": {listed(groups)}" if groups else ""),
                where=f"{here}, SERVERPROPERTY('IsHadrEnabled')",
                why="a database of a group can be neither detached nor replicated by its files",
                remedy="leave databases of groups to their group, and protect others: failover.sql.databases",
            )


@check("sql-login-unencrypted", sets=("basic", "names"), passed="dtam's connections to both instances are encrypted")
def unencrypted(view: View) -> Iterator[Finding]:
    """A password that goes over the line in the clear is anybody's."""
    for _, here, found in answering(view):
        if not found.encrypted:
            yield view.warning(
                f"the connection to {here} is not encrypted",
                where=view.place("failover.sql.login.encrypt"),
                why="the password of the log-in can be read on its way",
                remedy="failover.sql.login.encrypt: true, with ca_file for the server's certificate",
            )


@check("sql-login-ntlm", sets=("strict", "names"), passed="integrated log-ins go by Kerberos")
def ntlm(view: View) -> Iterator[Finding]:
    """NTLM where Kerberos was meant: a service name is missing, or is on a wrong account."""
    for _, here, found in answering(view):
        if sql_of(view).login.integrated and found.auth_scheme.upper() == "NTLM":
            yield view.warning(
                f"{found.login} was let into {here} by NTLM",
                where=f"{here}, sys.dm_exec_connections.auth_scheme",
                why="a service name is missing or on a wrong account, and a policy may forbid NTLM tomorrow",
                remedy=f"give the account of its service MSSQLSvc/{name(view, SOURCE)}...: setspn -S",
            )


INSTANCES = (
    silent,
    not_compared,
    facts_missing,
    names,
    builds_differ,
    edition_differs,
    edition_features,
    express_small,
    collation_differs,
    login_mode,
    not_sysadmin,
    server_name,
    availability,
    unencrypted,
    ntlm,
)
