"""Checks about volumes: that they are there, fit Storage Replica, and hold nothing of somebody else's."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.model.findings import Finding
from orchestrator.model.servers import Where
from orchestrator.model.windows import Windows, WindowsVolume
from orchestrator.sdk.checks import View, check
from orchestrator.sdk.pair_checks.view import SIDES, SOURCE, TARGET, both, name, windows_of
from orchestrator.sdk.sides import volumes

FEATURE = "storage-replica"
LOG_SPARE_BYTES = 1024**3


def _by_replica(view: View) -> bool:
    return view.settings.connection.replication == "storage_replica"


def _volume(found: Windows, place: str) -> WindowsVolume | None:
    return found.volume(place if len(place) > 2 else place + "\\")


def _data(view: View, where: Where) -> list[str]:
    return list(volumes(view.settings, where))


def _log(view: View, where: Where) -> str:
    options = view.settings.connection.storage_replica
    return "" if options is None else options.log_on_target if where is TARGET else options.source_log_volume


@check("volume-missing", sets=("basic", "data"), passed="every volume is there on both servers, under its letter")
def volume_missing(view: View) -> Iterator[Finding]:
    """The guide wants the same drive letters on both sides. A destination's volume has none while it is replicated to."""
    for where in SIDES:
        found = windows_of(view, where)
        if (
            found is None
            or not found.volumes
            or (where is TARGET and view.protection.id in view.inventory.target.protections)
        ):
            continue
        log = [_log(view, where)] if _by_replica(view) else []
        for place in dict.fromkeys([*_data(view, where), *log]):
            if _volume(found, place) is None:
                yield view.error(
                    f"{name(view, where)} has no volume {place}",
                    where=view.place("connection.roots"),
                    why="there is nothing to replicate from, or to",
                    remedy=f"make it with that letter on {name(view, where)}: Get-Volume lists what there is",
                )


@check("system-volume-replicated", sets=("basic", "data"), passed="no system volume is replicated")
def system_volume(view: View) -> Iterator[Finding]:
    """Windows itself lives there: Storage Replica refuses it, and data does not belong there."""
    if _by_replica(view) and any(one.upper() == "C:" for where in SIDES for one in _data(view, where)):
        yield view.error(
            "the volume C: would be replicated",
            where=view.place("connection.roots"),
            why="Windows itself lives there, and Storage Replica refuses a system volume",
            remedy="move the databases to a volume of their own, with the instance's data directory"
            if view.settings.failover.sql is not None
            else "move the shares to a volume of their own, or leave those on C: out: connection.shares.exclude",
        )


@check("volumes-differ", sets=("basic", "data"), passed="volumes have the same size and sectors on both servers")
def volumes_differ(view: View) -> Iterator[Finding]:
    """Storage Replica copies block by block, into volumes of exactly the same size."""
    pair = both(view)
    if pair is None or not _by_replica(view):
        return
    ours, theirs = pair
    for mine, other in zip(_data(view, SOURCE), _data(view, TARGET), strict=False):
        one, there = _volume(ours, mine), _volume(theirs, other)
        if one is None or there is None:
            continue
        if one.bytes and there.bytes and one.bytes != there.bytes:
            yield view.error(
                f"{mine} on {name(view, SOURCE)} has {one.bytes} bytes, {other} on {name(view, TARGET)} {there.bytes}",
                where=f"{name(view, TARGET)}, Get-Volume",
                why="Storage Replica needs volumes of exactly the same size",
                remedy="make the target's partition as large as the source's: Resize-Partition",
            )
        sectors = [_sector(ours, one), _sector(theirs, there)]
        if all(sectors) and sectors[0] != sectors[1]:
            yield view.error(
                f"the disks of {mine} have sectors of {sectors[0]} and {sectors[1]} bytes",
                where=f"{name(view, SOURCE)}, {name(view, TARGET)}, Get-Disk",
                why="Storage Replica needs the same sectors on both sides",
                remedy="take disks of one kind",
            )


def _sector(found: Windows, volume: WindowsVolume) -> int:
    return next((one.sector_bytes for one in found.disks if one.number == volume.disk), 0)


@check("disk-unfit", sets=("basic", "data"), passed="the disks are fit for Storage Replica")
def disk_unfit(view: View) -> Iterator[Finding]:
    """GPT, online, writable, and nobody's cluster."""
    for where in SIDES:
        found = windows_of(view, where)
        if found is None or not _by_replica(view):
            continue
        volumes = [_volume(found, place) for place in [*_data(view, where), _log(view, where)]]
        numbers = {one.disk for one in volumes if one is not None}
        for disk in found.disks:
            wrong = [
                words
                for words, is_so in (
                    (f"is partitioned by {disk.partition_style}, not GPT", disk.partition_style not in {"", "GPT"}),
                    ("is offline", disk.offline),
                    ("is read-only", disk.read_only),
                    ("belongs to a cluster", disk.clustered),
                )
                if is_so
            ]
            if disk.number in numbers and wrong:
                yield view.error(
                    f"disk {disk.number} of {name(view, where)} {' and '.join(wrong)}",
                    where=f"{name(view, where)}, Get-Disk -Number {disk.number}",
                    why="Storage Replica cannot use it",
                    remedy="mend the disk by hand: its data may be lost by converting it",
                )


@check("log-volume-small", sets=("basic", "data"), passed="the log volumes have room for the log")
def log_small(view: View) -> Iterator[Finding]:
    """The log is made at once in its whole size."""
    options = view.settings.connection.storage_replica
    if options is None:
        return
    for where in SIDES:
        found = windows_of(view, where)
        volume = _volume(found, _log(view, where)) if found else None
        fresh = view.protection.id not in view.inventory.on(where).protections
        if volume is not None and fresh and volume.free_bytes < options.log_size_bytes:
            yield view.error(
                f"{_log(view, where)} on {name(view, where)} has {volume.free_bytes} bytes free, the log takes {options.log_size_bytes}",
                where=view.place("connection.storage_replica.log_size_bytes"),
                why="the partnership could not be made",
                remedy="make room, or make the log smaller: connection.storage_replica.log_size_bytes",
            )


@check("storage-replica-missing", sets=("basic", "data"), passed="Storage Replica is installed where it is wanted")
def feature_missing(view: View) -> Iterator[Finding]:
    """It is a feature of Windows Server 2016 and later, and wants a restart."""
    for where in SIDES:
        found = windows_of(view, where)
        if found is None or not _by_replica(view) or not found.features:
            continue
        if FEATURE not in {one.lower() for one in found.features}:
            yield view.error(
                f"{name(view, where)} has no Storage Replica",
                where=f"{name(view, where)}, Get-WindowsFeature",
                why="nothing would be replicated",
                remedy=f"Install-WindowsFeature -Name Storage-Replica -IncludeManagementTools -Restart on {name(view, where)}",
            )


@check("target-volume-overwritten", sets=("basic", "data"), passed="no target volume holds data of somebody else")
def overwritten(view: View) -> Iterator[Finding]:
    """The first copy overwrites the target's volume block by block."""
    side = view.inventory.target
    if windows_of(view, TARGET) is None or not _by_replica(view) or view.protection.id in side.protections:
        return
    for position, root in enumerate(view.settings.connection.roots):
        facts = side.path(root.on_target)
        if facts is not None and facts.exists:
            yield view.warning(
                f"{root.on_target} is on {side.name} already, and its whole volume {root.on_target[:2]} will be overwritten",
                where=view.place(f"connection.roots.{position}.target_path"),
                why="Storage Replica copies the source's volume over it: everything on it goes",
                remedy="save what is needed of it; if it is a copy of the source's volume: connection.storage_replica.seeded: true",
            )


VOLUMES = (
    volume_missing,
    system_volume,
    volumes_differ,
    disk_unfit,
    log_small,
    feature_missing,
    overwritten,
)
