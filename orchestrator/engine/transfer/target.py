"""The target's side of a session: one thread that receives and one that sends.

What is received is verified, put into the replica's queue, and acknowledged when the group commit has it on the disk. A connection may
ask for a promise instead of opening a session (``promising.py``); it gets one answer and ends. Who connects: ``listening.py``.

Locks: a session's ``_lock`` guards its core and its outbox and nothing else is locked while it is held, so the replica may call
from under its own locks.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

from orchestrator.engine.apply.errors import ReplicaPromoted, ReplicaUnusable
from orchestrator.engine.apply.replica import Replica
from orchestrator.engine.oplog.errors import LogUnusable
from orchestrator.engine.transfer.compression import unpack
from orchestrator.engine.transfer.errors import BadFrame, PeerUnknown
from orchestrator.engine.transfer.events import (
    Append,
    Denied,
    Disconnected,
    Enqueue,
    Found,
    Hangup,
    ItemHandled,
    Logged,
    LogPrepared,
    LookUp,
    PrepareLog,
    Progress,
    Received,
    Send,
    SourceLeft,
    TargetAction,
    TargetEvent,
    Tick,
)
from orchestrator.engine.transfer.framing import HEADER, FrameType, encode_frame, parse_header, parse_payload
from orchestrator.engine.transfer.messages import (
    Answer,
    Hello,
    Message,
    PromiseAnswer,
    PromiseAsk,
    Question,
    Refusal,
    Reply,
    SharesAnswer,
)
from orchestrator.engine.transfer.protocol import Phase, SessionLimits, TargetSession
from orchestrator.engine.transfer.tls import Channel, Peer

log = logging.getLogger(__name__)
TICK_S = 0.05
"""How long word of what was done may wait to be told together."""
IDLE_TICK_S = 0.25
"""How often time passes for a session in which there is nothing to tell."""


class Replicas(Protocol):
    """Where replicas are found (``apply.house.ReplicaHouse``)."""

    def find(self, hello: Hello, peer: Peer) -> Replica | Denied:
        """The replica that a hello is about, or why there is none for it."""


Left = Callable[[str, bool], None]
"""Told the key of a connection that its source ended for good, and whether the source need not be watched any more."""
Answers = Callable[[Peer, Question], Answer]
"""Answers a source that asks for a promise, a target that asks for shares; must not raise."""


def answers_nothing(_peer: Peer, question: Question) -> Answer:
    """Where nobody takes over by itself there is nothing to promise or to tell."""
    if isinstance(question, PromiseAsk):
        return PromiseAnswer(granted=False, epoch=question.epoch, says="nothing is promised here")
    return SharesAnswer(given=False, says="nothing is told here")


class TargetConnection:
    """One session; also the ``Listener`` of its replica."""

    def __init__(
        self,
        channel: Channel,
        peer: Peer,
        replicas: Replicas,
        limits: SessionLimits,
        left: Left,
        *,
        answers: Answers,
    ) -> None:
        self.peer = peer
        self.channel = channel
        self._replicas = replicas
        self._replica: Replica | None = None
        self._left = left
        self._answers = answers
        self._core = TargetSession(limits, now_s=time.monotonic())
        self._lock = threading.Lock()
        self._outbox: deque[Message | None] = deque()
        self._something = threading.Condition(self._lock)
        self._sender = threading.Thread(target=self._send_for_ever, name="session-sender", daemon=True)
        self._received_bytes = 0
        self._is_dozing = False
        self._is_answering = False
        """No session comes of it: nothing but the answer is sent, however long it takes."""

    @property
    def key(self) -> str:
        """The connection's id; empty before its hello."""
        return self._replica.key if self._replica is not None else ""

    @property
    def silent_s(self) -> float:
        """How long the source has been silent."""
        return self._core.silent_s(time.monotonic())

    # --- receiving

    def run(self) -> None:
        """Receive until the session ends."""
        self._sender.start()
        try:
            while True:
                message = receive(self.channel, control_only=self._is_greeting)
                if isinstance(message, Question) and self._core.hello is None:
                    self._is_answering = True
                    self.channel.send(encode_frame(self._answers(self.peer, message)))
                    break
                self._event(Received(message))
        except (OSError, BadFrame, PeerUnknown) as error:
            log.info("session with %s ended: %s", self.peer.name, error)
        finally:
            self._end()

    def _is_greeting(self) -> bool:
        return self._core.phase is not Phase.STREAMING

    def _end(self) -> None:
        if self._replica is not None:
            self._replica.detach(self)
        self._event(Disconnected())
        with self._something:
            self._outbox.append(None)
            self._something.notify()
        self._sender.join()

    def close(self) -> None:
        """End the session from outside."""
        self.channel.close()

    def _event(self, event: TargetEvent) -> None:
        """Let the core take an event, and do what it wants: sending is left to the sender, in order."""
        with self._something:
            actions, before = self._core.handle(event, time.monotonic()), len(self._outbox)
            for action in actions:
                if isinstance(action, Send):
                    self._outbox.append(action.message)
                elif isinstance(action, Hangup):
                    log.info("session with %s: %s", self.peer.name, action.says)
                    self._outbox.append(None)
            if len(self._outbox) > before or (self._is_dozing and self._core.has_unsaid):
                self._is_dozing = False
                self._something.notify()
        for action in actions:
            self._do(action)

    def _do(self, action: TargetAction) -> None:
        try:
            match action:
                case Append(operations) if self._replica is not None:
                    self._replica.append(operations)
                case Enqueue(item) if self._replica is not None:
                    self._replica.put_item(item)
                case LookUp(hello):
                    self._look_up(hello)
                case PrepareLog(hello):
                    threading.Thread(target=self._prepare, args=(hello,), name="prepare-log", daemon=True).start()
                case SourceLeft(unwatched=unwatched) if self._replica is not None:
                    self._left(self._replica.key, unwatched)
                case _:
                    pass
        except ReplicaPromoted as error:
            self._event(Denied(Refusal.RESTORE_REQUIRED, str(error)))
        except (ReplicaUnusable, LogUnusable) as error:
            self._event(Denied(Refusal.NOT_READY, str(error)))

    def _look_up(self, hello: Hello) -> None:
        found = self._replicas.find(hello, self.peer)
        if isinstance(found, Denied):
            self._event(found)
            return
        facts = found.facts()
        self._replica = found
        self._event(Found(facts))
        self._joined(hello)

    def _joined(self, hello: Hello) -> None:
        """The session is welcome: from now on the replica tells it what happens."""
        replica = self._replica
        if replica is None or self._core.phase is not Phase.STREAMING:
            return
        replica.accept_epoch(hello.epoch)
        self._event(Logged(replica.attach(self)))
        self.stands(replica.progress())

    def _prepare(self, hello: Hello) -> None:
        replica = self._replica
        if replica is None:
            return
        try:
            position = replica.prepare_log(hello)
        except ReplicaPromoted as error:
            self._event(Denied(Refusal.RESTORE_REQUIRED, str(error)))
        except (ReplicaUnusable, LogUnusable, OSError) as error:
            self._event(Denied(Refusal.NOT_READY, str(error)))
        else:
            self._event(LogPrepared(position))
            self._joined(hello)

    # --- the replica tells (Listener)

    def logged(self, sequence: int) -> None:
        """Operations are on the disk."""
        self._event(Logged(sequence))

    def handled(self, replies: tuple[Reply, ...], payload_bytes: int) -> None:
        """A mirror item was done."""
        self._event(ItemHandled(replies, payload_bytes))

    def stands(self, progress: Progress) -> None:
        """The replica moved on."""
        self._event(progress)

    def denied(self, reason: Refusal, says: str) -> None:
        """The session must end."""
        self._event(Denied(reason, says))

    # --- sending

    def _send_for_ever(self) -> None:
        try:
            while True:
                message = self._next()
                if message is None:
                    break
                self.channel.send(encode_frame(message))
        except OSError as error:
            log.info("session with %s: %s", self.peer.name, error)
        self.channel.close()

    def _next(self) -> Message | None:
        """The next message to send; None when the session is over. Time passes for the core while nothing is to be sent.

        Who has just sent does not doze yet: what there is to tell after most messages would wake it at once.
        """
        is_quiet = False
        with self._something:
            while not self._outbox:
                self._is_dozing = is_quiet and not self._core.has_unsaid
                is_quiet = not self._something.wait(IDLE_TICK_S if self._is_dozing else TICK_S)
                if is_quiet and not self._is_answering:
                    self._note_signs_of_life()
                    for action in self._core.handle(Tick(), time.monotonic()):
                        if isinstance(action, Hangup):
                            log.info("session with %s: %s", self.peer.name, action.says)
                        self._outbox.append(action.message if isinstance(action, Send) else None)
            return self._outbox.popleft()

    def _note_signs_of_life(self) -> None:
        """A large frame may take longer on a slow line than silence is borne."""
        if self.channel.received_bytes != self._received_bytes:
            self._received_bytes = self.channel.received_bytes
            self._core.heard(time.monotonic())


def receive(channel: Channel, *, control_only: Callable[[], bool] = lambda: False) -> Message:
    """Take the next frame. ``control_only`` is asked when its header is there: whether only control frames are allowed yet.

    Raises:
        BadFrame: it is none.
        OSError: the connection is lost.
    """
    head = memoryview(bytearray(HEADER.size))
    channel.receive_into(head)
    kind, length = parse_header(head, control_only=control_only(), peer=channel.peer)
    payload = channel.rooms.take(length)
    channel.receive_into(payload)
    if kind is FrameType.COMPRESSED:
        kind, payload = unpack(payload, peer=channel.peer)
    return parse_payload(kind, payload, peer=channel.peer)
