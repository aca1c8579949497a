"""Checks about the domain: its accounts and service names, keys of the target, and what defeats a change of name (AM-37)."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import msgspec

from orchestrator.model.findings import Finding
from orchestrator.model.servers import Platform, Where
from orchestrator.model.settings_domain import SambaSettings
from orchestrator.model.steps import Step
from orchestrator.model.subnets import WHY_NOT_ACROSS, on_link
from orchestrator.sdk import steps
from orchestrator.sdk.checks import View, check, of_platform
from orchestrator.sdk.sides import account_of, clock_offset_s, hosts_lines, hosts_path, networks, target_keys

SOURCE, TARGET = Where.SOURCE, Where.TARGET
KERBEROS_LIMIT_S = 300.0


@check("directory-unreachable", sets=("basic", "names"), passed="the directory answers, or none is wanted")
def directory_unreachable(view: View) -> Iterator[Finding]:
    """Service names are moved there."""
    domain = view.inventory.domain
    if domain.problem:
        yield view.error(
            f"the directory of {domain.domain} cannot be asked: {domain.problem}",
            where=view.place("failover.directory"),
            why="service names could not be moved, and clients with tickets would be refused",
            remedy="compare domain, controllers, principal and keytab_file; dtam rights shows what the account may do",
        )


@check("account-missing", sets=("basic", "names"), passed="both servers have an account in the domain")
def account_missing(view: View) -> Iterator[Finding]:
    """A server whose service names move has an account that holds them."""
    domain = view.inventory.domain
    if not domain.asked or domain.problem:
        return
    for where, account in ((SOURCE, domain.source), (TARGET, domain.target)):
        side = view.inventory.on(where)
        if account is None or not account.enabled:
            yield view.error(
                f"the domain {domain.domain} has {'no' if account is None else 'a disabled'} account {account_of(side)}$ for {side.name}",
                where=f"{domain.controller}, {view.place('failover.directory.domain')}",
                why="its service names cannot be moved; both servers must be members of one domain",
                remedy=_join(view, str(side.name)) if account is None else "enable the account",
            )


def _join(view: View, server: str) -> str:
    return f"join it: {'Add-Computer' if view.on_windows else 'net ads join'} on {server}"


@check("target-is-controller", sets=("basic",), passed="the target is no domain controller")
def target_controller(view: View) -> Iterator[Finding]:
    """Its names and services belong to the domain."""
    found, domain = view.inventory.target.samba, view.inventory.domain
    if (found is not None and found.is_controller) or (domain.target is not None and domain.target.is_controller):
        yield view.error(
            f"the target {view.inventory.target.name} is a domain controller",
            where=view.place("target"),
            why="a controller cannot take over another server's name, and its own service must not be restarted",
            remedy="choose a member server as target, best one that does nothing else",
        )


@check("spn-held-elsewhere", sets=("basic", "names"), passed="the source's service names have one owner")
def spn_held(view: View) -> Iterator[Finding]:
    """A name with two owners gives tickets that nobody can use; a domain controller does not refuse all of these itself."""
    domain, serves = view.inventory.domain, view.serving
    owner = domain.target if serves is TARGET else domain.source
    for spn, accounts in domain.holders:
        others = [one for one in accounts if owner is not None and one.lower() != owner.name.lower()]
        if others:
            yield view.error(
                f"{spn} is held by {', '.join(others)}, by itself or by a name that stands for it",
                where=f"{domain.controller}, servicePrincipalName",
                why="a service name may have one owner only: it could not be given to the target",
                remedy=f"take it from the wrong account: setspn -D {shlex.quote(spn)} {shlex.quote(others[0].rstrip('$'))}, or samba-tool spn delete",
            )


@check("forest-not-asked", sets=("basic", "names"), passed="service names were looked for in the whole forest")
def forest_not_asked(view: View) -> Iterator[Finding]:
    """Names are unique in a forest, and only a global catalog knows all of it."""
    domain = view.inventory.domain
    if domain.forest_problem:
        yield view.warning(
            domain.forest_problem,
            where=f"{domain.controller}, {view.place('failover.directory')}",
            why="an account of another domain may hold the source's service names: its domain would give tickets for it",
            remedy="let a global catalog be reached from here (port 3268, or 3269 with failover.directory.ca_file)",
        )


@check("domain-clock", sets=("basic", "names"), passed="the domain's clock and ours agree")
def domain_clock(view: View) -> Iterator[Finding]:
    """Kerberos refuses tickets of clocks five minutes apart."""
    ahead_s = view.inventory.domain.clock_ahead_s
    offsets = [(view.inventory.domain.controller, ahead_s)] if view.inventory.domain.asked else []
    for where in (SOURCE, TARGET):
        clock = clock_offset_s(view.inventory.on(where))
        if clock is not None and view.inventory.domain.asked:
            offsets.append((clock[0], clock[1] - ahead_s))
    for name, offset_s in offsets:
        if abs(offset_s) > KERBEROS_LIMIT_S * 0.8:
            yield view.error(
                f"the clock of {name} is {offset_s:+.0f} s away",
                where=name,
                why=f"Kerberos refuses tickets when clocks are more than {KERBEROS_LIMIT_S:.0f} s apart",
                remedy="set the clocks of both servers by the domain: run a time service on them",
            )


@check(
    "keytab-on-target", sets=("basic", "names", "failover"), passed="the target has its keys, readable by root alone"
)
def keytab_on_target(view: View) -> Iterator[Finding]:
    """The target acts by itself when nobody else is alive: for that it needs a key of its own, which nobody else may read."""
    found = view.inventory.target.samba
    name = view.inventory.target.name
    for path, principal in target_keys(view.settings, account_of(view.inventory.target)):
        facts = found.keytab(path) if found is not None else None
        problem = facts.problem(principal) if facts is not None else ""
        if problem:
            yield view.error(
                f"the keytab {path} on the target {name} {problem}",
                where=view.place("failover.directory.target_keytab_file"),
                why="the target could not move names and service names by itself, or others could act as its account",
                remedy=f"dtam rights prints how to make it: the key of {principal}, owned by root, mode 0600",
                fix=_owned(view, path)
                if facts and not msgspec.structs.replace(facts, mode=0o600, owner=0).problem(principal)
                else [],
            )


def _owned(view: View, path: str) -> list[Step]:
    """Root alone may read it: safe, where that is all that it lacks."""
    samba = view.settings.failover.samba or SambaSettings()
    return [steps.own_keytab(TARGET, view.inventory.target.name, path, samba.conf)]


@check("hosts-file-names-source", sets=("basic", "names"), passed="no hosts file holds the clients' name fast")
def hosts_file(view: View) -> Iterator[Finding]:
    """A line of a hosts file goes before DNS: that machine would not follow the name to the target (AM-37)."""
    short, full = view.settings.source.lower(), view.settings.name.lower()
    for where in (SOURCE, TARGET):
        side = view.inventory.on(where)
        own = {one.address for one in side.addresses}
        for line in hosts_lines(side):
            held = sorted({short, full} & set(line.names))
            itself = where is SOURCE and (line.address.startswith("127.") or line.address in own)
            if held and not itself:
                yield view.error(
                    f"{hosts_path(side)} on {side.name} leads {', '.join(held)} to {line.address}",
                    where=f"{side.name}, {hosts_path(side)}",
                    why="it goes before DNS: that machine would not follow a failover",
                    remedy=f"remove the line on {side.name}; look at the clients' hosts files, too",
                )


@check("address-leased", sets=("basic", "names"), passed="the servers' addresses are their own for ever")
def address_leased(view: View) -> Iterator[Finding]:
    """An address that was leased may be another's tomorrow."""
    failover = view.settings.failover
    wanted = {
        SOURCE: [one.source for one in failover.dns.addresses] + [one.source for one in failover.identity.addresses],
        TARGET: [one.target for one in failover.dns.addresses],
    }
    for where, addresses in wanted.items():
        found = {net.address for net in networks(view.inventory.on(where)) if net.dynamic}
        leased = [one for one in dict.fromkeys(addresses) if one in found]
        if leased:
            yield view.warning(
                f"{', '.join(leased)} of {view.inventory.on(where).name} is leased, not fixed",
                where=view.place("failover.dns.addresses"),
                why="when the lease ends, names lead to an address that may belong to somebody else",
                remedy="give the server a fixed address, or reserve this one for it",
            )


@check(
    "address-across-subnets", sets=("basic", "names"), passed="the addresses to be taken over fit the target's networks"
)
def across_subnets(view: View) -> Iterator[Finding]:
    """The guide: with source and target on different subnets the address must not be failed over."""
    failover, theirs = view.settings.failover, networks(view.inventory.target)
    if not failover.fails_over("addresses") or view.inventory.target.unreachable:
        return
    for position, taken in enumerate(failover.identity.addresses):
        beside = [one for one in theirs if one.interface == taken.interface]
        place = view.place(f"failover.identity.addresses.{position}")
        if not beside:
            has = ", ".join(sorted({one.interface for one in theirs})) or "none"
            yield view.error(
                f"{view.inventory.target.name} has no interface {taken.interface} with an address",
                where=place,
                why=f"{taken.source} could not be taken over there",
                remedy=f"name one of its interfaces: {has}",
            )
        elif not on_link(taken.source, [f"{one.address}/{one.prefix}" for one in beside]):
            where = ", ".join(f"{one.address}/{one.prefix}" for one in beside)
            yield view.error(
                f"{taken.source} is not in a subnet of {taken.interface} on {view.inventory.target.name} ({where})",
                where=place,
                why=WHY_NOT_ACROSS,
                remedy="across subnets fail over by DNS, with the server's name: type: dns; leave the address out",
            )


@check("engine-address-taken", sets=("basic", "failover"), passed="the source keeps an address of its own")
def engine_address(view: View) -> Iterator[Finding]:
    """While the target has its address, the source must be reached by another: for the way back, and to stay fenced."""
    failover, pair = view.settings.failover, view.protection.pair
    taken = {one.source for one in failover.identity.addresses} if failover.fails_over("addresses") else set()
    if pair.source.address in taken:
        yield view.error(
            f"the engine of {pair.source.name} is reached at {pair.source.address}, which is to be taken over",
            where=view.place("failover.identity.addresses"),
            why="after a failover the source could not be reached, neither to restore nor to fail back",
            remedy=f"give it a second address and know it by that: dtam hosts add {pair.source.name} --address ...",
        )


@check("engine-name-taken", sets=("basic", "failover"), passed="the source's engine is known by a name that stays")
def engine_name(view: View) -> Iterator[Finding]:
    """A ticket for a service name that was moved is made for the target's account: the source's engine cannot read it."""
    pair, engine = view.protection.pair, view.protection.pair.source.engine
    account = engine.account if engine else None
    if account is None or not account.kerberos_host or not view.settings.failover.fails_over("spns"):
        return
    found = view.inventory.domain.source
    moved = {name.lower() for name in (found.dns_name if found else "", view.settings.name, pair.source.name) if name}
    if account.kerberos_host.lower() in moved:
        yield view.warning(
            f"dtam logs in at the engine of {pair.source.name} with tickets for {account.kerberos_host}, whose service names a failover moves",
            where=view.place("failover.items.spns"),
            why=f"the domain may then give tickets that only {pair.target.name} can read: restore and failback would not reach the source",
            remedy=f"know it by a token or a password: dtam hosts add {pair.source.name} --address {pair.source.address} --token-file ...",
        )


@check("updates-unsigned", sets=("basic", "names"), passed="the source cannot take its record back by itself")
def updates_unsigned(view: View) -> Iterator[Finding]:
    """Guide: dynamic updates should be secure only, or the source can reclaim its record."""
    failover = view.settings.failover
    if failover.moves_names and failover.dns.signing == "none":
        yield view.warning(
            "updates of DNS are not signed",
            where=view.place("failover.dns.security"),
            why="whoever may change these records unsigned is the source, too: back again, it can take its record from the target",
            remedy="let the zone take secure updates only, and choose failover.dns.security: kerberos or tsig",
        )


COMPUTERS_NAMES = (spn_held,)
"""For applications whose service names are held by the computers' own accounts."""

DOMAIN = (
    directory_unreachable,
    account_missing,
    target_controller,
    forest_not_asked,
    domain_clock,
    *of_platform(Platform.LINUX, keytab_on_target),
    hosts_file,
    address_leased,
    across_subnets,
    *of_platform(Platform.LINUX, engine_address, engine_name),
    updates_unsigned,
)
