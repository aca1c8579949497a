"""Values of registry keys (and the few properties of files) by the ItemProperty cmdlets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.lab.windows.cmdlets.base import as_list, matches, over_machine, record, texts
from tests.lab.windows.cmdlets.item_objects import item_object
from tests.lab.windows.cmdlets.places import Place, chosen, may_write, provider_facts
from tests.lab.windows.machine.refusals import Refused
from tests.lab.windows.machine.registry import KINDS, kind_of
from tests.lab.windows.powershell.commands import Call
from tests.lab.windows.powershell.values import Byte, PsObject, custom

COMMANDS = "Microsoft.PowerShell.Commands."
ARGUMENT = "System.Management.Automation.PSArgumentException"


def no_property(name: str, at: Place) -> Refused:
    """Property does not exist."""
    return Refused(f"Property {name} does not exist at path {at.shown}.", ARGUMENT, "InvalidArgument", ARGUMENT, name)


def shown(kind: str, value: Any) -> Any:
    """A value as PowerShell gives it."""
    return [Byte(one) for one in value] if kind == "Binary" else list(value) if kind == "MultiString" else value


def _bare(name: str) -> str:
    return "" if name.lower() == "(default)" else name


@over_machine("Get-ItemProperty", error_class=f"{COMMANDS}GetItemPropertyCommand")
def get_item_property(call: Call) -> Iterator[Any]:
    """An object with the values of a key; a missing name is an error."""
    names = texts(call.get("Name"))
    for at in chosen(call):
        if at.file:
            yield item_object(call, at)
            continue
        held = call.machine.registry.values(at.key)
        found: dict[str, Any] = {}
        for name in names or ["*"]:
            fitting = {one: kind for one, kind in held.items() if matches(name, one or "(default)")}
            if not fitting and names:
                call.error(record(no_property(name, at)))
            found |= {one or "(default)": shown(*value) for one, value in fitting.items()}
        if found:
            yield custom(found | provider_facts(at))


@over_machine("Get-ItemPropertyValue", error_class=f"{COMMANDS}GetItemPropertyValueCommand")
def get_item_property_value(call: Call) -> Iterator[Any]:
    """The values alone."""
    for at in chosen(call):
        for name in texts(call.get("Name")):
            if at.file:
                yield item_object(call, at).get(name)
                continue
            held = {one.lower(): value for one, value in call.machine.registry.values(at.key).items()}
            if _bare(name).lower() not in held:
                call.error(record(no_property(name, at)))
                continue
            yield shown(*held[_bare(name).lower()])


def _kind(call: Call, key: str, default: str | None, value: Any) -> str:
    asked = str(call.get(key)) if call.has(key) else default
    if asked is None or asked == "Unknown":
        return kind_of(value)
    found = next((one for one in KINDS if one.lower() == asked.lower()), None)
    if found is None:
        message = f'Cannot bind parameter \'{key}\'. Cannot convert value "{asked}" to type "Microsoft.Win32.RegistryValueKind".'
        exception = "System.Management.Automation.ParameterBindingException"
        raise Refused(message, "CannotConvertArgumentNoMessage", "InvalidArgument", exception, asked)
    return found


@over_machine("Set-ItemProperty", error_class=f"{COMMANDS}SetItemPropertyCommand")
def set_item_property(call: Call) -> Iterator[Any]:
    """Set a value; one that is not there is made. The type stays what it was, unless said."""
    for at in list(chosen(call)):
        if at.file:
            _set_of_file(call, at)
            continue
        may_write(call, at, "")
        name, value = _bare(str(call.get("Name"))), call.get("Value")
        if isinstance(call.get("InputObject"), PsObject):
            raise Refused("Not simulated: -InputObject.", ARGUMENT, "InvalidArgument", ARGUMENT)
        held = {one.lower(): kind for one, (kind, _) in call.machine.registry.values(at.key).items()}
        kind = _kind(call, "Type", held.get(name.lower()), value)
        if call.should_process(f"Item: {at.shown} Property: {name}", "Set Property"):
            call.machine.registry.put(at.key, name, kind, value)
            if call.switch("PassThru"):
                yield custom({name: shown(kind, call.machine.registry.value(at.key, name))} | provider_facts(at))


def _set_of_file(call: Call, at: Place) -> None:
    assert at.file
    may_write(call, at, "SetItemPropertyUnauthorizedAccess")
    name = str(call.get("Name"))
    if name.lower() != "isreadonly":
        message = f"The property '{name}' cannot be found on this object."
        raise Refused(message, ARGUMENT, "InvalidArgument", ARGUMENT, name)
    if call.should_process(f"Item: {at.file.windows} Property: {name}", "Set Property"):
        mode = at.file.real.stat().st_mode
        at.file.real.chmod(mode & ~0o222 if call.get("Value") else mode | 0o200)


@over_machine("New-ItemProperty", error_class=f"{COMMANDS}NewItemPropertyCommand")
def new_item_property(call: Call) -> Iterator[Any]:
    """Add a value; one of that name is in the way unless -Force."""
    for at in list(chosen(call)):
        may_write(call, at, "")
        name, value = _bare(str(call.get("Name"))), call.get("Value")
        held = [one.lower() for one in call.machine.registry.values(at.key)]
        if name.lower() in held and not call.switch("Force"):
            raise Refused(
                "The property already exists.", "System.IO.IOException", "WriteError", "System.IO.IOException", at.shown
            )
        kind = _kind(call, "PropertyType", None, value)
        if call.should_process(f"Item: {at.shown} Property: {name}", "New Property"):
            call.machine.registry.put(at.key, name, kind, value)
            yield custom({name: shown(kind, call.machine.registry.value(at.key, name))} | provider_facts(at))


@over_machine("Remove-ItemProperty", error_class=f"{COMMANDS}RemoveItemPropertyCommand")
def remove_item_property(call: Call) -> None:
    """Remove values."""
    for at in list(chosen(call)):
        may_write(call, at, "")
        for name in as_list(call.get("Name")):
            found = [one for one in call.machine.registry.values(at.key) if matches(name, one or "(default)")]
            if not found:
                call.error(record(no_property(str(name), at)))
            for one in found:
                if call.should_process(f"Item: {at.shown} Property: {one}", "Remove Property"):
                    call.machine.registry.drop(at.key, one)


@over_machine("Rename-ItemProperty", error_class=f"{COMMANDS}RenameItemPropertyCommand")
def rename_item_property(call: Call) -> None:
    """Give a value another name."""
    for at in list(chosen(call)):
        may_write(call, at, "")
        old, new = str(call.get("Name")), str(call.get("NewName"))
        values = {one.lower(): value for one, value in call.machine.registry.values(at.key).items()}
        if old.lower() not in values:
            raise no_property(old, at)
        if call.should_process(f"Item: {at.shown} SourceProperty: {old} DestinationProperty: {new}", "Rename Property"):
            call.machine.registry.put(at.key, new, *values[old.lower()])
            call.machine.registry.drop(at.key, old)
