"""vssadmin and diskshadow over the machine's shadow copies."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.lab.windows.cmdlets.programs import denied
from tests.lab.windows.machine.refusals import Refused
from tests.lab.windows.powershell.commands import Done, ProgramCall, program

BANNER = "vssadmin 1.1 - Volume Shadow Copy Service administrative command-line tool\r\n(C) Copyright 2001-2013 Microsoft Corp.\r\n\r\n"
NONE_FOUND = "No items found that satisfy the query.\r\n"
NOT_ADMINISTRATOR = "Error: You don't have the correct permissions to run this command.  Please run this utility from a command\r\nwindow that has elevated administrator privileges.\r\n"


def _options(argv: tuple[str, ...]) -> dict[str, str]:
    return {
        name.lower(): value
        for name, _, value in (one.lstrip("/").partition("=") for one in argv if one.startswith("/"))
    }


def _chosen(call: ProgramCall, options: dict[str, str]) -> list[dict[str, Any]]:
    found = call.machine.shadows.all()
    if "for" in options:
        volume = call.machine.volumes.find(options["for"])
        found = [one for one in found if volume and one["letter"] == volume["letter"]]
    if "shadow" in options:
        found = [one for one in found if one["id"].lower().strip("{}") == options["shadow"].lower().strip("{}")]
    return found[:1] if "oldest" in options else found


def _listed(call: ProgramCall, one: dict[str, Any]) -> str:
    when = datetime.fromtimestamp(one["time"], UTC).strftime("%m/%d/%Y %I:%M:%S %p")
    return (
        f"Contents of shadow copy set ID: {one['set'].lower()}\r\n   Contained 1 shadow copies at creation time: {when}\r\n"
        f"      Shadow Copy ID: {one['id'].lower()}\r\n         Original Volume: ({one['letter']}:){one['volume']}\r\n"
        f"         Shadow Copy Volume: {one['device']}\r\n         Originating Machine: {call.machine.computer.fqdn}\r\n"
        f"         Service Machine: {call.machine.computer.fqdn}\r\n         Provider: 'Microsoft Software Shadow Copy provider 1.0'\r\n"
        "         Type: ClientAccessible\r\n         Attributes: Persistent, Client-accessible, No auto release, No writers, Differential\r\n\r\n"
    )


@program("vssadmin.exe")
def vssadmin(call: ProgramCall) -> Done:  # noqa: PLR0911 - a return for each ending of the program
    """list shadows, create shadow, delete shadows, revert shadow."""
    words = [one.lower() for one in call.argv[:2]]
    options = _options(call.argv[2:])
    if denied(call, "vssadmin"):
        return Done(2, BANNER + NOT_ADMINISTRATOR)
    if words == ["list", "shadows"]:
        found = _chosen(call, options)
        return Done(0, BANNER + "".join(_listed(call, one) for one in found)) if found else Done(1, BANNER + NONE_FOUND)
    if words == ["create", "shadow"]:
        result, made = call.machine.shadows.create(options.get("for", "").rstrip("\\") + "\\")
        if result:
            return Done(2, BANNER + "Error: Either the specified volume was not found or it is not a local volume.\r\n")
        one = call.machine.shadows.find(made)
        return Done(
            0,
            f"{BANNER}Successfully created shadow copy for '{options['for']}'\r\n    Shadow Copy ID: {made.lower()}\r\n    Shadow Copy Volume Name: {one['device']}\r\n",
        )
    if words == ["delete", "shadows"]:
        found = _chosen(call, options)
        if not found or not {"all", "for", "shadow"} & set(options):
            return Done(
                2, BANNER + ("Error: No shadow copies were found.\r\n" if options else "Error: Invalid command.\r\n")
            )
        if "quiet" not in options:
            return Done(2, f"{BANNER}Do you really want to delete {len(found)} shadow copies (Y/N): [N]? \r\n")
        for one in found:
            call.machine.shadows.delete(one["id"])
        return Done(0, BANNER)
    if words == ["revert", "shadow"]:
        try:
            call.machine.shadows.revert(options.get("shadow", ""))
        except Refused as why:
            return Done(why.code, f"{BANNER}{why.message}\r\n")
        return Done(0, BANNER)
    return Done(2, BANNER + "Error: Invalid command.\r\n")


@program("diskshadow.exe")
def diskshadow(call: ProgramCall) -> Done:
    """A script (/s file, or standard input) of: set context, begin backup, add volume X: alias A, create, delete shadows, end backup."""
    if denied(call, "diskshadow"):
        return Done(1, "The requested operation requires elevation.\r\n")
    lowered = [one.lower() for one in call.argv]
    text = call.stdin
    if "/s" in lowered:
        try:
            text = call.machine.files.locate(call.argv[lowered.index("/s") + 1], call.session.location).real.read_text()
        except (Refused, OSError, IndexError):
            return Done(1, "Error opening script file.\r\n")
    out, volumes = ["Microsoft DiskShadow version 1.0", f"On computer:  {call.machine.computer.name}", ""], []
    for line in text.splitlines():
        words = line.split()
        out.append(f"-> {line}")
        command = " ".join(words[:2]).lower()
        if not words or words[0].startswith("#") or words[0].lower() in {"set", "begin", "end", "exit", "writer"}:
            continue
        if command == "add volume" and len(words) > 2 and call.machine.volumes.find(words[2]):
            volumes.append(words[2].rstrip("\\") + "\\")
        elif words[0].lower() == "create" and volumes:
            for volume in volumes:
                result, made = call.machine.shadows.create(volume, "ClientAccessible")
                out.append(f"\t- Shadow copy ID: {made}" if not result else "The volume is not supported.")
            volumes = []
        elif command == "delete shadows" and len(words) > 2:
            for one in call.machine.shadows.all():
                if words[2].lower() == "all" or (words[2].lower() == "id" and one["id"].lower() == words[-1].lower()):
                    call.machine.shadows.delete(one["id"])
        else:
            return Done(1, "\r\n".join([*out, "The command is not valid.", ""]))
    return Done(0, "\r\n".join([*out, ""]))
