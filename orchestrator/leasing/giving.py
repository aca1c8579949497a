"""One renewal: the holder is asked for its clock, the lease is noted on the disk, then sent."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from orchestrator.errors import DtamError
from orchestrator.leasing.ledger import Ledger
from orchestrator.leasing.rules import HolderClock
from orchestrator.model.host import Host, ProtectionView
from orchestrator.model.outcomes import TryAgain

GUARD_LATE_S = 15.0
"""A host whose guard has not looked for so long would not stop by itself: no lease of its would ever run out."""


@dataclass(frozen=True, slots=True)
class Renewed:
    """What became of a renewal: whether the host answered at all (a sign of life), what it says of itself, and one sentence."""

    heard: bool
    taken: bool
    says: str
    view: ProtectionView | None = None


def renew(ledger: Ledger, host: Host, protection: str, epoch: int, lease_s: float | None) -> Renewed:
    """Give the host its next lease; ``lease_s`` None is one without an end. Never raises for a host that is silent or refuses.

    A host whose guard does not look gets one without an end: it would not stop, so nobody may count on it.

    Raises:
        LedgerUnusable: the promise cannot be kept on the disk, so nothing was sent.
    """
    try:
        view = host.protection(protection)
    except (DtamError, TryAgain) as silence:
        return Renewed(heard=False, taken=False, says=f"{host.name} does not answer: {silence}")
    heard_s = ledger.now().seconds
    refused = _no_lease(ledger, host.name, protection, view)
    if refused or view is None or view.ticks_s is None:
        return Renewed(heard=True, taken=False, says=refused, view=view)
    is_guarded = view.guard_s is not None and view.guard_s <= GUARD_LATE_S
    span_s = lease_s if is_guarded else None
    clock = HolderClock(view.boot, view.ticks_s, heard_s, view.lease_n)
    renewal = ledger.give(protection, clock, epoch, span_s)
    if renewal is None:
        return Renewed(heard=True, taken=False, says="no lease is given while the next epoch is asked for", view=view)
    try:
        host.act(protection, "renew_lease", msgspec.to_builtins(renewal))
    except (DtamError, TryAgain) as refusal:
        return Renewed(heard=True, taken=False, says=f"{host.name} did not take its lease: {refusal}", view=view)
    ledger.taken(protection, renewal)
    span = "without an end" if span_s is None else f"of {span_s:g} s"
    why = "" if lease_s is None or is_guarded else ", because its guard does not look (dtam hosts install)"
    return Renewed(heard=True, taken=True, says=f"{host.name} has a lease {span}{why}", view=view)


def _no_lease(ledger: Ledger, name: str, protection: str, view: ProtectionView | None) -> str:
    """Why the host gets none; empty when it may have one."""
    if view is None or view.ticks_s is None:
        return f"{name} {'has no part in the protection' if view is None else 'does not tell its clock'}: no lease"
    if view.fenced:
        return f"{name} is fenced: no lease"
    if view.lease_giver and view.lease_giver != ledger.look(protection).giver:
        ledger.somebody_else_gives(protection)
        return f"{name} takes its leases from another dtam: no lease, and no failover by itself"
    return ""
