"""What is proposed for a pair of Windows servers: shares, directories, the Server service, addresses and name servers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from orchestrator.model.inventory import Inventory
from orchestrator.model.paths import outermost
from orchestrator.model.servers import Pair
from orchestrator.model.settings import ConnectionTab
from orchestrator.model.settings_domain import ShareSelection
from orchestrator.sdk.addressing import resolvers, takeable
from plugins.fileserver.windows import sharing

SERVER: dict[str, Any] = {
    "name": "server",
    "unit": "LanmanServer",
    "required": True,
    "must_be_stopped_on_target": False,
    "grace_s": 60.0,
    "start_timeout_s": 120.0,
}
"""The Server service, which shares files out. On the target it goes on: what a failover moves there are shares, names and data."""


def defaults(pair: Pair, found: Inventory | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """What a Windows file server needs: all shares but the administrative ones, their data, the Server service and both names."""
    failover: dict[str, Any] = {"windows": {}, "services": [SERVER]}
    if found is None:
        return {"failover": failover}
    shares = sharing.selected(found.source.windows, _selection(given))
    others = [one for one in pair.source.addresses if one != pair.source.address]
    failover["identity"] = {"addresses": takeable(others, found)}
    if servers := resolvers(found):
        failover["dns"] = {"servers": servers}
    roots = [{"source_path": path} for path in outermost([one.path for one in shares])]
    return {"failover": failover, "connection": {"roots": roots}}


def _selection(given: Mapping[str, Any]) -> ShareSelection:
    """What people chose of shares; what cannot be read is told when the settings are made."""
    wanted = dict(given.get("connection") or {}).get("shares")
    try:
        return ConnectionTab.model_validate({"shares": wanted} if wanted else {}).shares
    except ValidationError:
        return ShareSelection()
