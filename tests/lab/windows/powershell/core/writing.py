"""Write-* and Out-*."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.lab.windows.powershell.commands import Call, cmdlet
from tests.lab.windows.powershell.convert import to_text
from tests.lab.windows.powershell.formatting import lines_of
from tests.lab.windows.powershell.statements import enumerate_value
from tests.lab.windows.powershell.statics import enum
from tests.lab.windows.powershell.values import ErrorRecord, NetException, PsObject


@cmdlet("Write-Output")
def write_output(call: Call) -> Iterator[Any]:
    value = call.get("InputObject")
    if call.switch("NoEnumerate"):
        yield value[0] if isinstance(value, list) and len(value) == 1 else value
        return
    for item in value if isinstance(value, list) else [value]:
        yield from enumerate_value(item) if not call.has_input else [item]


@cmdlet("Write-Error")
def write_error(call: Call) -> None:
    record = call.get("ErrorRecord")
    if not isinstance(record, ErrorRecord):
        given = call.get("Exception")
        message = (
            to_text(call.get("Message"))
            if call.has("Message")
            else given.message
            if isinstance(given, NetException)
            else ""
        )
        cause = (
            given
            if isinstance(given, NetException)
            else NetException("Microsoft.PowerShell.Commands.WriteErrorException", message)
        )
        record = ErrorRecord(
            to_text(call.get("ErrorId", cause.type_name)),
            message,
            to_text(call.get("Category", "NotSpecified")),
            call.get("TargetObject"),
            cause,
        )
        record.category = enum("System.Management.Automation.ErrorCategory", record.category).name
    name = call.frame.name if not call.frame.name.startswith("<") else "Write-Error"
    record.activity = record.activity or to_text(
        call.get("CategoryActivity", name if name != "Write-Error" else "Write-Error")
    )
    if name != "Write-Error" and not record.qualified:
        record.qualified = f"{record.error_id},{name}"
    if not record.qualified:
        record.qualified = f"{record.error_id}"
    if call.frame.call_at is not None and call.frame.caller is not None and name != "Write-Error":
        call.shell.locate(record, call.frame.call_at, call.frame.caller)
    call.error(record)


@cmdlet("Write-Warning")
def write_warning(call: Call) -> None:
    call.warning(to_text(call.get("Message")))


@cmdlet("Write-Verbose")
def write_verbose(call: Call) -> None:
    call.verbose(to_text(call.get("Message")))


@cmdlet("Write-Debug")
def write_debug(call: Call) -> None:
    call.evaluator.say("debug", to_text(call.get("Message")))


@cmdlet("Write-Information")
def write_information(call: Call) -> None:
    action = call.common.get("InformationAction")
    if action == "Continue":
        call.shell.emit("information", to_text(call.get("MessageData")))
    elif action is None:
        call.evaluator.say("information", to_text(call.get("MessageData")))


@cmdlet("Write-Host")
def write_host(call: Call) -> None:
    value = call.get("Object")
    separator = to_text(call.get("Separator", " "))
    text = separator.join(call.shell.text(one) for one in value) if isinstance(value, list) else call.shell.text(value)
    call.shell.emit("host", text + ("" if call.switch("NoNewline") else "\r\n"))


@cmdlet("Write-Progress")
def write_progress(call: Call) -> None:
    if call.shell.preference("ProgressPreference", call.frame).casefold() == "continue":
        call.shell.emit("progress", to_text(call.get("Activity")))


@cmdlet("Out-Null", whole=True)
def out_null(call: Call) -> None:
    for _ in call.input:
        pass


@cmdlet("Out-Default", "Out-Host", whole=True)
def out_host(call: Call) -> None:
    items = list(call.input) + ([call.get("InputObject")] if call.has("InputObject") else [])
    for line in lines_of(items):
        call.shell.emit("host", line + "\r\n")


@cmdlet("Out-String", whole=True)
def out_string(call: Call) -> Iterator[Any]:
    lines = lines_of(list(call.input) + ([call.get("InputObject")] if call.has("InputObject") else []))
    if call.switch("Stream"):
        yield from lines
    else:
        yield "".join(line + "\r\n" for line in lines)


@cmdlet("Out-File", whole=True)
def out_file(call: Call) -> Iterator[Any]:
    from tests.lab.windows.powershell.netfiles import encoded, may_be
    from tests.lab.windows.powershell.statics import encoding

    name = to_text(call.get("FilePath", call.get("LiteralPath")))
    if not call.should_process(name, "Output to File"):
        return
    coding = {
        "utf8": "utf8",
        "ascii": "ascii",
        "default": "default",
        "oem": "default",
        "unicode": "unicode",
        "string": "unicode",
        "unknown": "unicode",
        "bigendianunicode": "bigendianunicode",
        "utf32": "utf32",
        "utf7": "utf7",
    }[to_text(call.get("Encoding", "unicode")).casefold()]
    path = may_be(call.shell, name if ":" in name else f"{call.shell.location}\\{name}")
    if call.switch("NoClobber") and path.exists() and not call.switch("Append"):
        call.terminate(
            ErrorRecord(
                "NoClobber", f"The file '{name}' already exists.", "ResourceExists", name, "System.IO.IOException"
            )
        )
    end = "" if call.switch("NoNewline") else "\r\n"
    items = list(call.input) + ([call.get("InputObject")] if call.has("InputObject") else [])
    text = "".join(line + end for line in lines_of(items))
    old = path.read_bytes() if call.switch("Append") and path.exists() else b""
    path.write_bytes(
        old
        + (
            encoded(text, encoding(coding))
            if not old
            else encoded(text, encoding(coding, mark=False))
            if coding == "utf8"
            else text.encode(encoding(coding).get("__python"), "replace")
        )
    )
    yield from ()


@cmdlet("Format-List", "Format-Table", "Format-Wide", whole=True)
def format_objects(call: Call) -> Iterator[Any]:
    from tests.lab.windows.powershell.core.objects import picked

    items = list(call.input) + ([call.get("InputObject")] if call.has("InputObject") else [])
    names = call.get("Property")
    shown = [
        picked(call, item, names if isinstance(names, list) else [names])
        if names is not None
        else picked(call, item, ["*"])
        if isinstance(item, PsObject)
        else item
        for item in items
    ]
    for line in lines_of(shown):
        yield PsObject(
            type_names=("Microsoft.PowerShell.Commands.Internal.Format.FormatEntryData", "System.Object"), text=line
        )
