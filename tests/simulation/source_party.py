"""The source: an application that writes and flushes, the captured log, the real lease core and capture rules.

What is modelled by hand: the application (numbered writes), the files (the list of them), the capture's log with its limit,
a host that loses its last unsynced writes, and its log, when the power goes.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from orchestrator.engine.oplog.format import Kind, Operation, encode
from orchestrator.engine.witness.lease import LONG_PAST_NS, Deed, LeaseCore, LeaseSettings, Standing
from orchestrator.engine.witness.rules import LeaseAnswer
from orchestrator.engine.witness.wire import LeaseRequest, RegisterRequest, ReleaseRequest
from tests.simulation.flushes import Flushes, LogNow
from tests.simulation.history import History
from tests.simulation.source_link import SourceLink
from tests.simulation.target_party import TargetParty
from tests.simulation.witness_party import PROTECTION, WitnessParty
from tests.simulation.world import NS, HostClock, World

TICK_S = 0.5
WRITE_S = 0.15


@dataclass(frozen=True)
class Habits:
    """How this source is set: its log's limit (operations, 0: none), its synchronous connections, how often it flushes."""

    log_limit: int = 0
    synchronous: tuple[int, ...] = ()
    wait_s: float = 0.5
    keep_waiting: bool = False
    flushing: float = 0.3


class SourceParty:
    """Host and daemon live and die apart: a daemon's death stops nobody, a power cut loses memory."""

    name = "alpha"

    def __init__(
        self,
        world: World,
        witness: WitnessParty,
        targets: Sequence[TargetParty],
        history: History,
        settings: LeaseSettings,
        *,
        habits: Habits,
        counts_at_once: bool = False,
    ) -> None:
        self._world, self._witness, self._history = world, witness, history
        self._settings, self._habits = settings, habits
        self.links = [SourceLink(self, target, world, history, number) for number, target in enumerate(targets)]
        self.named = targets[0]
        self._counts_at_once = self.registered = counts_at_once
        self.clock = HostClock(world)
        self.host_up = True
        self.services = False
        self.read_only = True
        self.page_deadline_ns = LONG_PAST_NS
        self.released = False
        self.thaws_at = 0.0
        self.life = 0
        self.daemon_up = False
        self.core: LeaseCore | None = None
        self._logs = 0
        self.files: list[str] = []
        self._safe = 0
        self._flushes = Flushes()
        self._waiting: dict[int, list[str]] = {}
        self._requests = 0
        self._looks = 0
        self._new_log()
        self._start_daemon()
        world.after(0.1, self._write)

    def link_to(self, target: TargetParty) -> SourceLink:
        """The connection to it."""
        return next(link for link in self.links if link.target is target)

    def queue_without_limit(self) -> None:
        """Its log takes whatever comes."""
        self._habits = replace(self._habits, log_limit=0)

    # --- the application and the capture

    def can_write(self) -> bool:
        """The application runs and the capture lets it: this is what "being master" means on the source."""
        alive = self.host_up and self.services and not self.read_only
        return alive and self.clock.boottime_ns() < self.page_deadline_ns

    def _write(self) -> None:
        if self.can_write() and not self._waiting and not self._flushes.refuses(self._log_now()):
            name = self._log_write()
            self.files.append(name)
            self._history.source_is(self.files)
            if self._world.rng.random() < self._habits.flushing:
                self._flush()
            for link in self.links:
                link.pump()
        self._world.after(self._world.rng.expovariate(1 / WRITE_S), self._write)

    def _log_write(self) -> str:
        """Into the log, while it is in step and within its limit; past that the application goes on without it."""
        limit = self._habits.log_limit
        if limit and self.committed - self.first + 1 >= limit:
            self.lose_step()
        if self.out_of_step:
            return self._history.new_write("")
        self.committed += 1
        name = self._history.new_write(f"{self.log_id}/{self.committed}")
        self.log.append(encode(Operation(Kind.WRITE, self.committed, 0, b"f", data=name.encode())))
        return name

    def lose_step(self) -> None:
        """The log's limit is reached, or its disk is full."""
        if not self.out_of_step:
            self._world.say("source's log is out of step")
        self.out_of_step = True

    def release(self) -> None:
        """What every connection's target has need not be kept."""
        upto = min(link.released for link in self.links)
        if upto >= self.first:
            del self.log[: upto - self.first + 1]
            self.first = upto + 1

    def restart_log(self) -> None:
        """Another log begins; sessions of the old one end."""
        self._new_log()
        for link in self.links:
            link.hang_up()

    def _new_log(self) -> None:
        self._logs += 1
        self.log_id = f"log{self._logs}"
        self.log: list[bytes] = []
        self.first = 1
        self.committed = 0
        self.out_of_step = False
        for link in self.links:
            link.released = 0
        self._flushes.log_ends()
        self._answer_flushes()

    # --- flushes

    def _log_now(self) -> LogNow:
        now_ns, out_of_step = self.clock.boottime_ns(), self.out_of_step
        return LogNow(now_ns, self.log_id, self.committed, out_of_step, self.read_only, self.page_deadline_ns)

    def _flush(self) -> None:
        """Made below first, then held until the targets have it, by the capture's rules."""
        self._requests += 1
        self._safe = len(self.files)
        self._waiting[self._requests] = list(self.files)
        self._flushes.flush(self._log_now(), self._requests)
        self._look()

    def _look(self) -> None:
        self._looks += 1
        mine = self._looks
        now = self._log_now()
        next_ns = self._flushes.look(now)
        self._answer_flushes()
        if next_ns:

            def again() -> None:
                if self._looks == mine and self.host_up:
                    self._look()

            self._world.after(self.clock.true_delay(next_ns - now.now_ns) + 0.001, again)

    def _answer_flushes(self) -> None:
        answered = self._flushes.answered()
        if answered:
            waited_for = [link.target.name for link in self.links if self._flushes.is_in_step(link.number)]
            for request in answered:
                self._history.flush_answered(waited_for, self._waiting.pop(request))

    def capture_hears(self, link: SourceLink, sequence: int, *, good: bool) -> None:
        """The daemon hands on what a target holds."""
        if link.number in self._habits.synchronous and self._world.now >= self.thaws_at:
            self._flushes.heard(self._log_now(), link.number, self.log_id, sequence, good=good)
            self._look()

    # --- power, crashes, freezes

    def cut_power(self) -> None:
        if not self.host_up:
            return
        self._world.say("source loses power")
        self.host_up = self.services = False
        self.kill_daemon(restart=False)
        self._waiting.clear()
        lost = min(self._world.rng.choice((0, 0, 1, 3)), len(self.files) - self._safe)
        self.files = self.files[: len(self.files) - lost]
        self._history.source_is(self.files)
        self._world.after(self._world.rng.uniform(0.5, 15), self._boot)

    def _boot(self) -> None:
        self.clock.reboot()
        self._flushes.begin()
        self._new_log()
        for link in self.links:
            link.fresh = True
        self.host_up, self.read_only = True, False
        self._world.say("source boots")
        self._start_daemon()

    def kill_daemon(self, *, restart: bool = True) -> None:
        if self.daemon_up:
            self._world.say("source daemon dies")
            self.daemon_up, self.core = False, None
            self.life += 1
            for link in self.links:
                link.end()
                self._flushes.leave(link.number)
            if restart:
                self._world.after(self._world.rng.uniform(0.05, 5), self._start_daemon)

    def freeze(self, until: float) -> None:
        self.thaws_at = max(self.thaws_at, until)

    def _start_daemon(self) -> None:
        if self.daemon_up or not self.host_up:
            return
        self._world.say("source daemon starts")
        self.daemon_up = True
        self.life += 1
        inherited = self.page_deadline_ns if self.services else 0
        self.core = LeaseCore(1, self._settings, inherited)
        self.page_deadline_ns = self.core.deadline_ns
        for link in self.links:
            link.begin(f"t{self.life}.{link.number}")
        self._attach()
        if not self.released:
            self._every(self._ask, self._settings.renew_every_ns)
            self._guard()
        self._every(self._tick, int(TICK_S * NS))

    def _attach(self) -> None:
        wait_ns = int(self._habits.wait_s * NS)
        for number in self._habits.synchronous:
            self._flushes.attach(self._log_now(), number, wait_ns, keep_waiting=self._habits.keep_waiting)
        self._look()

    def _tick(self) -> None:
        for link in self.links:
            link.tick()

    def _every(self, deed: object, period_ns: int) -> None:
        life = self.life

        def again() -> None:
            if self.life != life:
                return
            if self._world.now < self.thaws_at:
                self._world.after(self.thaws_at - self._world.now, again)
                return
            deed()  # type: ignore[operator]
            self._world.after(self.clock.true_delay(period_ns), again)

        again()

    # --- the lease

    def name_target(self, target: TargetParty) -> None:
        """The protection's document gets another target; its promises count when the witness knows of it."""
        self._world.say(f"the protection's target is {target.name} now")
        self.named, self.registered = target, self._counts_at_once
        self.kill_daemon()

    def _ask(self) -> None:
        if self.core is None or self.core.is_over or self.released:
            return
        asked_ns = self.clock.boottime_ns()
        life, lease_s = self.life, self._settings.lease_s

        def answered(answer: object) -> None:
            if self.life != life:
                return
            if self._world.now < self.thaws_at:
                self._world.after(self.thaws_at - self._world.now, lambda: answered(answer))
                return
            if self.core is not None and isinstance(answer, LeaseAnswer):
                self.core.on_answer(asked_ns, answer)
                self._obey()

        def registered(answer: object) -> None:
            if self.life == life and getattr(answer, "granted", False):
                self.registered = True
            answered(answer)

        witness, target = self._witness, self.named
        if self.registered:
            renewal = LeaseRequest(1, self.name, lease_s)
            question = functools.partial(witness.ask, lambda book: book.renew(PROTECTION, renewal))
            self._world.request(self.name, witness.name, question, answered)
        else:
            registration = RegisterRequest(1, self.name, lease_s, target.name)
            question = functools.partial(witness.ask, lambda book: book.register(PROTECTION, registration))
            self._world.request(self.name, witness.name, question, registered)
        if self.registered:
            self._world.request(self.name, target.name, lambda: target.confirm(1, self.name, lease_s), answered)

    def _guard(self) -> None:
        """The guard's timer; it comes as late as the freeze makes it."""
        life = self.life

        def look() -> None:
            if self.life != life or self.core is None:
                return
            if self._world.now < self.thaws_at:
                self._world.after(self.thaws_at - self._world.now, look)
                return
            self._obey()
            now_ns = self.clock.boottime_ns()
            wait_ns = max(1_000_000, self.core.next_ns(now_ns) - now_ns)
            self._world.after(self.clock.true_delay(wait_ns), look)

        look()

    def _obey(self) -> None:
        core = self.core
        if core is None:
            return
        order = core.decide(self.clock.boottime_ns())
        self.page_deadline_ns = core.deadline_ns
        if order is None:
            return
        if order.deed is Deed.OPEN:
            self.read_only, self.services = False, True
            core.done(order)
        else:
            left_s = self.clock.true_delay(max(0, order.deadline_ns - self.clock.boottime_ns()))
            self._stop_services(left_s)
            core.done(order)
        self._world.say(f"source {order.deed}: {order.why}")

    def _stop_services(self, within_s: float) -> None:
        """Ends in time, or is killed at the deadline; what opens the gate again meanwhile wins."""
        life, core = self.life, self.core

        def stopped() -> None:
            if self.life == life and core is not None and core.standing is Standing.FENCED:
                self.services, self.read_only = False, True

        self._world.after(self._world.rng.uniform(0, within_s), stopped)

    # --- what a graceful failover asks

    def stop_for_good(self) -> object | None:
        """Fence, and remember it across restarts; an answer only when it is true."""
        if not self.daemon_up or self.core is None or self._world.now < self.thaws_at:
            return None
        self.released = True
        self.core.give_up("graceful failover")
        self._obey()
        return None if self.services else True

    def settled(self, target: TargetParty) -> object | None:
        """Everything in the log was acknowledged."""
        if self._world.now < self.thaws_at:
            return None
        return self.link_to(target).is_settled or None

    def give_back(self) -> object | None:
        """Release the lease; only ever asked after stop_for_good."""
        if not self.daemon_up or not self.released or self.services:
            return None
        return self._witness.ask(lambda book: book.release(PROTECTION, ReleaseRequest(1, self.name)))

    def resume(self) -> object | None:
        """Undo: take the epoch up again and open."""
        if not self.daemon_up or self._world.now < self.thaws_at:
            return None
        request = RegisterRequest(1, self.name, self._settings.lease_s, self.named.name)
        answer = self._witness.ask(lambda book: book.register(PROTECTION, request))
        if not getattr(answer, "granted", False):
            return None
        self.released = False
        self.kill_daemon()
        return True
