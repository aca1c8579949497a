"""Never two masters under automatic failover of a Windows source: thousands of unlucky schedules, and proof that the simulation finds real bugs.

``DTAM_SIMULATION_SCHEDULES=20000`` plays more of them. What a lease cannot do (a machine that stands still for longer than the grace, then goes on) is shown as
well, so that docs/explanation/limits.md tells the truth; the fence command can.
"""

from __future__ import annotations

import logging
import math
import os
import time
from typing import Any

import msgspec
import pytest

from orchestrator.leasing import rules
from orchestrator.leasing.rules import Now, Promised, Renewal
from orchestrator.service import deciding
from tests.simulation import leases
from tests.simulation.leased_source import LEASE_S, LOOK_S, STOP_S, Scene
from tests.simulation.leases import LASTS_S, patched, run

SCHEDULES = int(os.environ.get("DTAM_SIMULATION_SCHEDULES", "500"))
BUG_SCHEDULES = 800
LONG = (0.5, 5.0, 20.0)
FENCED = Scene(fence_command=True, freezes_s=LONG, pauses=True, slowest_s=1.0)
log = logging.getLogger(__name__)


@pytest.mark.parametrize("scene", [Scene(), FENCED], ids=["lease", "fence-command"])
@pytest.mark.covers("AM-27", "AM-30")
def test_never_both_sides_serve_under_automatic_failover(scene: Scene) -> None:
    began_s, failovers, served_s = time.monotonic(), 0, 0.0
    for seed in range(SCHEDULES):
        result = run(seed, scene)
        assert not result.violation, "\n".join((f"seed {seed}: {result.violation}", *result.trace[-40:]))
        failovers += result.failed_over
        served_s += result.source_served_s
    log.warning("%.0f schedules a minute; %d failed over", SCHEDULES * 60 / (time.monotonic() - began_s), failovers)
    assert failovers > SCHEDULES * 0.2, "bad luck must lead to failovers, or nothing was tried"
    assert failovers < SCHEDULES * 0.97, "and not always"
    assert served_s > SCHEDULES * LASTS_S * 0.4, "a source that is stopped by every trifle would be safe, too"


def test_what_a_lease_cannot_do_is_bounded_where_the_clock_goes_on() -> None:
    """A source that stood still for longer than the grace serves until its guard has looked once and stopped its services."""
    worst_s = max(run(seed, Scene(freezes_s=LONG)).both_s for seed in range(250))
    assert 0 < worst_s <= LOOK_S + 1.0 + STOP_S + 0.1


def test_what_a_lease_cannot_do_is_as_long_as_the_lease_where_the_clock_stands_still() -> None:
    """A paused machine does not know that time has passed: no program in it can. That is what the fence command is for."""
    worst_s = max(run(seed, Scene(freezes_s=LONG, pauses=True)).both_s for seed in range(250))
    assert LOOK_S < worst_s <= LEASE_S + LOOK_S + 1.0 + STOP_S + 0.1


def test_a_schedule_is_determined_by_its_seed() -> None:
    assert run(11) == run(11)


def _forgets(promised: Promised, now: Now) -> Promised:
    return promised if promised.boot == now.boot else msgspec.structs.replace(promised, boot=now.boot, ends_s=-1e9)


def _sure_at_once(_promised: Promised, _now: Now, _grace_s: float) -> float:
    return 0.0


def _sure_without_grace(promised: Promised, now: Now, _grace_s: float) -> float:
    return max(0.0, rules.remaining_s(promised, now))


_GIVE = rules.give


def _notes_the_first(promised: Promised, *given: Any, **how: Any) -> tuple[Promised, Renewal]:
    after, renewal = _GIVE(promised, *given, **how)
    return (msgspec.structs.replace(after, ends_s=promised.ends_s) if promised.longest_s else after), renewal


BUGS: dict[str, Scene] = {
    "guard-takes-a-lease-that-is-past": Scene(guard={"takes_what_is_past": True}, slowest_s=25.0),
    "guard-sleeps": Scene(guard={"sleeps": True}),
    "guard-starts-by-itself-after-a-boot": Scene(guard={"starts_by_itself": True}),
    "lease-counts-from-its-arrival-and-old-ones-are-taken": Scene(guard={"takes_any": True}),
    "executor-forgets-when-its-machine-restarts": Scene(patch=lambda: patched(rules, "on_this_boot", _forgets)),
    "executor-waits-for-nothing": Scene(patch=lambda: patched(rules, "sure_in_s", _sure_at_once)),
    "executor-waits-for-no-grace": Scene(patch=lambda: patched(rules, "sure_in_s", _sure_without_grace)),
    "only-the-first-lease-is-noted": Scene(patch=lambda: patched(rules, "give", _notes_the_first)),
    "silence-is-enough": Scene(patch=lambda: patched(leases, "GRACE_S", -math.inf)),
}


@pytest.mark.parametrize("name", sorted(BUGS))
@pytest.mark.covers("AM-27")
def test_a_planted_bug_is_found(name: str) -> None:
    """Mutation check: a simulation that cannot fail proves nothing."""
    assert any(run(seed, BUGS[name]).violation for seed in range(BUG_SCHEDULES)), f"{name} was not found"


def test_the_decision_of_the_simulation_is_the_products() -> None:
    assert leases.decide is deciding.decide
