"""What a host believes about names and addresses, apart from DNS: its hosts file, its networks, name services, keytabs. Read only."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from orchestrator.engine.control import keytabs as keytabfiles
from orchestrator.engine.control.answers import HostsEntry, KeytabFacts, NetworkFacts

HOSTS = Path("/etc/hosts")
RESOLVERS = (Path("/run/systemd/resolve/resolv.conf"), Path("/etc/resolv.conf"))
"""Where systemd runs a resolver of its own, what that asks; else what programs ask."""
NSSWITCH = Path("/etc/nsswitch.conf")
BUDGET_S = 5.0


class Naming(TypedDict):
    """The part of the facts that this file gives."""

    hosts: list[HostsEntry]
    networks: list[NetworkFacts]
    keytabs: list[KeytabFacts]
    winbind_names: bool
    resolvers: list[str]


def gather(keytabs: Sequence[str]) -> Naming:
    """All of it."""
    return {
        "hosts": hosts_entries(text_of(HOSTS)),
        "networks": networks(),
        "keytabs": [keytabfiles.look(Path(path)) for path in keytabs],
        "winbind_names": has_winbind(),
        "resolvers": resolvers(),
    }


def has_winbind() -> bool:
    """Whether accounts of this host are named by winbind, too."""
    return bool(re.search(r"^passwd:.*\bwinbind\b", text_of(NSSWITCH), re.MULTILINE))


def resolvers() -> list[str]:
    """The DNS servers that this host asks, but itself."""
    text = next(filter(None, map(text_of, RESOLVERS)), "")
    named = (line.split() for line in text.splitlines())
    found = dict.fromkeys(words[1] for words in named if len(words) > 1 and words[0] == "nameserver")
    return [one for one in found if not one.startswith("127.") and one != "::1"]


def hosts_entries(text: str) -> list[HostsEntry]:
    """The lines of a hosts file."""
    lines = (line.partition("#")[0].split() for line in text.splitlines())
    return [HostsEntry(address=words[0], names=[name.lower() for name in words[1:]]) for words in lines if words[1:]]


def networks() -> list[NetworkFacts]:
    """Addresses with interface and prefix; ``dynamic`` ones were leased and may go."""
    said = _said(["ip", "-json", "address", "show"])
    return [
        NetworkFacts(
            address=entry["local"],
            prefix=entry["prefixlen"],
            interface=link["ifname"],
            dynamic=bool(entry.get("dynamic")) and entry.get("family") == "inet",
        )
        for link in json.loads(said or "[]")
        for entry in link.get("addr_info", [])
        if entry.get("scope") == "global" and "local" in entry
    ]


def text_of(path: Path) -> str:
    """A file's text; empty where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _said(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=BUDGET_S, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
