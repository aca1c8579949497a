"""Checks about directories: that they are there, that there is room, that nothing of somebody else's is overwritten."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from orchestrator.model.findings import Finding
from orchestrator.model.inventory import PathFacts
from orchestrator.model.servers import Platform, Where
from orchestrator.sdk import steps
from orchestrator.sdk.checks import View, check, of_platform
from orchestrator.sdk.sides import root_of

SOURCE, TARGET = Where.SOURCE, Where.TARGET
SPARE = 1.1
"""Room wanted on the target, as a multiple of the data."""


@check("nothing-to-protect", sets=("basic", "data"), passed="directories to protect are named")
def nothing_to_protect(view: View) -> Iterator[Finding]:
    """A protection without a directory protects nothing."""
    if not view.settings.connection.roots:
        yield view.error(
            "no directory is named",
            where=view.place("connection.roots"),
            why="there is nothing to replicate",
            remedy="name it: connection.roots: [{source_path: /srv/files}]",
        )


@check("volume-not-protected", sets=("basic", "data"), passed="every volume that was chosen is protected")
def volume_left_out(view: View) -> Iterator[Finding]:
    """Where directories are listed by hand, what was chosen besides the shares must be among them."""
    for position, volume in enumerate(view.settings.connection.volumes):
        if root_of(view.settings, volume.source_path) is None:
            yield view.error(
                f"the volume {volume.source_path} is in no protected directory",
                where=view.place(f"connection.volumes.{position}"),
                why="connection.roots is given, and counts alone: the volume would not be replicated",
                remedy=f"add {{source_path: {volume.source_path}}} to connection.roots, or leave roots out",
            )


@check("source-directory-missing", sets=("basic", "data"), passed="every protected directory is there")
def source_directory(view: View) -> Iterator[Finding]:
    """A path that is not there, or is no directory, cannot be captured."""
    for place, path, facts in _seen(view, SOURCE):
        if not (facts.exists and facts.kind == "directory"):
            yield view.error(
                f"{path} on {view.inventory.source.name} is {_kind(facts)}",
                where=place,
                why="only an existing directory can be captured",
                remedy="mend the path in the protection file, or mount what belongs there",
            )


@check("target-directory-missing", sets=("basic", "data"), passed="every target directory is there")
def target_directory(view: View) -> Iterator[Finding]:
    """The replica needs its place; making it in advance shows that it can be made."""
    name = view.inventory.target.name
    for place, path, facts in _seen(view, TARGET):
        if not facts.exists:
            yield view.error(
                f"the target directory {path} on {name} is missing",
                where=place,
                why="the replica has no place",
                remedy=f"on {name}: mkdir -p {shlex.quote(path)}",
                fix=[steps.make_directory(TARGET, name, path)],
            )


@check("target-not-a-directory", sets=("basic", "data"), passed="no target path is taken by something else")
def target_not_directory(view: View) -> Iterator[Finding]:
    """A file in the way is never removed by dtam."""
    for place, path, facts in _seen(view, TARGET):
        if facts.exists and facts.kind != "directory":
            yield view.error(
                f"{path} on {view.inventory.target.name} is {_kind(facts)}, not a directory",
                where=place,
                why="the replica has no place, and dtam removes nothing that it did not make",
                remedy="move it away, or choose another target_path",
            )


@check("target-path-inside-set", sets=("basic", "data"), passed="no target path lies inside a protected directory")
def target_inside(view: View) -> Iterator[Finding]:
    """On one machine such a replica would replicate into itself; on two, the way back would."""
    roots = view.settings.connection.roots
    for position, root in enumerate(roots):
        for other in roots:
            if root.on_target.startswith(other.source_path.rstrip("/") + "/"):
                yield view.error(
                    f"target path {root.on_target} lies inside the protected directory {other.source_path}",
                    where=view.place(f"connection.roots.{position}.target_path"),
                    why="the replica would be replicated into itself",
                    remedy="choose a target_path outside",
                )


@check("target-without-space", sets=("basic", "data"), passed="the target has room for the data")
def target_space(view: View) -> Iterator[Finding]:
    """Room is counted against what the source's directory holds now, less what the target has already."""
    source, target = view.inventory.source, view.inventory.target
    if view.on_windows:
        return
    for position, root in enumerate(view.settings.connection.roots):
        data, place = source.path(root.source_path), target.path(root.on_target)
        if data is None or data.bytes is None or place is None or place.free_bytes is None:
            continue
        wanted = int(data.bytes * SPARE) - (place.bytes or 0)
        if place.free_bytes < wanted:
            yield view.error(
                f"{target.name} has {_size(place.free_bytes)} free at {root.on_target}, {_size(wanted)} are needed",
                where=view.place(f"connection.roots.{position}.target_path"),
                why="the mirror would stop when the disk is full",
                remedy="make room there, or choose another target_path",
            )


@check("target-data-not-ours", sets=("basic", "data"), passed="no target directory holds data of somebody else")
def target_data(view: View) -> Iterator[Finding]:
    """Before the first mirror, what lies in the target directory was put there by somebody else, and may be overwritten."""
    side = view.inventory.target
    if view.protection.id in side.protections:
        return
    for place, path, facts in _seen(view, TARGET):
        if facts.kind == "directory" and facts.entries:
            yield view.warning(
                f"{path} on {side.name} holds {facts.entries} entries that are not from this protection",
                where=place,
                why="files of the same name will be overwritten by the mirror",
                remedy="look at what lies there; connection.orphans says what becomes of the rest",
            )


@check("key-missing-on-target", sets=("basic", "names", "failover"), passed="the target has the key to change names")
def key_on_target(view: View) -> Iterator[Finding]:
    """The target moves the names by itself when nobody else is alive: for that it needs the key at home."""
    dns, side = view.settings.failover.dns, view.inventory.target
    key = dns.target_key_file or dns.key_file
    facts = side.path(key) if key else None
    if facts is not None and not facts.exists:
        yield view.error(
            f"the DNS key file {key} is not on the target {side.name}",
            where=view.place("failover.dns.target_key_file" if dns.target_key_file else "failover.dns.key_file"),
            why="the target could not move the clients' names by itself",
            remedy=f"copy the key to {side.name}, mode 0600, and name its path: failover.dns.target_key_file",
        )


@check("synchronous-not-captured", sets=("basic", "data"), passed="flushes can wait for the target where they should")
def synchronous_not_captured(view: View) -> Iterator[Finding]:
    """Only the capturing file system can hold an answer back; a watcher sees changes when they were answered."""
    engine = view.inventory.source.engine
    if view.settings.connection.mode == "synchronous" and engine is not None and engine.capture != "fuse":
        yield view.error(
            f"{engine.name} only watches its files and cannot wait for the target",
            where=view.place("connection.mode"),
            why="a synchronous connection holds each flush until the target has it",
            remedy=f"make /dev/fuse usable on {engine.name}, or choose connection.mode: asynchronous",
        )


@check(
    "synchronous-wait-short",
    sets=("basic", "data"),
    passed="a late flush is not answered before the source fences itself",
)
def synchronous_wait(view: View) -> Iterator[Finding]:
    """What is answered after a wait that ends before the lease is lost when the target takes over."""
    tab, witness = view.settings.connection, view.settings.monitoring.witness
    waits = tab.mode == "asynchronous" or tab.when_late == "wait"
    if not waits and witness is not None and tab.synchronous_wait_s < witness.lease_s:
        yield view.warning(
            f"a flush waits for {tab.synchronous_wait_s:g} s, the lease lasts {witness.lease_s:g} s",
            where=view.place("connection.synchronous_wait_s"),
            why="in a cut network, what the source answers in between is lost by a failover",
            remedy=f"set connection.synchronous_wait_s to {witness.lease_s:g} or more, or connection.when_late: wait",
        )


def _seen(view: View, where: Where) -> Iterator[tuple[str, str, PathFacts]]:
    """Of each protected directory on one side that was looked at: its place in the settings, its path, what was seen.

    A volume that Windows replicates to does not show what is on it.
    """
    if where is TARGET and view.on_windows:
        return
    word = "source_path" if where is SOURCE else "target_path"
    for position, root in enumerate(view.settings.connection.roots):
        facts = view.inventory.on(where).path(root.on(where))
        if facts is not None:
            yield view.place(f"connection.roots.{position}.{word}"), root.on(where), facts


def _kind(facts: PathFacts) -> str:
    return f"a {facts.kind}" if facts.exists else "not there"


def _size(count_bytes: int) -> str:
    for unit, factor in (("GB", 10**9), ("MB", 10**6)):
        if count_bytes >= factor:
            return f"{count_bytes / factor:.1f} {unit}"
    return f"{max(0, count_bytes)} bytes"


DATA = (
    nothing_to_protect,
    volume_left_out,
    source_directory,
    target_directory,
    target_not_directory,
    target_inside,
    target_space,
    target_data,
    *of_platform(Platform.LINUX, key_on_target, synchronous_not_captured, synchronous_wait),
)
