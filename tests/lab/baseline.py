"""What the directory of the lab holds about its members, saved once and put back between tests.

    /usr/bin/python3 baseline.py save|restore FILE      (on dc1; the machine's Python: it has Samba's modules)

It writes straight into the directory's database while the controller runs: computer accounts of members, and the nodes of the
zones, with their data, tombstones and security descriptors. Nodes that came later are removed, except those of hosts that joined
late. What a second controller wrote meanwhile is replicated as any other change.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import ldb
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB

ZONES = ("lab.example", "0.53.10.in-addr.arpa", "1.53.10.in-addr.arpa")
ACCOUNTS = ("ALPHA$", "BETA$")
OF_ACCOUNTS = (
    "servicePrincipalName", "dNSHostName", "msDS-AdditionalDnsHostName", "userAccountControl", "nTSecurityDescriptor",
    "msDS-SupportedEncryptionTypes", "msDS-AllowedToActOnBehalfOfOtherIdentity", "description",
)  # fmt: skip
OF_NODES = ("dnsRecord", "dNSTombstoned", "nTSecurityDescriptor")
LATE = (
    "dc2", "gamma", "winalpha", "winbeta", "2.1.53.10", "20.1.53.10", "60.0.53.10", "70.0.53.10",
)  # fmt: skip
Entries = dict[str, dict[str, list[str]]]


def _entries(directory: Any, base: str, wanted: str, attributes: tuple[str, ...]) -> Entries:
    found = directory.search(base, ldb.SCOPE_SUBTREE, wanted, attrs=list(attributes), controls=["sd_flags:1:7"])
    return {
        str(entry.dn): {
            name: [base64.b64encode(bytes(value)).decode() for value in entry[name]]
            for name in attributes
            if name in entry
        }
        for entry in found
    }


def _now(directory: Any) -> dict[str, Entries]:
    base = str(directory.get_default_basedn())
    names = "".join(f"(sAMAccountName={name})" for name in ACCOUNTS)
    nodes: Entries = {}
    for zone in ZONES:
        place = f"DC={zone},CN=MicrosoftDNS,DC=DomainDnsZones,{base}"
        nodes |= _entries(directory, place, "(objectClass=dnsNode)", OF_NODES)
    return {"accounts": _entries(directory, base, f"(|{names})", OF_ACCOUNTS), "nodes": nodes}


def _is_of_a_late_host(dn: str, entry: dict[str, list[str]]) -> bool:
    name = dn.split(",", maxsplit=1)[0].removeprefix("DC=").lower()  # a second controller writes its own in capitals
    reverse = dn.split(",")[1].removeprefix("DC=").removesuffix(".in-addr.arpa")
    data = b"".join(base64.b64decode(value) for value in entry.get("dnsRecord", []))
    return name in LATE or f"{name}.{reverse}" in LATE or b"dc2" in data.lower()


def _message(directory: Any, dn: str, entry: dict[str, list[str]], attributes: tuple[str, ...], flag: int) -> Any:
    message = ldb.Message(ldb.Dn(directory, dn))
    for name in attributes:
        values = [base64.b64decode(value) for value in entry.get(name, [])]
        if values or flag == ldb.FLAG_MOD_REPLACE:
            message[name] = ldb.MessageElement(values, flag, name)
    return message


def _put_back(directory: Any, was: Entries, attributes: tuple[str, ...], now: Entries) -> None:
    for dn, entry in was.items():
        if dn not in now:
            message = _message(directory, dn, entry, attributes, 0)
            message["objectClass"] = ldb.MessageElement(["top", "dnsNode"], 0, "objectClass")
            directory.add(message, controls=["relax:0"])
        elif now[dn] != entry:
            differing = tuple(name for name in attributes if now[dn].get(name) != entry.get(name))
            message = _message(directory, dn, entry, differing, ldb.FLAG_MOD_REPLACE)
            directory.modify(message, controls=["sd_flags:1:7", "relax:0"])


def _free_names(directory: Any, was: Entries, now: Entries) -> None:
    """A name that one account took from another must be free before it is given back: names are unique."""
    for dn in was:
        if now.get(dn, {}).get("servicePrincipalName") != was[dn].get("servicePrincipalName"):
            message = _message(directory, dn, {}, ("servicePrincipalName",), ldb.FLAG_MOD_REPLACE)
            directory.modify(message, controls=["relax:0"])


def restore(directory: Any, was: dict[str, Entries]) -> None:
    """Make accounts and zones what they were."""
    now = _now(directory)
    for dn, entry in now["nodes"].items():
        if dn not in was["nodes"] and not _is_of_a_late_host(dn, entry):
            directory.delete(dn)
    changing = {dn: entry for dn, entry in was["nodes"].items() if not _is_of_a_late_host(dn, now["nodes"].get(dn, {}))}
    _free_names(directory, was["accounts"], now["accounts"])
    _put_back(directory, was["accounts"], OF_ACCOUNTS, _now(directory)["accounts"])
    _put_back(directory, changing, OF_NODES, now["nodes"])


def main(deed: str, file: Path) -> None:
    """Do it on the directory of this host."""
    settings = LoadParm()
    settings.load_default()
    directory = SamDB(session_info=system_session(), lp=settings)
    if deed == "save":
        file.write_text(json.dumps(_now(directory)), encoding="utf-8")
    else:
        restore(directory, json.loads(file.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
