"""The published vocabulary: which cmdlets and aliases there are, and with which parameters."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from tests.lab.windows.powershell.signature import ParameterSet, Signature, SignatureParameter
from tests.lab.windows.powershell.type_names import resolve_type

FILE = Path(__file__).parents[3] / "data" / "powershell" / "vocabulary.json"
SWITCH = "System.Management.Automation.SwitchParameter"
STRINGS = ("System.String", "System.String[]")
# Parameters whose written type is not what they take: a transformation stands before it.
TYPES = {
    ("Set-StrictMode", "Version"): "System.String",
    ("Get-Date", "UFormat"): "System.String",
    ("Write-Error", "Category"): "System.String",
    ("New-Object", "Property"): "System.Collections.Hashtable",
}
REQUIRED_PREFIX = "Microsoft.PowerShell."


@functools.cache
def document() -> Any:
    """The file, read once."""
    return json.loads(FILE.read_text())


@functools.cache
def names() -> dict[str, str]:
    """Folded name to published name."""
    return {name.casefold(): name for name in document()["cmdlets"]}


@functools.cache
def aliases() -> dict[str, str]:
    """Folded alias to published name."""
    return {alias.casefold(): name for alias, name in document()["aliases"].items()}


@functools.cache
def modules() -> dict[str, list[str]]:
    """Folded name of a module to its cmdlets."""
    found: dict[str, list[str]] = {}
    for name, entry in document()["cmdlets"].items():
        found.setdefault(entry["m"].casefold(), []).append(name)
    return found


def module_of(name: str) -> str:
    """The module of a cmdlet, by its published name."""
    return str(document()["cmdlets"][name]["m"])


@functools.cache
def signature(name: str) -> Signature | None:
    """How a cmdlet binds, by its published name in any case; None when there is no such cmdlet."""
    published = names().get(name.casefold())
    if published is None:
        return None
    entry = document()["cmdlets"][published]
    parameters = [_parameter(published, one, fields) for one, fields in entry["p"].items()]
    sets = [
        ParameterSet(
            listed[0],
            frozenset(parameters[index].name for index in listed[1]),
            tuple(parameters[index].name for index in [*listed[1], *listed[2]]),
            bool(listed[3]),
        )
        for listed in entry["s"]
    ]
    in_sets = {one for listed in sets for one in listed.members}
    loose = tuple(one.name for one in parameters if one.name not in in_sets)
    sets = [ParameterSet(one.name, one.mandatory, one.members + loose, one.default) for one in sets] or [
        ParameterSet("(All)", frozenset(), loose, True)
    ]
    compiled = entry["m"].startswith((REQUIRED_PREFIX, "CimCmdlets", "FailoverClusters", "ActiveDirectory"))
    return Signature(
        published,
        {one.name.casefold(): one for one in parameters},
        tuple(sets),
        bool(entry.get("w")),
        compiled,
        entry["m"],
    )


# Parameters that take all remaining arguments; the tables of the pages do not say so.
REMAINING = {("ForEach-Object", "RemainingScripts"), ("Write-Host", "Object"), ("Write-Output", "InputObject")}


def _parameter(cmdlet: str, name: str, fields: dict[str, Any]) -> SignatureParameter:
    written = fields["t"]
    pipeline = fields.get("p", "")
    resolved = (
        SWITCH
        if written == "switch"
        else resolve_type(written.replace("System.", "", 1) if written.startswith("System.") else written)
    )
    resolved = TYPES.get((cmdlet, name), resolved)
    enumeration = bool(fields.get("v")) and resolved not in STRINGS
    if resolved is None and written.split(".")[-1].split("[")[0].startswith("Nullable"):
        resolved = "System.Object"
    return SignatureParameter(
        name,
        resolved or written,
        position=fields.get("i"),
        by_value="v" in pipeline,
        by_name="n" in pipeline,
        aliases=tuple(fields.get("a", ())),
        values=tuple(fields.get("v", ())),
        enumeration=enumeration,
        known=resolved is not None,
        rest=(cmdlet, name) in REMAINING,
    )
