"""Contents of files: Get-, Set-, Add-, Clear-Content and Get-FileHash, with the encodings of Windows PowerShell 5.1."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from tests.lab.windows.cmdlets.base import as_list, over_machine, record
from tests.lab.windows.cmdlets.places import Place, chosen, may_write, wrote
from tests.lab.windows.machine.refusals import Refused
from tests.lab.windows.powershell.commands import Call
from tests.lab.windows.powershell.netfiles import is_being_written
from tests.lab.windows.powershell.values import Byte, PsObject, custom

COMMANDS = "Microsoft.PowerShell.Commands."
ENCODINGS = {  # name -> codec, mark
    "default": ("cp1252", b""), "string": ("utf-16-le", b"\xff\xfe"), "unknown": ("utf-16-le", b"\xff\xfe"), "ascii": ("ascii", b""),
    "utf8": ("utf-8", b"\xef\xbb\xbf"), "unicode": ("utf-16-le", b"\xff\xfe"), "bigendianunicode": ("utf-16-be", b"\xfe\xff"),
    "utf32": ("utf-32-le", b"\xff\xfe\x00\x00"), "oem": ("cp437", b""), "utf7": ("utf-7", b""),
}  # fmt: skip
MARKS = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)


def decoded(data: bytes, encoding: str) -> str:
    """The text of a file: by its mark, else by the encoding."""
    for mark, codec in MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(codec, "replace")
    return data.decode(ENCODINGS.get(encoding.lower(), ENCODINGS["default"])[0], "replace")


def lines_of(text: str) -> list[str]:
    """Its lines, as .NET reads them."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines[:-1] if lines and not lines[-1] else lines


@over_machine("Get-Content", error_class=f"{COMMANDS}GetContentCommand")
def get_content(call: Call) -> Iterator[Any]:
    """Lines, or the whole as one text, or bytes."""
    encoding = str(call.get("Encoding", "Default"))
    for at in chosen(call):
        if at.file is None or at.file.real.is_dir():
            message = f"Access to the path '{at.shown}' is denied."
            raise Refused(
                message,
                "GetContentReaderUnauthorizedAccessError",
                "PermissionDenied",
                "System.UnauthorizedAccessException",
                at.shown,
            )
        data = at.file.real.read_bytes()
        if encoding.lower() == "byte":
            yield from [Byte(one) for one in data]
            continue
        text = decoded(data, encoding)
        if call.switch("Raw"):
            if text:
                yield text
            continue
        lines = lines_of(text)
        if call.has("TotalCount"):
            lines = lines[: int(call.get("TotalCount"))]
        if call.has("Tail"):
            lines = lines[-int(call.get("Tail")) :] if int(call.get("Tail")) else []
        yield from lines


def _text(value: Any) -> str:
    if isinstance(value, PsObject):
        return value.text or ""
    return (
        {True: "True", False: "False", None: ""}.get(value, str(value))
        if isinstance(value, bool) or value is None
        else str(value)
    )


def _write(call: Call, at: Place, values: list[Any], *, append: bool) -> None:
    assert at.file
    may_write(call, at, "GetContentWriterUnauthorizedAccessError")
    if not at.file.real.parent.is_dir():
        message = f"Could not find a part of the path '{at.file.windows}'."
        exception = "System.IO.DirectoryNotFoundException"
        raise Refused(message, "GetContentWriterDirectoryNotFoundError", "ObjectNotFound", exception, at.file.windows)
    if at.file.real.is_dir():
        message = f"Access to the path '{at.file.windows}' is denied."
        raise Refused(
            message,
            "GetContentWriterUnauthorizedAccessError",
            "PermissionDenied",
            "System.UnauthorizedAccessException",
            at.file.windows,
        )
    encoding = str(call.get("Encoding", "Default")).lower()
    if encoding == "byte":
        data = bytes(int(one) for one in values)
    else:
        end = "" if call.switch("NoNewline") else "\r\n"
        codec, mark = ENCODINGS.get(encoding, ENCODINGS["default"])
        data = "".join(f"{_text(one)}{end}" for one in values).encode(codec, "replace")
        data = data if append and at.file.real.exists() and at.file.real.stat().st_size else mark + data
    call.machine.volumes.room_for(at.file.volume, len(data))
    with at.file.real.open("ab" if append else "wb") as file:
        file.write(data)
    wrote(call, at)


@over_machine("Set-Content", "Add-Content", whole=True, error_class=f"{COMMANDS}SetContentCommand")
def set_content(call: Call) -> Iterator[Any]:
    """Write lines, in place of the old ones or after them."""
    piped = [] if call.has("Value") else list(call.input)
    values = as_list(call.get("Value")) if call.has("Value") else [one for item in piped for one in as_list(item)]
    append = call.name == "Add-Content"
    for at in list(chosen(call, must_exist=False)):
        if not call.should_process(f"Path: {at.drive_path}", "Add Content" if append else "Set Content"):
            continue
        try:
            _write(call, at, values, append=append)
        except Refused as why:
            call.error(record(why))
            continue
        if call.switch("PassThru"):
            yield from values


@over_machine("Clear-Content", error_class=f"{COMMANDS}ClearContentCommand")
def clear_content(call: Call) -> None:
    """Leave the file empty."""
    for at in list(chosen(call)):
        may_write(call, at, "ClearContentUnauthorizedAccessError")
        if at.file and call.should_process(f"Item: {at.file.windows}", "Clear Content"):
            at.file.real.write_bytes(b"")
            wrote(call, at)


@over_machine("Get-FileHash", error_class="Get-FileHash")
def get_file_hash(call: Call) -> Iterator[Any]:
    """The hash of a file, in capital hexadecimal."""
    algorithm = str(call.get("Algorithm", "SHA256")).upper()
    for at in chosen(call):
        if at.file and at.file.real.is_file():
            if is_being_written(at.file.real):
                message = f"The file '{at.file.windows}' cannot be read: The process cannot access the file because it is being used by another process."
                raise Refused(message, "FileReadError", "ReadError", "System.IO.IOException", at.file.windows)
            digest = hashlib.new(algorithm.lower(), at.file.real.read_bytes()).hexdigest().upper()
            yield custom({"Algorithm": algorithm, "Hash": digest, "Path": at.file.windows})
