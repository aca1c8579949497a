"""The boot fence: after a boot, or a start of the daemon, protected services stay down until the epoch is confirmed.

The confirmation is a lease, so the ``LeaseKeeper`` gives it; this file adds what it cannot: the durable memory that this engine
was fenced for good (an older epoch must not be tried again), and the override of a person, which is recorded with who, when, why.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from orchestrator.engine.witness.lease import LeaseView, Standing


class Gate(StrEnum):
    """May protected services run on this host?"""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Override:
    """A person's decision to serve although neither target nor witness could be asked. Holds for one boot and one epoch."""

    by: str
    why: str
    time_ns: int
    boot_id: str
    epoch: int


@dataclass(frozen=True, slots=True)
class BootAnswer:
    """The gate, and the sentence that says why."""

    gate: Gate
    says: str
    overridden: bool = False


def judge(view: LeaseView | None, override: Override | None, *, boot_id: str, epoch: int, promoted: bool) -> BootAnswer:
    """Decide about this host. Pure.

    Args:
        view: the keeper's view; None where no keeper runs.
        override: the last recorded override, if any.
        boot_id: of this boot; an override of an earlier one counts no more.
        epoch: what this engine believes to be current.
        promoted: this engine is a target that was granted ``epoch`` and promoted: the grant is its confirmation.
    """
    if promoted:
        return BootAnswer(Gate.OPEN, f"this engine was granted epoch {epoch} and is promoted")
    if view is not None and view.standing is Standing.SERVING:
        return BootAnswer(Gate.OPEN, view.why)
    if view is not None and view.is_over:
        return BootAnswer(Gate.CLOSED, f"fenced: {view.why}")
    if override is not None and (override.boot_id, override.epoch) == (boot_id, epoch):
        return BootAnswer(Gate.OPEN, f"overridden by {override.by}: {override.why}", overridden=True)
    reason = view.last_error or view.why if view is not None else "nobody is configured who could confirm the epoch"
    return BootAnswer(Gate.CLOSED, f"fenced: epoch {epoch} is not confirmed ({reason})")


@dataclass(frozen=True, slots=True)
class FenceMemory:
    """What is remembered across boots, one small file a protection: overrides given, newest last."""

    overrides: tuple[Override, ...] = ()

    def newest(self) -> Override | None:
        """The last override given, whether it still holds or not."""
        return self.overrides[-1] if self.overrides else None

    def with_override(self, override: Override) -> FenceMemory:
        """The memory with one more override; raises ValueError where nobody, or no reason, is named."""
        if not override.by.strip() or not override.why.strip():
            raise ValueError("an override needs a name and a reason")
        return FenceMemory((*self.overrides, override))

    def to_record(self) -> bytes:
        """The stored form."""
        return msgspec.json.encode(self)

    @classmethod
    def from_record(cls, body: bytes | None) -> FenceMemory:
        """From the stored form; None is an empty memory. Raises msgspec.MsgspecError when it makes no sense."""
        return cls() if body is None else msgspec.json.decode(body, type=cls)
