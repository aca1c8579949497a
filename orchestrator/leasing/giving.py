"""One renewal: the holder is asked for its clock, the lease is noted on the disk, then sent."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from orchestrator.errors import DtamError
from orchestrator.leasing.ledger import Ledger
from orchestrator.leasing.rules import HolderClock
from orchestrator.model.host import Host, ProtectionView
from orchestrator.model.outcomes import TryAgain


@dataclass(frozen=True, slots=True)
class Renewed:
    """What became of a renewal: whether the host answered at all (a sign of life), what it says of itself, and one sentence."""

    heard: bool
    taken: bool
    says: str
    view: ProtectionView | None = None


def renew(ledger: Ledger, host: Host, protection: str, epoch: int, lease_s: float | None) -> Renewed:
    """Give the host its next lease; ``lease_s`` None is one without an end. Never raises for a host that is silent or refuses.

    Raises:
        LedgerUnusable: the promise cannot be kept on the disk, so nothing was sent.
    """
    try:
        view = host.protection(protection)
    except (DtamError, TryAgain) as silence:
        return Renewed(heard=False, taken=False, says=f"{host.name} does not answer: {silence}")
    heard_s = ledger.now().seconds
    if view is None or view.ticks_s is None:
        what = "has no part in the protection" if view is None else "does not tell its clock"
        return Renewed(heard=True, taken=False, says=f"{host.name} {what}: no lease", view=view)
    if view.fenced:
        return Renewed(heard=True, taken=False, says=f"{host.name} is fenced: no lease", view=view)
    renewal = ledger.give(protection, HolderClock(view.boot, view.ticks_s, heard_s), epoch, lease_s)
    if renewal is None:
        return Renewed(heard=True, taken=False, says="no lease is given while the next epoch is asked for", view=view)
    try:
        host.act(protection, "renew_lease", msgspec.to_builtins(renewal))
    except (DtamError, TryAgain) as refusal:
        return Renewed(heard=True, taken=False, says=f"{host.name} did not take its lease: {refusal}", view=view)
    ledger.taken(protection, renewal)
    span = "without an end" if lease_s is None else f"of {lease_s:g} s"
    return Renewed(heard=True, taken=True, says=f"{host.name} has a lease {span}", view=view)
