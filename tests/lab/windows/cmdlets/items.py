"""Items of both providers: Get-, New-, Remove-, Copy-, Move-, Rename-Item, Get-ChildItem, Test-Path, Resolve-Path, Convert-Path."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

from tests.lab.windows.cmdlets import wsman_drive
from tests.lab.windows.cmdlets.base import matches, over_machine, record, texts
from tests.lab.windows.cmdlets.item_objects import item_object
from tests.lab.windows.cmdlets.places import (
    Place,
    children,
    chosen,
    exists,
    expanded,
    may_write,
    name_of,
    not_found,
    place,
    wrote,
)
from tests.lab.windows.machine.files import Located
from tests.lab.windows.machine.paths import bad_name
from tests.lab.windows.machine.refusals import Refused
from tests.lab.windows.machine.registry import kind_of
from tests.lab.windows.powershell.commands import Call
from tests.lab.windows.powershell.netfiles import is_open
from tests.lab.windows.powershell.values import typed

COMMANDS = "Microsoft.PowerShell.Commands."
ITEM_EXISTS = "System.IO.IOException"


@over_machine("Get-Item", error_class=f"{COMMANDS}GetItemCommand")
def get_item(call: Call) -> Iterator[Any]:
    """The items themselves."""
    for name in ("Path", "LiteralPath"):
        if call.has(name):
            for path in [one for one in texts(call.get(name)) if wsman_drive.is_there(one)]:
                yield wsman_drive.setting(call, path)
            call.bound[name] = [one for one in texts(call.get(name)) if not wsman_drive.is_there(one)]
    for at in chosen(call):
        yield item_object(call, at)


@over_machine("Get-ChildItem", error_class=f"{COMMANDS}GetChildItemCommand")
def get_child_item(call: Call) -> Iterator[Any]:
    """What lies below."""
    if not call.has("Path") and not call.has("LiteralPath"):
        call.bound["Path"] = ["."]
    depth = int(call.get("Depth", 1 << 30 if call.switch("Recurse") else 0))
    include, exclude = texts(call.bound.pop("Include", None)), texts(call.bound.pop("Exclude", None))
    for at in chosen(call):
        folder = at.file is None or at.file.real.is_dir()
        for one in _below(call, at, depth) if folder else [at]:
            name = name_of(one)
            kept = (not include or any(matches(p, name) for p in include)) and not any(
                matches(p, name) for p in exclude
            )
            if kept and _wanted(call, one, name):
                yield name if call.switch("Name") else item_object(call, one)


def _below(call: Call, at: Place, depth: int) -> Iterator[Place]:
    for one in children(call, at):
        yield one
        if depth and (one.file is None or one.file.real.is_dir()):
            yield from _below(call, one, depth - 1)


def _wanted(call: Call, at: Place, name: str) -> bool:
    if call.has("Filter") and call.get("Filter") and not matches(call.get("Filter"), name):
        return False
    if at.file is None:
        return True
    is_folder = at.file.real.is_dir()
    return not (call.switch("Directory") and not is_folder) and not (call.switch("File") and is_folder)


@over_machine("Test-Path", error_class=f"{COMMANDS}TestPathCommand")
def test_path(call: Call) -> Iterator[Any]:
    """Whether there is such an item, of the kind asked for."""
    literal = call.has("LiteralPath")
    kind = str(call.get("PathType", "Any"))
    for path in texts(call.get("LiteralPath") if literal else call.get("Path")):
        if not path:
            message = "Cannot bind argument to parameter 'Path' because it is an empty string."
            raise Refused(
                message,
                "ParameterArgumentValidationErrorEmptyStringNotAllowed",
                "InvalidData",
                "System.Management.Automation.ParameterBindingValidationException",
            )
        try:
            found = [one for one in ([place(call, path)] if literal else expanded(call, path)) if exists(call, one)]
        except Refused:
            found = []
        yield any(
            kind == "Any" or (kind == "Container") == (one.file is None or one.file.real.is_dir()) for one in found
        )


@over_machine("Resolve-Path", "Convert-Path", error_class=f"{COMMANDS}ResolvePathCommand")
def resolve_path(call: Call) -> Iterator[Any]:
    """The full paths."""
    for at in chosen(call):
        if call.name == "Convert-Path" or at.file is None:
            yield at.shown
        else:
            yield typed(
                "System.Management.Automation.PathInfo",
                {"Drive": at.file.windows[:1], "ProviderPath": at.shown, "Path": at.drive_path},
                text=at.drive_path,
            )


@over_machine("New-Item", error_class=f"{COMMANDS}NewItemCommand")
def new_item(call: Call) -> Iterator[Any]:
    """Make a file, a folder or a key."""
    for path in texts(call.get("Path", ".")):
        whole = f"{path.rstrip(chr(92))}\\{call.get('Name')}" if call.has("Name") else path
        at = place(call, whole)
        kind = str(call.get("ItemType", call.get("Type", "File")))
        if at.file is None:
            made = _new_key(call, at)
        elif kind.lower() in {"directory", "container", "d"}:
            made = _new_folder(call, at)
        elif kind.lower() in {"file", "f"}:
            made = _new_file(call, at)
        else:
            message = 'The type is not a known type for the file system. Only "file","directory" or "symboliclink" can be specified.'
            raise Refused(
                message, "Argument", "InvalidArgument", "System.Management.Automation.PSArgumentException", kind
            )
        if made:
            wrote(call, at)
            yield item_object(call, place(call, whole))


def _new_key(call: Call, at: Place) -> bool:
    may_write(call, at, "")
    registry, key = call.machine.registry, at.key or ""
    if registry.exists(key) and not call.switch("Force"):
        raise Refused("A key in this path already exists.", ITEM_EXISTS, "ResourceExists", ITEM_EXISTS, at.shown)
    parent = key.rpartition("\\")[0]
    if not parent or (not registry.exists(parent) and not call.switch("Force")):
        message = "The registry key at the specified path does not exist."
        raise Refused(message, "System.ArgumentException", "InvalidArgument", "System.ArgumentException", at.shown)
    if not call.should_process(f"Key: {at.shown}", "New Item"):
        return False
    if registry.exists(key):
        registry.remove(key)  # -Force makes an existing key anew, without its values
    registry.make(key)
    if call.has("Value"):
        registry.put(key, "", kind_of(call.get("Value")), call.get("Value"))
    return True


def _new_folder(call: Call, at: Place) -> bool:
    assert at.file
    may_write(call, at, "CreateDirectoryUnauthorizedAccessError")
    if at.file.real.exists():
        if call.switch("Force") and at.file.real.is_dir():
            return True
        message = f"An item with the specified name {at.file.windows} already exists."
        raise Refused(message, "DirectoryExist", "ResourceExists", "System.IO.IOException", at.file.windows)
    if not call.should_process(f"Destination: {at.file.windows}", "Create Directory"):
        return False
    at.file.real.mkdir(parents=True)
    return True


def _new_file(call: Call, at: Place) -> bool:
    assert at.file
    may_write(call, at, "NewItemUnauthorizedAccessError")
    if at.file.real.exists() and not call.switch("Force"):
        message = f"The file '{at.file.windows}' already exists."
        raise Refused(message, "NewItemIOError", "WriteError", "System.IO.IOException", at.file.windows)
    if not at.file.real.parent.is_dir():
        if not call.switch("Force"):
            message = f"Could not find a part of the path '{at.file.windows}'."
            raise Refused(
                message, "NewItemIOError", "WriteError", "System.IO.DirectoryNotFoundException", at.file.windows
            )
        at.file.real.parent.mkdir(parents=True)
    if not call.should_process(f"Destination: {at.file.windows}", "Create File"):
        return False
    data = str(call.get("Value", "")).encode()
    call.machine.volumes.room_for(at.file.volume, len(data))
    at.file.real.write_bytes(data)
    return True


@over_machine("Remove-Item", error_class=f"{COMMANDS}RemoveItemCommand")
def remove_item(call: Call) -> None:
    """Remove items; one with items below only with -Recurse, for without a console nobody can be asked."""
    for at in list(chosen(call)):
        try:
            may_write(call, at, "RemoveFileSystemItemUnAuthorizedAccess")
            _remove(call, at)
        except Refused as why:
            call.error(record(why))


def _remove(call: Call, at: Place) -> None:
    if children(call, at) and not call.switch("Recurse"):
        message = "Windows PowerShell is in NonInteractive mode. Read and Prompt functionality is not available."
        raise Refused(
            message, "InvalidOperation", "InvalidOperation", "System.Management.Automation.PSInvalidOperationException"
        )
    if at.file is None:
        if call.should_process(f"Item: {at.shown}", "Remove Key"):
            call.machine.registry.remove(at.key)
        return
    real, folder = at.file.real, at.file.real.is_dir() and not at.file.real.is_symlink()
    if not folder and not real.stat().st_mode & 0o200 and not call.switch("Force"):
        message = (
            f"Cannot remove item {at.file.windows}: You do not have sufficient access rights to perform this operation."
        )
        raise Refused(
            message,
            "RemoveFileSystemItemUnAuthorizedAccess",
            "PermissionDenied",
            "System.IO.IOException",
            at.file.windows,
        )
    _refuse_open(at.file, "RemoveFileSystemItemIOError")
    if call.should_process(
        f"Item: {at.file.windows}" if not folder else f"Directory: {at.file.windows}",
        "Remove Directory" if folder else "Remove File",
    ):
        shutil.rmtree(real) if folder else real.unlink()
        call.machine.acls.forget(at.file.windows)
        wrote(call, at)


def _target(call: Call, source: Place) -> Place:
    """Where a copied or moved item goes: into a folder that is there, else to that name."""
    to = place(call, str(call.get("Destination", ".")))
    if to.file and source.file and to.file.real.is_dir():
        name = name_of(source)
        return Place(file=Located(f"{to.file.windows.rstrip(chr(92))}\\{name}", to.file.real / name, to.file.volume))
    return to


@over_machine("Copy-Item", error_class=f"{COMMANDS}CopyItemCommand")
def copy_item(call: Call) -> Iterator[Any]:
    """Copy files and folders."""
    for at in list(chosen(call)):
        to = _target(call, at)
        if at.file is None or to.file is None:
            _copy_key(call, at, to)
            continue
        may_write(call, to, "CopyFileInfoItemUnauthorizedAccessError")
        if not to.file.real.parent.is_dir():
            message = f"Could not find a part of the path '{to.file.windows}'."
            raise Refused(
                message, "System.IO.DirectoryNotFoundException", "NotSpecified", "System.IO.DirectoryNotFoundException"
            )
        target = f"Item: {at.file.windows} Destination: {to.file.windows}"
        if not call.should_process(target, "Copy Directory" if at.file.real.is_dir() else "Copy File"):
            continue
        call.machine.volumes.room_for(to.file.volume, 0 if at.file.real.is_dir() else at.file.real.stat().st_size)
        if not at.file.real.is_dir():
            shutil.copy2(at.file.real, to.file.real)
        elif call.switch("Recurse"):
            shutil.copytree(at.file.real, to.file.real, symlinks=True, dirs_exist_ok=True)
        else:
            to.file.real.mkdir(exist_ok=True)
        wrote(call, to)
        if call.switch("PassThru"):
            yield item_object(call, to)


def _copy_key(call: Call, at: Place, to: Place) -> None:
    if at.key is None or to.key is None:
        message = "Source and destination path did not resolve to the same provider."
        raise Refused(
            message, "InvalidOperation", "InvalidArgument", "System.Management.Automation.PSArgumentException"
        )
    may_write(call, to, "")
    registry = call.machine.registry
    new = f"{to.key}\\{name_of(at)}" if registry.exists(to.key) else to.key
    for key in [at, *(_below(call, at, 99) if call.switch("Recurse") else [])]:
        path = new + (key.key or "")[len(at.key) :]
        registry.make(path)
        for name, (kind, value) in registry.values(key.key or "").items():
            registry.put(path, name, kind, value)


@over_machine("Move-Item", error_class=f"{COMMANDS}MoveItemCommand")
def move_item(call: Call) -> Iterator[Any]:
    """Move files and folders."""
    for at in list(chosen(call)):
        to = _target(call, at)
        assert at.file
        assert to.file
        may_write(call, at, "MoveFileInfoItemUnauthorizedAccessError")
        may_write(call, to, "MoveFileInfoItemUnauthorizedAccessError")
        if to.file.real.exists() and not (call.switch("Force") and to.file.real.is_file()):
            message = "Cannot create a file when that file already exists.\r\n"
            raise Refused(message, "MoveFileInfoItemIOError", "WriteError", "System.IO.IOException", at.file.windows)
        if not to.file.real.parent.is_dir():
            message = "Could not find a part of the path."
            raise Refused(
                message,
                "MoveFileInfoItemIOError",
                "WriteError",
                "System.IO.DirectoryNotFoundException",
                at.file.windows,
            )
        _refuse_open(at.file, "MoveFileInfoItemIOError")
        _refuse_open(to.file, "MoveFileInfoItemIOError")
        if call.should_process(f"Item: {at.file.windows} Destination: {to.file.windows}", "Move File"):
            shutil.move(at.file.real, to.file.real)
            wrote(call, at)
            wrote(call, to)
            if call.switch("PassThru"):
                yield item_object(call, to)


def _refuse_open(file: Located, error_id: str) -> None:
    """What somebody has open is neither moved nor removed (no FileShare.Delete is given in the subset)."""
    if is_open(file.real):
        message = "The process cannot access the file because it is being used by another process."
        raise Refused(message, error_id, "WriteError", "System.IO.IOException", file.windows)


@over_machine("Rename-Item", error_class=f"{COMMANDS}RenameItemCommand")
def rename_item(call: Call) -> Iterator[Any]:
    """Give an item another name in its place."""
    new = str(call.get("NewName"))
    at = place(call, str(call.get("LiteralPath", call.get("Path"))))
    if not exists(call, at):
        raise not_found(at.drive_path)
    may_write(call, at, "RenameItemIOError")
    if at.file is None:
        if call.should_process(f"Item: {at.shown} Destination: {new}", "Rename Key"):
            call.machine.registry.rename(at.key, new)
        return
    if "\\" in new or bad_name(new):
        message = "Cannot rename the specified target, because it represents a path or device name."
        raise Refused(message, "Argument", "InvalidArgument", "System.Management.Automation.PSArgumentException")
    target = at.file.real.with_name(new)
    if target.exists():
        message = "Cannot create a file when that file already exists.\r\n"
        raise Refused(message, "RenameItemIOError", "WriteError", "System.IO.IOException", at.file.windows)
    _refuse_open(at.file, "RenameItemIOError")
    if call.should_process(f"Item: {at.file.windows} Destination: {new}", "Rename File"):
        at.file.real.rename(target)
        wrote(call, at)
        if call.switch("PassThru"):
            windows = f"{at.file.windows.rpartition(chr(92))[0]}\\{new}"
            yield item_object(call, Place(file=Located(windows, target, at.file.volume)))
