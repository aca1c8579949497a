"""Descriptors of files and folders: those that were set, and what the others inherit from the nearest folder above."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.lab.windows.machine import descriptors
from tests.lab.windows.machine.descriptors import Ace, Descriptor
from tests.lab.windows.machine.part import Part

WRITE = 0x2  # FILE_WRITE_DATA, FILE_ADD_FILE
DEFAULTS = {
    "": "O:SYG:SYD:PAI(A;OICI;FA;;;BA)(A;OICI;FA;;;SY)(A;OICI;0x1200a9;;;BU)",
    "c:\\windows": "O:SYG:SYD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)",
    "c:\\windows\\temp": "O:SYG:SYD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;CI;0x100026;;;BU)",
    "c:\\program files": "O:SYG:SYD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)",
    "c:\\program files (x86)": "O:SYG:SYD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)",
    "c:\\programdata": "O:SYG:SYD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)(A;CI;0x116;;;BU)",
}


def _inherited(ace: Ace, *, folder: bool) -> Ace | None:
    if "NP" in ace.flags or ("CI" if folder else "OI") not in ace.flags:
        return None
    kept = tuple(one for one in ace.flags if one in {"OI", "CI"}) if folder else ()
    return Ace(ace.kind, (*kept, "ID"), ace.mask, ace.sid)


class Acls(Part):
    """What was set, by the path in lower case without a trailing backslash."""

    file = "acls"

    def fresh(self) -> dict[str, Any]:
        return {"set": dict(DEFAULTS)}

    def of(self, windows: str, *, folder: bool = True) -> Descriptor:
        """The descriptor of a place: its own entries, then what it inherits (marked ID)."""
        path = windows.rstrip("\\").lower()
        text = self.data["set"].get(path)
        own = descriptors.parse(text) if text is not None else Descriptor("S-1-5-32-544", "S-1-5-18", ("AI",), ())
        if "P" in own.dacl_flags or not path:
            return own
        above = self.of(path.rpartition("\\")[0])
        down = tuple(one for ace in above.dacl or () if (one := _inherited(ace, folder=folder)))
        explicit = tuple(ace for ace in own.dacl or () if "ID" not in ace.flags)
        return replace(own, dacl=explicit + down)

    def put(self, windows: str, descriptor: Descriptor) -> None:
        """Set the descriptor of a place; entries marked as inherited are worked out anew."""
        kept = tuple(ace for ace in descriptor.dacl or () if "ID" not in ace.flags)
        self.data["set"][windows.rstrip("\\").lower()] = descriptors.sddl(replace(descriptor, dacl=kept))
        self.save()

    def forget(self, windows: str) -> None:
        """The place is gone, and all below it."""
        path = windows.rstrip("\\").lower()
        kept = {one: text for one, text in self.data["set"].items() if one != path and not one.startswith(f"{path}\\")}
        if kept != self.data["set"]:
            self.data["set"] = kept
            self.save()

    def allows(self, windows: str, sids: set[str], mask: int = WRITE) -> bool:
        """Whether somebody with these SIDs may do that there."""
        for ace in self.of(windows).dacl or ():
            if ace.sid in sids and "IO" not in ace.flags and (ace.mask & mask or ace.mask & 0x50000000):
                return ace.kind == "A"
        return False

    def of_session(self, session: Any) -> set[str]:
        """The SIDs by which a session is judged: an elevated one is an administrator."""
        sids = {"S-1-1-0", "S-1-5-11", "S-1-5-32-545", getattr(session, "user_sid", "")}
        if session.elevated:
            sids.add("S-1-5-32-544")
        if "SYSTEM" in session.user.upper().split("\\")[-1:]:
            sids.add("S-1-5-18")
        return sids
