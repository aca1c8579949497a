"""Checks about log-ins: that those of the source are, or can be, on the target with the same numbers, and that databases' users find theirs."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.model.findings import Finding
from orchestrator.model.servers import Where
from orchestrator.model.sql import SqlInstance, SqlLogin
from orchestrator.sdk.checks import View, check
from orchestrator.sdk.steps import sql_mending
from plugins.sql.checks_view import (
    SOURCE,
    TARGET,
    at,
    called,
    compared,
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

STALE_ROUNDS = 3
"""So many rounds of gathering may be missed before kept log-ins count as too old."""


def carried(view: View, ours: SqlInstance) -> Iterator[SqlLogin]:
    """The log-ins that dtam carries to the target: all but those of the server itself, our own, and those that were left out."""
    logins = sql_of(view).logins
    theirs = instance_of(view, TARGET, ours.name)
    asking = [found.login for found in (ours, theirs) if found is not None]
    running = [one.account for one in ours.services]
    left = {one.lower() for one in (*logins.exclude, *asking, *running)}
    for one in ours.logins if logins.transfer else ():
        if not one.own_to(ours.machine) and one.name.lower() not in left:
            yield one


def _moves(view: View) -> Iterator[tuple[str, SqlInstance, SqlInstance]]:
    """Where log-ins are carried: databases alone are protected, and the source serves. A whole instance brings its own along."""
    if not whole(view) and view.serving is SOURCE:
        yield from compared(view)


@check("sql-logins-missing", sets=("basic", "failover"), passed="the target has the source's log-ins")
def logins_missing(view: View) -> Iterator[Finding]:
    """A failover makes those that are kept; made now, whoever looks sees whether they can be made at all."""
    for instance, ours, theirs in _moves(view):
        there = {one.name.lower() for one in theirs.logins}
        lacking = [one.name for one in carried(view, ours) if one.name.lower() not in there]
        if lacking:
            yield view.warning(
                f"{called(view, TARGET, instance)} has no log-in {listed(lacking)}",
                where=f"{called(view, TARGET, instance)}, sys.server_principals",
                why="their people come in only when a failover has made them, from what was kept",
                remedy="let dtam make them now (--fix), or leave them out: failover.sql.logins.exclude",
                fix=[sql_mending.copy_logins(at(view, TARGET, instance), lacking)],
            )


@check("sql-login-sid-differs", sets=("basic", "failover"), passed="log-ins have the same numbers on both servers")
def sid_differs(view: View) -> Iterator[Finding]:
    """Users of a database find their log-in by its number (SID), not by its name: with another one they are orphans."""
    for instance, ours, theirs in _moves(view):
        there = {one.name.lower(): one for one in theirs.logins}
        wrong = [
            one.name
            for one in carried(view, ours)
            if (other := there.get(one.name.lower())) is not None
            and (one.kind, other.kind) == ("sql", "sql")
            and one.sid.lower() != other.sid.lower()
        ]
        if wrong:
            yield view.error(
                f"{listed(wrong)} has another number on {called(view, TARGET, instance)} than on {called(view, SOURCE, instance)}",
                where=f"{called(view, TARGET, instance)}, sys.server_principals.sid",
                why="the users of the databases would belong to nobody there, and their people be refused",
                remedy=f"where nobody uses it there: DROP LOGIN [{wrong[0]}], then --fix makes it with the source's number",
            )


@check("sql-owner-missing", sets=("basic", "failover"), passed="every database's owner has a log-in on the target")
def owner_missing(view: View) -> Iterator[Finding]:
    """A database without an owner runs no code across databases, and some statements fail (error 15517)."""
    for ours, chosen in told(view):
        theirs = None if whole(view) else instance_of(view, TARGET, ours.name)
        if theirs is None:
            continue
        known = {one.sid.lower() for one in theirs.logins} | {one.sid.lower() for one in carried(view, ours)} | {"0x01"}
        for one in chosen:
            if one.owner_sid and one.owner_sid.lower() not in known:
                yield view.warning(
                    f"{one.owner or one.owner_sid}, who owns {one.name}, has no log-in on {called(view, TARGET, ours.name)} and gets none",
                    where=f"{called(view, SOURCE, ours.name)}, sys.databases.owner_sid",
                    why="the database would belong to whoever attaches it, and impersonation in it fail (error 15517)",
                    remedy=f"give it an owner that both know: ALTER AUTHORIZATION ON DATABASE::[{one.name}] TO [sa]",
                )


@check("sql-orphaned-users", sets=("basic", "data"), passed="every user of the protected databases has a log-in")
def orphans(view: View) -> Iterator[Finding]:
    """A user whose log-in is gone on the source has none on the target either."""
    for ours, chosen in told(view):
        for one in chosen:
            if one.orphans:
                yield view.warning(
                    f"users of {one.name} without a log-in: {listed(list(one.orphans))}",
                    where=f"{called(view, SOURCE, ours.name)}, {one.name}.sys.database_principals",
                    why="their people are refused already, and will be on the target",
                    remedy=f"in {one.name}: ALTER USER [{one.orphans[0]}] WITH LOGIN = [{one.orphans[0]}], or DROP USER",
                )


@check("sql-login-of-machine", sets=("basic", "failover"), passed="no log-in belongs to the source's machine alone")
def of_machine(view: View) -> Iterator[Finding]:
    r"""``machine\user`` is known on that machine only: nobody can log in as it elsewhere, whatever its number."""
    for one in protected(view):
        ours = one.ours if view.serving is SOURCE else None
        prefix = f"{ours.machine.lower()}\\" if ours and ours.machine else ""
        local = [each.name for each in ours.logins if each.name.lower().startswith(prefix)] if ours and prefix else []
        if local:
            yield view.warning(
                f"{listed(local)} belongs to the machine {ours.machine if ours else ''} alone",
                where=f"{called(view, SOURCE, one.name)}, sys.server_principals",
                why="on the target that account does not exist: its people would be shut out",
                remedy="give the right to an account or a group of the domain instead",
            )


@check("sql-logins-not-kept", sets=("basic", "failover"), passed="the target keeps the log-ins, and they are fresh")
def not_kept(view: View) -> Iterator[Finding]:
    """A failover reads nothing from the source: it makes the log-ins that were gathered while the source was alive.

    A target with an engine gathered them when it was enabled; it tells a time from its first round on.
    """
    logins, side = sql_of(view).logins, side_of(view, TARGET)
    if whole(view) or not logins.transfer or side is None or not protects_already(view) or view.serving is TARGET:
        return
    for one in protected(view):
        kept_at_s = side.kept_at_s.get(one.name)
        if kept_at_s is None and view.inventory.target.engine is not None:
            continue
        if kept_at_s is None:
            yield view.error(
                f"{name(view, TARGET)} keeps no log-ins of {called(view, SOURCE, one.name)}",
                where=name(view, TARGET),
                why="after a failover nobody but its own could log in there",
                remedy="gather them: dtam enable",
            )
        elif view.now_s - kept_at_s > STALE_ROUNDS * logins.refresh_interval_s:
            yield view.warning(
                f"the log-ins that {name(view, TARGET)} keeps are {(view.now_s - kept_at_s) / 3600:.0f} h old",
                where=view.place("failover.sql.logins.refresh_interval_s"),
                why="passwords and log-ins that were changed since would be the old ones after a failover",
                remedy="let dtam serve run, which gathers them, or gather them now: dtam enable",
            )


@check("sql-target-login", sets=("basic", "failover"), passed="the target's own script can log in")
def target_login(view: View) -> Iterator[Finding]:
    """The target acts by itself when nobody else is alive: for that it needs a log-in of its own, in a file there."""
    login = sql_of(view).login
    if view.on_windows:
        return
    wanted = [
        ("failover.sql.login.target_password_file", login.target_password_file),
        ("failover.sql.login.target_keytab_file", login.target_keytab_file),
    ]
    given = [(setting, path) for setting, path in wanted if path is not None]
    if not given and view.settings.failover.directory is None:
        yield view.error(
            f"{name(view, TARGET)} has no log-in of its own for SQL Server",
            where=view.place("failover.sql.login"),
            why="its script could neither see whether the instance is ready nor attach databases, with nobody else alive",
            remedy="give failover.sql.login.target_user and target_password_file, or target_principal and target_keytab_file",
        )
    for setting, path in given:
        facts = view.inventory.on(Where.TARGET).path(path)
        if facts is not None and not facts.exists:
            yield view.error(
                f"{path} is not on {name(view, TARGET)}",
                where=view.place(setting),
                why="its script could not log in, with nobody else alive",
                remedy=f"put it there, mode 0600, owned by root: {path}",
            )


LOGINS = (
    logins_missing,
    sid_differs,
    owner_missing,
    orphans,
    of_machine,
    not_kept,
    target_login,
)
