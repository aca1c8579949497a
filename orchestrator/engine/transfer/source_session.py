"""The source's end of a connection, sans I/O; the invariants are told in ``protocol``."""

from __future__ import annotations

import sys
import uuid
from collections import deque

import msgspec

from orchestrator.engine.transfer.events import (
    Connected,
    Disconnected,
    Hangup,
    MirrorBroken,
    MirrorClosed,
    MirrorNeeded,
    MirrorOpened,
    MirrorRead,
    MirrorReplied,
    OperationsRead,
    Received,
    Released,
    Seek,
    Send,
    SendingPaused,
    SourceAction,
    SourceEvent,
    Tick,
)
from orchestrator.engine.transfer.messages import (
    ZSTD,
    Ack,
    Apart,
    Beat,
    Bye,
    DataState,
    Hello,
    ItemKind,
    MirrorBegin,
    MirrorEnd,
    MirrorItem,
    Operations,
    Refuse,
    Reply,
    Welcome,
)
from orchestrator.engine.transfer.session import Life, Phase, SessionLimits, Terms

ENDLESS = sys.maxsize


class SourceSession:
    """The source's end of a connection; one object through all its sessions."""

    def __init__(self, terms: Terms, limits: SessionLimits | None = None, *, token: str | None = None) -> None:
        """Nothing happens until ``Connected``. ``token`` names the numbering of mirror items; random by default."""
        self.terms = terms
        self.limits = limits or SessionLimits()
        self.phase = Phase.CLOSED
        self.sent = 0
        """The last operation sent in this session."""
        self.acknowledged = 0
        self.applied = 0
        self.ack: Ack | None = None
        """The last word of the target."""
        self.refusal: Refuse | None = None
        self.mirroring = False
        self.may_compress = False
        """Whether the target reads compressed frames."""
        self._token = token or uuid.uuid4().hex
        self._life = Life(self.limits)
        self._paused = False
        self._in_flight: deque[tuple[int, int]] = deque()
        self._in_flight_bytes = 0
        self._items: deque[MirrorItem] = deque()
        self._unsent: deque[MirrorItem] = deque()
        self._items_bytes = 0
        self._unsent_bytes = 0
        self._next_item = 1
        self.mirror_begun = 1
        """The item that began the mirror under way, or the last one."""
        self._overwritten_until = 0
        """The item that ends the mirror that overwrites the target's data; 0: the target has handled it, or there is none."""
        self._replies = 0

    # --- what the driver may read and hand in next

    @property
    def may_send_operations(self) -> bool:
        """Whether more records are wanted now."""
        return self._open and self._in_flight_bytes < self.limits.operations_window_bytes

    @property
    def operations_up_to(self) -> int | None:
        """Read no operation past this one: a mirror item has its place right after it. None: as far as the log goes."""
        return self._unsent[0].after if self._unsent else None

    @property
    def mirror_budget_bytes(self) -> int:
        """How many bytes of mirror messages are wanted now."""
        if not self._open:
            return 0
        window = self.limits.mirror_window_bytes - self._items_bytes
        return max(0, min(window, self.limits.unsent_mirror_bytes - self._unsent_bytes))

    @property
    def unsent_items(self) -> int:
        """How many messages of a mirror wait here."""
        return len(self._unsent)

    def overwrites(self, word: Ack | Welcome) -> bool:
        """Whether the data that the target calls good is about to be overwritten by a mirror of ours.

        Until that mirror is over the target may go back to how its data was before it: what is acknowledged later would be gone.
        """
        handled = word.mirror_handled if isinstance(word, Ack) else 0
        return handled < self._overwritten_until and (isinstance(word, Ack) or word.mirror_known)

    @property
    def _open(self) -> bool:
        full = self.ack is not None and self.ack.queue_full
        return self.phase is Phase.STREAMING and not self._paused and not full

    # --- events

    def handle(self, event: SourceEvent, now_s: float) -> list[SourceAction]:  # noqa: PLR0911 - one answer an event
        """Take an event; the actions are to be done in their order."""
        match event:
            case Received(message):
                self._life.heard(now_s)
                return self._received(message)
            case OperationsRead(operations):
                return self._operations(operations)
            case MirrorRead(payloads, log_end):
                return self._put([(ItemKind.MESSAGE, payload) for payload in payloads], log_end)
            case Tick():
                return self._tick(now_s)
            case Connected(log, fresh):
                self._life.begin(now_s)
                return self._greet(Connected(log, fresh))
            case Disconnected():
                self.phase = Phase.REFUSED if self.phase is Phase.REFUSED else Phase.CLOSED
                return []
            case SendingPaused(paused):
                self._paused = paused
                return []
            case MirrorOpened(kind, log_end, changes_state):
                self.mirroring, self.mirror_begun = True, self._next_item
                self._overwritten_until = ENDLESS if changes_state else self._overwritten_until
                return self._put([(ItemKind.BEGIN, msgspec.msgpack.encode(MirrorBegin(kind, changes_state)))], log_end)
            case MirrorClosed(log_end, complete, says):
                self.mirroring = False
                self._overwritten_until = min(self._overwritten_until, self._next_item)
                return self._put([(ItemKind.END, msgspec.msgpack.encode(MirrorEnd(log_end, complete, says)))], log_end)

    def _greet(self, event: Connected) -> list[SourceAction]:
        self.phase, self.refusal, self.ack = Phase.GREETING, None, None
        terms, log = self.terms, event.log
        hello = Hello(
            connection=terms.connection,
            protection=terms.protection,
            epoch=terms.epoch,
            source=terms.source,
            replication_set=terms.replication_set,
            target_root=terms.target_root,
            log_id=log.log_id,
            first_available=log.first_available,
            committed=log.committed,
            fresh=event.fresh,
            mirror_token=self._token,
            mirror_first=self._items[0].index if self._items else self._next_item,
            replies_received=self._replies,
            mapping=dict(terms.mapping),
            purpose=terms.purpose,
            backup_set=terms.backup_set,
            compression=ZSTD,
        )
        return [Send(hello)]

    def _received(self, message: object) -> list[SourceAction]:  # noqa: PLR0911 - one answer a message
        match message:
            case Ack() if self.phase is Phase.STREAMING:
                return self._acknowledged(message)
            case Reply() if self.phase is Phase.STREAMING:
                return self._replied(message)
            case Welcome() if self.phase is Phase.GREETING:
                return self._welcome(message)
            case Refuse(reason=reason, says=says):
                self.phase, self.refusal = Phase.REFUSED, message
                needed: list[SourceAction] = [MirrorNeeded(says)] if reason.needs_mirror else []
                return [*needed, Hangup(says)]
            case Beat():
                return []
            case Bye(says=says):
                return [Hangup(says)]
            case _:
                return [Hangup(f"the target sent {type(message).__name__} out of turn")]

    def _welcome(self, welcome: Welcome) -> list[SourceAction]:
        self.phase = Phase.STREAMING
        self.may_compress = welcome.compression == ZSTD
        self.sent = self.acknowledged = welcome.resume_after
        self.applied = welcome.applied
        self._in_flight.clear()
        self._in_flight_bytes = 0
        actions: list[SourceAction] = [Seek(welcome.resume_after), Released(welcome.resume_after)]
        return actions + self._resume_mirror(welcome) + self._flush()

    def _resume_mirror(self, welcome: Welcome) -> list[SourceAction]:
        if welcome.mirror_known:
            self._drop_handled(0)
            self._unsent = deque(item for item in self._items if item.index > welcome.mirror_received)
            self._unsent_bytes = sum(len(item.payload) for item in self._unsent)
            return []
        unsure = bool(self._items) and welcome.data_state is not DataState.GOOD  # good: the end had been handled
        was_mirroring = self.mirroring or unsure
        self._next_item = self._items[0].index if self._items else self._next_item
        self._items.clear()
        self._unsent.clear()
        self._items_bytes = self._unsent_bytes = self._overwritten_until = 0
        self.mirroring = False
        return [MirrorBroken("the target started anew in the middle of the mirror")] if was_mirroring else []

    def _acknowledged(self, ack: Ack) -> list[SourceAction]:
        self.ack, self.applied = ack, ack.applied
        self._drop_handled(ack.mirror_handled)
        if ack.mirror_handled >= self._overwritten_until:
            self._overwritten_until = 0
        if ack.acknowledged <= self.acknowledged:
            return []
        if ack.acknowledged > self.sent:
            return [Hangup(f"the target acknowledged {ack.acknowledged}, only {self.sent} was sent")]
        self.acknowledged = ack.acknowledged
        while self._in_flight and self._in_flight[0][0] <= ack.acknowledged:
            self._in_flight_bytes -= self._in_flight.popleft()[1]
        return [Released(ack.acknowledged)]

    def _drop_handled(self, handled: int) -> None:
        while self._items and self._items[0].index <= handled:
            self._items_bytes -= len(self._items.popleft().payload)

    def _replied(self, reply: Reply) -> list[SourceAction]:
        if reply.index <= self._replies:
            return []
        if reply.index != self._replies + 1:
            return [Hangup(f"mirror reply {reply.index} came where {self._replies + 1} was due")]
        self._replies = reply.index
        beat: list[SourceAction] = [Send(Beat(self._replies))] if self._replies % 64 == 0 else []
        current = self.mirroring and reply.item >= self.mirror_begun  # not an answer to a mirror that was given up
        return [MirrorReplied(reply.payload), *beat] if current else beat

    def _operations(self, operations: Operations) -> list[SourceAction]:
        if operations.first != self.sent + 1 or self.phase is not Phase.STREAMING:
            msg = f"operations {operations.first}.. were read in phase {self.phase}, sent is {self.sent}"
            raise ValueError(msg)
        self.sent = operations.last
        self._in_flight.append((operations.last, len(operations.data)))
        self._in_flight_bytes += len(operations.data)
        return [Send(operations), *self._flush()]

    def _put(self, parts: list[tuple[ItemKind, bytes | Apart]], log_end: int) -> list[SourceAction]:
        after = max(log_end, self.sent, self._items[-1].after if self._items else 0)
        for kind, payload in parts:
            item = MirrorItem(self._next_item, after, kind, payload)
            self._next_item += 1
            self._items.append(item)
            self._unsent.append(item)
            self._items_bytes += len(payload)
            self._unsent_bytes += len(payload)
        return self._flush()

    def _flush(self) -> list[SourceAction]:
        actions: list[SourceAction] = []
        while self.phase is Phase.STREAMING and self._unsent and self._unsent[0].after <= self.sent:
            item = self._unsent.popleft()
            self._unsent_bytes -= len(item.payload)
            actions.append(Send(item))
        return actions

    def _tick(self, now_s: float) -> list[SourceAction]:
        if self.phase not in {Phase.GREETING, Phase.STREAMING}:
            return []
        if self._life.is_silent(now_s):
            return [Hangup(f"no sign of life from the target for {self.limits.silence_s:.0f} s")]
        return [Send(Beat(self._replies))] if self._life.beat_due(now_s) else []
