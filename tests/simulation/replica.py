"""The target's data as the simulation models it: what is durable, and what a crash takes."""

from __future__ import annotations

from dataclasses import dataclass, field

from orchestrator.engine.transfer.messages import DataState


@dataclass
class Replica:
    """The target's data. ``base`` with ``log`` after ``base_sequence`` makes ``files``; ``tail`` is written and not yet fsynced."""

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

    @property
    def durable(self) -> int:
        return self.first - 1 + len(self.log)

    def forget_volatile(self) -> None:
        """What a crash leaves: the base, and what of the log was fsynced."""
        self.tail, self.files, self.applied = [], list(self.base), self.base_sequence
        if self.data_state is DataState.MIRRORING:
            self.data_state = DataState.MIRROR_REQUIRED

    def apply_one(self) -> None:
        """The next operation of the log; below the base there is nothing to do."""
        self.applied += 1
        self.files.append(self.log[self.applied - self.first])
