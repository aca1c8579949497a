"""Which commands fit the state of a protection, and why the others do not (AM-13). Pure.

``refusal`` answers for one command; ``fitting`` for all, so that a screen can show which ones make sense now.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.failover.condition import is_failing_over, target_serves
from orchestrator.failover.snapshot import Snapshot
from orchestrator.model.errors import NotInThisState
from orchestrator.model.restoring import WHOLE, Restoring


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a command does not fit, and which one does."""

    state: str
    reason: str
    advice: str


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asks for.

    ``forced``: their word that the source is down; ``data``: apply, discard or snapshot:ID; ``restoring``: how a restore is to be done.
    """

    command: str
    graceful: bool = False
    forced: bool = False
    stop_monitoring: bool = False
    data: str = ""
    restoring: Restoring = WHOLE


Guard = Callable[[Snapshot, Wish], Refusal | None]


def refusal(snapshot: Snapshot, wish: Wish) -> Refusal | None:
    """The first reason against a command, or None."""
    for guard in GUARDS[wish.command]:
        reason = guard(snapshot, wish)
        if reason is not None:
            return reason
    return None


def raise_if_refused(snapshot: Snapshot, wish: Wish) -> None:
    """Raises NotInThisState with the reason."""
    found = refusal(snapshot, wish)
    if found is not None:
        raise NotInThisState(
            command=wish.command,
            protection=snapshot.protection,
            state=found.state,
            reason=found.reason,
            advice=found.advice,
        )


def fitting(snapshot: Snapshot) -> tuple[str, ...]:
    """The commands that fit now."""
    return tuple(command for command in GUARDS if refusal(snapshot, Wish(command)) is None)


def _name(snapshot: Snapshot) -> str:
    return f"--protection {snapshot.protection}"


def _target_answers(snapshot: Snapshot, _wish: Wish) -> Refusal | None:
    if snapshot.target.answers:
        return None
    target = snapshot.target
    return Refusal("without its target", f"{target.server} must answer: {target.silence}", "dtam hosts test")


def _source_answers(snapshot: Snapshot, _wish: Wish) -> Refusal | None:
    if snapshot.source.answers:
        return None
    source = snapshot.source
    advice = f"bring {source.server} back first; if it is lost for good: dtam disable {_name(snapshot)} --force, then set up anew"
    return Refusal("without its source", f"{source.server} must answer: {source.silence}", advice)


def _is_enabled(snapshot: Snapshot, _wish: Wish) -> Refusal | None:
    if any(side.state is not None or not side.answers for side in (snapshot.source, snapshot.target)):
        return None
    return Refusal("not enabled", "neither server has a part in it", f"dtam enable {_name(snapshot)}")


def _not_under_way(snapshot: Snapshot, _wish: Wish) -> Refusal | None:
    if not is_failing_over(snapshot):
        return None
    says = snapshot.target.state.says if snapshot.target.state else ""
    return Refusal("failing over", says or "it is under way", f"dtam monitor {_name(snapshot)}")


def _not_failed_over(snapshot: Snapshot, _wish: Wish) -> Refusal | None:
    if not target_serves(snapshot):
        return None
    reason = f"{snapshot.target.server} serves already under epoch {snapshot.epoch}"
    return Refusal("failed over", reason, f"dtam failback {_name(snapshot)}")


def _nothing_taken(snapshot: Snapshot, wish: Wish) -> Refusal | None:
    """What the target took would never be given back."""
    if wish.forced or not target_serves(snapshot):
        return None
    target, source = snapshot.target.server, snapshot.source.server
    reason = f"{target} serves with what it took from {source}, which only a failback gives back"
    advice = f"dtam failback {_name(snapshot)} first; if {source} is lost for good: dtam disable {_name(snapshot)} --force leaves all with {target}"
    return Refusal("failed over", reason, advice)


def _failed_over(snapshot: Snapshot, wish: Wish) -> Refusal | None:
    if target_serves(snapshot) or snapshot.restoring is not None:
        return None
    reason = f"there is nothing to {wish.command}: {snapshot.source.server} has the service"
    return Refusal("not failed over", reason, f"dtam status {_name(snapshot)}")


def _receiver_answers(snapshot: Snapshot, wish: Wish) -> Refusal | None:
    """A restore to another server needs nothing of a lost source."""
    return None if wish.restoring.to else _source_answers(snapshot, wish)


def _not_restored_whole(snapshot: Snapshot, wish: Wish) -> Refusal | None:
    """One connection at a time brings a set back, and the whole of it is more than a part."""
    if not wish.restoring.ends or snapshot.restoring is None:
        return None
    reason = f"{snapshot.source.server} is being restored whole, and follows {snapshot.target.server}"
    return Refusal("restored", reason, f"dtam failback {_name(snapshot)}")


def _graceful_needs_source(snapshot: Snapshot, wish: Wish) -> Refusal | None:
    if not wish.graceful:
        return None
    found = _source_answers(snapshot, wish)
    if found is None:
        return None
    return Refusal(found.state, f"a graceful failover hands over: {found.reason}", f"dtam failover {_name(snapshot)}")


def _data_usable(snapshot: Snapshot, wish: Wish) -> Refusal | None:
    replica = snapshot.replica
    if wish.forced or wish.data or replica is None or replica.data_state == "good":
        return None
    if not replica.set_back_to and (replica.intact or replica.kept):
        return None
    state = replica.data_state.replace("_", " ")
    reason = f"the data on {snapshot.target.server} is {state}: clients would get a half-mirrored state"
    if replica.data_state == "not_ready" and replica.last_error:
        reason = f"nobody knows how the data on {snapshot.target.server} stands: {replica.last_error}"
    other = f"dtam failover {_name(snapshot)} --data snapshot:ID (dtam snapshots list)"
    advice = f"wait for the mirror; or go back: {other}; or, knowing that, --force"
    return Refusal(state, reason, advice)


GUARDS: dict[str, tuple[Guard, ...]] = {
    "enable": (_target_answers, _source_answers, _not_under_way, _not_failed_over),
    "disable": (_not_under_way, _nothing_taken),
    "failover": (_is_enabled, _target_answers, _not_under_way, _not_failed_over, _graceful_needs_source, _data_usable),
    "failback": (_is_enabled, _target_answers, _not_under_way, _failed_over, _source_answers),
    "restore": (_is_enabled, _target_answers, _not_under_way, _failed_over, _not_restored_whole, _receiver_answers),
}
