"""Get-Acl, Set-Acl and icacls.exe over the machine's descriptors of files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tests.lab.windows.cmdlets.base import as_list, over_machine
from tests.lab.windows.cmdlets.places import Place, chosen, provider_facts
from tests.lab.windows.cmdlets.programs import denied
from tests.lab.windows.machine import descriptors
from tests.lab.windows.machine.descriptors import Ace, Descriptor
from tests.lab.windows.machine.refusals import Refused
from tests.lab.windows.powershell.commands import Call, Done, ProgramCall, program
from tests.lab.windows.powershell.values import Computed, EnumValue, PsObject, typed

COMMANDS = "Microsoft.PowerShell.Commands."
RIGHTS = {
    0x1F01FF: "FullControl",
    0x1301BF: "Modify, Synchronize",
    0x1200A9: "ReadAndExecute, Synchronize",
    0x120089: "Read, Synchronize",
}
ICACLS = {"F": 0x1F01FF, "M": 0x1301BF, "RX": 0x1200A9, "R": 0x120089, "W": 0x100116, "D": 0x110000}
GRANT = re.compile(r"(?P<who>.+?):(?P<flags>(?:\((?:OI|CI|NP|IO)\))*)\(?(?P<right>F|M|RX|R|W|D)\)?$", re.IGNORECASE)
DONE = "Successfully processed {} files; Failed processing {} files\r\n"


def _rule(machine: Any, ace: Ace) -> PsObject:
    inherit = (
        ", ".join(text for flag, text in (("CI", "ContainerInherit"), ("OI", "ObjectInherit")) if flag in ace.flags)
        or "None"
    )
    name = machine.accounts.account(ace.sid)
    items = {
        "FileSystemRights": RIGHTS.get(ace.mask, str(ace.mask)),
        "AccessControlType": EnumValue(
            "System.Security.AccessControl.AccessControlType",
            "Allow" if ace.kind == "A" else "Deny",
            0 if ace.kind == "A" else 1,
        ),
        "IdentityReference": typed("System.Security.Principal.NTAccount", {"Value": name}, text=name),
        "IsInherited": "ID" in ace.flags,
        "InheritanceFlags": inherit,
        "PropagationFlags": "InheritOnly" if "IO" in ace.flags else "None",
    }
    return typed("System.Security.AccessControl.FileSystemAccessRule", items)


def acl_object(machine: Any, at: Place) -> PsObject:
    """A FileSecurity or DirectorySecurity; changed by its methods, set by Set-Acl."""
    assert at.file
    folder = at.file.real.is_dir()
    held = {"is": machine.acls.of(at.file.windows, folder=folder)}

    def protect(on: bool, keep: bool) -> None:
        one: Descriptor = held["is"]
        aces = tuple(
            replace(ace, flags=tuple(f for f in ace.flags if f != "ID")) if on and keep else ace
            for ace in one.dacl or ()
        )
        aces = tuple(ace for ace in aces if not (on and "ID" in ace.flags))
        held["is"] = replace(one, dacl_flags=("P", "AI") if on else ("AI",), dacl=aces)

    def from_text(text: Any) -> None:
        held["is"] = descriptors.parse(str(text))

    def owner(who: Any) -> None:
        held["is"] = replace(
            held["is"], owner=machine.accounts.sid(str(who.get("Value") if isinstance(who, PsObject) else who))
        )

    items = provider_facts(at) | {
        "Path": provider_facts(at)["PSPath"],
        "Owner": Computed(lambda: machine.accounts.account(held["is"].owner or "S-1-5-18")),
        "Group": Computed(lambda: machine.accounts.account(held["is"].group or "S-1-5-18")),
        "Access": Computed(lambda: [_rule(machine, ace) for ace in held["is"].dacl or ()]),
        "Sddl": Computed(lambda: descriptors.sddl(held["is"])),
        "AreAccessRulesProtected": Computed(lambda: "P" in held["is"].dacl_flags),
    }
    made = typed(f"System.Security.AccessControl.{'Directory' if folder else 'File'}Security", items)
    made.methods.update(
        SetAccessRuleProtection=protect,
        SetSecurityDescriptorSddlForm=from_text,
        GetSecurityDescriptorSddlForm=lambda _sections=None: descriptors.sddl(held["is"]),
        SetOwner=owner,
        GetOwner=lambda _kind=None: machine.accounts.account(held["is"].owner or "S-1-5-18"),
    )
    return made


@over_machine("Get-Acl", error_class=f"{COMMANDS}GetAclCommand")
def get_acl(call: Call) -> Iterator[Any]:
    """The descriptors of files and folders."""
    if not call.has("Path") and not call.has("LiteralPath"):
        call.bound["Path"] = ["."]
    for at in chosen(call):
        if at.file is None:
            raise Refused(
                "Not simulated: descriptors of registry keys.",
                "NotSupported",
                "NotImplemented",
                "System.NotSupportedException",
            )
        yield acl_object(call.machine, at)


@over_machine("Set-Acl", error_class=f"{COMMANDS}SetAclCommand")
def set_acl(call: Call) -> Iterator[Any]:
    """Set them."""
    for at in list(chosen(call)):
        assert at.file
        if not call.machine.acls.allows(at.file.windows, call.machine.acls.of_session(call.session), 0x40000):
            message = "Attempted to perform an unauthorized operation."
            raise Refused(
                message,
                "System.UnauthorizedAccessException",
                "PermissionDenied",
                "System.UnauthorizedAccessException",
                at.file.windows,
            )
        if call.should_process(at.file.windows):
            given = as_list(call.get("AclObject"))[0]
            call.machine.acls.put(
                at.file.windows, descriptors.parse(str(given.get("Sddl") if isinstance(given, PsObject) else given))
            )
            if call.switch("PassThru"):
                yield given


def _who(call: ProgramCall, text: str) -> str:
    found: str = call.machine.accounts.sid(text.removeprefix("*"))
    return found


def _granted(call: ProgramCall, held: Descriptor, entries: list[str], *, kind: str, instead: bool) -> Descriptor:
    aces = list(held.dacl or ())
    for entry in entries:
        found = GRANT.match(entry)
        if found is None:
            raise Refused(f'Invalid parameter "{entry}"', code=87)
        sid, flags = _who(call, found["who"]), tuple(re.findall(r"OI|CI|NP|IO", found["flags"].upper()))
        aces = [
            ace
            for ace in aces
            if not (ace.sid == sid and ace.kind == kind and "ID" not in ace.flags and (instead or ace.flags == flags))
        ]
        aces.insert(0, Ace(kind, flags, ICACLS[found["right"].upper()], sid))
    return held.with_dacl(tuple(sorted(aces, key=lambda ace: ("ID" in ace.flags, ace.kind != "D"))))


def _changed(call: ProgramCall, held: Descriptor, argv: list[str]) -> Descriptor:
    """One switch after the other; words without a slash belong to the switch before."""
    at = 0
    while at < len(argv):
        switch, at = argv[at].lower(), at + 1
        words = []
        while at < len(argv) and not argv[at].startswith("/"):
            words.append(argv[at])
            at += 1
        if switch in {"/grant", "/grant:r", "/deny"}:
            held = _granted(call, held, words, kind="D" if switch == "/deny" else "A", instead=switch.endswith(":r"))
        elif switch.startswith("/remove"):
            gone = [_who(call, one) for one in words]
            held = held.with_dacl(tuple(ace for ace in held.dacl or () if ace.sid not in gone or "ID" in ace.flags))
        elif switch == "/setowner" and words:
            held = replace(held, owner=_who(call, words[0]))
        elif switch in {"/inheritance:r", "/inheritance:d"}:
            kept = tuple(
                replace(ace, flags=tuple(f for f in ace.flags if f != "ID"))
                for ace in held.dacl or ()
                if switch.endswith("d") or "ID" not in ace.flags
            )
            held = replace(held, dacl_flags=("P", "AI"), dacl=kept)
        elif switch == "/inheritance:e":
            held = replace(held, dacl_flags=("AI",))
        elif switch == "/reset":
            held = replace(held, dacl_flags=("AI",), dacl=())
        elif switch not in {"/t", "/c", "/q", "/l"}:
            raise Refused(f'Invalid parameter "{switch}"', code=87)
    return held


@program("icacls.exe")
def icacls(call: ProgramCall) -> Done:
    """Show or change descriptors: /grant[:r], /deny, /remove, /setowner, /inheritance, /reset; /t for all below."""
    if not call.argv:
        return Done(0, "ICACLS name /save aclfile [/T] [/C] [/L] [/Q]\r\n")
    name, rest = call.argv[0], list(call.argv[1:])
    try:
        at = call.machine.files.locate(name, call.session.location)
        if not at.real.exists():
            return Done(2, DONE.format(0, 1), f"{name}: The system cannot find the file specified.\r\n")
        held = call.machine.acls.of(at.windows, folder=at.real.is_dir())
        switches = [one for one in rest if one.lower() not in {"/t", "/c", "/q", "/l"}]
        if not switches:
            rows = [_listed(call, ace) for ace in held.dacl or ()]
            return Done(0, f"{name} " + f"\r\n{' ' * (len(name) + 1)}".join(rows) + "\r\n\r\n" + DONE.format(1, 0))
        if denied(call, "icacls") or not call.machine.acls.allows(
            at.windows, call.machine.acls.of_session(call.session), 0x40000
        ):
            return Done(5, DONE.format(0, 1), f"{name}: Access is denied.\r\n")
        call.machine.acls.put(at.windows, _changed(call, held, rest))
        below = sorted(at.real.rglob("*")) if "/t" in [one.lower() for one in rest] else []
        for one in below:
            windows = at.windows.rstrip("\\") + "\\" + str(one.relative_to(at.real)).replace("/", "\\")
            call.machine.acls.put(windows, _changed(call, call.machine.acls.of(windows, folder=one.is_dir()), rest))
    except Refused as why:
        text = why.message if why.code != 1332 else "No mapping between account names and security IDs was done."
        return Done(why.code or 1, DONE.format(0, 1), f"{name}: {text}\r\n" if why.code != 87 else f"{text}\r\n")
    said = "" if "/q" in [one.lower() for one in rest] else f"processed file: {name}\r\n"
    return Done(0, said + DONE.format(1 + len(below), 0))


def _listed(call: ProgramCall, ace: Ace) -> str:
    flags = "".join(f"({ {'ID': 'I'}.get(one, one) })".replace(" ", "") for one in ace.flags)
    return f"{call.machine.accounts.account(ace.sid)}:{'(DENY)' if ace.kind == 'D' else ''}{flags}({_letter(ace.mask)})"


def _letter(mask: int) -> str:
    return next((letter for letter, number in ICACLS.items() if number == mask), hex(mask))
