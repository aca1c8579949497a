"""Accounts by name and SID: the well-known ones, the machine's own, those of the settings, and the domain's by the lab's hook."""

from __future__ import annotations

import hashlib
from typing import Any

from tests.lab.windows.machine.part import Part
from tests.lab.windows.machine.refusals import Refused

WELL_KNOWN = {
    "Everyone": "S-1-1-0",
    "CREATOR OWNER": "S-1-3-0",
    "NT AUTHORITY\\NETWORK": "S-1-5-2",
    "NT AUTHORITY\\ANONYMOUS LOGON": "S-1-5-7",
    "NT AUTHORITY\\Authenticated Users": "S-1-5-11",
    "NT AUTHORITY\\SYSTEM": "S-1-5-18",
    "NT AUTHORITY\\LOCAL SERVICE": "S-1-5-19",
    "NT AUTHORITY\\NETWORK SERVICE": "S-1-5-20",
    "BUILTIN\\Administrators": "S-1-5-32-544",
    "BUILTIN\\Users": "S-1-5-32-545",
    "BUILTIN\\Guests": "S-1-5-32-546",
    "BUILTIN\\Power Users": "S-1-5-32-547",
    "BUILTIN\\Server Operators": "S-1-5-32-549",
    "BUILTIN\\Backup Operators": "S-1-5-32-551",
    "BUILTIN\\Remote Management Users": "S-1-5-32-580",
}


class Accounts(Part):
    """Names to SIDs and back."""

    file = "accounts"

    def fresh(self) -> dict[str, Any]:
        digest = hashlib.sha256(self.machine.settings.name.encode()).digest()
        own = "S-1-5-21-" + "-".join(str(int.from_bytes(digest[at : at + 4], "big")) for at in (0, 4, 8))
        return {"machine_sid": own, "known": dict(self.machine.settings.accounts)}

    def _known(self) -> dict[str, str]:
        own = {f"{self.machine.computer.name}\\Administrator": f"{self.data['machine_sid']}-500"}
        return WELL_KNOWN | own | self.data["known"]

    @property
    def domain_sid(self) -> str | None:
        """The SID of the domain, by which DA, DU and their like are read; None where nobody knows it."""
        if not self.machine.computer.data["domain"] or not self.machine.hooks.account_sid:
            return None
        users = self.machine.hooks.account_sid("Domain Users")
        return users.rpartition("-")[0] if users else None

    def sid(self, name: str) -> str:
        """The SID of an account; a SID is its own.

        Raises:
            Refused: no such account (1332).
        """
        if name.upper().startswith("S-1-"):
            return name.upper()
        bare = name.lower().removeprefix(".\\")
        for known, sid in self._known().items():
            if bare in {known.lower(), known.lower().rpartition("\\")[2]}:
                return sid
        found = self.machine.hooks.account_sid(name) if self.machine.hooks.account_sid else None
        if found is None:
            message = "No mapping between account names and security IDs was done."
            raise Refused(
                message,
                "Windows System Error 1332",
                "NotSpecified",
                "Microsoft.Management.Infrastructure.CimException",
                name,
                1332,
            )
        return found

    def account(self, sid: str) -> str:
        """The name of a SID; the SID itself when nobody knows it."""
        for name, known in self._known().items():
            if known == sid:
                return name
        found = self.machine.hooks.sid_account(sid) if self.machine.hooks.sid_account else None
        return found or sid
