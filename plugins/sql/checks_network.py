"""Checks about the way of clients to the instances: protocols, ports, SQL Browser, the firewall, service names."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.model.findings import Finding
from orchestrator.model.servers import Where
from orchestrator.model.sql import DEFAULT_PORT, SqlInstance, is_default
from orchestrator.sdk import steps
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
    instance_of,
    name,
    protected,
    side_of,
)
from plugins.sql.told import engine_account

BROWSER = 1434
CLASS = "mssqlsvc/"


@check("sql-tcp-disabled", sets=("basic", "failover"), passed="TCP is switched on for every protected instance")
def tcp(view: View) -> Iterator[Finding]:
    """Express is installed without it: the guide wants it added to the protocols."""
    for where, here, found in answering(view):
        if found.protocols and "tcp" not in found.protocols:
            yield view.error(
                f"TCP is switched off for {here}",
                where=f"{here}, sys.dm_server_registry, SuperSocketNetLib\\Tcp",
                why="clients on other machines could not reach it after its next start",
                remedy="enable TCP/IP in SQL Server Configuration Manager, and restart the instance",
                fix=[sql_mending.enable_protocol(at(view, where, found.name), "tcp")],
            )


@check("sql-pipes-disabled", sets=("strict", "failover"), passed="named pipes are on wherever the source has them")
def pipes(view: View) -> Iterator[Finding]:
    """The guide wants named pipes beside TCP. Clients that come by them would be refused where they are off."""
    for instance, ours, theirs in compared(view):
        if "np" in ours.protocols and theirs.protocols and "np" not in theirs.protocols:
            yield view.warning(
                f"named pipes are on for {called(view, SOURCE, instance)} and off for {called(view, TARGET, instance)}",
                where=f"{called(view, TARGET, instance)}, sys.dm_server_registry, SuperSocketNetLib\\Np",
                why="clients that come by a pipe would be refused after a failover",
                remedy="enable Named Pipes in SQL Server Configuration Manager on the target, and restart the instance",
                fix=[sql_mending.enable_protocol(at(view, TARGET, instance), "np")],
            )


@check("sql-port-differs", sets=("basic", "names"), passed="both instances listen on the same port")
def port_differs(view: View) -> Iterator[Finding]:
    """Nobody asks SQL Browser for the default instance. For a named one clients ask it, unless their connection string has the port."""
    for instance, ours, theirs in compared(view):
        if ours.port and theirs.port and ours.port != theirs.port and not (ours.port_dynamic or theirs.port_dynamic):
            speak = view.error if is_default(instance) or not view.on_windows else view.warning
            yield speak(
                f"{called(view, TARGET, instance)} listens on port {theirs.port}, {called(view, SOURCE, instance)} on {ours.port}",
                where=f"{called(view, TARGET, instance)}, sys.dm_exec_connections.local_tcp_port",
                why="clients go on asking the port that they know"
                if is_default(instance)
                else "clients whose connection string has the port would not find it; those that ask SQL Browser do",
                remedy=f"give the target port {ours.port}: SQL Server Configuration Manager, or mssql-conf set network.tcpport {ours.port}",
            )


@check("sql-port-dynamic", sets=("strict", "names"), passed="no instance chooses its port anew at each start")
def port_dynamic(view: View) -> Iterator[Finding]:
    """Service names have the port in them, and so have firewalls."""
    for _, here, found in answering(view):
        if found.port_dynamic:
            yield view.warning(
                f"{here} chooses its port at each start (now {found.port})",
                where=f"{here}, SuperSocketNetLib\\Tcp\\IPAll TcpDynamicPorts",
                why="a firewall's rule and the service name MSSQLSvc/...:port fit until the next start only",
                remedy=f"give it a port of its own: TcpPort {found.port or DEFAULT_PORT}, TcpDynamicPorts empty",
            )


@check("sql-browser-silent", sets=("basic", "names"), passed="SQL Browser answers where named instances are protected")
def browser(view: View) -> Iterator[Finding]:
    """Clients ask it for the port of a named instance, at the address that the name leads to."""
    named = [one.name for one in protected(view) if not is_default(one.name)]
    for where in SIDES if named and view.on_windows else ():
        side = side_of(view, where)
        if side is not None and side.browser.silence:
            yield view.error(
                f"SQL Browser of {name(view, where)} does not answer: {side.browser.silence}",
                where=f"{name(view, where)}, UDP {BROWSER}",
                why=f"clients that ask for {named[0]} by its name would not find its port",
                remedy=f"Set-Service -Name SQLBrowser -StartupType Automatic; Start-Service SQLBrowser on {name(view, where)}; open UDP {BROWSER}",
            )


@check(
    "sql-firewall-closed", sets=("basic", "failover"), passed="clients may reach the instances through the firewalls"
)
def firewall(view: View) -> Iterator[Finding]:
    """A closed port is a failover that nobody can use: the engine's, and SQL Browser's for a named instance."""
    for where in SIDES:
        found = view.inventory.on(where).windows
        for one in found.firewall_ports if found and not view.inventory.on(where).unreachable else ():
            if not one.open and (one.protocol, one.port) in set(ports_of(view, where)):
                blocked = ": a rule forbids it" if one.blocked else ""
                yield view.error(
                    f"the firewall of {name(view, where)} lets nobody in at {one.protocol} {one.port}{blocked}",
                    where=f"{name(view, where)}, Get-NetFirewallPortFilter",
                    why="clients could not reach the instance there",
                    remedy=f"New-NetFirewallRule -DisplayName 'SQL Server' -Direction Inbound -Protocol {one.protocol.upper()} -LocalPort {one.port} -Action Allow",
                    fix=[] if one.blocked else [steps.open_port(where, name(view, where), one.protocol, one.port)],
                )


def ports_of(view: View, where: Where) -> Iterator[tuple[str, int]]:
    """(protocol, port) that clients come by on a side."""
    for one in protected(view):
        found = one.on(where)
        port = found.port if found is not None else one.settings.port(where)
        if port is not None:
            yield "tcp", port
        if not is_default(one.name):
            yield "udp", BROWSER


@check("sql-spn-duplicate", sets=("basic", "names"), passed="no service name of SQL Server has two owners")
def spn_duplicate(view: View) -> Iterator[Finding]:
    """For a name with two owners the domain gives no tickets, or such that nobody can read."""
    for spn, accounts in _spns(view):
        if len({one.lower() for one in accounts}) > 1:
            yield view.error(
                f"{spn} is held by {' and '.join(accounts)}",
                where=f"{view.inventory.domain.controller}, servicePrincipalName",
                why="clients are let in by NTLM or not at all, and the name cannot move",
                remedy=f"take it from the account that does not run the service: setspn -D {spn} {accounts[-1].rstrip('$')}",
            )


@check("sql-spn-owner", sets=("basic", "names"), passed="service names are on the accounts that run the instances")
def spn_owner(view: View) -> Iterator[Finding]:
    """On a wrong account is worse than missing: clients get tickets that the service cannot read. One domain account on both: nothing moves."""
    serves = view.serving
    account = view.inventory.domain.target if serves is TARGET else view.inventory.domain.source
    for spn, accounts in _spns(view):
        running = _runs(view, serves, spn)
        right = {_short(running)} if running else set()
        if account is not None:
            right.add(account.name.lower())
        if len(accounts) == 1 and right and _short(accounts[0]) not in right:
            yield view.error(
                f"{spn} is on {accounts[0]}, and {called(view, serves, _instance(spn))} runs as {running or 'another account'}",
                where=f"{view.inventory.domain.controller}, servicePrincipalName",
                why="clients get tickets that the service cannot read: they are refused, without a way back to NTLM",
                remedy=f"setspn -D {spn} {accounts[0].rstrip('$')}; setspn -S {spn} {(running or 'the account of the service').rpartition(chr(92))[2]}",
            )


@check("sql-spn-missing", sets=("strict", "names"), passed="every protected instance has its service names")
def spn_missing(view: View) -> Iterator[Finding]:
    """Without it clients come in by NTLM, if they may."""
    source = name(view, SOURCE).lower()
    for spn, accounts in _spns(view):
        if not accounts and spn[len(CLASS) :].lower().startswith(source):
            yield view.warning(
                f"nobody holds {spn}",
                where=f"{view.inventory.domain.controller}, servicePrincipalName",
                why="clients log in by NTLM there, and delegation does not work",
                remedy=f"setspn -S {spn} and the account of the service; it registers them itself when it may",
            )


def _spns(view: View) -> Iterator[tuple[str, tuple[str, ...]]]:
    for spn, accounts in view.inventory.domain.holders:
        if spn.lower().startswith(CLASS):
            yield spn, accounts


def _instance(spn: str) -> str:
    """The instance that a service name speaks of, as far as it says it."""
    after = spn.partition(":")[2]
    return "MSSQLSERVER" if not after or after.isdigit() else after


def _runs(view: View, where: Where, spn: str) -> str:
    """The account that runs the instance of a service name: by the instance's name, or its port."""
    after = spn.partition(":")[2]
    for one in protected(view):
        found = instance_of(view, where, one.name)
        if found is not None and _speaks_of(found, after):
            return engine_account(found)
    return ""


def _speaks_of(found: SqlInstance, after: str) -> bool:
    if after.isdigit():
        return found.port == int(after)
    return after.lower() == found.name.lower() or (not after and is_default(found.name))


def _short(account: str) -> str:
    r"""``LAB\sql`` and ``sql@lab.example`` as ``sql``."""
    return account.rpartition("\\")[2].partition("@")[0].lower()


NETWORK = (
    tcp,
    pipes,
    port_differs,
    port_dynamic,
    browser,
    firewall,
    spn_duplicate,
    spn_owner,
    spn_missing,
)
