"""True time, events in order, a network that fails, and clocks that drift: everything comes from one seed."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable

DRIFT_MAX = 0.009
NS = 1_000_000_000


class Crashed(BaseException):
    """The party that was acting is dead; unwinds whatever it was doing."""


class Violation(AssertionError):
    """An invariant does not hold."""


class World:
    """The event heap. ``check`` is called after every event."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.now = 0.0
        self.events = 0
        self.check: Callable[[], None] = lambda: None
        self.trace: list[str] = []
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._down: dict[tuple[str, str], float] = {}
        self.loss = 0.0

    def after(self, delay_s: float, deed: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._heap, (self.now + delay_s, self._count, deed))

    def run_until(self, end: float) -> None:
        while self._heap and self._heap[0][0] <= end:
            when, _, deed = heapq.heappop(self._heap)
            self.now = max(self.now, when)
            self.events += 1
            deed()
            self.check()
        self.now = max(self.now, end)

    def pass_time(self, delay_s: float) -> None:
        """Block the caller while the world goes on (only the executor's thread does this)."""
        self.run_until(self.now + delay_s)

    def say(self, text: str) -> None:
        self.trace.append(f"{self.now:8.3f} {text}")

    # --- network

    def cut(self, origin: str, destination: str, until: float) -> None:
        self._down[origin, destination] = max(until, self._down.get((origin, destination), 0.0))

    def is_cut(self, origin: str, destination: str) -> bool:
        return self._down.get((origin, destination), 0.0) > self.now

    def passes(self, origin: str, destination: str) -> bool:
        """One datagram or request, now."""
        return not self.is_cut(origin, destination) and self.rng.random() >= self.loss

    def delay(self) -> float:
        """Mostly a millisecond, now and then much more: this is what reorders datagrams."""
        return self.rng.random() ** 8 * 0.8 + 0.001

    def request(
        self,
        origin: str,
        destination: str,
        handler: Callable[[], object],
        on_reply: Callable[[object], None],
    ) -> None:
        """A request that may be lost, late, or answered in vain."""

        def arrive() -> None:
            if not self.passes(origin, destination):
                return
            answer = handler()
            if answer is not None and self.passes(destination, origin):
                self.after(self.delay(), lambda: on_reply(answer))

        self.after(self.delay(), arrive)

    def blocking_request(
        self, origin: str, destination: str, handler: Callable[[], object], timeout_s: float
    ) -> object | None:
        """The same for a caller that waits; None when no answer came within ``timeout_s``."""
        begun = self.now
        answers: list[object] = []
        self.request(origin, destination, handler, answers.append)
        while not answers and self.now < begun + timeout_s:
            self.pass_time(0.02)
        return answers[0] if answers else None


class HostClock:
    """CLOCK_BOOTTIME of one host: its own rate, from its own boot. CLOCK_REALTIME is stepped as somebody likes."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._rate = 1 + world.rng.uniform(-DRIFT_MAX, DRIFT_MAX)
        self._booted = -world.rng.uniform(1, 1000)
        self._stepped_s = 0.0

    def step(self, seconds: float) -> None:
        """Somebody sets the wall clock."""
        self._stepped_s += seconds

    def reboot(self) -> None:
        self._booted = self._world.now

    def seconds(self) -> float:
        return (self._world.now - self._booted) * self._rate + 0.001

    def boottime_ns(self) -> int:
        return int(self.seconds() * NS)

    def realtime_ns(self) -> int:
        return int((1_700_000_000 + self._world.now + self._stepped_s) * NS)

    def true_delay(self, local_ns: int) -> float:
        return max(0.0, local_ns / NS / self._rate)
