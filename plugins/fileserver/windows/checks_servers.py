"""Checks about the Server service of two Windows servers: its options, what depends on it, its names, its firewall."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.model.findings import Finding
from orchestrator.sdk import steps
from orchestrator.sdk.checks import View, check
from orchestrator.sdk.pair_checks.view import SIDES, SOURCE, TARGET, both, failed_over, name, windows_of
from plugins.fileserver.windows.inventory import SERVER_KEY, SMB_IN

HARMLESS = frozenset({"browser", "dfs", "netlogon", "srvnet"})
"""What depends on the Server service on any server, and may be started anew with it."""


@check(
    "windows-server-dependents",
    sets=("basic", "failover"),
    passed="nothing of weight depends on the target's Server service",
)
def dependents(view: View) -> Iterator[Finding]:
    """The guide wants a dedicated stand-by: the Server service is restarted with all that depends on it."""
    found = windows_of(view, TARGET)
    server = found.service("LanmanServer") if found else None
    if found is None or server is None:
        return
    running = [
        one for one in (found.service(other) for other in server.dependents) if one is not None and one.is_running
    ]
    heavy = [one.display_name or one.name for one in running if one.name.lower() not in HARMLESS]
    if heavy:
        yield view.warning(
            f"{', '.join(sorted(heavy))} on {name(view, TARGET)} depends on the Server service",
            where=name(view, TARGET),
            why="taking the source's name over and giving it back restarts the Server service, and these with it",
            remedy="choose a stand-by that does nothing else, or move these away",
        )


@check("windows-strict-names", sets=("basic", "names", "failover"), passed="the target may answer to another name")
def strict_names(view: View) -> Iterator[Finding]:
    """With strict name checking the Server service refuses clients that ask for a name that is not its computer's."""
    found = windows_of(view, TARGET)
    if found is None or not view.settings.failover.fails_over("name"):
        return
    if found.smb_server.get("EnableStrictNameChecking") is True:
        yield view.error(
            f"{name(view, TARGET)} checks names strictly",
            where=f"{name(view, TARGET)}, Get-SmbServerConfiguration EnableStrictNameChecking",
            why="clients that come by the source's name would be refused",
            remedy="Set-SmbServerConfiguration -EnableStrictNameChecking $false -Force",
            fix=[steps.set_smb_server(TARGET, name(view, TARGET), {"EnableStrictNameChecking": False})],
        )


@check(
    "windows-name-hardening", sets=("basic", "names", "failover"), passed="the target takes tickets for another name"
)
def name_hardening(view: View) -> Iterator[Finding]:
    """Name hardening compares the service name that a client asked for with the server's own names."""
    found = windows_of(view, TARGET)
    level = int(found.smb_server.get("SmbServerNameHardeningLevel") or 0) if found else 0
    if found is None or not level or not view.settings.failover.fails_over("name"):
        return
    allowed = found.registry_value(SERVER_KEY, "SrvAllowedServerNames")
    listed = {str(one).lower() for one in _listed(allowed.value if allowed and allowed.exists else None)}
    missing = [one for one in (view.settings.name, str(view.inventory.source.name)) if one.lower() not in listed]
    if missing:
        yield view.error(
            f"{name(view, TARGET)} compares service names (SmbServerNameHardeningLevel {level}), and does not know {', '.join(missing)}",
            where=f"{name(view, TARGET)}, SrvAllowedServerNames",
            why="clients that come with a ticket for the source's name may be refused",
            remedy="list them in SrvAllowedServerNames of LanmanServer\\Parameters, or set the level to 0",
        )


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value] if value else []


@check("windows-smb-differs", sets=("strict", "failover"), passed="both Server services have the same options")
def smb_differs(view: View) -> Iterator[Finding]:
    """Clients that talk to the source should be able to talk to the target, as safely."""
    pair = both(view)
    if pair is None:
        return
    ours, theirs = (one.smb_server for one in pair)
    mendable = ("RequireSecuritySignature", "EncryptData")
    differing = [
        one for one in (*mendable, "EnableSMB1Protocol") if one in ours and one in theirs and ours[one] != theirs[one]
    ]
    if differing:
        wanted = {one: ours[one] for one in differing if one in mendable}
        said = ", ".join(f"{one} is {ours[one]} there and {theirs[one]} here" for one in differing)
        yield view.warning(
            f"the Server services differ: {said}",
            where=f"{name(view, SOURCE)}, {name(view, TARGET)}",
            why="after a failover clients may be refused, or served less safely than before",
            remedy="Set-SmbServerConfiguration on the target, as on the source",
            fix=[steps.set_smb_server(TARGET, name(view, TARGET), wanted)] if wanted else [],
        )


@check(
    "windows-firewall-closed",
    sets=("basic", "failover"),
    passed="clients may reach both servers through their firewalls",
)
def firewall_closed(view: View) -> Iterator[Finding]:
    """A closed port 445 is a failover that nobody can use."""
    for where in SIDES:
        found = windows_of(view, where)
        group = next((one for one in found.firewall if one.group == SMB_IN), None) if found else None
        if group is not None and group.rules and not group.enabled_inbound:
            words = group.display_name or "File and Printer Sharing"
            yield view.error(
                f"the firewall of {name(view, where)} lets nobody in for {words}",
                where=name(view, where),
                why="clients could not reach the shares (port 445)",
                remedy=f"Enable-NetFirewallRule -Group '{SMB_IN}'",
                fix=[steps.open_firewall(where, name(view, where), SMB_IN, words)],
            )


@check("windows-name-taken-already", sets=("basic", "names"), passed="the target answers to its own name only")
def name_taken(view: View) -> Iterator[Finding]:
    """Two servers that answer to one name are two masters in the making."""
    found = windows_of(view, TARGET)
    own = str(view.inventory.source.name).lower()
    if found is not None and not failed_over(view) and own in {one.lower() for one in found.optional_names}:
        yield view.error(
            f"{name(view, TARGET)} answers to {view.inventory.source.name} already",
            where=f"{name(view, TARGET)}, OptionalNames",
            why="the source has that name now; a failover could not tell what it must give back",
            remedy="take the name out of OptionalNames in LanmanServer\\Parameters, then Restart-Service LanmanServer",
        )


SERVERS = (
    dependents,
    strict_names,
    name_hardening,
    smb_differs,
    firewall_closed,
    name_taken,
)
