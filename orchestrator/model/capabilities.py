"""What each way to keep data in step can do, and which settings need which of it: pure, so that a check can say it in words.

An adapter declares exactly what stands here; the conformance suite of the port holds it to every word.
"""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.model.settings import ConnectionTab, OrphanSettings, QueueSettings, Settings

NATIVE = frozenset(
    {"pairing", "capture", "sets", "connect", "order", "checksum", "restore", "orphans", "route", "rules"}
    | {"synchronous", "compression", "bandwidth", "promote"}
)
"""Our own engines: files, in the order in which they were written."""

STORAGE_REPLICA = frozenset(
    {"connect", "pause", "promote", "reverse", "restore", "synchronous", "compression", "age", "volumes"}
)
"""Windows Storage Replica: whole volumes, block by block. To promote the destination is to turn the direction."""

EXTERNAL = frozenset({"age"})
"""Somebody else's tool: all that is sure is that it answers how it stands. Commands that were given add to it."""

WORDS = {
    "pairing": "engines that know each other by key",
    "capture": "changes that are captured as they are written",
    "sets": "replication sets with rules",
    "connect": "connections that it makes and ends itself",
    "order": "the order in which files were written",
    "checksum": "mirrors by checksum",
    "compression": "compression on the line",
    "bandwidth": "a limit of its bandwidth",
    "restore": "the way back, of what differs",
    "snapshot": "snapshots of the replica",
    "orphans": "orphaned files that are logged, moved or deleted",
    "route": "a route of its own for the data",
    "rules": "rules that leave files out",
    "pause": "a pause",
    "reverse": "a turn of its direction",
    "promote": "a command that lets the target's data live on its own",
    "synchronous": "writes that wait for the target",
    "age": "the age of what the target holds",
    "volumes": "whole volumes",
}
"""Each capability as a person reads it."""


def capabilities(tab: ConnectionTab) -> frozenset[str]:
    """What the chosen way can do."""
    if tab.replication == "storage_replica":
        return STORAGE_REPLICA
    if tab.replication == "external":
        given = tab.external.commands if tab.external else {}
        return EXTERNAL | {word for word in ("pause", "reverse", "promote") if word in given}
    return NATIVE


def lacking(settings: Settings) -> Iterator[tuple[str, str]]:
    """(setting, capability) for each setting that asks for something the chosen way cannot do."""
    able = capabilities(settings.connection)
    yield from ((setting, word) for setting, word in _wanted(settings) if word not in able)


def _wanted(settings: Settings) -> Iterator[tuple[str, str]]:
    tab = settings.connection
    asked = {
        "connection.mode": ("synchronous", tab.mode == "synchronous" and tab.replication != "external"),
        "connection.compression": ("compression", tab.compression not in {None, "off"}),
        "connection.bandwidth": ("bandwidth", tab.bandwidth is not None),
        "connection.orphans": ("orphans", tab.orphans != OrphanSettings()),
        "connection.route": ("route", tab.route is not None),
        "connection.ignore_deletes": ("rules", tab.ignore_deletes),
        "connection.queue": ("capture", tab.queue != QueueSettings()),
        "connection.when_late": ("capture", tab.when_late != "continue"),
        "advanced.rules": ("rules", settings.advanced.override_generated_rules),
    }
    for setting, (word, wanted) in asked.items():
        if wanted:
            yield setting, word
