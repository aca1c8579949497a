"""Who may use a share: Get-, Grant-, Revoke-, Block-, Unblock-SmbShareAccess."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.lab.windows.cmdlets.base import cim, cim_denied, enum, over_machine, texts
from tests.lab.windows.cmdlets.smb_shares import NAMESPACE, TYPES, chosen
from tests.lab.windows.machine import descriptors
from tests.lab.windows.machine.descriptors import CHANGE, FULL, READ
from tests.lab.windows.machine.shares import CLASS
from tests.lab.windows.powershell.commands import Call

RIGHTS = {FULL: "Full", 0x10000000: "Full", CHANGE: "Change", READ: "Read", 0x1200A9: "Read"}
NUMBERS = {"Full": 0, "Change": 1, "Read": 2, "Custom": 3}


def entries(machine: Any, share: dict[str, Any]) -> Iterator[Any]:
    """The entries of a share's list."""
    for ace in descriptors.parse(share["sddl"]).dacl or ():
        right = RIGHTS.get(ace.mask, "Custom")
        items = {
            "AccessControlType": enum(
                f"{TYPES}AccessControlType", "Allow" if ace.kind == "A" else "Deny", {"Allow": 0, "Deny": 1}
            ),
            "AccessRight": enum(f"{TYPES}ShareAccessRight", right, NUMBERS),
            "AccountName": machine.accounts.account(ace.sid),
            "Name": share["name"],
            "ScopeName": share["scope"],
        }
        yield cim("MSFT_SmbShareAccessControlEntry", items, NAMESPACE)


@over_machine("Get-SmbShareAccess", denied=cim_denied(CLASS))
def get_smb_share_access(call: Call) -> Iterator[Any]:
    """The entries of shares."""
    for share in chosen(call):
        yield from entries(call.machine, share)


@over_machine(
    "Grant-SmbShareAccess",
    "Revoke-SmbShareAccess",
    "Block-SmbShareAccess",
    "Unblock-SmbShareAccess",
    changes=True,
    denied=cim_denied(CLASS),
    impact="High",
)
def change_smb_share_access(call: Call) -> Iterator[Any]:
    """Change the list and show it."""
    accounts = texts(call.get("AccountName"))
    verb = call.name.split("-")[0].lower()
    for share in list(chosen(call)):
        if not call.should_process(f"{share['scope']},{share['name']}", "Modify"):
            continue
        shares = call.machine.shares
        if verb == "grant":
            shares.allow(share["name"], accounts, str(call.get("AccessRight", "Read")))
        elif verb == "block":
            shares.deny(share["name"], accounts)
        else:
            shares.revoke(share["name"], accounts, "A" if verb == "revoke" else "D")
        yield from entries(call.machine, shares.get(share["name"]))
