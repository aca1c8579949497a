"""Rules of Windows Defender Firewall, with their groups."""

from __future__ import annotations

import uuid
from typing import Any

from tests.lab.windows.machine.part import Part

GROUPS = {  # group -> display group in an English system
    "@FirewallAPI.dll,-28502": "File and Printer Sharing",
    "@FirewallAPI.dll,-30267": "Windows Remote Management",
    "@FirewallAPI.dll,-25000": "Core Networking",
    "@FirewallAPI.dll,-29252": "Remote Event Log Management",
    "@FirewallAPI.dll,-29502": "Remote Service Management",
}
_ROWS = (  # name, display name, group, protocol, local port, enabled, direction
    ("FPS-SMB-In-TCP", "File and Printer Sharing (SMB-In)", "@FirewallAPI.dll,-28502", "TCP", "445", True, "Inbound"),
    (
        "FPS-NB_Session-In-TCP",
        "File and Printer Sharing (NB-Session-In)",
        "@FirewallAPI.dll,-28502",
        "TCP",
        "139",
        False,
        "Inbound",
    ),
    (
        "FPS-ICMP4-ERQ-In",
        "File and Printer Sharing (Echo Request - ICMPv4-In)",
        "@FirewallAPI.dll,-28502",
        "ICMPv4",
        "RPC",
        True,
        "Inbound",
    ),
    (
        "FPS-SMB-Out-TCP",
        "File and Printer Sharing (SMB-Out)",
        "@FirewallAPI.dll,-28502",
        "TCP",
        "Any",
        False,
        "Outbound",
    ),
    (
        "WINRM-HTTP-In-TCP",
        "Windows Remote Management (HTTP-In)",
        "@FirewallAPI.dll,-30267",
        "TCP",
        "5985",
        True,
        "Inbound",
    ),
    (
        "RemoteEventLogSvc-In-TCP",
        "Remote Event Log Management (RPC)",
        "@FirewallAPI.dll,-29252",
        "TCP",
        "RPC",
        False,
        "Inbound",
    ),
    (
        "RemoteSvcAdmin-In-TCP",
        "Remote Service Management (RPC)",
        "@FirewallAPI.dll,-29502",
        "TCP",
        "RPC",
        False,
        "Inbound",
    ),
    (
        "CoreNet-DNS-Out-UDP",
        "Core Networking - DNS (UDP-Out)",
        "@FirewallAPI.dll,-25000",
        "UDP",
        "Any",
        True,
        "Outbound",
    ),
)


class Firewall(Part):
    """Rules by name."""

    file = "firewall"

    def fresh(self) -> dict[str, Any]:
        rules = [
            {
                "name": name,
                "display": display,
                "group": group,
                "description": "",
                "protocol": protocol,
                "local_port": port,
                "remote_port": "Any",
                "remote_address": "Any",
                "enabled": enabled,
                "direction": direction,
                "action": "Allow",
                "profile": "Any",
                "program": "System" if port == "445" else "Any",
            }
            for name, display, group, protocol, port, enabled, direction in _ROWS
        ]
        profiles = {
            name: {"enabled": True, "inbound": "NotConfigured", "outbound": "NotConfigured"}
            for name in ("Domain", "Private", "Public")
        }
        return {"rules": rules, "profiles": profiles}

    def display_group(self, rule: dict[str, Any]) -> str | None:
        """The group as it is shown; a group of one's own is its own."""
        return GROUPS.get(rule["group"], rule["group"])

    def all(self) -> list[dict[str, Any]]:
        """Every rule."""
        return list(self.data["rules"])

    def create(self, **rule: Any) -> dict[str, Any]:
        """One more; several may have one display name."""
        made = {
            "name": "{" + str(uuid.uuid4()).upper() + "}",
            "group": None,
            "description": "",
            "protocol": "Any",
            "local_port": "Any",
            "remote_port": "Any",
            "remote_address": "Any",
            "enabled": True,
            "direction": "Inbound",
            "action": "Allow",
            "profile": "Any",
            "program": "Any",
        } | rule
        self.data["rules"].append(made)
        self.save()
        return made

    def change(self, rule: dict[str, Any], **changes: Any) -> None:
        """Change one."""
        rule.update(changes)
        self.save()

    def remove(self, rule: dict[str, Any]) -> None:
        """Take one away."""
        self.data["rules"].remove(rule)
        self.save()

    def lets_in(self, port: int) -> bool:
        """Whether a connection to the port comes through: for the lab's wire."""
        if not self.data["profiles"]["Domain"]["enabled"]:
            return True
        fitting = [
            one
            for one in self.data["rules"]
            if one["enabled"] and one["direction"] == "Inbound" and self._fits(one, port)
        ]
        return bool(fitting) and all(one["action"] == "Allow" for one in fitting)

    def _fits(self, rule: dict[str, Any], port: int) -> bool:
        ports = rule["local_port"] if isinstance(rule["local_port"], list) else [rule["local_port"]]
        return rule["protocol"] in {"TCP", "6", "Any"} and (str(port) in map(str, ports) or "Any" in ports)
