"""Another time of day for one program on a host; everything else there keeps the right one."""

from __future__ import annotations

from tests.lab.hosts import LabHost
from tests.stepped_clock import LIBRARY, STEP, SteppedClock

PLACE = "/run/another_clock"


def clock_off(host: LabHost, by_s: int) -> dict[str, str]:
    """The environment in which a program on ``host`` sees a clock that is ahead by ``by_s`` seconds; needs gcc."""
    seen_from_outside = host.path(PLACE)
    seen_from_outside.mkdir(exist_ok=True)
    SteppedClock(seen_from_outside).set(by_s)
    return {"LD_PRELOAD": f"{PLACE}/{LIBRARY}", "CLOCK_STEP_FILE": f"{PLACE}/{STEP}"}
