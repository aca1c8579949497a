"""What can go wrong with a way to replicate, besides what its hosts say."""

from __future__ import annotations

from typing import Never

from orchestrator.model.capabilities import WORDS
from orchestrator.model.outcomes import GiveUp


class NotOffered(GiveUp):
    """Something was asked of a way to replicate that it does not say it can do. Validation finds the setting behind it beforehand."""


class ReplicationBroken(GiveUp):
    """The way to replicate is in a state that waiting does not mend."""


def refuse(way: str, capability: str) -> Never:
    """Raises NotOffered, in words."""
    reason = f"replication by {way} has no {WORDS[capability].removeprefix('a ')}"
    raise NotOffered(reason, "dtam validate says which setting asks for it; or choose another connection.replication")
