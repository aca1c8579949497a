"""Every template for Windows with every combination of what it may be given, made of its front matter."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from orchestrator.model.servers import Platform
from orchestrator.scripting import template_facts, template_names
from orchestrator.scripting.templates import source

ODD = "it's \u201codd\u201d \u2018n\u2019 $(Get-Date) `x` Büro; #> <# %PATH%"
ODD_SERVICE = "B\u00fcro's \u2018odd\u2019 $(x)"
SHARE = {"name": "data", "path": "C:\\data", "sddl": "O:SYG:SYD:(A;;0x1301bf;;;S-1-5-21-1-2-3-513)(A;;0x1f01ff;;;BA)"}
WHOLE = {
    **SHARE,
    "name": "Büro's",
    "path": "C:\\Büro\u2019s $(x) [1]",
    "description": ODD,
    "folder_enumeration": "AccessBased",
    "caching": "None",
    "user_limit": 20,
    "encrypt": True,
}
ADDRESS = {"address": "192.0.2.10", "prefix": 24, "interface": "Ethernet"}
DOCUMENTS: dict[str, list[Any]] = {
    "shares": [{"shares": []}, {"shares": [SHARE]}, {"shares": [SHARE, WHOLE]}],
    "names": [
        {"server": "windows", "netbios": ["ALPHA"]},
        {"netbios": [], "dns": ["alpha.lab.example"], "way": "alternate"},
        {
            "netbios": ["ALPHA", "FILES"],
            "dns": ["alpha.lab.example", "files.lab.example"],
            "loopback": False,
            "strict_off": False,
        },
        {},
    ],
    "addresses": [
        {"addresses": []},
        {"addresses": [ADDRESS]},
        {
            "addresses": [
                ADDRESS,
                {"address": "2001:DB8:0:0::10", "prefix": 64, "interface": "Büro's \u2018LAN\u2019"},
            ],
            "conflict_check": False,
            "across_subnets": True,
        },
    ],
}
VALUES: dict[str, list[Any]] = {
    "service": [
        "LanmanServer",
        {"name": "server", "unit": "LanmanServer", "start_timeout_s": 30.5, "grace_s": 10},
        {"name": "odd", "unit": ODD_SERVICE},
    ],
    "start_type": ["automatic", "delayed", "manual", "disabled"],
    "seconds": [0, 0.1],
    "paths": [[], ["C:\\data"], ["C:\\data", ODD]],
    "interfaces": [[], ["Ethernet"], ["Ethernet", ODD]],
    "path": ["C:\\data", "D:\\" + ODD],
    "command": [["hostname.exe"], ["words.exe", "", 'a "b" \\', "line\nbreak\u202e", ODD]],
    "look_command": [[], ["hostname.exe"]],
    "undo_command": [[], ["hostname.exe", ODD]],
}
OF_OTHERS = "name servers addresses key_file unsigned kerberos client_server target_name zones names ttl_s primary each_server timeout_s wait_s undo_file"
VALUES |= {one: [ODD] for one in OF_OTHERS.split()}


def combinations() -> Iterator[tuple[str, dict[str, Any]]]:
    """Template and variables: each value of each variable, with none, each and all of the optional ones."""
    for name in template_names(Platform.WINDOWS):
        facts = template_facts(name, Platform.WINDOWS)
        needed = {one: _values(name, one) for one in facts.needs}
        bare = {one: values[0] for one, values in needed.items()}
        optional = {one: _values(name, one) for one in facts.optional}
        yield name, bare
        for one, values in {**needed, **optional}.items():
            yield from ((name, {**bare, one: value}) for value in values)
        if optional:
            yield name, {one: values[-1] for one, values in {**needed, **optional}.items()}


def _values(template: str, variable: str) -> list[Any]:
    if variable != "document":
        return VALUES[variable]
    kind = re.search(r"document \| (\w+)", source(f"{template}.ps1.j2"))
    assert kind, f"{template} does not say what its document is"
    return DOCUMENTS[kind[1]]
