"""The source: an application that writes, the captured log, the real lease core, the real end of the session.

What is modelled by hand: the application (numbered writes), the files (the list of them), the capture's own dead man's switch
(the page's deadline), a host that loses its last unsynced writes, and its log, when the power goes.
"""

from __future__ import annotations

import msgspec

from orchestrator.engine.oplog.format import Kind, Operation, encode
from orchestrator.engine.transfer.events import (
    Connected,
    Disconnected,
    Hangup,
    LogOffer,
    MirrorBroken,
    MirrorClosed,
    MirrorNeeded,
    MirrorOpened,
    MirrorRead,
    OperationsRead,
    Received,
    Send,
    SourceEvent,
    Tick,
)
from orchestrator.engine.transfer.messages import DataState, Operations, Welcome
from orchestrator.engine.transfer.protocol import SourceSession, Terms
from orchestrator.engine.transfer.session import Phase, SessionLimits
from orchestrator.engine.witness.lease import LONG_PAST_NS, Deed, LeaseCore, LeaseSettings, Standing
from orchestrator.engine.witness.rules import LeaseAnswer
from orchestrator.engine.witness.wire import LeaseRequest, RegisterRequest, ReleaseRequest
from tests.simulation.history import History
from tests.simulation.target_party import TargetParty
from tests.simulation.wire import Stream
from tests.simulation.witness_party import PROTECTION, WitnessParty
from tests.simulation.world import HostClock, World

LIMITS = SessionLimits(beat_s=0.5, silence_s=2.0)
TICK_S = 0.5
WRITE_S = 0.15


class SourceParty:
    """Host and daemon live and die apart: a daemon's death stops nobody, a power cut loses memory."""

    name = "alpha"

    def __init__(
        self,
        world: World,
        witness: WitnessParty,
        target: TargetParty,
        history: History,
        settings: LeaseSettings,
        *,
        core: type[LeaseCore] = LeaseCore,
    ) -> None:
        self._world, self._witness, self._target, self._history = world, witness, target, history
        self._settings = settings
        self._core_class = core
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
        self.session: SourceSession | None = None
        self.stream: Stream | None = None
        self._logs = 0
        self.files: list[str] = []
        self._new_log()
        self._start_daemon()
        world.after(0.1, self._write)

    # --- the application and the capture

    def can_write(self) -> bool:
        """The application runs and the capture lets it: this is what "being master" means on the source."""
        alive = self.host_up and self.services and not self.read_only
        return alive and self.clock.boottime_ns() < self.page_deadline_ns

    def _write(self) -> None:
        if self.can_write():
            self.committed += 1
            name = self._history.new_write(f"{self.log_id}/{self.committed}")
            self.files.append(name)
            self._history.source_is(self.files)
            record = encode(Operation(Kind.WRITE, self.committed, 0, b"f", data=name.encode()))
            self.log.append(record)
            self.pump()
        self._world.after(self._world.rng.expovariate(1 / WRITE_S), self._write)

    def _new_log(self) -> None:
        self._logs += 1
        self.log_id = f"log{self._logs}"
        self.log: list[bytes] = []
        self.committed = 0
        self.fresh = True

    # --- power, crashes, freezes

    def cut_power(self) -> None:
        if not self.host_up:
            return
        self._world.say("source loses power")
        self.host_up = self.services = False
        self.kill_daemon(restart=False)
        lost = self._world.rng.choice((0, 0, 1, 3))
        self.files = self.files[: len(self.files) - lost] if lost else list(self.files)
        self._history.source_is(self.files)
        self._world.after(self._world.rng.uniform(0.5, 15), self._boot)

    def _boot(self) -> None:
        self.clock.reboot()
        self._new_log()
        self.host_up, self.read_only = True, False
        self._world.say("source boots")
        self._start_daemon()

    def kill_daemon(self, *, restart: bool = True) -> None:
        if self.daemon_up:
            self._world.say("source daemon dies")
            self.daemon_up, self.core, self.session = False, None, None
            self.life += 1
            if self.stream is not None:
                self.stream.close()
            self.stream = None
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
        self.core = self._core_class(1, self._settings, inherited)
        self.page_deadline_ns = self.core.deadline_ns
        self.session = SourceSession(Terms("c", PROTECTION, 1, self.name, "set", "/t"), LIMITS, token=f"t{self.life}")
        if not self.released:
            self._every(self._ask, self._settings.renew_every_ns)
            self._guard()
        self._tick()

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

    def _ask(self) -> None:
        if self.core is None or self.core.is_over or self.released:
            return
        asked_ns = self.clock.boottime_ns()
        life, lease_s = self.life, self._settings.lease_s
        request = LeaseRequest(1, self.name, lease_s)

        def answered(answer: object) -> None:
            if self.life != life:
                return
            if self._world.now < self.thaws_at:
                self._world.after(self.thaws_at - self._world.now, lambda: answered(answer))
                return
            if self.core is not None and isinstance(answer, LeaseAnswer):
                self.core.on_answer(asked_ns, answer)
                self._obey()

        witness, target = self._witness, self._target
        self._world.request(
            self.name, witness.name, lambda: witness.ask(lambda book: book.renew(PROTECTION, request)), answered
        )
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

    def settled(self) -> object | None:
        """Everything in the log was acknowledged."""
        if self.session is None or self._world.now < self.thaws_at:
            return None
        return (self.session.phase is Phase.STREAMING and self.session.acknowledged == self.committed) or None

    def give_back(self) -> object | None:
        """Release the lease; only ever asked after stop_for_good."""
        if not self.daemon_up or not self.released or self.services:
            return None
        return self._witness.ask(lambda book: book.release(PROTECTION, ReleaseRequest(1, self.name)))

    def resume(self) -> object | None:
        """Undo: take the epoch up again and open."""
        if not self.daemon_up or self._world.now < self.thaws_at:
            return None
        request = RegisterRequest(1, self.name, self._settings.lease_s)
        answer = self._witness.ask(lambda book: book.register(PROTECTION, request))
        if not getattr(answer, "granted", False):
            return None
        self.released = False
        self.kill_daemon()
        return True

    # --- the session

    def _tick(self) -> None:
        def deed() -> None:
            if self.stream is None or self.stream.closed:
                self._connect()
            else:
                self.feed(Tick())

        self._every(deed, int(TICK_S * 1e9))

    def _connect(self) -> None:
        target, world = self._target, self._world
        if self.session is None or target.daemon_life == 0 or not target.up:
            return
        if not (world.passes(self.name, target.name) and world.passes(target.name, self.name)):
            return
        stream = Stream(world, self.name, target.name)
        self.stream = stream
        life = self.life
        stream.to_origin = lambda message: self._heard(message, stream, life)
        stream.on_origin_closed = lambda: self._lost(stream, life)
        target.accept(stream)
        self.feed(Connected(LogOffer(self.log_id, 1, self.committed), self.fresh))

    def _heard(self, message: object, stream: Stream, life: int) -> None:
        if self.life == life and self.stream is stream and self.session is not None:
            before = self.session.acknowledged
            self.feed(Received(message))  # type: ignore[arg-type]
            if self.session is not None and self.session.acknowledged > before and not isinstance(message, Welcome):
                self._history.acknowledged(self.log_id, self.session.acknowledged)
            if isinstance(message, Welcome):
                self.fresh = False
                if message.data_state is not DataState.GOOD:
                    self._mirror()
            self.pump()

    def _lost(self, stream: Stream, life: int) -> None:
        if self.life == life and self.stream is stream:
            self.feed(Disconnected())
            self.stream = None

    def _mirror(self) -> None:
        """Begin, one message with the files as they are when it is read (a moment later), end."""
        life, stream = self.life, self.stream
        self.feed(MirrorOpened("full", self.committed))

        def read() -> None:
            if self.life == life and self.stream is stream and self.session is not None and self.session.mirroring:
                self.feed(MirrorRead((msgspec.msgpack.encode(self.files),), self.committed))
                self.feed(MirrorClosed(self.committed, complete=True))
                self.pump()

        self._world.after(self._world.rng.uniform(0.01, 0.5), read)

    def pump(self) -> None:
        """Send what the log has and the session allows."""
        session = self.session
        while session is not None and session.phase is Phase.STREAMING and session.may_send_operations:
            last = self.committed if session.operations_up_to is None else session.operations_up_to
            last = min(last, self.committed, session.sent + 8)
            if session.sent >= last or self._world.now < self.thaws_at:
                return
            data = b"".join(self.log[session.sent : last])
            self.feed(OperationsRead(Operations(session.sent + 1, last, last - session.sent, data)))

    def feed(self, event: SourceEvent) -> None:
        if self.session is None:
            return
        for action in self.session.handle(event, self.clock.seconds()):
            match action:
                case Send(message):
                    if self.stream is not None:
                        self.stream.send_to_destination(message)
                case Hangup():
                    if self.stream is not None:
                        stream, self.stream = self.stream, None
                        stream.close()
                        self.feed(Disconnected())
                case MirrorNeeded():
                    self.fresh = True
                case MirrorBroken():
                    self._world.after(0.01, self._mirror)
                case _:
                    pass
