"""What truly happened: every state the source was in, every operation acknowledged. The judge of prefix and of loss."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence


class History:
    """States are compared by a rolling hash of the list of writes. What is owed is kept for each target by its name."""

    def __init__(self) -> None:
        self.writes = 0
        self._states: set[int] = {hash(())}
        self.acknowledged_sequence: dict[tuple[str, str], int] = {}
        self.by_position: dict[str, str] = {}
        self.kept: dict[str, set[str]] = defaultdict(set)
        self.flushed: dict[str, set[str]] = defaultdict(set)
        self.flushes = 0
        self.went_back = 0
        self.remirrors = 0

    def new_write(self, position: str) -> str:
        self.writes += 1
        name = f"w{self.writes}"
        if position:
            self.by_position[position] = name
        return name

    def source_is(self, files: Sequence[str]) -> None:
        self._states.add(hash(tuple(files)))

    def was_a_state(self, files: Sequence[str]) -> bool:
        return hash(tuple(files)) in self._states

    def acknowledged(self, target: str, log_id: str, sequence: int) -> None:
        before = self.acknowledged_sequence.get((target, log_id), 0)
        self.acknowledged_sequence[target, log_id] = max(before, sequence)
        for number in range(before + 1, sequence + 1):
            name = self.by_position.get(f"{log_id}/{number}")
            if name is not None:
                self.kept[target].add(name)

    def flush_answered(self, targets: Sequence[str], files: Sequence[str]) -> None:
        """The application was told that ``files`` are safe, and these targets were waited for."""
        self.flushes += bool(targets)
        for target in targets:
            self.flushed[target].update(files)

    def based_anew(self, target: str, files: Sequence[str]) -> None:
        """The target takes the source's present state as its base: what the source itself lost in a power cut is gone."""
        self.kept[target] &= set(files)
