"""Waiting on a condition, with a bound that is generous and a message that says what was waited for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(what: str, look: Callable[[], T], timeout_s: float = 60, pause_s: float = 0.05) -> T:
    """The first true answer of ``look``. Raises AssertionError after ``timeout_s``, naming ``what`` and the last answer."""
    deadline = time.monotonic() + timeout_s
    while not (answer := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s:.0f} s in vain: {what}; last answer {answer!r}")
        time.sleep(pause_s)
    return answer
