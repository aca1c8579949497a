"""Checks about the way to replicate: that it can what the settings ask of it, and that it is for these servers (AM-38)."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.model.capabilities import WORDS, capabilities, lacking
from orchestrator.model.findings import Finding
from orchestrator.model.servers import Platform
from orchestrator.sdk.checks import View, check

TITLES = {"native": "dtam's own engines", "storage_replica": "Storage Replica", "external": "a tool of your own"}


@check("replication-lacks", sets=("basic", "data"), passed="the way to replicate can what the settings ask of it")
def replication_lacks(view: View) -> Iterator[Finding]:
    """What is asked for and not done would be missed only when it is needed."""
    way = view.settings.connection.replication
    for setting, word in lacking(view.settings):
        yield view.error(
            f"replication by {TITLES[way]} has no {WORDS[word].removeprefix('a ')}, which {setting} asks for",
            where=view.place(setting),
            why="the setting would have no effect",
            remedy=f"leave {setting} out, or choose another connection.replication",
        )


@check("replication-unfit", sets=("basic", "data"), passed="the way to replicate is one for these servers")
def replication_unfit(view: View) -> Iterator[Finding]:
    """Engines run on Linux, Storage Replica on Windows."""
    pair, way = view.protection.pair, view.settings.connection.replication
    platforms = {pair.source.platform, pair.target.platform}
    if len(platforms) > 1:
        yield view.error(
            f"{pair.source.name} runs {pair.source.platform}, {pair.target.name} runs {pair.target.platform}",
            where=view.place("target"),
            why="paths, names and services of one platform mean nothing on the other",
            remedy="choose two servers of one platform",
        )
        return
    windows = platforms == {Platform.WINDOWS}
    told = view.settings.failover.sql is not None or windows == (view.settings.failover.windows is not None)
    if not told:
        wanted = "give failover.windows: {}" if windows else "leave failover.windows out"
        yield view.error(
            f"{pair.source.name} and {pair.target.name} {'run' if windows else 'do not run'} Windows, and the settings say otherwise",
            where=view.place("failover.windows"),
            why="the plans of one platform do nothing on the other",
            remedy=wanted,
        )
    unfit = "native" if windows else "storage_replica"
    if way == unfit:
        yield view.error(
            f"replication by {TITLES[way]} is not for {'Windows' if windows else 'Linux'} servers",
            where=view.place("connection.replication"),
            why="nothing would be replicated",
            remedy="choose storage_replica or external" if windows else "choose native or external",
        )


@check("external-one-way", sets=("basic", "failover"), passed="the data's way to the target, and back, is known")
def external_one_way(view: View) -> Iterator[Finding]:
    """A tool without commands for it must be turned by hand, in the middle of the night."""
    if view.settings.connection.replication != "external":
        return
    able = capabilities(view.settings.connection)
    for word, when in (("promote", "at a failover"), ("reverse", "for restore and failback")):
        if word not in able:
            yield view.warning(
                f"your tool has no command to {word}: {when} its direction is a person's business",
                where=view.place(f"connection.external.{word}"),
                why="dtam moves no data of it, and can only wait until the tool says that it is in step",
                remedy=f"give connection.external.{word}, or see that the target's data can be written as it lies there",
            )


WAYS = (replication_lacks, replication_unfit, external_one_way)
