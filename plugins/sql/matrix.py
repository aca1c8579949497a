"""Which pairs of SQL Servers are protected: the table of supported configurations as data. ``matrix_rules`` judges one pair by it.

The columns of 2000, 2005, 2008 and Express are chapter 1's of the Application Manager guide; those from 2008 R2 on, and Linux, continue
2008's. What is newer than the ancestor and stricter: SQL Server on Linux has no named instances and no clusters that Windows would know,
and a server older than ``FIRST_REACHABLE`` is recognised and refused, because the driver of today does not speak to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

Mode = Literal["instance", "database"]
EXPRESS_EDITION = 4
SERVER_EDITIONS = frozenset({1, 2, 3, EXPRESS_EDITION})
"""SERVERPROPERTY('EngineEdition') of what runs on a server of one's own: desktop, standard, enterprise, express."""
FIRST_REACHABLE = "2012"
FIRST_ON_LINUX = "2017"


class Allowed(StrEnum):
    """An entry of the table."""

    YES = "yes"
    NO = "no"
    DATABASE_MODE = "database mode only"
    STANDALONE = "standalone only"


class Topology(StrEnum):
    """How many servers are tied together by the protections that a pair is part of."""

    ONE_TO_ONE = "one_to_one"
    MANY_TO_ONE = "many_to_one"
    ONE_TO_MANY = "one_to_many"
    CASCADED = "cascaded"


class Forest(StrEnum):
    """How the domains of both servers are related. ``UNKNOWN``: nobody could say, so nothing is refused for it."""

    SAME_DOMAIN = "single_forest"
    PARENT_CHILD = "parent_child"
    CHILD_CHILD = "child_child"
    APART = "multiple_forest"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Column:
    """What is allowed for one kind of SQL Server; the defaults are those of 2008 and all that came after it."""

    one_to_one: Allowed = Allowed.YES
    many_to_one: Allowed = Allowed.DATABASE_MODE
    one_to_many: Allowed = Allowed.NO
    cascaded: Allowed = Allowed.NO
    cluster_to_cluster: Allowed = Allowed.YES
    cluster_to_standalone: Allowed = Allowed.NO
    standalone_to_cluster: Allowed = Allowed.NO
    named_instance: Allowed = Allowed.YES
    database_only: Allowed = Allowed.STANDALONE
    single_forest: Allowed = Allowed.YES
    multiple_forest: Allowed = Allowed.NO
    parent_child: Allowed = Allowed.YES
    child_child: Allowed = Allowed.YES


_LATER = Column()
_NO_CLUSTER = Column(cluster_to_cluster=Allowed.NO, database_only=Allowed.YES)
COLUMNS: dict[str, Column] = {
    "2000": _NO_CLUSTER,
    "2005": _LATER,
    "2008": _LATER,
    "2008 R2": _LATER,
    "2012": _LATER,
    "2014": _LATER,
    "2016": _LATER,
    "2017": _LATER,
    "2019": _LATER,
    "2022": _LATER,
    "2025": _LATER,
    "Express": _NO_CLUSTER,
    "Linux": Column(cluster_to_cluster=Allowed.NO, named_instance=Allowed.NO, database_only=Allowed.YES),
}
NUMBERS: dict[tuple[int, ...], str] = {
    (8, 0): "2000",
    (9, 0): "2005",
    (10, 0): "2008",
    (10, 50): "2008 R2",
    (11, 0): "2012",
    (12, 0): "2014",
    (13, 0): "2016",
    (14, 0): "2017",
    (15, 0): "2019",
    (16, 0): "2022",
    (17, 0): "2025",
}
"""The first two numbers of SERVERPROPERTY('ProductVersion'), and what people call that version."""
ORDER = tuple(NUMBERS.values())
"""From the oldest to the newest."""


@dataclass(frozen=True, slots=True)
class Installed:
    """One side of a pair: ``version`` as the server tells it (``15.0.4322.2``), ``platform`` linux or windows."""

    server: str
    version: str
    edition: int = 3
    clustered: bool = False
    platform: str = "windows"
    named: bool = False

    @property
    def numbers(self) -> tuple[int, ...]:
        """The version as numbers; empty where it is none."""
        parts = self.version.split(".")
        return tuple(int(part) for part in parts) if all(part.isdigit() for part in parts) else ()

    @property
    def generation(self) -> str:
        """What people call its version; empty when it is not known."""
        return NUMBERS.get(self.numbers[:2], "")

    @property
    def column(self) -> Column:
        """Its column of the table."""
        if self.platform == "linux":
            return COLUMNS["Linux"]
        return COLUMNS["Express"] if self.edition == EXPRESS_EDITION else COLUMNS[self.generation or "2025"]

    @property
    def called(self) -> str:
        """How it is called in a sentence."""
        return (
            f"SQL Server {self.generation}" if self.generation else f"SQL Server {self.version or 'of unknown version'}"
        )


@dataclass(frozen=True, slots=True)
class Configuration:
    """All that decides whether a pair is supported."""

    mode: Mode
    source: Installed
    target: Installed
    topology: Topology = Topology.ONE_TO_ONE
    forest: Forest = Forest.UNKNOWN

    @property
    def clusters(self) -> str:
        """The row of the table about clusters; empty for two standalone servers."""
        sides = {True: "cluster", False: "standalone"}
        if not (self.source.clustered or self.target.clustered):
            return ""
        return f"{sides[self.source.clustered]}_to_{sides[self.target.clustered]}"
