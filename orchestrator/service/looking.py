"""What a watch asks of hosts, ledger and store between two decisions; each function is one job for a ``Hand``."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

from orchestrator.errors import DtamError
from orchestrator.failover import hosts as failover_hosts
from orchestrator.failover.kept import Kept, is_locked
from orchestrator.leasing.giving import Renewed, renew
from orchestrator.leasing.ledger import ledger_of
from orchestrator.model.conditions import Stage
from orchestrator.model.outcomes import TryAgain
from orchestrator.model.plan import PlanKind
from orchestrator.model.protections import Protection
from orchestrator.model.runs import RunState, is_being_undone
from orchestrator.model.servers import Where
from orchestrator.pipeline import Pipeline
from orchestrator.service.deciding import OpenRun
from orchestrator.store import journal

OVER = {Stage.FAILED_OVER, Stage.RESTORED}
REFRESHES = 4
"""Facts are gathered anew when they are a quarter as old as they may be."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What store, journals and ledger say now. ``sure_in_s``: when the side that serves has surely stopped by itself."""

    protection: Protection
    run: OpenRun | None
    sure_in_s: float
    facts_age_s: float | None


def standing(pipeline: Pipeline, protection: str) -> Standing:
    """Ask nobody but our own disk."""
    kept = pipeline.store.protection(protection)
    inventory = pipeline.store.inventory(protection)
    age_s = inventory.age_s(time.time()) if inventory else None
    grace_s = kept.settings.monitoring.lease.grace_s
    sure_in_s = ledger_of(pipeline.home).sure_in_s(protection, grace_s)
    return Standing(kept, _open_run(pipeline, protection), sure_in_s, age_s)


def _open_run(pipeline: Pipeline, protection: str) -> OpenRun | None:
    busy = is_locked(pipeline.home / "locks" / protection)
    run = next(iter(pipeline.running.unfinished(protection)), None)
    if run is None:
        return OpenRun("", PlanKind.FIX, RunState.RUNNING, "a command is at work", busy=True) if busy else None
    _, lines = journal.read(pipeline.running.journals, run.id)
    undoing = is_being_undone(lines)
    return OpenRun(
        run.id, run.plan.kind, run.state, run.says, busy=busy or run.state is RunState.RUNNING, undoing=undoing
    )


def give_lease(pipeline: Pipeline, protection: Protection, kept: Kept, *, endless: bool = False) -> Renewed:
    """The next lease of the side that serves: timed where the source must stop by itself, else without an end."""
    over = protection.stage in OVER
    host = pipeline.reach.host(protection.pair.on(Where.TARGET if over else Where.SOURCE))
    watch = protection.settings.monitoring
    timed = not endless and not over and kept.enabled(protection.settings.is_watched)
    return renew(
        ledger_of(pipeline.home), host, protection.id, protection.epoch, watch.timed_lease_s if timed else None
    )


def sign_of_life(pipeline: Pipeline, protection: Protection) -> bool:
    """Whether the source's WinRM answers with a word of its own; no lease is given."""
    try:
        with pipeline.reach.looking() as reach:
            reach.host(protection.pair.source).protection(protection.id)
    except (DtamError, TryAgain):
        return False
    return True


def fence_old_source(pipeline: Pipeline, protection: Protection) -> str:
    """After a failover: a source that came back without knowing is told; a sentence when it was."""
    host = pipeline.reach.host(protection.pair.source)
    try:
        view = host.protection(protection.id)
        if view is None or view.fenced:
            return ""
        host.act(protection.id, "fence", {"reason": f"{protection.pair.target.name} holds epoch {protection.epoch}"})
    except (DtamError, TryAgain):
        return ""
    return f"{host.name} is back under an old epoch and was fenced"


def data_problem(pipeline: Pipeline, protection: Protection) -> str:
    """Why the target's data is not fit for a failover by itself; empty when it is. A target that is silent says why."""
    try:
        with pipeline.reach.looking() as reach:
            ports = reach.ports(protection.pair, protection.settings)
            for link in failover_hosts.links(protection):
                facts = ports.replication.replica(link)
                if facts is not None and facts.data_state != "good":
                    return f"the target's data state is {facts.data_state.replace('_', ' ')}, not good"
    except (DtamError, TryAgain) as error:
        return f"the target's data cannot be judged: {error}"
    return ""


def facts_are_due(standing_now: Standing) -> bool:
    """Whether facts should be gathered anew."""
    age_s = standing_now.facts_age_s
    limit_s = standing_now.protection.settings.advanced.facts_age_limit_s
    return (math.inf if age_s is None else age_s) > limit_s / REFRESHES
