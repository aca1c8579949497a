"""A host that changes nothing: questions are answered by the real one, deeds are only noted, in order."""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.hosts.skin import HostSkin
from orchestrator.model.host import Host


class DryRunHost(HostSkin):
    """Swallows every deed. ``would`` lists what would have been done, as sentences."""

    def __init__(self, inner: Host) -> None:
        super().__init__(inner)
        self.would: list[str] = []

    def _do(self, sentence: str, deed: Callable[[], None]) -> None:  # noqa: ARG002  that is the point
        self.would.append(sentence)
