"""New-Object and Add-Member."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from tests.lab.windows.powershell.commands import Call, cmdlet
from tests.lab.windows.powershell.convert import to_text, type_name
from tests.lab.windows.powershell.core.objects import flattened
from tests.lab.windows.powershell.members import ScriptMethod
from tests.lab.windows.powershell.type_names import resolve_type
from tests.lab.windows.powershell.values import (
    Computed,
    ErrorRecord,
    NetException,
    OutsideSubset,
    PsObject,
    Table,
    Terminating,
)


@cmdlet("New-Object")
def new_object(call: Call) -> Iterator[Any]:
    if call.has("ComObject"):
        raise OutsideSubset("New-Object -ComObject lies outside the subset")
    written = to_text(call.get("TypeName"))
    name = resolve_type(written)
    if name is None:
        message = f"Cannot find type [{written}]: verify that the assembly containing this type is loaded."
        call.terminate(
            ErrorRecord(
                "TypeNotFound", message, "InvalidType", None, "System.Management.Automation.PSArgumentException"
            )
        )
    if call.session.language_mode != "FullLanguage" and "PSObject" not in str(name) and "Hashtable" not in str(name):
        call.terminate(
            ErrorRecord(
                "CannotCreateTypeConstrainedLanguage",
                "Cannot create type. Only core types are supported in this language mode.",
                "PermissionDenied",
                None,
                "System.Management.Automation.PSNotSupportedException",
            )
        )
    try:
        made = call.shell.construct(str(name), list(call.get("ArgumentList") or []))
    except Terminating as error:
        cause = error.record.thrown().inner
        if cause is not None:
            call.terminate(
                ErrorRecord(
                    "ConstructorInvokedThrowException,Microsoft.PowerShell.Commands.NewObjectCommand",
                    f'Exception calling ".ctor" with "{len(call.get("ArgumentList") or [])}" argument(s): "{cause.message}"',
                    "InvalidOperation",
                    None,
                    NetException("System.Management.Automation.MethodInvocationException", error.record.message, cause),
                )
            )
        if error.record.error_id == "MethodCountCouldNotFindBest":
            message = f"A constructor was not found. Cannot find an appropriate constructor for type {written}."
            call.terminate(
                ErrorRecord(
                    "CannotFindAppropriateCtor",
                    message,
                    "ObjectNotFound",
                    None,
                    "System.Management.Automation.PSArgumentException",
                )
            )
        raise
    for key, value in (call.get("Property") or Table()).items():
        if isinstance(made, PsObject) and "PSObject" in str(name):
            made.set(to_text(key), value)
        else:
            call.shell.set_member(made, to_text(key), value, call.frame)
    yield made


@cmdlet("Add-Member", whole=True)
def add_member(call: Call) -> Iterator[Any]:
    for item in flattened(call):
        target = item if isinstance(item, PsObject) else None
        if target is None:
            if isinstance(item, Table) and not call.switch("PassThru"):
                raise OutsideSubset("Add-Member on a hashtable lies outside the subset")
            raise OutsideSubset(f"Add-Member on a value of {type_name(item)} lies outside the subset")
        _add(call, target)
        if call.switch("PassThru"):
            yield target


def _add(call: Call, target: PsObject) -> None:
    members: list[tuple[str, Any]]
    kind = to_text(call.get("MemberType", "NoteProperty")).casefold()
    if call.has("NotePropertyMembers"):
        members = [(to_text(key), value) for key, value in call.get("NotePropertyMembers").items()]
    elif call.has("NotePropertyName"):
        members = [(to_text(call.get("NotePropertyName")), call.get("NotePropertyValue"))]
    elif call.has("Name"):
        members = [(to_text(call.get("Name")), call.get("Value"))]
    elif call.has("TypeName"):
        target.type_names = (to_text(call.get("TypeName")), *target.type_names)
        return
    else:
        members = []
    for name, value in members:
        if name in target.properties and not call.switch("Force"):
            message = f'Cannot add a member with the name "{name}" because a member with that name already exists. To overwrite the member anyway, add the Force parameter to your command.'
            call.error(
                ErrorRecord(
                    "MemberAlreadyExists", message, "InvalidOperation", target, "System.InvalidOperationException"
                )
            )
            continue
        if kind == "noteproperty":
            target.set(name, value)
        elif kind == "scriptmethod":
            _script_method(call, target, name, value)
        elif kind == "scriptproperty":
            target.properties[name] = Computed(functools.partial(_script_property, call, target, value))
        else:
            raise OutsideSubset(f"Add-Member -MemberType {kind} lies outside the subset")


def _script_method(call: Call, target: PsObject, name: str, block: Any) -> None:
    target.methods[name] = lambda *given: call.shell.script_method(ScriptMethod(block), target, given)


def _script_property(call: Call, target: PsObject, block: Any) -> Any:
    return call.shell.script_method(ScriptMethod(block), target, ())
