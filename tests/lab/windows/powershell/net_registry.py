"""Microsoft.Win32.RegistryKey, as far as the subset has it: keys of HKLM, lasting ones and ones that are gone at the next boot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.lab.windows.machine.refusals import Refused
from tests.lab.windows.powershell.convert import to_text
from tests.lab.windows.powershell.instances import Raised
from tests.lab.windows.powershell.values import EnumValue, PsObject, typed

if TYPE_CHECKING:
    from tests.lab.windows.powershell.evaluate import Interpreter

CHECKS = {"default", "readsubtree", "readwritesubtree"}
OPTIONS = {"none", "volatile"}


def local_machine(shell: Interpreter) -> PsObject:
    """[Microsoft.Win32.Registry]::LocalMachine."""
    return _key(shell, "", writable=False)


def _key(shell: Interpreter, path: str, *, writable: bool) -> PsObject:
    registry = shell.machine.registry

    def create(name: Any, check: Any = "Default", option: Any = "None") -> PsObject:
        if _word(check) not in CHECKS or _word(option) not in OPTIONS:
            raise Raised("System.ArgumentException", "The value is not one of the enumeration.")
        if not shell.session.elevated:
            raise Raised("System.UnauthorizedAccessException", f"Access to the registry key '{shown(name)}' is denied.")
        whole = joined(name)
        try:
            (registry.make_volatile if _word(option) == "volatile" else registry.make)(whole)
        except Refused as refusal:
            raise Raised(refusal.exception, refusal.message) from refusal
        return _key(shell, whole, writable=_word(check) != "readsubtree")

    def opened(name: Any, for_writing: Any = False) -> PsObject | None:
        whole = joined(name)
        return _key(shell, whole, writable=bool(for_writing)) if registry.exists(whole) else None

    def put(name: Any, value: Any, kind: Any = "String") -> None:
        if not writable:
            raise Raised("System.UnauthorizedAccessException", "Cannot write to the registry key.")
        registry.put(path, to_text(name), to_text(kind), value)

    def joined(name: Any) -> str:
        return f"{path}\\{to_text(name)}".strip("\\")

    def shown(name: Any) -> str:
        return f"HKEY_LOCAL_MACHINE\\{joined(name)}"

    made = typed("Microsoft.Win32.RegistryKey", {"Name": f"HKEY_LOCAL_MACHINE\\{path}".rstrip("\\")})
    made.methods = {
        "CreateSubKey": create, "OpenSubKey": opened, "SetValue": put, "GetValue": lambda name, default=None: registry.value(path, to_text(name), default),
        "Close": lambda: None, "Dispose": lambda: None,
    }  # fmt: skip
    return made


def _word(value: Any) -> str:
    return (value.name if isinstance(value, EnumValue) else to_text(value)).casefold()
