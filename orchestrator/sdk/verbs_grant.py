"""Verbs of the grant where no engine asks for it: `dtam serve`, or a command that plays it, over ``Ports.grants``."""

from __future__ import annotations

from orchestrator.model.steps import Seen
from orchestrator.sdk.context import Ports
from orchestrator.sdk.verbs import Found, Given, deed, look


@look("epoch-granted")
def epoch_granted(ports: Ports, given: Given) -> Seen:
    """The epoch, or a newer one, is granted to this executor."""
    newest = ports.epoch_grants.granted(given["protection"])
    return Seen(done=newest >= given["epoch"], says=f"epoch {newest} is the newest granted")


@deed("grant-epoch")
def grant_epoch(ports: Ports, given: Given, _found: Found) -> None:
    """The side that had the epoch before (``where``) is surely out, and the witness says yes; TryAgain until then."""
    holder = ports.host(given["where"])
    forced, by = bool(given.get("forced", False)), str(given.get("by", ""))
    ports.epoch_grants.grant(given["protection"], given["epoch"], holder, forced=forced, by=by)


@deed("take-grant-back")
def take_grant_back(ports: Ports, given: Given, _found: Found) -> None:
    """Leases are given again, where nothing was granted; a granted epoch stays, because epochs never fall."""
    ports.epoch_grants.give_again(given["protection"], given["epoch"])


@deed("give-lease")
def give_lease(ports: Ports, given: Given, _found: Found) -> None:
    """The side that a plan opens may serve while its present boot lasts, also where it was restarted since its last lease."""
    ports.epoch_grants.lease(given["protection"], given["epoch"], ports.host(given["where"]))
