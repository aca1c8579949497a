"""The objects of items: FileInfo, DirectoryInfo, RegistryKey."""

from __future__ import annotations

import stat
from datetime import datetime
from typing import Any

from tests.lab.windows.cmdlets.base import moment
from tests.lab.windows.cmdlets.places import Place, children, name_of, provider_facts
from tests.lab.windows.powershell.commands import Call
from tests.lab.windows.powershell.values import Computed, EnumValue, Int64, PsObject, typed

ATTRIBUTES = {"ReadOnly": 1, "Directory": 16, "Archive": 32, "Normal": 128}
KINDS = {"String": 1, "ExpandString": 2, "Binary": 3, "DWord": 4, "MultiString": 7, "QWord": 11}


def item_object(call: Call, at: Place) -> PsObject:
    """The object of an item that exists."""
    if at.file is None:
        return _key(call, at)
    return _file(at)


def _time(at: Place, which: str) -> Computed:
    def look() -> datetime | None:
        assert at.file
        return moment(getattr(at.file.real.lstat(), which)) if at.file.real.exists() else moment(-11644473600.0)

    return Computed(look)


def _file(at: Place) -> PsObject:
    assert at.file
    real, name = at.file.real, name_of(at)
    status = real.stat() if real.exists() else real.lstat()
    folder = stat.S_ISDIR(status.st_mode)
    read_only = not status.st_mode & 0o200
    attributes = ["ReadOnly"] * read_only + (["Directory"] if folder else ["Archive"])
    parent = at.file.windows.rpartition("\\")[0]
    stem, dot, extension = name.rpartition(".")
    items: dict[str, Any] = provider_facts(at) | {
        "PSIsContainer": folder,
        "Mode": f"{'d' if folder else '-'}{'-' if folder else 'a'}{'r' if read_only else '-'}---",
        "BaseName": name if folder or not dot else stem,
        "Name": f"{name}\\" if at.file.is_root else name,
        "FullName": at.file.windows,
        "Exists": Computed(real.exists),
        "Extension": f".{extension}" if dot else "",
        "CreationTime": _time(at, "st_ctime"),
        "CreationTimeUtc": _time(at, "st_ctime"),
        "LastAccessTime": _time(at, "st_atime"),
        "LastWriteTime": _time(at, "st_mtime"),
        "LastWriteTimeUtc": _time(at, "st_mtime"),
        "Attributes": EnumValue(
            "System.IO.FileAttributes", ", ".join(attributes), sum(ATTRIBUTES[one] for one in attributes)
        ),
    }
    if folder:
        items["Parent"] = parent.rpartition("\\")[2]
        return typed("System.IO.DirectoryInfo", items, "System.IO.FileSystemInfo", text=name)
    whole = parent + "\\" if parent.endswith(":") else parent
    items |= {"Length": Computed(lambda: Int64(real.stat().st_size)), "DirectoryName": whole, "IsReadOnly": read_only}
    made = typed("System.IO.FileInfo", items, "System.IO.FileSystemInfo", text=at.file.windows)
    made.methods["Delete"] = lambda: real.unlink(missing_ok=True)
    return made


def _key(call: Call, at: Place) -> PsObject:
    registry, path = call.machine.registry, at.key or ""
    values = registry.values(path)
    items: dict[str, Any] = provider_facts(at) | {
        "PSIsContainer": True,
        "Property": [name or "(default)" for name in values],
        "SubKeyCount": len(children(call, at)),
        "ValueCount": len(values),
        "Name": at.shown,
    }
    made = typed("Microsoft.Win32.RegistryKey", items, "System.MarshalByRefObject", text=at.shown)

    def value(name: str, default: Any = None, _options: Any = None) -> Any:
        return registry.value(path, str(name), default)

    def kind(name: str) -> EnumValue:
        found = registry.values(path).get(str(name), ("Unknown", None))[0]
        return EnumValue("Microsoft.Win32.RegistryValueKind", found, KINDS.get(found, 0))

    made.methods.update(
        GetValue=value,
        GetValueKind=kind,
        GetValueNames=lambda: list(registry.values(path)),
        GetSubKeyNames=lambda: registry.subkeys(path),
        Close=lambda: None,
        Dispose=lambda: None,
    )
    return made
