"""A source's takeable addresses as its guard has them: on this host while it may serve, off it while it is fenced.

What cannot be done is told once, not each time it is tried, and holds no service up. Used by the guard's threads.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Protocol

from orchestrator.engine.control.addresses import Addresses, Held
from orchestrator.engine.control.schema import Protection
from orchestrator.errors import DtamError

AGAIN_S = 10.0


class Tell(Protocol):
    """Writes an event."""

    def __call__(self, says: str, *, level: str = "info") -> None:
        """One sentence."""
        ...


class Holding:
    """The addresses of one protection.

    Args:
        addresses: of this host.
        document: the protection as it is known now.
        tell: writes an event.
        may_serve: whether the fence is open.
        now_s: a monotonic clock.
    """

    def __init__(
        self,
        addresses: Addresses,
        document: Callable[[], Protection],
        tell: Tell,
        may_serve: Callable[[], bool],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._addresses = addresses
        self._document = document
        self._tell = tell
        self._may_serve = may_serve
        self._now_s = now_s
        self._held = False
        self._again_s = 0.0
        self._told_off = ""
        self._told_why: dict[str, str] = {}

    def let_go(self) -> None:
        """Off this host, every one that is here."""
        self._held, self._again_s = False, 0.0
        try:
            off = self._addresses.release(self._document())
        except (DtamError, OSError) as error:
            if str(error) != self._told_off:
                self._told_off = str(error)
                self._tell(f"its addresses are still here: {error}", level="error")
            return
        self._told_off = ""
        if off:
            self._tell(f"{', '.join(off)} is off this host while it is fenced")

    def take_up(self) -> None:
        """On this host, but what somebody else answers for; tried again now and then until all are here."""
        if self._held or self._now_s() < self._again_s:
            return
        try:
            held = self._addresses.hold(self._document())
        except (DtamError, OSError) as error:
            held = Held(why={"its addresses": str(error)})
        self._held, self._again_s = not held.why, self._now_s() + AGAIN_S
        if held.back:
            self._tell(f"{', '.join(held.back)} is on this host again")
        self._tell_why(held.why)
        if not self._may_serve():  # the fence closed meanwhile
            self.let_go()

    def _tell_why(self, why: Mapping[str, str]) -> None:
        for address, reason in why.items():
            if self._told_why.get(address) != reason:
                self._tell(f"{address} stays off this host: {reason}", level="error")
        self._told_why = dict(why)
