"""Steps that mend what a Windows server was set to; each puts back what it found."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.model.servers import Where
from orchestrator.model.steps import Step
from orchestrator.sdk.steps.making import act


def set_smb_server(where: Where, server: str, options: Mapping[str, Any]) -> Step:
    """Options of the Server service have these values."""
    given = {"where": where, "options": dict(options)}
    return Step(
        f"smb-server-{where}-{_words(options)}",
        where,
        f"set {', '.join(f'{name} to {value}' for name, value in options.items())} on {server}",
        act("smb-server-is", **given),
        act("set-smb-server", **given),
        act("set-smb-server", **given, back=True),
        after=tuple(f"{name} {value}" for name, value in options.items()),
    )


def open_firewall(where: Where, server: str, group: str, words: str) -> Step:
    """The inbound rules of a group are enabled."""
    given = {"where": where, "group": group}
    return Step(
        f"open-firewall-{where}",
        where,
        f"enable the firewall's rules for {words} on {server}",
        act("firewall-open", **given),
        act("open-firewall", **given),
        act("close-firewall", **given),
        after=(f"{words} may be reached on {server}",),
    )


def open_port(where: Where, server: str, protocol: str, port: int) -> Step:
    """Clients come in at a port (``tcp``, ``udp``), by a rule that dtam makes and an undo removes."""
    given = {"where": where, "protocol": protocol, "port": port}
    return Step(
        f"open-port-{where}-{protocol}-{port}",
        where,
        f"let clients in at {protocol} {port} through the firewall of {server}",
        act("port-open", **given),
        act("open-port", **given),
        act("close-port", **given),
        after=(f"{protocol} {port} may be reached on {server}",),
    )


def set_dns_registration(where: Where, server: str, interface: str, *, registers: bool) -> Step:
    """An interface registers its addresses by itself, or does not."""
    given = {"where": where, "interface": interface, "registers": registers}
    return Step(
        f"dns-registration-{where}-{_words([interface])}",
        where,
        f"let {interface} on {server} {'register' if registers else 'no more register'} its addresses in DNS by itself",
        act("dns-registration-is", **given),
        act("set-dns-registration", **given),
        act("set-dns-registration", **given, back=True),
    )


def wake_addresses(where: Where, server: str, addresses: Sequence[Mapping[str, Any]]) -> Step:
    """The server's own addresses are in use again after another one gave them back: Windows leaves a duplicate one unused."""
    given = {"where": where, "addresses": [dict(one) for one in addresses]}
    return Step(
        f"wake-addresses-{where}",
        where,
        f"use the addresses of {server} again",
        act("addresses-awake", **given),
        act("wake-addresses", **given),
        act("take-addresses-off", **given),
        after=tuple(f"{one['address']} on {server} {one['interface']}" for one in addresses),
        downtime=True,
    )


def _words(names: Any) -> str:
    return "-".join(re.sub(r"[^a-z0-9]+", "-", str(name).lower()).strip("-") for name in names) or "all"
