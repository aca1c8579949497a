"""What a target's protection looks like from outside, and its document as the settings of watch and executor. Pure."""

from __future__ import annotations

from orchestrator.engine.control.answers import MonitorStatus
from orchestrator.engine.control.schema import Protection
from orchestrator.engine.monitor.executor import ExecutorSettings
from orchestrator.engine.monitor.loop import Watch
from orchestrator.engine.monitor.ports import Settle
from orchestrator.engine.monitor.run import RunState
from orchestrator.engine.monitor.verdict import MonitorSettings, Pace


def executor_settings(document: Protection, candidate: str) -> ExecutorSettings:
    """The executor's settings from a document. A witness-less protection without manual intervention is a person's choice."""
    return ExecutorSettings(
        protection=document.id,
        candidate=candidate,
        manual_intervention=document.monitor.manual_intervention,
        insist_without_witness=document.monitor.insist_without_witness,
        settle=Settle(document.failover.settle),
        wait_for_pre_script=_first(document.failover.wait_pre_script, document.failover.wait),
        wait_for_post_script=_first(document.failover.wait_post_script, document.failover.wait),
    )


def _first(own: bool | None, all_: bool) -> bool:  # noqa: FBT001  two words about the same
    return all_ if own is None else own


def monitor_settings(document: Protection) -> MonitorSettings:
    """The monitor's settings from a document; without addresses the source's control address is watched."""
    monitor = document.monitor
    return MonitorSettings(
        addresses=tuple(monitor.addresses or [document.source.control_address]),
        method=monitor.method,
        require=monitor.require,
        interval_s=monitor.interval_s,
        missed=monitor.missed,
        manual_intervention=monitor.manual_intervention,
        own={one.address: Pace(one.interval_s, one.missed) for one in monitor.paces},
    )


def phase_of(run: RunState | None) -> str:
    """Where a failover is: idle, waiting, the phase under way, undoing, failed, done."""
    if run is None or run.ended in {"undone", "cancelled", "refused"}:
        return "idle"
    if run.ended:
        return "done"
    if run.waits_for:
        return "waiting"
    if run.stuck:
        return "failed"
    return "undoing" if run.undoing else str(run.next_phase or "finishing")


def says_of(run: RunState | None) -> str:
    """The newest sentence about a run."""
    if run is None:
        return ""
    if run.is_open and run.waits_for:
        return f"failover condition met; waiting for a person: {run.waits_for}"
    return run.stuck or run.last_says


def details_of(run: RunState | None) -> dict[str, object]:
    """What else is known of a run."""
    if run is None:
        return {}
    return {"why": run.why, "by": run.by, "done": [str(phase) for phase in run.done], "ended": run.ended}


def monitor_status(watch: Watch) -> MonitorStatus:
    """The bullet and the countdown of a watch."""
    settings, verdict = watch.settings, watch.verdict
    if not watch.enabled or verdict is None:
        return MonitorStatus(enabled=watch.enabled, allowed=settings.missed, says=watch.sentence)
    return MonitorStatus(
        enabled=True,
        colour=verdict.colour.value,
        missed=min(verdict.missed, verdict.allowed),
        allowed=verdict.allowed,
        time_to_fail_s=verdict.time_to_fail_s,
        says=verdict.sentence,
    )
