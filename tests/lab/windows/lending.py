"""What the lab lends a simulated machine: its network card, its resolver, its domain. Outside the lab a machine has none of these."""

from __future__ import annotations

import contextlib
import functools
import json
import re
import socket
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

import dns.exception
import dns.resolver
import dns.reversename

from tests.lab.places import WORKGROUP
from tests.lab.windows.alternates import AccountDirectory
from tests.lab.windows.machine.machine import Machine
from tests.lab.windows.machine.settings import Hooks

CARD = "eth0"
SID = re.compile(r"objectSid: (S-1-[\d-]+)")
ACCOUNT = re.compile(r"sAMAccountName: (.+)")


def _quiet(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)


def addresses() -> dict[str, int]:
    """The card's addresses with the lengths of their prefixes."""
    shown = json.loads(_quiet("ip", "-4", "-j", "addr", "show", "dev", CARD).stdout or "[]")
    return {one["local"]: one["prefixlen"] for card in shown for one in card["addr_info"]}


def only(own: str) -> None:
    """A machine that boots has no address but the one it was plugged in with, until it has looked for others on the wire."""
    for address, prefix in addresses().items():
        if address != own:
            take_address("", address, prefix)


def put_address(_adapter: str, address: str, prefix: int) -> None:
    """Put it on the card and say so on the wire."""
    if address not in addresses():
        _quiet("ip", "addr", "add", f"{address}/{prefix}", "dev", CARD)
    _quiet("arping", "-c", "1", "-U", "-I", CARD, address)


def take_address(_adapter: str, address: str, prefix: int) -> None:
    """Take it off the card."""
    _quiet("ip", "addr", "del", f"{address}/{prefix}", "dev", CARD)


def answers(address: str) -> bool:
    """Whether somebody else on the wire has it."""
    if address in addresses():
        return False
    return _quiet("arping", "-D", "-c", "1", "-w", "1", "-I", CARD, address).returncode != 0


def connect(host: str, port: int) -> bool:
    """Whether a port answers."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), 3):
        return True
    return False


def resolve(name: str, kind: str, server: str | None) -> Sequence[Mapping[str, Any]]:
    """Records as Resolve-DnsName shows them."""
    found: list[Mapping[str, Any]] = []
    for one in ("A", "AAAA") if kind == "A_AAAA" else (kind,):
        found += _records(name, one, server)
    return found


def _records(name: str, kind: str, server: str | None) -> list[Mapping[str, Any]]:
    resolver = dns.resolver.Resolver()
    resolver.lifetime = 5
    if server is not None:
        resolver.nameservers = [socket.gethostbyname(server)]
    asked: Any = dns.reversename.from_address(name) if kind == "PTR" and name.replace(".", "").isdigit() else name
    try:
        answer = resolver.resolve(asked, kind, search=True)
    except dns.exception.DNSException:
        return []
    return [
        {
            "Name": one.name.to_text(omit_final_dot=True),
            "Type": dns.rdatatype.to_text(one.rdtype),
            "TTL": one.ttl,
            **_data(data),
        }
        for one in answer.response.answer
        for data in one
    ]


def _data(data: Any) -> dict[str, Any]:
    kind = dns.rdatatype.to_text(data.rdtype)
    match kind:
        case "A" | "AAAA":
            return {"IPAddress": data.address}
        case "CNAME" | "PTR" | "NS":
            return {"NameHost": data.target.to_text(omit_final_dot=True)}
        case "MX":
            return {"NameExchange": data.exchange.to_text(omit_final_dot=True), "Preference": data.preference}
        case "SRV":
            target = data.target.to_text(omit_final_dot=True)
            return {"NameTarget": target, "Priority": data.priority, "Weight": data.weight, "Port": data.port}
        case "TXT":
            return {"Strings": [one.decode() for one in data.strings]}
        case _:
            return {"Data": data.to_text()}


def register_names(machine: Machine) -> None:
    """Write the machine's names with its own account, as its DHCP client service does."""
    name, domain = machine.computer.name.lower(), str(machine.computer.data["domain"])
    cache = "FILE:/run/windows.cc"
    _quiet("env", f"KRB5CCNAME={cache}", "kinit", "-k", f"{name.upper()}$@{domain.upper()}")
    lines = [f"update delete {name}.{domain} A"]
    lines += [f"update add {name}.{domain} 1200 A {one}" for one in machine.network.registers()]
    text = "\n".join([*lines, "send", ""])
    subprocess.run(
        ["env", f"KRB5CCNAME={cache}", "nsupdate", "-g"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def _search(wanted: str, attribute: str) -> str:
    return _quiet("net", "ads", "search", "-P", wanted, attribute).stdout


@functools.cache
def account_sid(name: str) -> str | None:
    """The SID of an account of the domain, by the machine's own account."""
    short = name.rpartition("\\")[2].partition("@")[0]
    if not re.fullmatch(r"[\w .$-]+", short):
        return None
    found = SID.search(_search(f"(sAMAccountName={short})", "objectSid"))
    return found[1] if found else None


@functools.cache
def sid_account(sid: str) -> str | None:
    """The name of an account of the domain, as DOMAIN\\name."""
    if not re.fullmatch(r"S-1-5-21-[\d-]+", sid):
        return None
    found = ACCOUNT.search(_search(f"(objectSid={sid})", "sAMAccountName"))
    return f"{WORKGROUP}\\{found[1]}" if found else None


def hooks(peers: Mapping[str, tuple[str, int]], name: str, domain: str) -> Hooks:
    """All of it, to the machine of this name in this domain."""
    return Hooks(
        directory=AccountDirectory(name, domain),
        resolve=resolve,
        register_names=register_names,
        put_address=put_address,
        take_address=take_address,
        answers=answers,
        connect=connect,
        account_sid=account_sid,
        sid_account=sid_account,
        peers=peers,
    )
