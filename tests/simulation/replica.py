"""The target's data as the simulation models it: what is durable, and what a crash takes."""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestrator.engine.transfer.messages import DataState

GAP = "gap"
"""In the log where the source lost operations."""
HALF = "half a mirror"
"""Among the files while a mirror has overwritten some of them: no source was ever in such a state."""


@dataclass
class Replica:
    """The target's data. ``base`` with ``log`` after ``base_sequence`` makes ``files``; ``tail`` is written and not yet fsynced.

    ``intact`` and ``kept`` as in the product's record: files as they were when they were good, and the snapshot of such.
    """

    epoch: int = 1
    promoted: bool = False
    log_id: str = ""
    base: list[str] = field(default_factory=list)
    base_sequence: int = 0
    first: int = 1
    log: list[str] = field(default_factory=list)
    data_state: DataState = DataState.NOT_READY
    tail: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    applied: int = 0
    intact: bool = False
    kept: list[str] | None = None
    was_good: bool = False

    @property
    def durable(self) -> int:
        return self.first - 1 + len(self.log)

    @property
    def falls_back(self) -> bool:
        """Whether there is a good state to go back to."""
        return self.data_state is DataState.GOOD or self.intact or self.kept is not None

    def forget_volatile(self) -> None:
        """What a crash of the host leaves: the base, and what of the log was fsynced."""
        self.tail, self.files, self.applied = [], list(self.base), self.base_sequence

    def forget_mirror(self) -> None:
        """A daemon starts: of a mirror under way it knows nothing."""
        if self.data_state is DataState.MIRRORING:
            self.data_state = DataState.MIRROR_REQUIRED

    def sync(self) -> None:
        """What was applied is on the disk."""
        self.base, self.base_sequence = list(self.files), self.applied

    def worsen(self, *, intact: bool) -> None:
        """Only a mirror helps; ``intact``: nothing was written yet that is no state of the source."""
        if self.data_state is DataState.GOOD:
            self.intact = intact
        self.data_state = DataState.MIRROR_REQUIRED

    def leave_log(self) -> None:
        """The log is given up: what it held and was not applied is gone."""
        self.log_id, self.log, self.tail, self.first = "", [], [], self.applied + 1
        self.sync()

    def apply_one(self) -> None:
        """The next operation of the log; below the base there is nothing to do."""
        self.applied += 1
        name = self.log[self.applied - self.first]
        if name == GAP:
            self.worsen(intact=True)
        else:
            self.files.append(name)
