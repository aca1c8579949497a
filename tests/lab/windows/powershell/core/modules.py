"""Cmdlets about commands, aliases and modules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.lab.windows.powershell import vocabulary
from tests.lab.windows.powershell.commands import PROGRAMS, Call, cmdlet
from tests.lab.windows.powershell.convert import to_text, version
from tests.lab.windows.powershell.core.sessions import _scope
from tests.lab.windows.powershell.patterns import has_wildcard, like
from tests.lab.windows.powershell.values import (
    Computed,
    EnumValue,
    ErrorRecord,
    OutsideSubset,
    PsObject,
    Table,
    TypeValue,
    custom,
    typed,
)


def _command(name: str, kind: str, module: str, target: Any) -> PsObject:
    return typed(
        "System.Management.Automation.CmdletInfo" if kind == "Cmdlet" else f"System.Management.Automation.{kind}Info",
        {
            "Name": name,
            "CommandType": EnumValue(
                "System.Management.Automation.CommandTypes",
                kind,
                {"Cmdlet": 8, "Function": 2, "Application": 32, "Alias": 1}[kind],
            ),
            "ModuleName": module,
            "Source": module,
            "Version": version("1.0.0.0"),
            "Definition": name,
            "Parameters": Computed(lambda: _parameters(name)),
            "__command": target,
        },
        text=name,
        read_only=True,
    )


def _parameters(name: str) -> Table:
    """CommandInfo.Parameters: from each name to its metadata, the common ones too."""
    signature = vocabulary.signature(name)
    made = Table()
    for one in signature.parameters.values() if signature is not None else ():
        made[one.name] = custom(
            {
                "Name": one.name,
                "ParameterType": TypeValue(one.type_name),
                "SwitchParameter": one.is_switch,
                "Aliases": list(one.aliases),
            }
        )
    for one in vocabulary.document()["common"] if signature is not None else ():
        made[one] = custom(
            {"Name": one, "ParameterType": TypeValue("System.Object"), "SwitchParameter": False, "Aliases": []}
        )
    return made


def _commands(call: Call, pattern: str) -> Iterator[PsObject]:
    shell = call.shell
    if (function := call.frame.scope.function(pattern)) is not None:
        yield _command(function.name, "Function", "", function)
        return
    if (target := call.frame.scope.alias(pattern) or vocabulary.aliases().get(pattern.casefold())) is not None:
        yield _command(pattern, "Alias", "", target)
        return
    there = getattr(shell.machine.computer, "modules", None)
    present = {one.casefold() for one in there()} if callable(there) else set()
    for folded, name in vocabulary.names().items():
        if like(folded, pattern):
            module = vocabulary.module_of(name)
            if (
                not present
                or module.casefold() in present
                or module.startswith(("Microsoft.PowerShell.", "CimCmdlets"))
            ):
                yield _command(name, "Cmdlet" if vocabulary.signature(name).compiled else "Function", module, name)  # type: ignore[union-attr]
    for name in PROGRAMS:
        if like(name, pattern) or like(name.removesuffix(".exe"), pattern):
            yield _command(name, "Application", "", name)


@cmdlet("Get-Command")
def get_command(call: Call) -> Iterator[Any]:
    modules = [to_text(one).casefold() for one in call.get("Module") or []]
    names = call.get("Name") or [
        f"{call.get('Verb', ['*'])[0]}-{call.get('Noun', ['*'])[0]}" if call.has("Verb") or call.has("Noun") else "*"
    ]
    for name in names:
        found = list(_commands(call, to_text(name)))
        if modules:
            found = [one for one in found if any(like(to_text(one.get("ModuleName")), module) for module in modules)]
        if call.has("CommandType"):
            wanted = to_text(call.get("CommandType")).casefold()
            found = [one for one in found if one.get("CommandType").name.casefold() in wanted or wanted == "all"]
        if not found and not has_wildcard(to_text(name)):
            message = f"The term '{to_text(name)}' is not recognized as the name of a cmdlet, function, script file, or operable program. Check the spelling of the name, or if a path was included, verify that the path is correct and try again."
            call.error(
                ErrorRecord(
                    "CommandNotFoundException",
                    message,
                    "ObjectNotFound",
                    to_text(name),
                    "System.Management.Automation.CommandNotFoundException",
                )
            )
        yield from found


def _modules(call: Call) -> list[str]:
    there = getattr(call.machine.computer, "modules", None)
    listed = (
        list(there())
        if callable(there)
        else sorted({vocabulary.module_of(name) for name in vocabulary.names().values()})
    )
    core = [
        "Microsoft.PowerShell.Management",
        "Microsoft.PowerShell.Utility",
        "Microsoft.PowerShell.Security",
        "Microsoft.PowerShell.Diagnostics",
        "Microsoft.PowerShell.LocalAccounts",
        "Microsoft.PowerShell.Archive",
        "CimCmdlets",
        "Microsoft.WSMan.Management",
    ]
    return listed + [one for one in core if one.casefold() not in {name.casefold() for name in listed}]


def _module(call: Call, name: str) -> PsObject:
    there = getattr(call.machine.computer, "modules", None)
    number = there().get(name, "1.0.0.0") if callable(there) and isinstance(there(), dict) else "1.0.0.0"
    exported = custom([(one, one) for one in vocabulary.modules().get(name.casefold(), [])])
    return typed(
        "System.Management.Automation.PSModuleInfo",
        {
            "Name": name,
            "Version": version(to_text(number) if "." in to_text(number) else "1.0.0.0"),
            "ModuleType": "Manifest",
            "ExportedCommands": exported,
            "Path": f"C:\\Windows\\system32\\WindowsPowerShell\\v1.0\\Modules\\{name}\\{name}.psd1",
        },
        text=name,
        read_only=True,
    )


@cmdlet("Get-Module")
def get_module(call: Call) -> Iterator[Any]:
    loaded = {
        "microsoft.powershell.management",
        "microsoft.powershell.utility",
        *call.shell.state.setdefault("modules", set()),
    }
    wanted = [to_text(one) for one in call.get("Name") or call.get("FullyQualifiedName") or ["*"]]
    for name in _modules(call):
        if any(like(name, pattern) for pattern in wanted) and (
            call.switch("ListAvailable") or name.casefold() in loaded
        ):
            yield _module(call, name)


@cmdlet("Import-Module")
def import_module(call: Call) -> Iterator[Any]:
    for name in call.get("Name") or []:
        found = next((one for one in _modules(call) if one.casefold() == to_text(name).casefold()), None)
        if found is None:
            if "\\" in to_text(name) or to_text(name).casefold().endswith((".psm1", ".psd1")):
                raise OutsideSubset("Import-Module of a file lies outside the subset")
            message = f"The specified module '{to_text(name)}' was not loaded because no valid module file was found in any module directory."
            call.error(
                ErrorRecord(
                    "Modules_ModuleNotFound",
                    message,
                    "ResourceUnavailable",
                    to_text(name),
                    "System.IO.FileNotFoundException",
                )
            )
            continue
        call.shell.state.setdefault("modules", set()).add(found.casefold())
        if call.switch("PassThru"):
            yield _module(call, found)


@cmdlet("Remove-Module")
def remove_module(call: Call) -> None:
    for name in call.get("Name") or []:
        call.shell.state.setdefault("modules", set()).discard(to_text(name).casefold())


@cmdlet("Get-Alias")
def get_alias(call: Call) -> Iterator[Any]:
    for name in call.get("Name") or ["*"]:
        for alias, target in vocabulary.aliases().items():
            if like(alias, to_text(name)):
                yield _command(alias, "Alias", "", target)


@cmdlet("Set-Alias", "New-Alias")
def set_alias(call: Call) -> None:
    _scope(call).aliases[to_text(call.get("Name")).casefold()] = to_text(call.get("Value"))
