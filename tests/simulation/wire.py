"""One TLS connection as TCP shows it: in order, as late as the network makes it, or not at all."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from tests.simulation.world import World

RETRANSMIT_S = 0.2


class Stream:
    """Two ordered directions. A cut direction holds its messages back; whoever waits too long hangs up."""

    def __init__(self, world: World, origin: str, destination: str) -> None:
        self._world = world
        self._ends = (origin, destination)
        self.closed = False
        self.to_origin: Callable[[object], None] = lambda _: None
        self.to_destination: Callable[[object], None] = lambda _: None
        self.on_origin_closed: Callable[[], None] = lambda: None
        self.on_destination_closed: Callable[[], None] = lambda: None
        self._queues: tuple[deque[object], deque[object]] = (deque(), deque())

    def send_to_destination(self, message: object) -> None:
        self._send(0, message)

    def send_to_origin(self, message: object) -> None:
        self._send(1, message)

    def close(self) -> None:
        """Both ends learn of it a moment later; what is under way is lost."""
        if not self.closed:
            self.closed = True
            self._world.after(self._world.delay(), self.on_origin_closed)
            self._world.after(self._world.delay(), self.on_destination_closed)

    def _send(self, way: int, message: object) -> None:
        if self.closed:
            return
        self._queues[way].append(message)
        if len(self._queues[way]) == 1:
            self._world.after(self._world.delay() / 4, lambda: self._deliver(way))

    def _deliver(self, way: int) -> None:
        if self.closed:
            return
        origin, destination = self._ends if way == 0 else self._ends[::-1]
        if not self._world.passes(origin, destination):
            self._world.after(RETRANSMIT_S, lambda: self._deliver(way))
            return
        queue = self._queues[way]
        message = queue.popleft()
        if queue:
            self._world.after(self._world.delay() / 4, lambda: self._deliver(way))
        (self.to_destination if way == 0 else self.to_origin)(message)
