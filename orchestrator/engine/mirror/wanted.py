"""What the source has in hand of files on their way: values of ``asking``, ``sending`` and ``transfers``."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass, field

from orchestrator.engine.mirror.changes import How
from orchestrator.engine.mirror.messages import Entry, Need, SmallFile
from orchestrator.engine.mirror.walk import Node


@dataclass(slots=True)
class Asked:
    """An ``Entries`` whose verdicts are awaited; ``infos`` of its regular files, ``ages`` of the groups of which it names a twin.

    ``owed``: see ``Changes.owe``; what belongs to a walk (it has a ``node``) is owed with the walk.
    """

    node: Node | None
    directory: bytes
    entries: list[Entry]
    infos: dict[int, os.stat_result]
    read_up_to: int
    how: How = How.SHALLOW
    ages: dict[int, int] = field(default_factory=dict)
    owed: bool = False


@dataclass(slots=True)
class Wanted:
    """A file that the target needs. ``insist``: sent by its name, if that is linked to its twins; ``force``: being linked is not enough."""

    name: bytes
    need: Need
    sum: bytes = b""
    why: str = ""
    how: How = How.SHALLOW
    insist: bool = False
    force: bool = False
    owed: bool = False


@dataclass(slots=True)
class Batch:
    """Wanted files of one directory."""

    node: Node | None
    directory: bytes
    files: deque[Wanted] = field(default_factory=deque)


@dataclass(slots=True)
class Decided:
    """What was decided by what was known before the operations up to ``gate`` had travelled."""

    gate: int
    unforced: set[int] = field(default_factory=set)
    surveyed: set[int] = field(default_factory=set)
    twins: list[tuple[bytes, bytes]] = field(default_factory=list)


@dataclass(slots=True)
class Load:
    """What one step puts together for one directory.

    Whole files, files whose content was found equal, names that may become links to a file that is among the first, and files that
    have to wait for an answer; names for which ``sent`` is owed.
    """

    directory: bytes
    files: list[SmallFile] = field(default_factory=list)
    equal: list[Entry] = field(default_factory=list)
    linked: list[Asked] = field(default_factory=list)
    later: list[Wanted] = field(default_factory=list)
    owed: set[bytes] = field(default_factory=set)
