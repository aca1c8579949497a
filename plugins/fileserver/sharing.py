"""Which shares a protection moves, as what documents, and which directories that makes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from orchestrator.model.inventory import Inventory, SideInventory
from orchestrator.model.settings import Settings
from orchestrator.model.settings_domain import ShareSelection
from orchestrator.model.shares import Samba, Share
from plugins.fileserver.placing import target_path


def eligible(samba: Samba | None) -> tuple[Share, ...]:
    """Shares of data: not the administrative ones, NETLOGON or SYSVOL, and not those without a directory of their own."""
    found = samba.shares if samba else ()
    return tuple(one for one in found if not one.administrative and one.path.startswith("/") and "%" not in one.path)


def selected(samba: Samba | None, selection: ShareSelection) -> tuple[Share, ...]:
    """Those of them that the settings choose."""
    return tuple(one for one in eligible(samba) if selection.chosen(one.name))


def chosen(settings: Settings, samba: Samba | None) -> tuple[Share, ...]:
    """The shares that a failover takes over; none where the protection is not of a Samba server."""
    if settings.failover.samba is None or not settings.failover.fails_over("shares"):
        return ()
    return selected(samba, settings.connection.shares)


def documents(settings: Settings, inventory: Inventory) -> list[dict[str, Any]]:
    """The shares as the target's step takes them; those without replicated data or readable permissions are left out, which checks tell."""
    placed = ((share, target_path(settings, share)) for share in chosen(settings, inventory.source.samba))
    return [share.document(path) for share, path in placed if path is not None and not share.acl_problem]


def waiting(target: SideInventory) -> tuple[Share, ...]:
    """The shares that the target was told of and that wait there closed, as it says."""
    told = {one["name"].lower() for one in ((target.takeover or {}).get("shares") or {}).get("shares", ())}
    return tuple(
        one for one in (target.samba.shares if target.samba else ()) if one.is_closed and one.name.lower() in told
    )


def roots_of(shares: Iterable[Share], volumes: Iterable[str] = ()) -> list[str]:
    """The outermost directories of the shares and of further volumes, in order."""
    kept: list[str] = []
    for path in sorted({*(one.path for one in shares), *volumes}):
        if not any(path == outer or path.startswith(outer.rstrip("/") + "/") for outer in kept):
            kept.append(path)
    return kept
