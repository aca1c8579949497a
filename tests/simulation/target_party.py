"""The target: the real end of the session, the real verdict, guards, executor, journal and promise; files, log and mounts modelled.

Durable: what stands in ``self.disk`` and in ``Replica``'s durable part. The rest dies with the daemon.
"""

from __future__ import annotations

from collections.abc import Callable

from orchestrator.engine.monitor.errors import FailoverRefused
from orchestrator.engine.monitor.executor import Executor, ExecutorSettings, Trigger
from orchestrator.engine.monitor.journal import Journal
from orchestrator.engine.monitor.loop import Act, Snapshot, decide
from orchestrator.engine.monitor.ports import (
    Collaborators,
)
from orchestrator.engine.monitor.promise import Promise
from orchestrator.engine.monitor.verdict import Answer, Condition, MonitorSettings, Observations, Verdict, judge
from orchestrator.engine.transfer.events import (
    Append,
    Denied,
    Disconnected,
    Enqueue,
    Found,
    Hangup,
    LogPrepared,
    LookUp,
    PrepareLog,
    Received,
    ReplicaFacts,
    Send,
    TargetEvent,
    Tick,
)
from orchestrator.engine.transfer.messages import DataState, Refusal, Welcome
from orchestrator.engine.transfer.protocol import TargetSession
from orchestrator.engine.transfer.session import SessionLimits
from orchestrator.engine.witness.book import Book
from orchestrator.engine.witness.store import Store
from tests.simulation.applying import Applying
from tests.simulation.deeds import Deeds
from tests.simulation.disk import FaultyDisk
from tests.simulation.history import History
from tests.simulation.replica import Replica
from tests.simulation.wire import Stream
from tests.simulation.witness_party import PROTECTION, WitnessParty
from tests.simulation.world import Crashed, HostClock, Violation, World

LIMITS = SessionLimits(beat_s=0.5, silence_s=2.0)
TICK_NS = 500_000_000


class TargetParty:
    """One daemon on one host; ``daemon_life`` 0 = down."""

    def __init__(
        self,
        world: World,
        witness: WitnessParty,
        history: History,
        settings: ExecutorSettings,
        monitor: MonitorSettings,
        *,
        failing: float,
        crashing: float,
        promises: bool = True,
        ack_before_fsync: bool = False,
        refuses_old: bool = True,
        hurries: bool = True,
        name: str = "beta",
    ) -> None:
        self.world, self._witness, self.history = world, witness, history
        self._settings, self._monitor, self.name = settings, monitor, name
        self._promises, self.refuses_old, self.hurries = promises, refuses_old, hurries
        self.clock = HostClock(world)
        self.disk = FaultyDisk(world, self.crash, failing=failing, crashing=crashing)
        data = FaultyDisk(world, self.crash, failing=0.0, crashing=0.0)
        self.applying = Applying(self, self.disk, data, ack_before_fsync=ack_before_fsync)
        self.answers: Callable[[], bool] = lambda: False
        self.source: object = None
        self.up = False
        self.daemon_life = 0
        self._lives = 0
        self.services = False
        self.mounted = False
        self.settled_unsure = False
        self.executor: Executor | None = None
        self.promise: Promise | None = None
        self.session: TargetSession | None = None
        self.stream: Stream | None = None
        self._busy = False

    @property
    def replica(self) -> Replica:
        """Its data."""
        return self.applying.replica

    # --- life and death

    def start(self) -> None:
        """Everything is read from the disk; the executor says where it stands before anybody may ask for a promise."""
        self.up = True
        self._lives += 1
        self.daemon_life = self._lives
        self._busy = False
        self.applying.start()
        self.verdict: Verdict | None = None
        self.answered_since = True
        try:
            book = Book(Store(self.disk, "promise.json"), self.clock.seconds, self.clock.realtime_ns)
            self.promise = Promise(PROTECTION, book, self.replica.epoch)
            self.executor = Executor(
                self._settings,
                self._collaborators(),
                Journal(self.disk.growing("journal")),
                self.promise if self._promises else None,
            )
            self.executor.resume()
            if not self._promises:
                self.promise.give_again()
        except Crashed:
            return
        self._serve_if_promoted()
        self._every(self._tick, TICK_NS)
        self._cycle()

    def _serve_if_promoted(self) -> None:
        """The boot fence of a promoted target: its grant is its confirmation."""
        run = self.executor.state if self.executor is not None else None
        if run is not None and run.ended == "done":
            self.services = True
            self.check_nothing_lost()

    def crash(self) -> None:
        """The host dies."""
        if self.up:
            self.world.say(f"{self.name} dies")
            self.up, self.services, self.mounted = False, False, False
            self._daemon_dies()
            self.replica.forget_volatile()
            self.world.after(self.world.rng.uniform(0.05, 5), self._restart)

    def kill_daemon(self) -> None:
        """It dies, or is upgraded: services, files and what was written to the log stay."""
        if self.up:
            self.world.say(f"{self.name}'s daemon dies")
            self.up = False
            self._daemon_dies()
            self.applying.daemon_dies()
            self.world.after(self.world.rng.uniform(0.05, 5), self._daemon_restarts)

    def _daemon_dies(self) -> None:
        self.daemon_life = 0
        self.executor = self.promise = self.session = None
        if self.stream is not None:
            self.stream.close()
        self.stream = None

    def _daemon_restarts(self) -> None:
        if not self.up:
            self.world.say(f"{self.name}'s daemon is back")
            self.start()

    def _restart(self) -> None:
        if not self.up:
            if self.world.rng.random() < 0.5:
                self.clock.reboot()
            self.world.say(f"{self.name} is back")
            self.start()

    def can_write(self) -> bool:
        """Services run on the target: this is what "being master" means here."""
        return self.services

    def _every(self, deed: Callable[[], None], period_ns: int) -> None:
        life = self.daemon_life

        def again() -> None:
            if self.daemon_life == life:
                try:
                    deed()
                except Crashed:
                    return
                self.world.after(self.clock.true_delay(period_ns), again)

        again()

    # --- the promise

    def confirm(self, epoch: int, holder: str, lease_s: float) -> object | None:
        if self.promise is None:
            return None
        try:
            return self.promise.confirm(epoch, holder, lease_s)
        except (OSError, Crashed):
            return None

    # --- the watch

    def _cycle(self) -> None:
        """One round of probes takes an interval; then the guards, then at most one act."""
        life = self.daemon_life
        self.world.after(self.clock.true_delay(int(self._monitor.interval_s * 1e9)), lambda: self._guards(life))

    def _guards(self, life: int) -> None:
        if self.daemon_life != life or self.executor is None:
            return
        again_s = self._monitor.interval_s
        if not self._busy:
            try:
                again_s = self._act(self.executor)
            except Crashed:
                return
        if self.daemon_life == life:
            self.world.after(self.clock.true_delay(int(max(0.001, again_s) * 1e9)), lambda: self._guards(life))

    def _act(self, executor: Executor) -> float:
        run = executor.state
        answered = self.answers()
        answers = tuple(Answer(address, "udp", answered) for address in self._monitor.addresses)
        self.verdict = judge(Observations(answers), self.verdict, self._monitor, self.clock.seconds())
        if self.verdict.condition is Condition.SOURCE_ALIVE:
            self.answered_since = True
        choice = decide(Snapshot(True, self.replica.epoch, self.verdict, run, self.answered_since))
        self._busy, life = True, self.daemon_life
        try:
            return self._perform(executor, choice.act, choice.says)
        except OSError:
            return 0.5
        finally:
            if self.daemon_life == life:
                self._busy = False

    def _perform(self, executor: Executor, act: Act, says: str) -> float:
        match act:
            case Act.BEGIN:
                self.answered_since = False
                executor.begin(Trigger(self.replica.epoch, says))
                return 0.01
            case Act.CANCEL:
                executor.cancel(says)
            case Act.ADVANCE:
                advance = executor.advance()
                if not self.up:
                    raise Crashed
                return min(advance.after_s, self._monitor.interval_s)
            case Act.NOTHING:
                pass
        return self._monitor.interval_s

    def ask_for_failover(self, *, graceful: bool) -> None:
        """A person does."""
        if (
            self.executor is not None
            and not self._busy
            and self.executor.open_run is None
            and not self.replica.promoted
        ):
            try:
                self.executor.begin(Trigger(self.replica.epoch, "a person asked", by="anna", graceful=graceful))
            except (OSError, Crashed):
                return

    def ask_for_undo(self) -> None:
        """A person does; refused where it would lose writes."""
        executor = self.executor
        if executor is not None and not self._busy and executor.open_run is not None:
            try:
                executor.undo("anna")
            except (OSError, Crashed):
                return
            except FailoverRefused as error:
                self.world.say(f"undo: {error}")

    # --- collaborators

    def _collaborators(self) -> Collaborators:
        deeds = Deeds(self, self._witness, self.daemon_life)
        return Collaborators(
            replica=deeds,
            mounts=deeds,
            scripts=deeds,
            services=deeds,
            source=deeds,
            granter=deeds,
            events=deeds,  # type: ignore[arg-type]
            clock=self.clock,
        )

    # --- the session

    def accept(self, stream: Stream) -> None:
        old, self.stream = self.stream, stream
        if old is not None:
            old.close()
        life = self.daemon_life
        self.session = TargetSession(LIMITS, now_s=self.clock.seconds())
        session = self.session
        stream.to_destination = lambda message: self._heard(message, session, life)
        stream.on_destination_closed = lambda: self._lost(session, life)

    def _heard(self, message: object, session: TargetSession, life: int) -> None:
        if self.daemon_life == life and self.session is session:
            try:
                self.feed(Received(message))  # type: ignore[arg-type]
            except Crashed:
                return

    def _lost(self, session: TargetSession, life: int) -> None:
        if self.daemon_life == life and self.session is session:
            self.feed(Disconnected())
            self.session = self.stream = None

    def _tick(self) -> None:
        self.feed(Tick())

    def feed(self, event: TargetEvent) -> None:
        if self.session is None:
            return
        for action in self.session.handle(event, self.clock.seconds()):
            match action:
                case Send(message):
                    if self.stream is not None:
                        self.stream.send_to_origin(message)
                    if isinstance(message, Welcome):
                        self.applying.attach()
                case Hangup():
                    self.hang_up()
                case LookUp():
                    self.feed(self._found())
                case PrepareLog(hello):
                    prepared = self.applying.prepare(hello.log_id, hello.committed)
                    self.feed(
                        LogPrepared(hello.committed) if prepared else Denied(Refusal.NOT_READY, "not applied yet")
                    )
                case Append(operations):
                    self.applying.append(operations)
                case Enqueue(item):
                    self.applying.enqueue(item)
                case _:
                    pass

    def hang_up(self) -> None:
        stream, self.stream, self.session = self.stream, None, None
        if stream is not None:
            stream.close()

    def _found(self) -> TargetEvent:
        """What was written but not fsynced in an earlier session counts only when it is: the source resends after it."""
        try:
            self.applying.commit()
        except OSError:
            return Denied(Refusal.NOT_READY, "the log's disk refuses")
        return Found(self._facts())

    def _facts(self) -> ReplicaFacts:
        replica = self.replica
        epoch, promoted = (replica.epoch, replica.promoted) if self.refuses_old else (1, False)
        state, link = replica.data_state, self.applying.link
        return ReplicaFacts(epoch, promoted, replica.log_id, replica.durable, replica.applied, state, link)

    # --- what must be so

    def check_nothing_lost(self) -> None:
        """Services start on the data: acknowledged, or answered to a flush, is not missing; no half of a mirror is there."""
        files = set(self.replica.files)
        lost = self.history.kept[self.name] - files
        if lost and self.replica.data_state is DataState.GOOD:
            raise Violation(f"acknowledged, and absent from the new master: {sorted(lost)}")
        if self.settled_unsure:
            return
        unsafe = self.history.flushed[self.name] - files
        if unsafe:
            raise Violation(f"answered to a flush as safe, and absent from the new master: {sorted(unsafe)}")
        if not self.history.was_a_state(self.replica.files):
            raise Violation("the new master has data in which the source never was")
