"""Event logs: Get-WinEvent, Get-EventLog, New-EventLog, Write-EventLog."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from tests.lab.windows.cmdlets.base import as_list, enum, matches, moment, over_machine, record, texts, wanted
from tests.lab.windows.machine.events import LEVELS
from tests.lab.windows.machine.refusals import Refused
from tests.lab.windows.powershell.commands import Call
from tests.lab.windows.powershell.values import Int64, PsObject, Table, typed

COMMANDS = "Microsoft.PowerShell.Commands."
ENTRY_TYPES = {"Error": 1, "Warning": 2, "Information": 4, "SuccessAudit": 8, "FailureAudit": 16}


def _event(call: Call, one: dict[str, Any]) -> PsObject:
    items = {
        "Message": one["message"],
        "Id": one["id"],
        "Level": LEVELS[one["level"]],
        "LevelDisplayName": one["level"],
        "ProviderName": one["source"],
        "LogName": one["log"],
        "RecordId": Int64(one["index"]),
        "MachineName": call.machine.computer.fqdn,
        "TimeCreated": moment(one["time"]),
        "ProcessId": 600,
    }
    return typed(
        "System.Diagnostics.Eventing.Reader.EventLogRecord",
        items,
        "System.Diagnostics.Eventing.Reader.EventRecord",
        text="System.Diagnostics.Eventing.Reader.EventLogRecord",
    )


def _seconds(value: datetime) -> float:
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()


def _of_filter(call: Call, asked: Table) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    events = call.machine.events
    logs = texts(asked.get("LogName")) or list(events.data["logs"])
    for log in logs:
        found += (
            events.of(events.log(log))
            if "*" not in log
            else [one for name in events.data["logs"] if matches(log, name) for one in events.of(name)]
        )
    levels = [int(one) for one in as_list(asked.get("Level"))]
    ids = [int(one) for one in as_list(asked.get("ID"))]
    providers = texts(asked.get("ProviderName"))
    since = _seconds(asked["StartTime"]) if asked.get("StartTime") else 0.0
    until = _seconds(asked["EndTime"]) if asked.get("EndTime") else float("inf")
    return [
        one
        for one in found
        if (not levels or LEVELS[one["level"]] in levels)
        and (not ids or one["id"] in ids)
        and (not providers or any(matches(p, one["source"]) for p in providers))
        and since <= one["time"] <= until
    ]


def _none_found() -> Refused:
    message = "No events were found that match the specified selection criteria."
    return Refused(message, "NoMatchingEventsFound", "ObjectNotFound", "System.Exception")


@over_machine("Get-WinEvent", error_class=f"{COMMANDS}GetWinEventCommand")
def get_win_event(call: Call) -> Iterator[Any]:
    """Records, the newest first; none is an error."""
    events = call.machine.events
    if call.has("ListLog"):
        for log in events.data["logs"]:
            if wanted(call, "ListLog", log):
                yield typed(
                    "System.Diagnostics.Eventing.Reader.EventLogConfiguration",
                    {"LogName": log, "IsEnabled": True, "RecordCount": Int64(len(events.of(log)))},
                    text=log,
                )
        return
    if call.has("FilterXml") or call.has("FilterXPath") or call.has("Path"):
        raise Refused(
            "Not simulated: filters by XML.", "NotSupported", "NotImplemented", "System.NotSupportedException"
        )
    if call.has("FilterHashtable"):
        found = [one for table in as_list(call.get("FilterHashtable")) for one in _of_filter(call, table)]
    else:
        asked = {"LogName": call.get("LogName"), "ProviderName": call.get("ProviderName")}
        found = _of_filter(call, Table({name: value for name, value in asked.items() if value}))
    found = sorted(found, key=lambda one: one["index"], reverse=not call.switch("Oldest"))
    if not found:
        raise _none_found()
    for one in found[: int(call.get("MaxEvents", len(found)))]:
        yield _event(call, one)


@over_machine("Get-EventLog", error_class=f"{COMMANDS}GetEventLogCommand")
def get_event_log(call: Call) -> Iterator[Any]:
    """Entries of a classic log."""
    if not call.has("LogName"):
        for log in call.machine.events.data["logs"]:
            if "/" not in log:
                yield typed(
                    "System.Diagnostics.EventLog", {"Log": log, "Entries": len(call.machine.events.of(log))}, text=log
                )
        return
    name = str(call.get("LogName"))
    if "/" in name or not any(name.lower() == one.lower() for one in call.machine.events.data["logs"]):
        message = f"The event log '{name}' on computer '.' does not exist."
        raise Refused(message, "GetEventLogException", "NotSpecified", "System.InvalidOperationException", name)
    found = [
        one
        for one in call.machine.events.of(name)
        if wanted(call, "Source", one["source"]) and wanted(call, "EntryType", one["level"]) and wanted(call, "InstanceId", one["id"])
        and (not call.has("After") or one["time"] > _seconds(call.get("After"))) and (not call.has("Message") or matches(call.get("Message"), one["message"]))
    ]  # fmt: skip
    if not found:
        raise Refused("No matches found", "GetEventLogNoEntriesFound", "ObjectNotFound", "System.ArgumentException")
    for one in found[: int(call.get("Newest", len(found)))]:
        items = {
            "EventID": one["id"],
            "MachineName": call.machine.computer.fqdn,
            "Index": one["index"],
            "EntryType": enum("System.Diagnostics.EventLogEntryType", one["level"], ENTRY_TYPES),
            "Message": one["message"],
            "Source": one["source"],
            "InstanceId": Int64(one["id"]),
            "TimeGenerated": moment(one["time"]),
            "TimeWritten": moment(one["time"]),
        }
        yield typed("System.Diagnostics.EventLogEntry", items)


@over_machine("New-EventLog", error_class=f"{COMMANDS}NewEventLogCommand")
def new_event_log(call: Call) -> None:
    """Register sources."""
    if not call.session.elevated:
        message = "Access is denied. Please try performing this operation again after running Windows PowerShell as an administrator."
        raise Refused(message, "AccessDenied", "PermissionDenied", "System.Exception")
    for source in texts(call.get("Source")):
        call.machine.events.add_source(str(call.get("LogName")), source)


@over_machine("Write-EventLog", error_class=f"{COMMANDS}WriteEventLogCommand")
def write_event_log(call: Call) -> None:
    """Write an entry; its source must be known."""
    source, log = str(call.get("Source")), str(call.get("LogName"))
    if not any(log.lower() == one.lower() for one in call.machine.events.data["logs"]):
        message = f'The Log name "{log}" does not exist in the computer "localhost".'
        call.error(
            record(
                Refused(
                    message, "InvalidOperationException", "InvalidOperation", "System.InvalidOperationException", log
                )
            )
        )
        return
    known = call.machine.events.source(source)
    if known is None:
        message = f'The source name "{source}" does not exist on computer "localhost".'
        raise Refused(
            message, "InvalidOperationException", "InvalidOperation", "System.InvalidOperationException", source
        )
    if known[1].lower() != log.lower():
        message = f"The source '{source}' is not registered in log '{log}'. (It is registered in log '{known[1]}'.)"
        raise Refused(message, "AccessDenied", "PermissionDenied", "System.Exception", source)
    call.machine.events.write(
        known[1],
        known[0],
        int(call.get("EventId")),
        str(call.get("EntryType", "Information")),
        str(call.get("Message")),
    )
