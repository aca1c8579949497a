"""The Server service's settings, its sessions and open files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.lab.windows.cmdlets.base import as_list, cim, cim_denied, over_machine, record, wanted
from tests.lab.windows.cmdlets.smb_shares import NAMESPACE
from tests.lab.windows.machine.refusals import no_cim_object
from tests.lab.windows.powershell.commands import Call
from tests.lab.windows.powershell.values import PsObject, UInt32, UInt64

CONFIGURATION_CLASS = "MSFT_SmbServerConfiguration:ROOT/Microsoft/Windows/SMB/MSFT_SmbServerConfiguration"
SESSION_CLASS = "MSFT_SmbSession:ROOT/Microsoft/Windows/SMB/MSFT_SmbSession"
NEEDS_RESTART = {"EnableSMB1Protocol", "EnableSMB2Protocol", "AutoShareServer", "AutoShareWorkstation"}


@over_machine("Get-SmbServerConfiguration", denied=cim_denied(CONFIGURATION_CLASS))
def get_smb_server_configuration(call: Call) -> Iterator[Any]:
    """All settings; reading them needs an elevated session, as its users find."""
    if not call.session.elevated:
        call.error(record(cim_denied(CONFIGURATION_CLASS)(call)))
        return
    call.machine.shares.require_server()
    held = call.machine.shares.configuration()
    yield cim(
        "MSFT_SmbServerConfiguration",
        {name: UInt32(v) if type(v) is int else v for name, v in sorted(held.items())},
        NAMESPACE,
    )


@over_machine(
    "Set-SmbServerConfiguration",
    changes=True,
    denied=cim_denied(CONFIGURATION_CLASS),
    every_parameter=True,
    impact="High",
)
def set_smb_server_configuration(call: Call) -> None:
    """Change settings; some take effect with the next start of the service."""
    call.machine.shares.require_server()
    known = {name.lower(): name for name in call.machine.shares.configuration()}
    changes = {known[name.lower()]: call.get(name) for name in call.bound if name.lower() in known}
    if call.should_process("SMB Server Configuration", "Modify"):
        call.machine.shares.configure(
            **{name: int(v) if isinstance(v, int) and not isinstance(v, bool) else v for name, v in changes.items()}
        )


def _session_object(session: dict[str, Any]) -> PsObject:
    items = {
        "ClientComputerName": session["ClientComputerName"],
        "ClientUserName": session["ClientUserName"],
        "ClusterNodeName": "",
        "Dialect": session.get("Dialect", "3.1.1"),
        "NumOpens": UInt64(len(session.get("OpenFiles", []))),
        "ScopeName": "*",
        "SecondsExists": UInt32(session.get("SecondsExists", 0)),
        "SecondsIdle": UInt32(session.get("SecondsIdle", 0)),
        "SessionId": UInt64(session["SessionId"]),
    }
    return cim("MSFT_SmbSession", items, NAMESPACE)


def _sessions(call: Call) -> Iterator[dict[str, Any]]:
    ids = [int(one) for one in as_list(call.get("SessionId"))]
    ids += [int(one.get("SessionId")) for one in as_list(call.get("InputObject"))]
    found = [
        one
        for one in call.machine.shares.sessions()
        if (not ids or one["SessionId"] in ids)
        and wanted(call, "ClientComputerName", one["ClientComputerName"])
        and wanted(call, "ClientUserName", one["ClientUserName"])
    ]
    for missing in [one for one in ids if one not in [session["SessionId"] for session in found]]:
        call.error(record(no_cim_object("MSFT_SmbSession", "SessionId", missing)))
    yield from found


@over_machine("Get-SmbSession", changes=True, denied=cim_denied(SESSION_CLASS))
def get_smb_session(call: Call) -> Iterator[Any]:
    """Who is connected."""
    for session in _sessions(call):
        yield _session_object(session)


@over_machine("Close-SmbSession", changes=True, denied=cim_denied(SESSION_CLASS), impact="High")
def close_smb_session(call: Call) -> Iterator[Any]:
    """Cut sessions."""
    for session in list(_sessions(call)):
        if call.should_process(str(session["SessionId"]), "Close-Session"):
            call.machine.shares.close_session(session["SessionId"])
            if call.switch("PassThru"):
                yield _session_object(session)


def _files(call: Call) -> Iterator[dict[str, Any]]:
    ids = [int(one) for one in as_list(call.get("FileId"))] + [
        int(one.get("FileId")) for one in as_list(call.get("InputObject"))
    ]
    found = []
    for session in call.machine.shares.sessions():
        for one in session.get("OpenFiles", []):
            whole = {
                "ClientComputerName": session["ClientComputerName"],
                "ClientUserName": session["ClientUserName"],
                "SessionId": session["SessionId"],
            } | one
            if (not ids or whole["FileId"] in ids) and all(
                wanted(call, name, whole[name]) for name in ("ClientComputerName", "ClientUserName", "SessionId")
            ):
                found.append(whole)
    for missing in [one for one in ids if one not in [file["FileId"] for file in found]]:
        call.error(record(no_cim_object("MSFT_SmbOpenFile", "FileId", missing)))
    yield from found


def _file_object(file: dict[str, Any]) -> PsObject:
    path = file["Path"]
    items = {
        "ClusterNodeName": "",
        "ContinuouslyAvailable": False,
        "Encrypted": False,
        "Locks": 0,
        "Path": path,
        "Permissions": 0,
    }
    items |= {"ScopeName": "*", "ShareRelativePath": file.get("ShareRelativePath", ""), "Signed": False}
    items |= {"ClientComputerName": file["ClientComputerName"], "ClientUserName": file["ClientUserName"]}
    items |= {"FileId": UInt64(file["FileId"]), "SessionId": UInt64(file["SessionId"])}
    return cim("MSFT_SmbOpenFile", dict(sorted(items.items())), NAMESPACE)


@over_machine("Get-SmbOpenFile", changes=True, denied=cim_denied(SESSION_CLASS))
def get_smb_open_file(call: Call) -> Iterator[Any]:
    """What is open."""
    for file in _files(call):
        yield _file_object(file)


@over_machine("Close-SmbOpenFile", changes=True, denied=cim_denied(SESSION_CLASS), impact="High")
def close_smb_open_file(call: Call) -> Iterator[Any]:
    """Close files under their users."""
    for file in list(_files(call)):
        if call.should_process(str(file["FileId"]), "Close-File"):
            call.machine.shares.close_file(file["FileId"])
            if call.switch("PassThru"):
                yield _file_object(file)
