"""What Windows templates are given, made whole: every key is there, every value is one that the cmdlets take.

Raise ValueError with the reason where a document cannot be used.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

ENUMERATION = ("Unrestricted", "AccessBased")
CACHING = ("Manual", "None", "Documents", "Programs", "BranchCache")
WAYS = ("optional", "alternate")
START_TYPES = ("automatic", "delayed", "manual", "disabled")


def shares(document: Mapping[str, Any]) -> dict[str, Any]:
    """Shares with path, description, access-based enumeration, caching, limit of users (0: none), encryption and SDDL."""
    return {"shares": [_share(one) for one in document["shares"]]}


def names(document: Mapping[str, Any]) -> dict[str, Any]:
    """NetBIOS and DNS names, and the way in which the server comes to answer to them."""
    return {
        "netbios": list(document.get("netbios", ())),
        "dns": list(document.get("dns", ())),
        "way": _chosen("way", document.get("way", WAYS[0]), WAYS),
        "strict_off": bool(document.get("strict_off", True)),
        "loopback": bool(document.get("loopback", True)),
    }


def addresses(document: Mapping[str, Any]) -> dict[str, Any]:
    """Addresses as Windows writes them, each with the network that its interface must be in."""
    return {
        "addresses": [_address(one) for one in document["addresses"]],
        "conflict_check": bool(document.get("conflict_check", True)),
        "across_subnets": bool(document.get("across_subnets", False)),
    }


def start_type(value: str) -> str:
    """How a service starts."""
    return _chosen("start_type", value, START_TYPES)


def _share(given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": given["name"],
        "path": given["path"],
        "description": given.get("description", ""),
        "sddl": given["sddl"],
        "folder_enumeration": _chosen(
            "folder_enumeration", given.get("folder_enumeration", ENUMERATION[0]), ENUMERATION
        ),
        "caching": _chosen("caching", given.get("caching", CACHING[0]), CACHING),
        "user_limit": int(given.get("user_limit", 0)),
        "encrypt": bool(given.get("encrypt", False)),
    }


def _address(given: Mapping[str, Any]) -> dict[str, Any]:
    interface = ipaddress.ip_interface(f"{given['address']}/{given['prefix']}")
    return {
        "address": str(interface.ip),
        "prefix": interface.network.prefixlen,
        "interface": given["interface"],
        "network": str(interface.network),
    }


def _chosen(key: str, value: Any, among: tuple[str, ...]) -> str:
    if value not in among:
        msg = f"{key} is {value!r}, not one of {', '.join(among)}"
        raise ValueError(msg)
    return str(value)
