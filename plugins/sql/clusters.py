"""Clusters: what is otherwise for a pair of them, and what dtam says about it. Pure.

dtam recognises a clustered instance, holds its settings to what a cluster allows, and says what a person has to do; bringing resources
on- and offline is not in its plans yet, so such a pair is refused with the way by hand.
"""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.model.settings import Settings


def way_by_hand(settings: Settings, source: str, target: str) -> tuple[str, ...]:
    """What a failover from cluster to cluster would be, in order, as sentences for a person."""
    cluster = settings.failover.cluster
    resources = cluster.resources if cluster else ()
    names = [one.name for one in resources]
    online = ", ".join(names) or "the disks, the address, the network name, SQL Server, SQL Server Agent"
    offline = ", ".join(reversed(names)) or "SQL Server Agent, SQL Server, the network name, the address, the disks"
    ours, theirs = (cluster.source_group, cluster.target_group) if cluster else ("its group", "its group")
    quiet = ", ".join(one.name for one in resources if one.must_be_offline_on_target) or "all but the disks"
    return (
        f"while data comes in, keep offline in {theirs} on {target}: {quiet}",
        f"on {source}, while it answers: take {ours} offline, in this order: {offline}",
        f"wait until {target} has all data, and stop the replication",
        f"on {target}: bring {theirs} online, in this order: {online}",
        f"lead {settings.name} in DNS to the address resource of {target} (dfo failover)",
    )


def unfit(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """(setting, what is wrong, what to do) of settings that do not fit a clustered instance and name no cluster themselves."""
    if settings.failover.type != "dns":
        yield "failover.type", "a cluster fails over by DNS only", "failover.type: dns"
    if settings.failover.services:
        yield (
            "failover.services",
            "a cluster brings resources online, not services",
            "list them under failover.cluster.resources, in the order in which they come online",
        )
    if settings.monitoring.application is not None:
        yield (
            "monitoring.application",
            "application monitoring is not available for a cluster",
            "leave monitoring.application out",
        )
    if settings.monitoring.cushion_s <= 0:
        yield (
            "monitoring.cushion_s",
            "a group that moves to another node would count as a source that failed",
            "monitoring.cushion_s: how many seconds the group takes to move between nodes, with some to spare",
        )
