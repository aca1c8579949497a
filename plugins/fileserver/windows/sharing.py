"""Which shares of a Windows server a protection moves, as what documents."""

from __future__ import annotations

from typing import Any

from orchestrator.model.inventory import Inventory, SideInventory
from orchestrator.model.paths import is_windows
from orchestrator.model.settings import Settings
from orchestrator.model.settings_domain import ShareSelection
from orchestrator.model.windows import EVERY_SCOPE, Windows, WindowsShare
from plugins.fileserver.placing import target_path

NEVER = frozenset({"admin$", "ipc$", "print$", "netlogon", "sysvol"})
"""Shares that belong to their machine or domain alone, besides those of whole drives (C$)."""

OPTIONS = {
    "FolderEnumerationMode": "folder_enumeration",
    "CachingMode": "caching",
    "ConcurrentUserLimit": "user_limit",
    "EncryptData": "encrypt",
}
"""Options of a share as Windows names them, and as a step's document does."""


def administrative(share: WindowsShare) -> bool:
    """Whether a share belongs to its machine alone."""
    name = share.name.lower()
    return share.special or name in NEVER or (len(name) == 2 and name[0].isalpha() and name[1] == "$")


def eligible(found: Windows | None) -> tuple[WindowsShare, ...]:
    """Shares of data: of a directory, of the server itself and not of a cluster's role."""
    shares = found.shares if found else ()
    return tuple(one for one in shares if not administrative(one) and one.scope == EVERY_SCOPE and is_windows(one.path))


def selected(found: Windows | None, selection: ShareSelection) -> tuple[WindowsShare, ...]:
    """Those of them that the settings choose."""
    return tuple(one for one in eligible(found) if selection.chosen(one.name))


def chosen(settings: Settings, found: Windows | None) -> tuple[WindowsShare, ...]:
    """The shares that a failover takes over."""
    return selected(found, settings.connection.shares) if settings.failover.fails_over("shares") else ()


def documents(settings: Settings, inventory: Inventory) -> list[dict[str, Any]]:
    """The shares as the target's step takes them; those without replicated data are left out, which a check tells.

    Where the source does not say, they are those that the target was told of.
    """
    if inventory.source.windows is None:
        return told(inventory.target)
    placed = ((share, target_path(settings, share)) for share in chosen(settings, inventory.source.windows))
    return [document(share, path) for share, path in placed if path is not None]


def document(share: WindowsShare, path: str) -> dict[str, Any]:
    """One share, lying at ``path``, with its permissions and options."""
    given = {ours: share.options[theirs] for theirs, ours in OPTIONS.items() if theirs in share.options}
    return {"name": share.name, "path": path, "description": share.description, "sddl": share.sddl, **given}


def told(side: SideInventory) -> list[dict[str, Any]]:
    """The shares that a side was told of at the last enable."""
    return list(((side.takeover or {}).get("shares") or {}).get("shares", ()))
