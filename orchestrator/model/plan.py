"""A plan: steps in order, which prints as a diff, has a checksum, and may refuse itself with reasons.

The checksum covers the steps, the protection's epoch and the delivered scripts with people's own part, so that what was
reviewed is what is executed. Scripts carry no secrets, so neither does a plan.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum

import msgspec

from orchestrator.model.errors import PlanRefused
from orchestrator.model.names import NameChanges
from orchestrator.model.restoring import Restoring
from orchestrator.model.servers import ProtectionId
from orchestrator.model.steps import Step


class PlanKind(StrEnum):
    """What a plan is for."""

    FIX = "fix"
    PROTECT = "protect"
    UNPROTECT = "unprotect"
    FAILOVER = "failover"
    FAILBACK = "failback"
    RESTORE = "restore"


class DeliveredScript(msgspec.Struct, frozen=True):
    """A script of a host as it is, or will be, delivered; ``sha256`` is that of its whole text."""

    where: str
    name: str
    sha256: str


class Plan(msgspec.Struct, frozen=True):
    """Ordered steps of one kind for one protection. ``refusals`` are the reasons why it must not be executed.

    ``names`` are the DNS changes of a later failover, gathered for a plan that protects: kept with the protection. ``restoring``
    is how a restore was wanted, if not the whole of it in its own place.
    """

    kind: PlanKind
    protection: ProtectionId
    steps: tuple[Step, ...]
    epoch: int = 0
    scripts: tuple[DeliveredScript, ...] = ()
    refusals: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    nothing_because: str = ""
    names: NameChanges | None = None
    restoring: Restoring | None = None

    def __post_init__(self) -> None:
        """Ids are unique, because the journal speaks of steps by id."""
        ids = [step.id for step in self.steps]
        twice = sorted({one for one in ids if ids.count(one) > 1})
        if twice:
            msg = f"a plan names the step {twice[0]} twice"
            raise ValueError(msg)

    @property
    def checksum(self) -> str:
        """SHA-256 over kind, protection, epoch, steps and scripts, in 64 hexadecimal digits."""
        covered: tuple[object, ...] = (self.kind, self.protection, self.epoch, self.steps, self.scripts, self.names)
        covered += (self.restoring,) if self.restoring else ()
        return hashlib.sha256(msgspec.json.encode(covered, order="sorted")).hexdigest()

    def raise_if_refused(self) -> None:
        """Raises PlanRefused with every reason."""
        if self.refusals:
            raise PlanRefused(kind=self.kind.value, protection=self.protection, reasons="; ".join(self.refusals))

    def step(self, step_id: str) -> Step:
        """The step of that id; KeyError when the plan has none."""
        found = {step.id: step for step in self.steps}
        return found[step_id]

    def diff(self) -> str:
        """The plan as text: a heading, each step, then reasons to refuse and remarks."""
        head = f"plan {self.kind} for {self.protection}, epoch {self.epoch}, {len(self.steps)} steps, id {self.checksum[:12]}"
        body = [line for step in self.steps for line in step.lines()]
        nothing = [f"nothing to do: {self.nothing_because}"] if not self.steps and self.nothing_because else []
        refused = [f"refused: {reason}" for reason in self.refusals]
        return "\n".join([head, *body, *nothing, *refused, *(f"note: {remark}" for remark in self.remarks)])
