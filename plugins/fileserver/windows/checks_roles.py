"""What a Windows file server does besides sharing files out, and a failover does not bring along."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.model.findings import Finding
from orchestrator.sdk.checks import View, check
from orchestrator.sdk.pair_checks.view import SOURCE, TARGET, both, name

NOT_MOVED = {
    "fs-resource-manager": "quotas and file screens",
    "fs-data-deduplication": "the deduplicated form of files, which only a server with the same feature reads",
    "fs-dfs-namespace": "DFS namespaces, whose folder targets name the source",
    "fs-dfs-replication": "DFS replication groups",
    "print-server": "printers",
}
"""Roles of a file server, by their names as features, and what of them a failover does not move."""


@check("features-not-moved", sets=("strict", "failover"), passed="no role of the source is forgotten")
def not_moved(view: View) -> Iterator[Finding]:
    """What a failover does not bring along is known before."""
    pair = both(view)
    if pair is None:
        return
    ours, theirs = ({one.lower() for one in found.features} for found in pair)
    for feature, words in NOT_MOVED.items():
        if feature in ours:
            missing = f", and {name(view, TARGET)} has not even the feature" if feature not in theirs else ""
            yield view.warning(
                f"{name(view, SOURCE)} has {feature}: a failover does not move {words}{missing}",
                where=f"{name(view, SOURCE)}, Get-WindowsFeature",
                why="after a failover it would be missed",
                remedy=f"set the same up on {name(view, TARGET)}, or do it in people's part of post_failover",
            )


ROLES = (not_moved,)
