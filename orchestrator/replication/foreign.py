"""What a way of replication lacks that is not dtam's own: engines that are paired, a capture of writes, replication sets.

Asking for it gives nothing; wanting it is refused by the name of the way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from orchestrator.model.servers import Where
from orchestrator.replication.errors import refuse


class ForeignReplication:
    """The part of the ``Replication`` port that is the same for every such way; ``way`` is what people call it."""

    way: ClassVar[str]

    def paired(self) -> bool:
        """Whom the servers know is not dtam's business."""
        return True

    def pair(self) -> None:
        """Not offered."""
        refuse(self.way, "pairing")

    def unpair(self) -> None:
        """Not offered."""
        refuse(self.way, "pairing")

    def captured(self, where: Where, path: str) -> bool:  # noqa: ARG002
        """Nothing is captured by dtam."""
        return False

    def capture(self, where: Where, path: str, limits: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Not offered."""
        refuse(self.way, "capture")

    def uncapture(self, where: Where, path: str) -> None:
        """Nothing was captured."""

    def replication_set(self, where: Where, name: str) -> Mapping[str, Any] | None:  # noqa: ARG002
        """There are none."""
        return None

    def put_replication_set(self, where: Where, name: str, root: str, rules: Sequence[Mapping[str, Any]]) -> None:  # noqa: ARG002
        """Not offered: what is replicated is said to whatever replicates it."""
        refuse(self.way, "sets")

    def remove_replication_set(self, where: Where, name: str) -> None:
        """There are none."""
