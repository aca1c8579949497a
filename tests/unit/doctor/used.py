"""Which commands scripts for Windows call, with which parameters: ``python -m tests.unit.doctor.used`` writes the file that `dtam doctor` asks by."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

from orchestrator.model.servers import Platform
from orchestrator.scripting import render, template_names
from tests.lab.scripts import step
from tests.unit.scripting.powershell_rules import _all, _Call, _root, vocabulary
from tests.unit.scripting.windows_cases import combinations

PLACE = Path(__file__).parents[3] / "orchestrator" / "doctor" / "used_commands.json"
BUILT_IN = ("Microsoft.PowerShell.Core", "Microsoft.PowerShell.Utility")
"""Always there in 5.1."""


def used() -> dict[str, dict[str, list[str]]]:
    """By module: names as published, parameters by name; those of the language's own modules are left out."""
    found: dict[tuple[str, str], set[str]] = {}
    for text in _texts():
        for node in _all(_root(text)):
            if node.type == "command":
                _note(_Call(node), found)
    modules: dict[str, dict[str, list[str]]] = {}
    for module, name in sorted(found):
        modules.setdefault(module, {})[name] = sorted(found[module, name])
    return modules


def _note(call: _Call, found: dict[tuple[str, str], set[str]]) -> None:
    entry = vocabulary()["cmdlets"].get(call.name.casefold())
    if entry is None or entry.get("m") in BUILT_IN:
        return
    published = {name.casefold(): name for name in entry["p"]}
    switches = {name.casefold() for name, one in entry["p"].items() if one["t"] == "switch"}
    given, _ = call.bound(switches)
    names = {published[name.casefold()] for name in given if name.casefold() in published}
    found.setdefault((entry["m"], entry["name"]), set()).update(names)


def _texts() -> list[str]:
    laid = [
        one.read_text(encoding="utf-8-sig")
        for one in (resources.files("scripts") / "windows").iterdir()
        if one.name.endswith(".ps1")
    ]
    cases = dict(combinations())
    steps = [step(name, name, **cases[name]) for name in template_names(Platform.WINDOWS) if name in cases]
    return [*laid, render("post_failover", "files on alpha", steps, "", Platform.WINDOWS).text]


def main() -> None:
    PLACE.write_text(json.dumps(used(), indent=1) + "\n")


if __name__ == "__main__":
    main()
