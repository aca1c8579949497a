"""What truly happened: every state the source was in, every operation acknowledged. The judge of prefix and of loss."""

from __future__ import annotations

from collections.abc import Sequence


class History:
    """States are compared by a rolling hash of the list of writes."""

    def __init__(self) -> None:
        self._writes = 0
        self._states: set[int] = {hash(())}
        self.acknowledged_sequence: dict[str, int] = {}
        self.by_position: dict[str, str] = {}
        self.kept: set[str] = set()

    def new_write(self, position: str) -> str:
        self._writes += 1
        name = f"w{self._writes}"
        self.by_position[position] = name
        return name

    def source_is(self, files: Sequence[str]) -> None:
        self._states.add(hash(tuple(files)))

    def was_a_state(self, files: Sequence[str]) -> bool:
        return hash(tuple(files)) in self._states

    def acknowledged(self, log_id: str, sequence: int) -> None:
        before = self.acknowledged_sequence.get(log_id, 0)
        self.acknowledged_sequence[log_id] = max(before, sequence)
        for number in range(before + 1, sequence + 1):
            self.kept.add(self.by_position[f"{log_id}/{number}"])

    def based_anew(self, files: Sequence[str]) -> None:
        """The target takes the source's present state as its base: what the source itself lost in a power cut is gone."""
        self.kept &= set(files)
