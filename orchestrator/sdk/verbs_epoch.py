"""Verbs about who may serve: monitor, fence, epoch, and the failover by the target's own executor.

Invariant: no verb opens one side while the other one is open; engines and witness hold it too, by compare-and-set.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.errors import DtamError
from orchestrator.model.host import Host, ProtectionView
from orchestrator.model.outcomes import GiveUp, TryAgain, UndoRefused
from orchestrator.model.steps import Seen
from orchestrator.sdk.context import Ports
from orchestrator.sdk.verbs import Found, Given, deed, look


def _view(ports: Ports, given: Given) -> ProtectionView:
    host = ports.host(given["where"])
    view = host.protection(given["protection"])
    if view is None:
        raise GiveUp(f"{host.name} has no part in {given['protection']}", "enable the protection first")
    return view


@look("monitor-is")
def monitor_is(ports: Ports, given: Given) -> Seen:
    """The target's watch over the source is on, or off."""
    view = ports.host(given["where"]).protection(given["protection"])
    on = view is not None and view.monitor
    return Seen(done=on == given["on"], says=f"the monitor is {'on' if on else 'off'}", found={"on": on})


@deed("set-monitor")
def set_monitor(ports: Ports, given: Given, _found: Found) -> None:
    """Turn the watch on or off."""
    action = "enable_monitor" if given["on"] else "disable_monitor"
    ports.host(given["where"]).act(given["protection"], action, {"by": given.get("by", "")})


@deed("put-monitor-back")
def put_monitor_back(ports: Ports, given: Given, found: Found) -> None:
    """As it was found."""
    host = ports.host(given["where"])
    if host.protection(given["protection"]) is not None:
        host.act(given["protection"], "enable_monitor" if found.get("on") else "disable_monitor", {})


@look("fenced")
def fenced(ports: Ports, given: Given) -> Seen:
    """The engine's fence holds: its services stay down, its capture is read-only."""
    view = _view(ports, given)
    return Seen(done=view.fenced, says="fenced" if view.fenced else "not fenced", found={"fenced": view.fenced})


@deed("fence")
def fence(ports: Ports, given: Given, _found: Found) -> None:
    """Raise the fence."""
    ports.host(given["where"]).act(given["protection"], "fence", {"reason": given.get("reason", "")})


@deed("put-fence-back")
def put_fence_back(ports: Ports, given: Given, found: Found) -> None:
    """Lift it only if it was not up before; the engine itself checks that it holds the epoch."""
    if found.get("fenced") is False:
        ports.host(given["where"]).act(given["protection"], "unfence", {"reason": "undo"})


@deed("release-lease")
def release_lease(ports: Ports, given: Given, _found: Found) -> None:
    """Give the lease back at the witness, so that the other side need not wait for its end. The engine fences itself first."""
    ports.host(given["where"]).act(given["protection"], "release", {"epoch": given["epoch"]})


@deed("lift-fence")
def lift_fence(ports: Ports, given: Given, _found: Found) -> None:
    """A side that does not hold the epoch needs no fence of its own: only a granted epoch opens it."""
    host, other = ports.host(given["where"]), ports.host(given["other"])
    theirs = other.protection(given["protection"])
    if theirs is None or theirs.fenced:
        raise GiveUp(f"{other.name} does not hold the protection", "lift no fence before the other side serves")
    host.act(given["protection"], "unfence", {"reason": "the other side holds the epoch"})


@look("epoch-held")
def epoch_held(ports: Ports, given: Given) -> Seen:
    """This engine may serve under this epoch or a newer one."""
    view = _view(ports, given)
    held = view.epoch >= given["epoch"] and not view.fenced
    return Seen(
        done=held, says=f"epoch {view.epoch}, {'fenced' if view.fenced else 'open'}", found={"epoch": view.epoch}
    )


@deed("take-epoch")
def take_epoch(ports: Ports, given: Given, _found: Found) -> None:
    """The engine asks the witness for the epoch (without one, a person's plan stands for it) and opens its fence."""
    settings = {"epoch": given["epoch"], "by": given.get("by", ""), "reason": given.get("reason", "")}
    ports.host(given["where"]).act(given["protection"], "set_epoch", settings)


@deed("take-epoch-back")
def take_epoch_back(ports: Ports, given: Given, _found: Found) -> None:
    """The side that had released takes the epoch after the newest one: epochs never go back.

    Only when the other side is fenced: never two masters. Its own release is made whole first, should it have been cut off.
    """
    other, own = ports.host(given["other"]), ports.host(given["where"])
    theirs, ours = other.protection(given["protection"]), own.protection(given["protection"])
    if ours is None or not ours.fenced:
        return
    if theirs is not None and not theirs.fenced:
        other.act(given["protection"], "release", {"epoch": theirs.epoch})
        raise TryAgain(f"{other.name} is giving up the epoch", after_s=0.1)
    own.act(given["protection"], "release", {"epoch": ours.epoch})
    newest = max(ours.epoch, theirs.epoch if theirs else 0)
    _take_first_free(own, given["protection"], (newest + 1, newest + 2))


def _take_first_free(own: Host, protection: str, epochs: Sequence[int]) -> None:
    """The other side may have been granted an epoch that its engine never heard of; its lease must run out then."""
    refusal = ""
    for epoch in epochs:
        try:
            own.act(protection, "set_epoch", {"epoch": epoch, "reason": "undo"})
        except DtamError as error:
            refusal = refusal or str(error)
        else:
            return
    raise TryAgain(refusal, after_s=0.5)


# -- failover by the target's own executor


def _took_over(view: ProtectionView, given: Given) -> bool:
    """Under a newer epoch; or under the given one where the target holds that itself: a failover that had stood still was gone on with."""
    newer = view.epoch > given["epoch"] or (view.epoch == given["epoch"] and not view.fenced)
    return view.phase == "done" and newer


@look("failed-over")
def failed_over(ports: Ports, given: Given) -> Seen:
    """The target has taken over under a newer epoch than the one given, and its script has ended."""
    view = _view(ports, given)
    done = _took_over(view, given)
    return Seen(done=done, says=view.says or view.phase, found={"phase": view.phase, "epoch": view.epoch})


@deed("fail-over")
def fail_over(ports: Ports, given: Given, found: Found) -> None:
    """Ask the target to take over (one that stands still: to go on), once an execution, and follow it to its end."""
    view, asked = _view(ports, given), "asked" in found
    if _took_over(view, given):
        return
    if view.phase == "failed" and asked:
        raise GiveUp(
            view.says or "the target could not take over", "dtam status names the step; then resume or undo the run"
        )
    if (not asked and view.phase in {"idle", "done", "failed"}) or view.waiting_for_person:
        who = {"forced": given.get("forced", False), "by": given.get("by", "")}
        who |= {"data": given["data"]} if "data" in given else {}
        again = view.phase == "failed" or view.waiting_for_person
        act, settings = ("continue_failover", who) if again else ("failover", who | {"run_id": given["run_id"]})
        ports.host(given["where"]).act(given["protection"], act, settings)
        found["asked"] = True
    raise TryAgain(view.says or f"the target is {view.phase}", after_s=0.2)


@deed("undo-failover")
def undo_failover(ports: Ports, given: Given, found: Found) -> None:
    """The target's executor goes back, while nobody was served there."""
    view = _view(ports, given)
    if _took_over(view, given):
        reason = (
            f"{ports.host(given['where']).name} serves under epoch {view.epoch}, and clients may have written there"
        )
        raise UndoRefused(
            reason, "resume the run to its end; dtam failback brings the service and what was written back"
        )
    if view.phase not in {"idle", "done"}:
        if "asked" not in found:
            ports.host(given["where"]).act(given["protection"], "undo_failover", {"by": given.get("by", "")})
            found["asked"] = True
        raise TryAgain(view.says or "the target is giving back what it took", after_s=0.2)
