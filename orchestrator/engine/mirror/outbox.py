"""Messages leave here: numbered, counted, and remembered until the target has handled them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from orchestrator.engine.mirror.changes import How
from orchestrator.engine.mirror.messages import Message, MirrorMessage

WINDOW_BYTES = 16 << 20
"""So much data may be on its way."""
WINDOW_MESSAGES = 512
OVERHEAD_BYTES = 256
"""What a message counts beside its data."""

Again = tuple[bytes, How]


class Outbox:
    """The source's side of flow control.

    Attributes:
        messages: those of the batch being made.
        batch_bytes: their data.
    """

    def __init__(self) -> None:
        self.messages: list[MirrorMessage] = []
        self.batch_bytes = 0
        self._serial = 0
        self._flying: deque[tuple[int, int, tuple[Again, ...]]] = deque()
        self._flying_bytes = 0

    def begin_batch(self) -> None:
        """A new batch."""
        self.messages = []
        self.batch_bytes = 0

    def room(self, budget_bytes: int) -> bool:
        """Whether another message may be made now."""
        return (
            self.batch_bytes < budget_bytes
            and self._flying_bytes < WINDOW_BYTES
            and len(self._flying) < WINDOW_MESSAGES
        )

    def put(
        self, kind: type[Message], fields: tuple[object, ...], data_bytes: int = 0, again: Iterable[Again] = ()
    ) -> int:
        """Make a message; its serial. ``again`` is what must be sent again if the connection is lost before it is handled."""
        self._serial += 1
        self.messages.append(kind(self._serial, *fields))  # type: ignore[arg-type]
        size = data_bytes + OVERHEAD_BYTES
        self.batch_bytes += size
        self._flying_bytes += size
        self._flying.append((self._serial, size, tuple(again)))
        return self._serial

    def handled(self, serial: int) -> None:
        """The target has handled all up to here."""
        while self._flying and self._flying[0][0] <= serial:
            self._flying_bytes -= self._flying.popleft()[1]

    @property
    def idle(self) -> bool:
        """Whether everything was handled."""
        return not self._flying

    def lost(self) -> list[Again]:
        """The connection is gone: what was on its way and must be sent again."""
        again = [one for _, _, paths in self._flying for one in paths]
        self._flying.clear()
        self._flying_bytes = 0
        return again
