"""Faults that the lab asks of a machine; none of them outlives the power."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Faults:
    """Set and cleared by tests."""

    denied: set[str] = field(default_factory=set)  # cmdlets and programs, in lower case, that answer Access is denied
    slow_s: dict[str, float] = field(
        default_factory=dict
    )  # cmdlet in lower case -> seconds before it does anything; "*" for all
    failing_start: dict[str, int] = field(default_factory=dict)  # service in lower case -> its exit code
    hanging_stop: set[str] = field(default_factory=set)  # services that stay in StopPending
    slow_start_s: dict[str, float] = field(default_factory=dict)
    slow_stop_s: dict[str, float] = field(default_factory=dict)
    full: set[str] = field(default_factory=set)  # drive letters without space

    def clear(self) -> None:
        """All well again."""
        self.__init__()  # type: ignore[misc]
