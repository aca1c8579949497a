"""Makes vocabulary.json of the big collection of published cmdlet pages: `python trim_vocabulary.py cmdlets.json vocabulary.json`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

MODULES = [
    "ActiveDirectory",
    "BitsTransfer",
    "CimCmdlets",
    "DFSN",
    "DFSR",
    "DISM",
    "Deduplication",
    "DnsClient",
    "DnsServer",
    "FailoverClusters",
    "FileServerResourceManager",
    "GroupPolicy",
    "Microsoft.PowerShell.Archive",
    "Microsoft.PowerShell.Core",
    "Microsoft.PowerShell.Diagnostics",
    "Microsoft.PowerShell.Host",
    "Microsoft.PowerShell.LocalAccounts",
    "Microsoft.PowerShell.Management",
    "Microsoft.PowerShell.Security",
    "Microsoft.PowerShell.Utility",
    "Microsoft.WSMan.Management",
    "NetAdapter",
    "NetConnection",
    "NetLbfo",
    "NetSecurity",
    "NetTCPIP",
    "ScheduledTasks",
    "ServerCore",
    "ServerManager",
    "SmbShare",
    "SmbWitness",
    "Storage",
    "StorageReplica",
    "TLS",
    "iSCSI",
    "pki",
]
VERSIONS = {"winserver2022", "ps5.1"}


def current(entry: dict[str, Any]) -> bool:
    """Whether Windows Server 2022 with Windows PowerShell 5.1 has it."""
    versions = entry.get("versions")
    return versions is None or bool(VERSIONS & set(versions))


def parameter(entry: dict[str, Any]) -> dict[str, Any]:
    """One parameter, short."""
    short: dict[str, Any] = {"t": "switch" if entry["switch"] else entry["type"].removeprefix("System.")}
    if str(entry.get("position", "")).isdigit():
        short["i"] = int(entry["position"])
    pipeline = entry.get("pipeline", "")
    if "True" in pipeline:
        short["p"] = ("v" if "ByValue" in pipeline else "") + ("n" if "ByPropertyName" in pipeline else "")
    if entry.get("values"):
        short["v"] = entry["values"]
    if entry.get("aliases"):
        short["a"] = entry["aliases"]
    return short


def cmdlet(entry: dict[str, Any]) -> dict[str, Any]:
    """One cmdlet, short: its module, parameters and sets (name, mandatory, optional, default)."""
    kept = {name: one for name, one in entry["parameters"].items() if current(one)}
    names = list(kept)
    sets = []
    for one in entry.get("sets", ()):
        if any(name not in kept for name in one["mandatory"]):
            continue
        optional = [names.index(name) for name in one["optional"] if name in kept]
        mandatory = [names.index(name) for name in one["mandatory"]]
        sets.append([one["name"], mandatory, optional, 1 if one.get("default") else 0])
    short = {"m": entry["module"], "p": {name: parameter(one) for name, one in kept.items()}, "s": sets}
    if entry.get("supports_should_process"):
        short["w"] = 1
    return short


def main() -> None:
    """Read the one, write the other."""
    big = json.loads(Path(sys.argv[1]).read_text())
    cmdlets = {
        name: cmdlet(entry) for name, entry in big["cmdlets"].items() if entry["module"] in MODULES and current(entry)
    }
    sources = {
        name: commit
        for name, commit in big["_meta"]["sources"].items()
        if name in ("MicrosoftDocs/windows-powershell-docs", "MicrosoftDocs/PowerShell-Docs")
    }
    made = {
        "source": {
            "published pages": sources,
            "for": sorted(VERSIONS),
            "made by": "tests/data/powershell/trim_vocabulary.py",
        },
        "common": big["common_parameters"],
        "common_aliases": big["common_parameter_aliases"],
        "aliases": {name: target for name, target in big["aliases"].items() if target in cmdlets},
        "cmdlets": cmdlets,
    }
    Path(sys.argv[2]).write_text(json.dumps(made, separators=(",", ":"), sort_keys=False) + "\n")


if __name__ == "__main__":
    main()
