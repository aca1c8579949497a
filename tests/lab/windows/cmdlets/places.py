"""Which provider a path belongs to, and what the provider cmdlets say when it leads nowhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.lab.windows.cmdlets.base import has_wildcard, matches, record, texts
from tests.lab.windows.machine.files import Located
from tests.lab.windows.machine.refusals import Refused
from tests.lab.windows.powershell.commands import Call

HIVE = re.compile(
    r"(?:(?:Microsoft\.PowerShell\.Core\\)?Registry::(?:HKEY_LOCAL_MACHINE|HKLM)|HKLM:|HKEY_LOCAL_MACHINE)(?:\\(.*))?$",
    re.IGNORECASE | re.DOTALL,
)
OTHER_DRIVE = re.compile(r"([A-Za-z][\w]+):")


@dataclass(frozen=True)
class Place:
    """A key of the registry (``key``) or a place of a file (``file``)."""

    key: str | None = None
    file: Located | None = None

    @property
    def shown(self) -> str:
        """The path as messages have it."""
        return self.file.windows if self.file else f"HKEY_LOCAL_MACHINE\\{self.key}".rstrip("\\")

    @property
    def drive_path(self) -> str:
        """The path with its drive."""
        return self.file.windows if self.file else f"HKLM:\\{self.key}".rstrip("\\")


def not_found(path: str) -> Refused:
    """Cannot find path."""
    exception = "System.Management.Automation.ItemNotFoundException"
    return Refused(
        f"Cannot find path '{path}' because it does not exist.", "PathNotFound", "ObjectNotFound", exception, path
    )


def location(call: Call) -> str:
    """Where the session stands."""
    return str(call.shell.location if call.shell else call.session.location)


def place(call: Call, path: str) -> Place:
    """The provider's place of a path without wildcards; it need not exist."""
    if hive := HIVE.match(path):
        return Place(key=re.sub(r"\\+", r"\\", (hive[1] or "").replace("/", "\\")).strip("\\"))
    at = location(call)
    if at.upper().startswith("HKLM:") and not re.match(r"[A-Za-z]:|\\\\", path):
        return place(call, f"{at.rstrip(chr(92))}\\{path}")
    if (other := OTHER_DRIVE.match(path)) and "::" not in path:
        message = f"Cannot find drive. A drive with the name '{other[1]}' does not exist."
        raise Refused(
            message, "DriveNotFound", "ObjectNotFound", "System.Management.Automation.DriveNotFoundException", other[1]
        )
    return Place(file=call.machine.files.locate(path, at))


def exists(call: Call, at: Place) -> bool:
    """Whether there is such an item."""
    if at.file:
        return at.file.real.exists() or at.file.real.is_symlink()
    return bool(call.machine.registry.exists(at.key))


def children(call: Call, at: Place) -> list[Place]:
    """The items directly below."""
    if at.file:
        real = at.file.real
        names = sorted((one.name for one in real.iterdir()), key=str.lower) if real.is_dir() else []
        base = at.file.windows.rstrip("\\")
        return [Place(file=Located(f"{base}\\{name}", real / name, at.file.volume)) for name in names]
    return [Place(key=f"{at.key}\\{name}".strip("\\")) for name in call.machine.registry.subkeys(at.key)]


def name_of(at: Place) -> str:
    """The last name of the path."""
    whole = at.file.windows.rstrip("\\") if at.file else at.key or "HKEY_LOCAL_MACHINE"
    return str(whole).rpartition("\\")[2] or str(whole)


def expanded(call: Call, path: str) -> list[Place]:
    """The existing places that a pattern finds."""
    if not has_wildcard(path):
        return [place(call, path)]
    parent, _, last = path.rstrip("\\").replace("/", "\\").rpartition("\\")
    found = []
    for above in expanded(call, parent + "\\" if parent.endswith(":") else parent) if parent else [place(call, ".")]:
        if exists(call, above):
            found += [one for one in children(call, above) if matches(last, name_of(one))]
    return found


def chosen(call: Call, *, must_exist: bool = True) -> Iterator[Place]:
    """The places of -Path or -LiteralPath; an error for each that is not there."""
    literal = call.has("LiteralPath")
    for path in texts(call.get("LiteralPath") if literal else call.get("Path")):
        try:
            found = [place(call, path)] if literal else expanded(call, path)
            if must_exist:
                for one in found:
                    if not exists(call, one):
                        raise not_found(one.drive_path)
        except Refused as why:
            call.error(record(why))
            continue
        yield from [one for one in found if _fits(call, one)]


def _fits(call: Call, at: Place) -> bool:
    name = name_of(at)
    if call.has("Include") and not any(matches(one, name) for one in texts(call.get("Include"))):
        return False
    return not any(matches(one, name) for one in texts(call.get("Exclude")))


def may_write(call: Call, at: Place, error_id: str) -> None:
    """Refused where the session has no right, the volume no room, the place no writing at all."""
    denied = call.name.lower() in call.machine.faults.denied
    if at.file:
        acls = call.machine.acls
        parent = at.file.windows.rstrip("\\").rpartition("\\")[0]
        judged = at.file.windows if at.file.real.exists() else parent
        if denied or not at.file.writable or not acls.allows(judged, acls.of_session(call.session)):
            message = f"Access to the path '{at.file.windows}' is denied."
            raise Refused(
                message, error_id, "PermissionDenied", "System.UnauthorizedAccessException", at.file.windows, 5
            )
        if at.file.volume and at.file.volume["blocked"]:
            raise Refused(
                "The device is not ready.", error_id, "WriteError", "System.IO.IOException", at.file.windows, 21
            )
    elif denied or not call.session.elevated:
        message = "Requested registry access is not allowed."
        raise Refused(
            message,
            "System.Security.SecurityException",
            "PermissionDenied",
            "System.Security.SecurityException",
            at.shown,
            5,
        )


def wrote(call: Call, at: Place) -> None:
    """Tell a synchronous replication that the volume changed."""
    if at.file and at.file.volume:
        call.machine.replica.written(at.file.volume["letter"])


def provider_facts(at: Place) -> dict[str, Any]:
    """PSPath and its like."""
    provider = "FileSystem" if at.file else "Registry"
    parent = at.shown.rstrip("\\").rpartition("\\")[0]
    prefix = f"Microsoft.PowerShell.Core\\{provider}::"
    return {
        "PSPath": prefix + at.shown,
        "PSParentPath": prefix + parent if parent else "",
        "PSChildName": name_of(at),
        "PSDrive": at.file.windows[:1] if at.file else "HKLM",
        "PSProvider": f"Microsoft.PowerShell.Core\\{provider}",
    }
