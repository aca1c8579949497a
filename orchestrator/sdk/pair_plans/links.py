"""The connections of a protection: one for each protected directory, out to the target and, after a failover, back."""

from __future__ import annotations

import msgspec

from orchestrator.model.ports import Link
from orchestrator.model.servers import Where
from orchestrator.sdk.application import Planning


def suffix(position: int) -> str:
    """What tells the steps of the second and later directories apart."""
    return "" if position == 0 else f"-{position + 1}"


def out(planning: Planning, epoch: int, *, difference: bool = False) -> tuple[Link, ...]:
    """Source to target. ``difference`` where the target has the data already."""
    return tuple(_link(planning, position, Where.SOURCE, epoch, difference) for position in _positions(planning))


def back(planning: Planning, epoch: int) -> tuple[Link, ...]:
    """Target to source, or to where a restore goes instead: only what differs travels."""
    wanted = planning.restoring
    return tuple(
        msgspec.structs.replace(
            link,
            target_path=wanted.place(link.target_path),
            checksum=wanted.checksum,
            orphans={"action": wanted.orphan_action},
            overwrite=wanted.overwrite,
            only_newer=wanted.only_newer,
            replicates=not wanted.spares,
        )
        for link in (_link(planning, position, Where.TARGET, epoch, True) for position in _positions(planning))
    )


def _positions(planning: Planning) -> range:
    return range(len(planning.protection.settings.connection.roots))


def _link(planning: Planning, position: int, origin: Where, epoch: int, difference: bool) -> Link:  # noqa: FBT001
    settings = planning.protection.settings
    root, tab = settings.connection.roots[position], settings.connection
    full = tab.mirror == "full" and not difference
    outward = origin is Where.SOURCE
    return Link(
        protection=planning.protection.id,
        replication_set=settings.set_name(position),
        origin=origin,
        source_path=root.on(origin),
        target_path=root.on(origin.other),
        purpose="protect" if outward else "restore",
        epoch=epoch,
        mirror="full" if full else "difference",
        checksum=not full,
        orphans=tab.orphans.model_dump(mode="json", exclude_none=True) if outward else {},
        route=tab.route.model_dump(mode="json") if tab.route and outward else None,
        compression=tab.compression,
        bandwidth=tab.bandwidth.model_dump(mode="json", exclude_none=True) if tab.bandwidth else None,
        mode=tab.mode if outward else "asynchronous",
        synchronous_wait_s=tab.synchronous_wait_s,
        when_late=tab.when_late,
        ignore_deletes=tab.ignore_deletes and outward,
    )
