"""The lines of a run file, as a script writes them on its host: what became of each step. The same on Linux and on Windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.model.outcomes import Outcome, Result


def steps(lines: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Each step with its last event."""
    return {str(line["step"]): str(line["event"]) for line in lines if "step" in line and "event" in line}


def outcomes(lines: Sequence[Mapping[str, Any]]) -> tuple[Outcome, ...]:
    """The last word on each step; its time counts from its newest beginning."""
    began_s: dict[str, float] = {}
    last: dict[str, Outcome] = {}
    for line in lines:
        step, event, at_s = (line.get(word) for word in ("step", "event", "t"))
        if not isinstance(step, str) or not isinstance(at_s, int | float):
            continue
        if event == "about-to":
            began_s[step] = at_s
        elif event in _SCRIPT_RESULTS:
            seconds = at_s - began_s.get(step, at_s)
            last[step] = Outcome(step, _SCRIPT_RESULTS[event], str(line.get("says", "")), round(seconds, 3))
    return tuple(last.values())


_SCRIPT_RESULTS = {
    "done": Result.DONE,
    "already": Result.ALREADY,
    "failed": Result.FAILED,
    "undone": Result.UNDONE,
}
