"""Checks about what stands beside databases on a server: jobs, linked servers, options, credentials, messages. A failover moves none of it."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.model.findings import Finding
from orchestrator.model.sql import SqlInstance
from orchestrator.sdk.checks import View, check
from orchestrator.sdk.steps import sql_mending
from plugins.sql.checks_view import SOURCE, TARGET, answering, at, called, compared, instance_of, listed, told, whole

CONTAINED = "contained database authentication"
SAFE = ("clr enabled", "Agent XPs", "Database Mail XPs")
"""Options that only let in what the source's databases do already; dtam sets them on the target on request."""
OPEN = (
    "xp_cmdshell",
    "Ole Automation Procedures",
    "clr strict security",
    "cross db ownership chaining",
    "Ad Hoc Distributed Queries",
)
"""Options that open a door: told, and left to a person."""


def _moves(view: View) -> Iterator[tuple[str, SqlInstance, SqlInstance]]:
    """Where databases leave their server behind; a whole instance brings all of this along."""
    if not whole(view) and view.serving is SOURCE:
        yield from compared(view)


@check("sql-agent-jobs", sets=("basic", "failover"), passed="no job of the Agent is left behind")
def jobs(view: View) -> Iterator[Finding]:
    """Backups, index maintenance and imports are jobs of msdb: the guide leaves the Job Server to the administrator."""
    for instance, ours, theirs in _moves(view):
        there = {one.name.lower() for one in theirs.jobs}
        lacking = [one.name for one in ours.jobs if one.enabled and one.name.lower() not in there]
        if lacking:
            yield view.warning(
                f"{called(view, TARGET, instance)} has no job {listed(lacking)}",
                where=f"{called(view, TARGET, instance)}, msdb.dbo.sysjobs",
                why="what these jobs do (backups, maintenance, imports) would not be done after a failover",
                remedy="script them on the source and make them on the target, disabled; or protect the whole instance",
            )


@check("sql-job-of-another-server", sets=("strict", "failover"), passed="every job was made under its server's name")
def foreign_jobs(view: View) -> Iterator[Finding]:
    """A job of another originating server is read-only (error 14274): it came with a renamed or a restored msdb."""
    for ours, _ in told(view):
        own = {ours.server_name.lower(), ours.full_name.lower(), ""}
        strange = [one.name for one in ours.jobs if one.originating_server.lower() not in own]
        if strange:
            yield view.warning(
                f"{listed(strange)} of {called(view, SOURCE, ours.name)} came from another server",
                where=f"{called(view, SOURCE, ours.name)}, msdb.dbo.sysjobs.originating_server",
                why="it can be neither changed nor removed there (error 14274), and runs under an old name",
                remedy="script it, remove it and make it anew on its server",
            )


@check(
    "sql-linked-servers",
    sets=("basic", "failover"),
    passed="no linked server is left behind, or leads back to the source",
)
def linked(view: View) -> Iterator[Finding]:
    """Queries across servers go by linked servers, which belong to the instance and name their end by name."""
    for instance, ours, theirs in _moves(view):
        there = {one.name.lower() for one in theirs.linked}
        lacking = [one.name for one in ours.linked if one.name.lower() not in there]
        if lacking:
            yield view.warning(
                f"{called(view, TARGET, instance)} has no linked server {listed(lacking)}",
                where=f"{called(view, TARGET, instance)}, sys.servers",
                why="queries that use it would fail after a failover (error 7202)",
                remedy="script it on the source (EXEC sp_addlinkedserver ...), and make it on the target with its log-ins",
            )
    for ours, _ in told(view):
        own = {
            ours.machine.lower(),
            ours.full_name.lower(),
            str(view.inventory.source.name).lower(),
            view.settings.name.lower(),
        }
        looped = [one.name for one in ours.linked if one.data_source.lower() in own]
        if looped:
            yield view.warning(
                f"the linked server {listed(looped)} of {called(view, SOURCE, ours.name)} leads to itself",
                where=f"{called(view, SOURCE, ours.name)}, sys.servers.data_source",
                why="after a failover the name may lead elsewhere, or to the same server once more",
                remedy="let it name what it means: the clients' name if it is to follow a failover",
            )


@check("sql-linked-by-address", sets=("basic", "names"), passed="no linked server names the source by its address")
def by_address(view: View) -> Iterator[Finding]:
    """A failover leads names to the target; who asks an address goes on asking the dead server (AM-37)."""
    addresses = {one.lower() for one in view.protection.pair.source.addresses}
    for _, here, found in answering(view):
        fast = [one.name for one in found.linked if _host(one.data_source) in addresses]
        if fast:
            yield view.warning(
                f"the linked server {listed(fast)} of {here} names {view.inventory.source.name} by its address",
                where=f"{here}, sys.servers.data_source",
                why="an address does not follow a failover: its queries would go on asking the dead server",
                remedy=f"let it name {view.settings.name} instead: EXEC sp_setnetname, or drop it and add it anew",
            )


def _host(data_source: str) -> str:
    r"""The host in ``tcp:10.0.0.1\SALES,1433``."""
    return data_source.lower().removeprefix("tcp:").partition(",")[0].partition("\\")[0].strip()


@check("sql-credentials", sets=("basic", "failover"), passed="no credential is left behind")
def credentials(view: View) -> Iterator[Finding]:
    """Credentials are secrets of the instance; nobody can read them out, so nobody can carry them."""
    for instance, ours, theirs in _moves(view):
        there = {one.lower() for one in theirs.credentials}
        lacking = [one for one in ours.credentials if one.lower() not in there]
        if lacking:
            yield view.warning(
                f"{called(view, TARGET, instance)} has no credential {listed(lacking)}",
                where=f"{called(view, TARGET, instance)}, sys.credentials",
                why="backups to other places, and proxies of the Agent, need it",
                remedy="make it there with its secret: CREATE CREDENTIAL [...] WITH IDENTITY = ..., SECRET = ...",
            )


@check("sql-own-messages", sets=("strict", "failover"), passed="no message of the application is left behind")
def messages(view: View) -> Iterator[Finding]:
    """Messages from 50001 on belong to the instance; RAISERROR with an unknown number fails (error 18054)."""
    for instance, ours, theirs in _moves(view):
        if ours.own_messages > theirs.own_messages:
            yield view.warning(
                f"{called(view, SOURCE, instance)} has {ours.own_messages} messages of its own, {called(view, TARGET, instance)} {theirs.own_messages}",
                where=f"{called(view, TARGET, instance)}, sys.messages",
                why="procedures that raise them would fail with another error (18054)",
                remedy="make them there: EXEC sp_addmessage ...",
            )


@check(
    "sql-options-differ", sets=("basic", "failover"), passed="both instances have the options that databases rely on"
)
def options(view: View) -> Iterator[Finding]:
    """What is off on the target fails only when somebody uses it. Those that merely let in what is there already are set on request."""
    for instance, ours, theirs in _moves(view):
        differing = {option: value for option in SAFE if (value := _wanted(ours, theirs, option)) is not None}
        if differing:
            yield view.warning(
                f"{listed(list(differing))} is on for {called(view, SOURCE, instance)} and off for {called(view, TARGET, instance)}",
                where=f"{called(view, TARGET, instance)}, sys.configurations",
                why="what databases do by it would fail after a failover",
                remedy=f"on the target: EXEC sp_configure '{next(iter(differing))}', 1; RECONFIGURE",
                fix=[sql_mending.set_options(at(view, TARGET, instance), differing)],
            )


@check(
    "sql-options-open-doors",
    sets=("basic", "failover"),
    passed="no option that opens a door is on for the source alone",
)
def doors(view: View) -> Iterator[Finding]:
    """xp_cmdshell and its like: the application may need them, an attacker would like them; a person decides."""
    for instance, ours, theirs in _moves(view):
        differing = [option for option in OPEN if _wanted(ours, theirs, option) is not None]
        if differing:
            yield view.warning(
                f"{listed(differing)} is on for {called(view, SOURCE, instance)} and off for {called(view, TARGET, instance)}",
                where=f"{called(view, TARGET, instance)}, sys.configurations",
                why="procedures that use it would fail after a failover; it also opens a door, so dtam leaves it as it is",
                remedy=f"if the application needs it, on the target: EXEC sp_configure '{differing[0]}', 1; RECONFIGURE",
            )


def _wanted(ours: SqlInstance, theirs: SqlInstance, option: str) -> int | None:
    """The source's value of an option that the target has switched off."""
    mine, other = ours.configuration(option), theirs.configuration(option)
    if mine is None or other is None or not mine.in_use or other.value:
        return None
    return mine.in_use


@check(
    "sql-contained-users",
    sets=("basic", "failover"),
    passed="users that a database contains itself are let in on the target",
)
def contained(view: View) -> Iterator[Finding]:
    """A contained database cannot be attached where its kind of users is not let in (error 12824)."""
    for ours, chosen in told(view):
        theirs = None if whole(view) else instance_of(view, TARGET, ours.name)
        option = theirs.configuration(CONTAINED) if theirs else None
        having = [one.name for one in chosen if one.containment not in {"", "NONE"}]
        if having and option is not None and not option.value:
            yield view.error(
                f"{listed(having)} contains its own users, which {called(view, TARGET, ours.name)} does not let in",
                where=f"{called(view, TARGET, ours.name)}, sp_configure '{CONTAINED}'",
                why="the database could not be attached there (error 12824)",
                remedy=f"on the target: EXEC sp_configure '{CONTAINED}', 1; RECONFIGURE",
                fix=[sql_mending.set_options(at(view, TARGET, ours.name), {CONTAINED: 1})],
            )


OBJECTS = (jobs, foreign_jobs, linked, by_address, credentials, messages, options, doors, contained)
