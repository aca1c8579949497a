"""The source's side of the lease: when it may serve, when it must have stopped.

``LeaseCore`` decides (pure, driven by the simulation); ``LeaseKeeper`` runs it with threads. All times are nanoseconds of
CLOCK_BOOTTIME, which goes on while the machine sleeps.

The sum: an arbiter that answers a renewal starts the lease after the request was sent. So the holder counts from before it
sent, and takes ``2 * drift`` off for two clocks that run apart: ``deadline = asked + lease * (1 - 2 * drift)``. Fencing begins
``stop_margin`` before the deadline; past the deadline the capture answers EROFS by itself (page word 136), and what still runs
must have been killed.

Invariant: this engine serves only while an arbiter's lease certainly runs, or while a recorded override of a person stands.

Threads and locks: ``_asks`` (one thread an arbiter) waits for the network and may hang; ``_guard`` never touches the network
and fences in time whatever the others do. ``_lock`` guards the core alone and is never held during a call of anybody else.
Callbacks are called from the guard thread only, one at a time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from orchestrator.engine.witness.rules import LeaseAnswer
from orchestrator.errors import DtamError

SECOND_NS = 1_000_000_000
RETRY_S = 0.2
LONG_PAST_NS = 1  # in the state page 0 would mean "no deadline"; whoever has no lease must be past his
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LeaseSettings:
    """Lengths in seconds. ``drift``: how far one clock's rate may be off, as a fraction (0.01 is very generous)."""

    lease_s: float = 10.0
    drift: float = 0.01
    stop_margin_fraction: float = 0.25

    @property
    def renew_every_ns(self) -> int:
        """How often a renewal is asked for: a third of the lease."""
        return int(self.lease_s * SECOND_NS / 3)

    @property
    def stop_margin_ns(self) -> int:
        """How long before the deadline fencing begins: the time that stopping the services may take."""
        return int(self.lease_s * SECOND_NS * self.stop_margin_fraction)

    def deadline_ns(self, asked_ns: int, given_s: float) -> int:
        """The instant up to which a lease of ``given_s`` that was asked for at ``asked_ns`` certainly runs."""
        return asked_ns + int(given_s * SECOND_NS * (1 - 2 * self.drift))


class Standing(StrEnum):
    """Where this engine stands."""

    FENCED = "fenced"
    SERVING = "serving"


class Deed(StrEnum):
    """What the core wants done."""

    OPEN = "open"
    FENCE = "fence"


@dataclass(frozen=True, slots=True)
class Order:
    """One thing to do, why, and the deadline that holds."""

    deed: Deed
    why: str
    deadline_ns: int


@dataclass(frozen=True, slots=True)
class LeaseView:
    """What status shows: standing, epoch, deadline (1 = no lease), and the sentence that says why."""

    standing: Standing
    epoch: int
    deadline_ns: int
    why: str
    last_error: str = ""
    is_over: bool = False


class LeaseCore:
    """Decides about one epoch of one protection. Not thread-safe: its keeper locks.

    ``inherited_ns``: the deadline that an earlier keeper of this same boot left in the state page, where the services still run
    (a restart of the daemon stops nobody); 0 = none, begin fenced.
    """

    def __init__(self, epoch: int, settings: LeaseSettings, inherited_ns: int = 0) -> None:
        self.epoch = epoch
        self.settings = settings
        self.deadline_ns = inherited_ns or LONG_PAST_NS
        self.standing = Standing.SERVING if inherited_ns else Standing.FENCED
        self.why = (
            "inherited from before the daemon's start" if inherited_ns else "not confirmed yet by target or witness"
        )
        self.last_error = ""
        self._over = ""

    def on_answer(self, asked_ns: int, answer: LeaseAnswer) -> None:
        """Take an arbiter's word on what was asked at ``asked_ns``. A refusal that names a newer epoch is final."""
        if self._over:
            return
        if answer.granted:
            self.deadline_ns = max(self.deadline_ns, self.settings.deadline_ns(asked_ns, answer.expires_in_s))
            self.last_error = ""
        elif answer.epoch > self.epoch:
            self._over = answer.reason or f"epoch {answer.epoch} was granted to {answer.holder}"
            self.deadline_ns = LONG_PAST_NS
        else:
            self.last_error = answer.reason

    def on_silence(self, why: str) -> None:
        """An arbiter could not be asked: nothing changes but the reason shown."""
        self.last_error = why

    def give_up(self, why: str) -> None:
        """Fence for good (orderly stop, release). The deadline stands, so that the services may end in peace before it."""
        self._over = self._over or why

    def decide(self, now_ns: int) -> Order | None:
        """What must be done now, if anything; call it again after doing it."""
        safe = not self._over and now_ns < self.deadline_ns - self.settings.stop_margin_ns
        if self.standing is Standing.SERVING and not safe:
            return Order(Deed.FENCE, self._over or self._lapsing(now_ns), self.deadline_ns)
        if self.standing is Standing.FENCED and safe:
            return Order(Deed.OPEN, f"epoch {self.epoch} is confirmed", self.deadline_ns)
        return None

    def done(self, order: Order) -> None:
        """The order was carried out."""
        self.standing = Standing.SERVING if order.deed is Deed.OPEN else Standing.FENCED
        self.why = order.why

    def next_ns(self, now_ns: int) -> int:
        """When ``decide`` may have something new to say, answers apart."""
        if self.standing is Standing.SERVING:
            return max(now_ns, self.deadline_ns - self.settings.stop_margin_ns)
        return now_ns + self.settings.renew_every_ns

    @property
    def is_over(self) -> bool:
        """True when this epoch will never be served here again."""
        return bool(self._over)

    def view(self) -> LeaseView:
        """A snapshot for status."""
        why = self._over or self.why
        return LeaseView(self.standing, self.epoch, self.deadline_ns, why, self.last_error, self.is_over)

    def _lapsing(self, now_ns: int) -> str:
        left_s = (self.deadline_ns - now_ns) / SECOND_NS
        return f"the lease of epoch {self.epoch} was not renewed ({self.last_error or 'no answer'}); it ends in {left_s:.1f} s"


class Arbiter(Protocol):
    """Whoever can confirm an epoch for a while: the witness, and the target (which then promises not to ask for a grant)."""

    def renew(self, protection: str, epoch: int, holder: str, lease_s: float) -> LeaseAnswer:
        """Ask for a lease; raises DtamError when it cannot be asked. Must return within a third of the lease or so."""
        ...


class FenceControl(Protocol):
    """What the keeper does to this host; supplied by the daemon. Called from one thread, one at a time.

    What raises is logged and tried again; the deadline in the page holds meanwhile.
    """

    def set_deadline(self, deadline_ns: int) -> None:
        """Write the deadline (CLOCK_BOOTTIME; never 0, 1 = long past) into the state page of every log of the protection."""
        ...

    def fence(self, why: str, deadline_ns: int) -> None:
        """Close the gate, stop the services, kill what still runs at the deadline, set capture read-only. Safe to do twice.

        A deadline that is past already means: kill now.
        """
        ...

    def open(self, epoch: int, why: str) -> None:
        """Capture writable, open the gate, and begin to start the services.

        Must return within a second (the guard thread is the one that fences): services start in the background, each looking
        at the gate again before it starts.
        """
        ...


class LeaseKeeper:
    """Keeps the lease of one protection on the engine that serves it.

    Args:
        protection: id at the witness.
        epoch: the epoch this engine believes to own; a refusal fences it.
        holder: this engine's id at the witness.
        arbiters: asked independently of each other; any lease is enough.
        fence: what is done to this host.
        settings: lengths.
        inherited_ns: see ``LeaseCore``.
        boottime_ns: the clock.
    """

    def __init__(
        self,
        protection: str,
        epoch: int,
        holder: str,
        *,
        arbiters: Sequence[Arbiter],
        fence: FenceControl,
        settings: LeaseSettings,
        inherited_ns: int = 0,
        boottime_ns: Callable[[], int] = lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME),
    ) -> None:
        self._protection = protection
        self._holder = holder
        self._arbiters = tuple(arbiters)
        self._fence = fence
        self._core = LeaseCore(epoch, settings, inherited_ns)
        self._now_ns = boottime_ns
        self._lock = threading.Lock()
        self._changed = threading.Event()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._written_ns = 0

    def start(self) -> None:
        """Begin fenced; open when an arbiter confirms the epoch (so this is the boot fence as well)."""
        names = ["guard", *(f"ask-{number}" for number in range(len(self._arbiters)))]
        targets = [self._guard, *(lambda arbiter=arbiter: self._asks(arbiter) for arbiter in self._arbiters)]
        for name, target in zip(names, targets, strict=True):
            thread = threading.Thread(target=target, name=f"lease-{self._protection}-{name}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self, why: str = "the keeper was stopped", timeout_s: float = 30.0) -> bool:
        """Fence, then end; True when fenced, and only then may the caller release the lease."""
        with self._lock:
            self._core.give_up(why)
        self._stopping.set()
        self._changed.set()
        for thread in self._threads[:1]:
            thread.join(timeout_s)
        return self.view().standing is Standing.FENCED

    def view(self) -> LeaseView:
        """A snapshot for status."""
        with self._lock:
            return self._core.view()

    def _asks(self, arbiter: Arbiter) -> None:
        while not self._stopping.is_set():
            asked_ns = self._now_ns()
            try:
                answer = arbiter.renew(self._protection, self._core.epoch, self._holder, self._core.settings.lease_s)
            except DtamError as error:
                with self._lock:
                    self._core.on_silence(str(error))
            else:
                with self._lock:
                    self._core.on_answer(asked_ns, answer)
                self._changed.set()
                if self._core.is_over:
                    return
            waited_ns = self._now_ns() - asked_ns
            self._stopping.wait(max(0, self._core.settings.renew_every_ns - waited_ns) / SECOND_NS)

    def _guard(self) -> None:
        while True:
            self._changed.clear()
            try:
                self._obey()
            except Exception:  # the fence must hold whatever a callback does
                log.exception("lease of %s: a callback failed; it is tried again", self._protection)
                time.sleep(RETRY_S)
            with self._lock:
                wait_ns = self._core.next_ns(self._now_ns()) - self._now_ns()
                ended = self._core.is_over and self._core.standing is Standing.FENCED
            if ended:
                return
            self._changed.wait(max(0.001, wait_ns / SECOND_NS))

    def _obey(self) -> None:
        """Deadline first, so that the capture's own dead man's switch is set whatever happens to us next."""
        with self._lock:
            order = self._core.decide(self._now_ns())
            deadline_ns = self._core.deadline_ns
        if deadline_ns != self._written_ns:
            self._fence.set_deadline(deadline_ns)
            self._written_ns = deadline_ns
        if order is None:
            return
        log.warning("lease of %s: %s, because %s", self._protection, order.deed, order.why)
        if order.deed is Deed.OPEN:
            self._fence.open(self._core.epoch, order.why)
        else:
            self._fence.fence(order.why, order.deadline_ns)
        with self._lock:
            self._core.done(order)
        self._changed.set()
