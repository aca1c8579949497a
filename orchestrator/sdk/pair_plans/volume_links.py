"""The link of a protection: one for all its volumes, out to the target and, after a failover, back."""

from __future__ import annotations

from orchestrator.model.capabilities import capabilities
from orchestrator.model.ports import Link
from orchestrator.model.servers import Where
from orchestrator.sdk.application import Planning


def out(planning: Planning, epoch: int) -> Link:
    """Source to target."""
    return _link(planning, Where.SOURCE, epoch)


def back(planning: Planning, epoch: int) -> Link:
    """Target to source."""
    return _link(planning, Where.TARGET, epoch)


def offers(planning: Planning, capability: str) -> bool:
    """Whether the chosen way to replicate can do it."""
    return capability in capabilities(planning.protection.settings.connection)


def _link(planning: Planning, origin: Where, epoch: int) -> Link:
    """Without a directory there is nothing to link, and every plan refuses itself for that."""
    settings = planning.protection.settings
    first = next(iter(settings.connection.roots), None)
    return Link(
        protection=planning.protection.id,
        replication_set=settings.replication_set,
        origin=origin,
        source_path=first.on(origin) if first else "",
        target_path=first.on(origin.other) if first else "",
        purpose="protect" if origin is Where.SOURCE else "restore",
        epoch=epoch,
        mirror="block",
        checksum=False,
        compression=settings.connection.compression,
        mode=settings.connection.mode,
    )
