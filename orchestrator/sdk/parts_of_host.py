"""What a host has a part in: every protection that it keeps a document of, for checks that look beyond one pair."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.model.host import Host
from orchestrator.model.inventory import OtherProtection


def parts_of(host: Host) -> tuple[OtherProtection, ...]:
    """All protections of a host, with the names of their servers; one question a protection."""
    told = ((protection, role, host.protection_document(protection) or {}) for protection, role in host.protections())
    return tuple(
        OtherProtection(
            protection,
            str(document.get("application", "")),
            role,
            _side(document, "source"),
            _side(document, "target"),
            dict(document.get("takeover") or {}),
        )
        for protection, role, document in told
    )


def _side(document: Mapping[str, Any], side: str) -> str:
    return str((document.get(side) or {}).get("name", ""))
