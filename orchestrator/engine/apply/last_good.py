"""What stands between a good state of a replica and its overwriting.

A replica whose data state was ``good`` and is no longer, though nothing was written to it since, is *intact*: it still is a state that
its source was in. Before the first write to an intact replica its state is kept as a snapshot, where the policy says so and the disk
lets us; the snapshot is let go when a mirror has made the replica good again. Until then a failover can go back to it.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from orchestrator.engine.apply.record import ReplicaRecord
from orchestrator.engine.transfer.messages import DataState

Check = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Moment:
    """A replica between two operations: its record, the last operation in its files and the source's time of it (ns)."""

    record: ReplicaRecord
    position: int
    position_time_ns: int

    @property
    def is_good(self) -> bool:
        """Whether the files are a state that the source was in."""
        return self.record.data_state is DataState.GOOD or self.record.intact


class Snapshotter(Protocol):
    """Who keeps good states."""

    def before_remirror(self, moment: Moment, check: Check) -> str:
        """Keep what is about to be overwritten, whatever it takes of time; the snapshot's id, empty where none is kept.

        Raises:
            OSError: the policy forbids to go on without one; asked again later.
        """

    def good_again(self, record: ReplicaRecord) -> None:
        """``record.kept`` is no longer needed."""


class NoSnapshots:
    """Keeps nothing."""

    def before_remirror(self, moment: Moment, check: Check) -> str:  # noqa: ARG002  # the port's signature
        """Nothing is kept."""
        return ""

    def good_again(self, record: ReplicaRecord) -> None:
        """Nothing was kept."""


class Hurry:
    """Somebody waits for the applier: long work on its thread ends, and begins again when nobody does any more."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def __bool__(self) -> bool:
        return self._event.is_set()

    def begin(self) -> None:
        """Long work ends."""
        self._event.set()

    def over(self) -> None:
        """It may begin again."""
        self._event.clear()

    def check(self) -> None:
        """Raise OSError (EAGAIN) when somebody waits."""
        if self._event.is_set():
            raise BlockingIOError(errno.EAGAIN, "the snapshot waits: the replica is needed")
