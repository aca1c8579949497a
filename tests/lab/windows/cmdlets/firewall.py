"""Rules of the firewall: Get-, New-, Set-, Enable-, Disable-, Remove-NetFirewallRule, Get-NetFirewallPortFilter, Get-NetFirewallProfile."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.lab.windows.cmdlets.base import as_list, cim, cim_denied, enum, matches, over_machine, record, texts, wanted
from tests.lab.windows.machine.refusals import Refused, no_cim_object
from tests.lab.windows.powershell.commands import Call
from tests.lab.windows.powershell.values import PsObject

NAMESPACE = "ROOT/standardcimv2"
CLASS = "MSFT_NetFirewallRule:root/standardcimv2/MSFT_NetFirewallRule"
TYPES = "Microsoft.PowerShell.Cmdletization.GeneratedTypes.NetSecurity."
SELECTORS = {"Name": "name", "DisplayName": "display", "Group": "group", "DisplayGroup": None}
FILTERS = {
    "LocalPort": "local_port",
    "RemotePort": "remote_port",
    "Protocol": "protocol",
    "RemoteAddress": "remote_address",
    "Program": "program",
}
PLAIN = {"Description": "description", "Direction": "direction", "Action": "action", "Profile": "profile"} | FILTERS


def rule_object(call: Call, rule: dict[str, Any]) -> PsObject:
    """A MSFT_NetFirewallRule."""
    items = {
        "Name": rule["name"],
        "ID": rule["name"],
        "InstanceID": rule["name"],
        "DisplayName": rule["display"],
        "Group": rule["group"],
        "RuleGroup": rule["group"],
        "DisplayGroup": call.machine.firewall.display_group(rule),
        "Description": rule["description"],
        "Enabled": enum(f"{TYPES}Enabled", str(rule["enabled"]), {"True": 1, "False": 2}),
        "Profile": enum(f"{TYPES}Profile", rule["profile"], {rule["profile"]: 0}),
        "Direction": enum(f"{TYPES}Direction", rule["direction"], {"Inbound": 1, "Outbound": 2}),
        "Action": enum(f"{TYPES}Action", rule["action"], {"NotConfigured": 0, "Allow": 2, "Block": 4}),
        "EdgeTraversalPolicy": enum(f"{TYPES}EdgeTraversal", "Block", {"Block": 0}),
        "PrimaryStatus": enum(f"{TYPES}PrimaryStatus", "OK", {"OK": 1}),
        "Status": "The rule was parsed successfully from the store. (65536)",
        "PolicyStoreSource": "PersistentStore",
        "PolicyStoreSourceType": enum(f"{TYPES}PolicyStoreType", "Local", {"Local": 1}),
    }
    return cim("MSFT_NetFirewallRule", items, NAMESPACE)


def chosen(call: Call) -> list[dict[str, Any]]:
    """The rules that the parameters name; an error for each name that finds none."""
    firewall = call.machine.firewall
    if call.has("InputObject"):
        names = [str(one.get("Name")) for one in as_list(call.get("InputObject"))]
        return [one for one in firewall.all() if one["name"] in names]
    found = []
    selected = [name for name in SELECTORS if call.has(name)]
    for selector in selected:
        for pattern in texts(call.get(selector)):
            key = SELECTORS[selector]
            fitting = [
                one
                for one in firewall.all()
                if matches(pattern, (firewall.display_group(one) if key is None else one[key]) or "")
            ]
            if not fitting:
                call.error(record(no_cim_object("MSFT_NetFirewallRule", selector, pattern)))
            found += [one for one in fitting if one not in found]
    return found if selected else firewall.all()


@over_machine("Get-NetFirewallRule", denied=cim_denied(CLASS))
def get_net_firewall_rule(call: Call) -> Iterator[Any]:
    """The rules."""
    for rule in chosen(call):
        if (
            wanted(call, "Enabled", rule["enabled"])
            and wanted(call, "Direction", rule["direction"])
            and wanted(call, "Action", rule["action"])
        ):
            yield rule_object(call, rule)


def _changes(call: Call) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, key in PLAIN.items():
        if call.has(name):
            value = texts(call.get(name))
            found[key] = value[0] if len(value) == 1 else value
    if call.has("Enabled"):
        found["enabled"] = str(call.get("Enabled")) == "True"
    return found


@over_machine("New-NetFirewallRule", changes=True, denied=cim_denied(CLASS))
def new_net_firewall_rule(call: Call) -> Iterator[Any]:
    """Make a rule; a name that is taken is refused (the display name may be)."""
    firewall = call.machine.firewall
    if call.has("Name") and any(one["name"].lower() == str(call.get("Name")).lower() for one in firewall.all()):
        message = "Cannot create a file when that file already exists."
        exception = "Microsoft.Management.Infrastructure.CimException"
        raise Refused(message, "Windows System Error 183", "ResourceExists", exception, CLASS, 183)
    more = {"name": str(call.get("Name"))} if call.has("Name") else {}
    group = {"group": str(call.get("Group"))} if call.has("Group") else {}
    if call.should_process(str(call.get("DisplayName")), "New-NetFirewallRule"):
        yield rule_object(
            call, firewall.create(display=str(call.get("DisplayName")), **more, **group, **_changes(call))
        )


@over_machine(
    "Set-NetFirewallRule",
    "Enable-NetFirewallRule",
    "Disable-NetFirewallRule",
    "Remove-NetFirewallRule",
    changes=True,
    denied=cim_denied(CLASS),
)
def change_net_firewall_rule(call: Call) -> Iterator[Any]:
    """Change, switch or remove rules."""
    verb = call.name.split("-")[0]
    for rule in list(chosen(call)):
        if not call.should_process(rule["display"], call.name):
            continue
        if verb == "Remove":
            call.machine.firewall.remove(rule)
        elif verb == "Set":
            more = {"display": str(call.get("NewDisplayName"))} if call.has("NewDisplayName") else {}
            call.machine.firewall.change(rule, **_changes(call), **more)
        else:
            call.machine.firewall.change(rule, enabled=verb == "Enable")
        if call.switch("PassThru"):
            yield rule_object(call, rule)


@over_machine("Get-NetFirewallPortFilter")
def get_net_firewall_port_filter(call: Call) -> Iterator[Any]:
    """The ports of rules."""
    named = [str(one.get("Name")) for one in as_list(call.get("AssociatedNetFirewallRule"))]
    for rule in call.machine.firewall.all():
        if (not call.has("AssociatedNetFirewallRule") or rule["name"] in named) and wanted(
            call, "Protocol", rule["protocol"]
        ):
            items = {
                "Protocol": rule["protocol"],
                "LocalPort": rule["local_port"],
                "RemotePort": rule["remote_port"],
                "IcmpType": "Any",
                "InstanceID": rule["name"],
            }
            yield cim("MSFT_NetProtocolPortFilter", items, NAMESPACE)


@over_machine("Get-NetFirewallProfile")
def get_net_firewall_profile(call: Call) -> Iterator[Any]:
    """The profiles."""
    for name, profile in call.machine.firewall.data["profiles"].items():
        if wanted(call, "Name", name) and wanted(call, "Profile", name):
            items = {
                "Name": name,
                "Profile": name,
                "Enabled": enum(f"{TYPES}GpoBoolean", str(profile["enabled"]), {"False": 0, "True": 1}),
            }
            items |= {"DefaultInboundAction": profile["inbound"], "DefaultOutboundAction": profile["outbound"]}
            yield cim("MSFT_NetFirewallProfile", items, NAMESPACE)
