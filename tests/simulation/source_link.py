"""One connection of the source: the real end of the session, what it reads of the log, and its mirrors."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    Released,
    Send,
    SourceEvent,
    Tick,
)
from orchestrator.engine.transfer.messages import Ack, DataState, Operations, Welcome
from orchestrator.engine.transfer.protocol import SourceSession, Terms
from orchestrator.engine.transfer.session import Phase, SessionLimits
from tests.simulation.history import History
from tests.simulation.target_party import TargetParty
from tests.simulation.wire import Stream
from tests.simulation.witness_party import PROTECTION
from tests.simulation.world import World

if TYPE_CHECKING:
    from tests.simulation.source_party import SourceParty

LIMITS = SessionLimits(beat_s=0.5, silence_s=2.0)


class SourceLink:
    """To one target; the session is one object as long as the daemon lives."""

    def __init__(self, source: SourceParty, target: TargetParty, world: World, history: History, number: int) -> None:
        self.source, self.target, self.number = source, target, number
        self._world, self._history = world, history
        self.fresh = True
        self.released = 0
        self._begun = 0
        self.session: SourceSession | None = None
        self.stream: Stream | None = None

    @property
    def is_settled(self) -> bool:
        """Everything in the log was acknowledged."""
        session = self.session
        streaming = session is not None and session.phase is Phase.STREAMING
        return streaming and session is not None and session.acknowledged == self.source.committed

    # --- the daemon

    def begin(self, token: str) -> None:
        """The daemon starts."""
        terms = Terms(f"c{self.number}", PROTECTION, 1, self.source.name, "set", "/t")
        self.session = SourceSession(terms, LIMITS, token=token)
        self._begun = 0

    def end(self) -> None:
        """The daemon dies."""
        self.session = None
        self.hang_up()

    def hang_up(self) -> None:
        stream, self.stream = self.stream, None
        if stream is not None:
            stream.close()

    def tick(self) -> None:
        if self.stream is None or self.stream.closed:
            self._connect()
        else:
            self.feed(Tick())

    def _connect(self) -> None:
        source, target, world = self.source, self.target, self._world
        if self.session is None or target.daemon_life == 0 or not target.up:
            return
        if not (world.passes(source.name, target.name) and world.passes(target.name, source.name)):
            return
        if self.fresh and source.out_of_step:
            source.restart_log()
        stream = Stream(world, source.name, target.name)
        self.stream = stream
        life = source.life
        stream.to_origin = lambda message: self._heard(message, stream, life)
        stream.on_origin_closed = lambda: self._lost(stream, life)
        target.accept(stream)
        self.feed(Connected(LogOffer(source.log_id, source.first, source.committed), self.fresh))

    def _heard(self, message: object, stream: Stream, life: int) -> None:
        if self.source.life != life or self.stream is not stream or self.session is None:
            return
        before, log_id = self.session.acknowledged, self.source.log_id
        if isinstance(message, Ack | Welcome):
            self._tell_capture(message)
        self.feed(Received(message))  # type: ignore[arg-type]
        session = self.session
        if session is not None and session.acknowledged > before and not isinstance(message, Welcome):
            self._history.acknowledged(self.target.name, log_id, session.acknowledged)
        if isinstance(message, Welcome):
            self.fresh = False
        if isinstance(message, Ack | Welcome) and message.data_state is DataState.MIRROR_REQUIRED:
            self._mirror_if_due(message)
        self.pump()

    def _tell_capture(self, message: Ack | Welcome) -> None:
        """As ``SourceConnection._hear`` does, on the receiving thread."""
        session = self.session
        assert session is not None
        sequence = message.acknowledged if isinstance(message, Ack) else message.resume_after
        good = message.data_state is DataState.GOOD and not session.overwrites(message)
        self.source.capture_hears(self, sequence, good=good)

    def _lost(self, stream: Stream, life: int) -> None:
        if self.source.life == life and self.stream is stream:
            self.feed(Disconnected())
            self.stream = None

    # --- mirrors

    def _mirror_if_due(self, message: Ack | Welcome) -> None:
        """Not while one runs, nor before the target has seen the beginning of the last."""
        session = self.session
        if session is None or session.mirroring or session.unsent_items:
            return
        if isinstance(message, Welcome) or message.mirror_handled >= self._begun:
            self.mirror()

    def mirror(self) -> None:
        """Begin; half of it; the files as they are when they are read, a moment later; end."""
        session, life, stream = self.session, self.source.life, self.stream
        if session is None or session.mirroring:
            return
        self.feed(MirrorOpened("full", self.source.committed))
        begun = self._begun = session.mirror_begun

        def runs() -> bool:
            same = self.source.life == life and self.stream is stream and self.session is not None
            return same and session.mirroring and session.mirror_begun == begun

        def half() -> None:
            if runs():
                self.feed(MirrorRead((msgspec.msgpack.encode(None),), self.source.committed))
                self._world.after(self._world.rng.uniform(0.01, 1.5), whole)

        def whole() -> None:
            if runs():
                committed = self.source.committed
                self.feed(MirrorRead((msgspec.msgpack.encode(self.source.files),), committed))
                self.feed(MirrorClosed(committed, complete=True))
                self.pump()

        self._world.after(self._world.rng.uniform(0.01, 0.5), half)

    # --- the log

    def pump(self) -> None:
        """Send what the log has and the session allows."""
        session, source = self.session, self.source
        while session is not None and session.phase is Phase.STREAMING and session.may_send_operations:
            last = source.committed if session.operations_up_to is None else session.operations_up_to
            last = min(last, source.committed, session.sent + 8)
            if self._world.now < source.thaws_at:
                return
            if session.sent >= last:
                break
            begun = session.sent + 1
            data = b"".join(source.log[begun - source.first : last - source.first + 1])
            self.feed(OperationsRead(Operations(begun, last, last - begun + 1, data)))
        if session is not None and session.phase is Phase.STREAMING and session.may_send_operations:
            self._ship_gap(session)

    def _ship_gap(self, session: SourceSession) -> None:
        """As ``Shipping`` does: the log has lost operations after its end; say so, and begin another log."""
        source = self.source
        lost = source.committed + 1
        if source.out_of_step and session.sent == source.committed and session.operations_up_to is None:
            record = encode(Operation(Kind.GAP, lost, 0, b""))
            self.feed(OperationsRead(Operations(lost, lost, 1, record)))
            source.restart_log()
            self.hang_up()
            self.feed(Disconnected())

    def feed(self, event: SourceEvent) -> None:
        if self.session is None:
            return
        for action in self.session.handle(event, self.source.clock.seconds()):
            match action:
                case Send(message):
                    if self.stream is not None:
                        self.stream.send_to_destination(message)
                case Hangup():
                    if self.stream is not None:
                        self.hang_up()
                        self.feed(Disconnected())
                case Released(sequence):
                    self.released = sequence
                    self.source.release()
                case MirrorNeeded():
                    self.fresh = True
                case MirrorBroken():
                    self._begun = 0
                    self._world.after(0.01, self.mirror)
                case _:
                    pass
