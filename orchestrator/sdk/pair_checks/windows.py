"""Checks about two Windows servers, whatever runs on them: their domain, system, services, names, and how their WinRM is reached."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.model.findings import Finding
from orchestrator.model.servers import Transport
from orchestrator.sdk import steps
from orchestrator.sdk.checks import View, check
from orchestrator.sdk.pair_checks.view import SIDES, SOURCE, TARGET, both, name, windows_of

FULL = "FullLanguage"


@check("windows-facts-missing", sets=("basic",), passed="both servers tell all that was asked of them")
def facts_missing(view: View) -> Iterator[Finding]:
    """What could not be asked is unknown, not well."""
    for where in SIDES:
        found = windows_of(view, where)
        for problem in found.problems if found else ():
            yield view.warning(
                f"{name(view, where)} could not say everything: {problem}",
                where=f"{name(view, where)}, {view.inventory.on(where).origin('windows')}",
                why="checks that need it see nothing wrong because they see nothing",
                remedy=f"dtam hosts test {name(view, where)}",
            )


@check("windows-not-member", sets=("basic", "names"), passed="both servers are members of one domain")
def not_member(view: View) -> Iterator[Finding]:
    """The guide supports one flat domain only: permissions name its accounts, and tickets come from it."""
    pair = both(view)
    if pair is None:
        return
    for where, found in zip(SIDES, pair, strict=True):
        if found.role and not found.is_member and not found.is_controller:
            yield view.error(
                f"{name(view, where)} is no member of a domain ({found.role}, {found.workgroup or 'no workgroup'})",
                where=name(view, where),
                why="clients' tickets and the permissions of shares belong to a domain",
                remedy=f"join it: Add-Computer on {name(view, where)}",
            )
    ours, theirs = pair
    if ours.domain and theirs.domain and ours.domain.lower() != theirs.domain.lower():
        yield view.error(
            f"{name(view, SOURCE)} is in {ours.domain}, {name(view, TARGET)} in {theirs.domain}",
            where=f"{name(view, SOURCE)}, {name(view, TARGET)}",
            why="a file server is protected in a flat domain only",
            remedy="join both to one domain",
        )


@check("windows-target-is-controller", sets=("basic",), passed="neither server is a domain controller")
def controller(view: View) -> Iterator[Finding]:
    """Its names, services and its Server service belong to the domain."""
    for where in SIDES:
        found = windows_of(view, where)
        if found is not None and found.is_controller:
            yield view.error(
                f"the {where} {name(view, where)} is a domain controller",
                where=view.place(str(where)),
                why="a controller's name cannot move, and its Server service must not be stopped or restarted",
                remedy="choose a member server, best one that does nothing else",
            )


@check("windows-versions-differ", sets=("basic",), passed="the target is no older than the source")
def versions_differ(view: View) -> Iterator[Finding]:
    """An older target may lack what a volume or an application uses."""
    pair = both(view)
    if pair is None or not all(one.os_version for one in pair):
        return
    ours, theirs = (_numbers(one.os_version) for one in pair)
    if theirs < ours:
        yield view.error(
            f"{name(view, TARGET)} runs Windows {pair[1].os_version}, {name(view, SOURCE)} {pair[0].os_version}",
            where=name(view, TARGET),
            why="an older system may not read the source's volumes, nor know all that its applications use",
            remedy="take a target of the same version or a newer one",
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


@check(
    "windows-scripts-forbidden",
    sets=("basic",),
    passed="scripts may run on both servers, with an administrator's rights",
)
def scripts_forbidden(view: View) -> Iterator[Finding]:
    """A restricted language or rights that are missing show themselves in the middle of a failover."""
    for where in SIDES:
        found = windows_of(view, where)
        if found is None:
            continue
        if found.language_mode not in {"", FULL}:
            yield view.error(
                f"PowerShell on {name(view, where)} runs in {found.language_mode}",
                where=name(view, where),
                why="dtam's scripts need the full language",
                remedy="allow the scripts below Program Files\\dtam by their signature in the policy (WDAC or AppLocker)",
            )
        if found.account and not found.elevated:
            yield view.error(
                f"{found.account} has no administrator's rights on {name(view, where)}",
                where=name(view, where),
                why="services, volumes and what clients use cannot be changed without them",
                remedy=f"make it a member of Administrators there; dtam rights --server {name(view, where)} prints what else",
            )


@check("windows-module-missing", sets=("basic",), passed="every module that a failover needs is there")
def module_missing(view: View) -> Iterator[Finding]:
    """A cmdlet that is missing would be noticed too late."""
    for where in SIDES:
        found = windows_of(view, where)
        missing = [*found.missing_modules, *found.missing_commands] if found else []
        if missing:
            yield view.error(
                f"{name(view, where)} has no {', '.join(missing)}",
                where=name(view, where),
                why="steps of the plans call them",
                remedy=f"Install-WindowsFeature on {name(view, where)}; these came with Windows Server 2012 and later",
            )


@check("windows-server-service", sets=("basic", "failover"), passed="every service can run on both servers")
def server_service(view: View) -> Iterator[Finding]:
    """A disabled service cannot be started by anybody."""
    for where in SIDES:
        found = windows_of(view, where)
        for service in view.settings.failover.services if found else ():
            unit = service.on(where).unit or service.name
            there = found.service(unit) if found else None
            if found is not None and found.services and there is None:
                yield view.error(
                    f"{name(view, where)} has no service {unit}",
                    where=view.place("failover.services"),
                    why="it could not be started there",
                    remedy=f"Get-Service on {name(view, where)} lists them; mend unit, or leave the service out",
                )
            elif there is not None and there.start_type == "disabled":
                yield view.error(
                    f"service {unit} on {name(view, where)} is disabled",
                    where=name(view, where),
                    why="a failover could not start it there",
                    remedy=f"Set-Service -Name {unit} -StartupType Manual",
                    fix=[steps.set_start_type(where, name(view, where), service.document(where), "manual")],
                )


@check("windows-registers-itself", sets=("basic", "names"), passed="the source does not lead clients to itself again")
def registers_itself(view: View) -> Iterator[Finding]:
    """A source that comes back registers its name with its own address, where the zone lets it."""
    found, failover = windows_of(view, SOURCE), view.settings.failover
    if found is None or not failover.moves_names or failover.dns.signing == "kerberos":
        return
    wanted = {pair.source for pair in failover.dns.addresses}
    interfaces = {one.interface for one in found.addresses if one.address in wanted}
    for client in found.dns_clients:
        if client.registers and client.interface in interfaces:
            yield view.warning(
                f"{client.interface} on {name(view, SOURCE)} registers its addresses in DNS by itself",
                where=name(view, SOURCE),
                why="at its next boot, and daily, it would take its record back while the target serves",
                remedy=f"Set-DnsClient -InterfaceAlias '{client.interface}' -RegisterThisConnectionsAddress $false",
                fix=[steps.set_dns_registration(SOURCE, name(view, SOURCE), client.interface, registers=False)],
            )


@check("windows-address-unfit", sets=("basic", "names"), passed="every address of both servers is in order")
def address_unfit(view: View) -> Iterator[Finding]:
    """An address that somebody else has, too, serves nobody."""
    for where in SIDES:
        found = windows_of(view, where)
        for one in found.addresses if found else ():
            if one.state == "duplicate":
                yield view.error(
                    f"{one.address} of {name(view, where)} is somebody else's, too",
                    where=f"{name(view, where)}, {one.interface}",
                    why="clients reach the one or the other",
                    remedy="find the other machine (arp -a), and give one of both another address",
                )


@check("winrm-name-taken", sets=("basic", "failover"), passed="the source is reached by a name that stays its own")
def winrm_name(view: View) -> Iterator[Finding]:
    """A ticket for a name whose HOST moved is made for the target's account: the source's WinRM cannot read it. WSMAN of that name stays."""
    address = view.protection.pair.source.winrm
    if address is None or address.transport is not Transport.KERBEROS or not view.settings.failover.fails_over("spns"):
        return
    asked, account = (address.host_name or address.address).lower(), view.inventory.domain.source
    stays = account is not None and f"wsman/{asked}" in {one.lower() for one in account.spns}
    if asked in _moved(view) and not stays:
        yield view.warning(
            f"dtam logs in at {view.inventory.source.name} with tickets for {asked}, whose service names a failover moves",
            where=view.place("failover.items.spns"),
            why=f"the domain may then give tickets that only {name(view, TARGET)} can read: restore and failback would not reach the source",
            remedy=f"WinRM registers WSMAN/{asked} when it starts (Restart-Service WinRM); else know the source by NTLM or a certificate",
        )


@check("winrm-address-moves", sets=("basic", "failover"), passed="the source is reached by an address of its own")
def winrm_address(view: View) -> Iterator[Finding]:
    """A name in DNS that moves leads to the target afterwards: the source could be neither fenced nor asked."""
    address = view.protection.pair.source.winrm
    failover = view.settings.failover
    leads = failover.type == "dns" and failover.dns.servers
    if address is None or not leads or address.address.lower() not in _moved(view):
        return
    source = view.protection.pair.source
    yield view.error(
        f"dtam reaches {source.name} by {address.address}, which leads to {name(view, TARGET)} after a failover",
        where=f"dtam hosts list, {address.url}",
        why="the source could then be neither watched nor fenced, and restore and failback would not reach it",
        remedy=f"dtam hosts add {source.name} --winrm {source.addresses[0]} --host-name {address.address}, and the options from before",
    )


def _moved(view: View) -> set[str]:
    """The names of the source that a failover moves, in small letters."""
    account = view.inventory.domain.source
    names = (str(view.inventory.source.name), view.settings.name, account.dns_name if account else "")
    return {one.lower() for one in names if one}


FLAT_DOMAIN = (not_member,)
"""For applications whose two servers must be members of one and the same domain."""

WINDOWS = (
    facts_missing,
    controller,
    versions_differ,
    scripts_forbidden,
    module_missing,
    server_service,
    registers_itself,
    address_unfit,
    winrm_name,
    winrm_address,
)
