"""The verdict over one pair of SQL Servers, by the table of supported configurations. Pure: each rule is a function, all are asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from plugins.sql.matrix import (
    EXPRESS_EDITION,
    FIRST_ON_LINUX,
    FIRST_REACHABLE,
    ORDER,
    SERVER_EDITIONS,
    Allowed,
    Configuration,
    Forest,
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a pair is not supported: the row of the table, what is so, why it is refused, what to do instead."""

    row: str
    what: str
    why: str
    remedy: str


Rule = Callable[[Configuration], Iterator[Refusal]]


def refusals(pair: Configuration) -> tuple[Refusal, ...]:
    """All that speaks against a pair; nothing when it is supported."""
    return tuple(refusal for rule in RULES for refusal in rule(pair))


def may_return(pair: Configuration) -> bool:
    """Whether a failback is possible: never to an older version, which cannot read what a newer one has opened.

    In database mode a newer target is a migration, one way; within one version the builds may differ, files stay as they are.
    """
    return bool(pair.source.numbers) and pair.source.numbers[:2] == pair.target.numbers[:2]


def is_migration(pair: Configuration) -> bool:
    """Whether the target is newer, in database mode: supported one way."""
    return pair.mode == "database" and pair.source.numbers[:2] < pair.target.numbers[:2]


def _is_server(pair: Configuration) -> Iterator[Refusal]:
    for side in (pair.source, pair.target):
        if side.edition not in SERVER_EDITIONS:
            yield Refusal(
                "edition",
                f"{side.server} is no SQL Server of a machine of its own (engine edition {side.edition})",
                "there are no files and no service that could be moved",
                "its own provider's replication is the way to protect it",
            )


def _is_known(pair: Configuration) -> Iterator[Refusal]:
    for side in (pair.source, pair.target):
        if not side.generation:
            yield Refusal(
                "version",
                f"{side.server} runs SQL Server {side.version or 'of unknown version'}, which is none of {', '.join(ORDER)}",
                "nobody has said yet what is so for it",
                "wait for a dtam that knows this version",
            )
        elif ORDER.index(side.generation) < ORDER.index(FIRST_REACHABLE):
            yield Refusal(
                "version",
                f"{side.server} runs {side.called}, which is too old for the driver",
                f"the ODBC driver of today speaks to SQL Server {FIRST_REACHABLE} and later",
                f"upgrade it to SQL Server {FIRST_REACHABLE} or later; its databases can be attached there",
            )
        elif side.platform == "linux" and ORDER.index(side.generation) < ORDER.index(FIRST_ON_LINUX):
            yield Refusal(
                "version",
                f"{side.server} says it is {side.called} on Linux, which there never was",
                f"SQL Server runs on Linux since {FIRST_ON_LINUX}",
                "look at what answers on its port",
            )


def _one_platform(pair: Configuration) -> Iterator[Refusal]:
    if pair.source.platform != pair.target.platform:
        yield Refusal(
            "platform",
            f"{pair.source.server} runs {pair.source.platform} and {pair.target.server} {pair.target.platform}",
            "paths, services and accounts differ, and no way of replication carries files between them",
            "protect it with a target of the same platform",
        )


def _versions(pair: Configuration) -> Iterator[Refusal]:
    source, target = pair.source, pair.target
    if not (source.generation and target.generation) or source.numbers[:2] == target.numbers[:2]:
        return
    if pair.mode == "instance":
        yield Refusal(
            "version",
            f"{source.server} runs {source.called} and {target.server} {target.called}",
            "in instance mode the target starts on the source's system databases, which only the same version reads",
            f"install {source.called} on {target.server}; or failover.sql.mode: database, where the target may be newer",
        )
    elif source.numbers[:2] > target.numbers[:2]:
        yield Refusal(
            "version",
            f"{target.server} runs {target.called}, older than {source.called} of {source.server}",
            "a database that a newer server has opened cannot be attached to an older one",
            f"install {source.called} or later on {target.server}",
        )


def _topology(pair: Configuration) -> Iterator[Refusal]:
    allowed: Allowed = getattr(pair.source.column, pair.topology)
    if allowed is Allowed.NO or (allowed is Allowed.DATABASE_MODE and pair.mode != "database"):
        words = str(pair.topology).replace("_", " ")
        why = "one instance holds one set of system databases" if allowed is Allowed.DATABASE_MODE else TOPOLOGY_WHY
        yield Refusal(
            str(pair.topology),
            f"{pair.source.server} and {pair.target.server} are part of a {words} configuration: {allowed}",
            why,
            "failover.sql.mode: database" if allowed is Allowed.DATABASE_MODE else "disable the other protection first",
        )


TOPOLOGY_WHY = "after a failover nobody could say which of the servers holds what clients wrote"


def _clusters(pair: Configuration) -> Iterator[Refusal]:
    row = pair.clusters
    if not row:
        return
    for side in (pair.source, pair.target):
        if getattr(side.column, row) is Allowed.NO:
            kind = "SQL Server Express" if side.edition == EXPRESS_EDITION else f"{side.called} on {side.platform}"
            yield Refusal(
                row,
                f"{pair.source.server} and {pair.target.server} are {row.replace('_', ' ')}: no, for {kind}",
                "a cluster's disks, addresses and names belong to resources that the other side does not have",
                "protect a cluster with a cluster, and a standalone server with a standalone one",
            )
            return
    if pair.mode == "database" and pair.source.column.database_only is Allowed.STANDALONE:
        yield Refusal(
            "database_only",
            f"{pair.source.server} is clustered, and database mode is for standalone servers only",
            "what is attached on one node is not known to the group's other nodes' start-up",
            "failover.sql.mode: instance",
        )


def _names(pair: Configuration) -> Iterator[Refusal]:
    for side in (pair.source, pair.target):
        if side.named and side.column.named_instance is Allowed.NO:
            yield Refusal(
                "named_instance",
                f"{side.server} runs Linux, where SQL Server has no named instances",
                "one machine runs one instance there, without a name",
                "name the instance MSSQLSERVER, which is the default one",
            )


def _domains(pair: Configuration) -> Iterator[Refusal]:
    if pair.forest is Forest.UNKNOWN or getattr(pair.source.column, pair.forest) is Allowed.YES:
        return
    yield Refusal(
        str(pair.forest),
        f"{pair.source.server} and {pair.target.server} are members of two forests",
        "log-ins and service names of one forest mean nothing in the other",
        "move the target into the source's forest",
    )


RULES: tuple[Rule, ...] = (
    _is_server,
    _is_known,
    _one_platform,
    _versions,
    _topology,
    _clusters,
    _names,
    _domains,
)
