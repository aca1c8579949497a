"""The name of what is so, from one snapshot. Pure; guards are asked in order, the first that fits gives the name.

Detection only names. What to do about it is decided by a person or by the target's executor; ``guards.py`` says which commands
fit. Each sentence says what was seen, so that it can stand in a log by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.failover.snapshot import Side, Snapshot
from orchestrator.model.conditions import Condition

BUSY_PHASES_END = {"idle", "done", "failed", "undone"}
STALE_STATES = {"mirror_required", "restore_required"}


@dataclass(frozen=True, slots=True)
class Judgement:
    """A condition with the sentence that explains it, and the response that is proposed to a person."""

    condition: Condition
    says: str
    next: str = ""


Guard = Callable[[Snapshot], Judgement | None]


def judge(snapshot: Snapshot) -> Judgement:
    """The condition of a pair."""
    for guard in GUARDS:
        judgement = guard(snapshot)
        if judgement is not None:
            return judgement
    return Judgement(Condition.HEALTHY, f"{snapshot.source.server} serves, {snapshot.target.server} is in step")


def target_serves(snapshot: Snapshot) -> bool:
    """Whether the target has taken over: its engine ended a failover and its fence does not hold."""
    state = snapshot.target.state
    return state is not None and state.phase == "done" and not state.fence.held


def is_failing_over(snapshot: Snapshot) -> bool:
    """Whether the target's executor is at work."""
    state = snapshot.target.state
    return state is not None and state.phase not in BUSY_PHASES_END and not state.waiting_for_person


def _both_serve(snapshot: Snapshot) -> Judgement | None:
    if not (snapshot.source.serves and snapshot.target.serves):
        return None
    says = f"services of {snapshot.protection} run on both {snapshot.source.server} and {snapshot.target.server}"
    return Judgement(Condition.HALF_APPLIED, says, "stop one side by hand now; then: dtam status")


def _both_silent(snapshot: Snapshot) -> Judgement | None:
    if snapshot.source.answers or snapshot.target.answers:
        return None
    says = f"neither server answers: {snapshot.source.silence}; {snapshot.target.silence}"
    return Judgement(Condition.LINK_DOWN, says, "look at the network of this machine first")


def _target_silent(snapshot: Snapshot) -> Judgement | None:
    if snapshot.target.answers:
        return None
    says = f"{snapshot.target.server} does not answer: nothing could take over now ({snapshot.target.silence})"
    return Judgement(Condition.TARGET_DOWN, says, f"bring {snapshot.target.server} back")


def _half_enabled(snapshot: Snapshot) -> Judgement | None:
    lacking = [side.server for side in (snapshot.source, snapshot.target) if side.answers and side.state is None]
    if not lacking:
        return None
    says = f"{' and '.join(lacking)} {'knows' if len(lacking) == 1 else 'know'} nothing of {snapshot.protection}"
    return Judgement(Condition.HALF_APPLIED, says, f"dtam enable --protection {snapshot.protection}")


def _waiting(snapshot: Snapshot) -> Judgement | None:
    state = snapshot.target.state
    if state is None or not state.waiting_for_person:
        return None
    next_ = f"dtam failover --protection {snapshot.protection}"
    return Judgement(Condition.WAITING_FOR_PERSON, state.says or "a failover waits for a person", next_)


def _failed_on_the_way(snapshot: Snapshot) -> Judgement | None:
    state = snapshot.target.state
    if state is None or state.phase != "failed":
        return None
    next_ = f"mend the cause, then: dtam failover --protection {snapshot.protection} (or --undo)"
    return Judgement(Condition.HALF_APPLIED, state.says or "the failover stopped half-way", next_)


def _failing_over(snapshot: Snapshot) -> Judgement | None:
    if not is_failing_over(snapshot):
        return None
    state = snapshot.target.state
    says = state.says if state is not None and state.says else "it is under way"
    return Judgement(Condition.SOURCE_DOWN, f"{snapshot.target.server} is failing over: {says}", "dtam monitor")


def _failed_over(snapshot: Snapshot) -> Judgement | None:
    if not target_serves(snapshot):
        return None
    says = f"{snapshot.target.server} serves under epoch {snapshot.epoch}; {_source_then(snapshot.source)}"
    next_ = f"dtam failback --protection {snapshot.protection}" if snapshot.source.answers else ""
    return Judgement(Condition.FAILED_OVER, says, next_)


def _source_then(source: Side) -> str:
    if not source.answers:
        return f"{source.server} is silent"
    if source.state is not None and source.state.fence.held:
        return f"{source.server} is back and fenced"
    return f"{source.server} answers"


def _source_silent(snapshot: Snapshot) -> Judgement | None:
    state = snapshot.target.state
    if snapshot.source.answers:
        return None
    watch = state.monitor if state is not None else None
    if watch is not None and watch.enabled and watch.colour == "green":
        says = f"{snapshot.source.server} does not answer here ({snapshot.source.silence}), but its target hears it"
        return Judgement(Condition.LINK_DOWN, says, "look at the network between here and the source")
    left = f", {watch.time_to_fail_s:.1f} s to fail" if watch and watch.time_to_fail_s is not None else ""
    says = (
        f"{snapshot.source.server} is silent{left}: {watch.says if watch and watch.says else snapshot.source.silence}"
    )
    return Judgement(Condition.SOURCE_SILENT, says, "dtam monitor")


def _service_down(snapshot: Snapshot) -> Judgement | None:
    down = [service.name for service in snapshot.source.services if service.state != "running"]
    if not down or not snapshot.source.answers:
        return None
    why = snapshot.source.state.fence.reason if snapshot.source.state and snapshot.source.state.fence.held else ""
    says = f"service {', '.join(down)} does not run on {snapshot.source.server}{f': fenced, {why}' if why else ''}"
    return Judgement(Condition.SERVICE_DOWN, says, f"look at it on {snapshot.source.server}")


def _not_in_step(snapshot: Snapshot) -> Judgement | None:
    connection = snapshot.connection
    if connection is None:
        says = f"no data goes from {snapshot.source.server} to {snapshot.target.server}"
        return Judgement(Condition.LINK_DOWN, says, f"dtam enable --protection {snapshot.protection}")
    if connection.state == "Error":
        says = f"the connection is in error: {connection.last_error or connection.transmit_state}"
        return Judgement(Condition.LINK_DOWN, says, "dtam status; it goes on by itself when the cause is gone")
    if connection.target_data_state in STALE_STATES:
        says = f"the replica on {snapshot.target.server} is stale: {connection.target_data_state.replace('_', ' ')}"
        return Judgement(Condition.REPLICA_STALE, says, "it mirrors again by itself, or see the last error")
    if connection.target_data_state != "good":
        percent = f" ({connection.mirror_percent:.0f} %)" if connection.mirror_percent is not None else ""
        says = f"the replica on {snapshot.target.server} is {connection.target_data_state.replace('_', ' ')}{percent}"
        return Judgement(Condition.REPLICA_NOT_READY, says, "wait: a failover now would find no good data")
    return None


GUARDS: tuple[Guard, ...] = (
    _both_serve,
    _both_silent,
    _waiting,
    _failed_on_the_way,
    _failing_over,
    _failed_over,
    _target_silent,
    _half_enabled,
    _source_silent,
    _service_down,
    _not_in_step,
)
