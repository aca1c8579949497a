"""The target's end of a session, sans I/O; the invariants are told in ``protocol``."""

from __future__ import annotations

from orchestrator.engine.oplog.errors import CorruptRecord, TornRecord
from orchestrator.engine.oplog.format import HEADER, Kind, verify
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
    MirrorLink,
    PrepareLog,
    Progress,
    Received,
    ReplicaFacts,
    Send,
    SourceLeft,
    TargetAction,
    TargetEvent,
    Tick,
)
from orchestrator.engine.transfer.messages import (
    PROTOCOL_VERSION,
    ZSTD,
    Ack,
    Beat,
    Bye,
    DataState,
    Hello,
    MirrorItem,
    Operations,
    Refusal,
    Refuse,
    Reply,
    Welcome,
)
from orchestrator.engine.transfer.session import Life, Phase, SessionLimits


class TargetSession:
    """The target's end of one session."""

    def __init__(self, limits: SessionLimits | None = None, *, now_s: float = 0.0) -> None:
        """A peer whose key is known has connected; it is to say Hello."""
        self.phase = Phase.GREETING
        self.hello: Hello | None = None
        self.received = 0
        """The last operation that was passed on to the log."""
        self._life = Life(limits or SessionLimits())
        self._life.begin(now_s)
        self._acknowledged = 0
        self._link = MirrorLink()
        self._progress = Progress(0, DataState.NOT_READY)
        self._facts: ReplicaFacts | None = None
        self._unsaid = False
        self._unsaid_bytes = 0

    def handle(self, event: TargetEvent, now_s: float) -> list[TargetAction]:  # noqa: PLR0911 - one answer an event
        """Take an event; the actions are to be done in their order."""
        match event:
            case Received(message):
                self._life.heard(now_s)
                return self._received(message)
            case Logged(sequence):
                self._acknowledged = max(self._acknowledged, sequence)
                return self._say()
            case ItemHandled(replies, payload_bytes):
                return self._handled(replies, payload_bytes)
            case Progress():
                return self._stands(event)
            case Tick():
                return self._tick(now_s)
            case Found(facts):
                return self._found(facts)
            case LogPrepared(position):
                return self._welcome(position)
            case Denied(reason, says):
                return self._refuse(reason, says)
            case Disconnected():
                self.phase = Phase.CLOSED
                return []

    def heard(self, now_s: float) -> None:
        """Part of a message came: the source lives, however slow its line is."""
        self._life.heard(now_s)

    def silent_s(self, now_s: float) -> float:
        """How long nothing was heard of the source."""
        return self._life.silent_s(now_s)

    def _received(self, message: object) -> list[TargetAction]:  # noqa: PLR0911 - one answer a message
        match message:
            case Operations() if self.phase is Phase.STREAMING:
                return self._operations(message)
            case MirrorItem() if self.phase is Phase.STREAMING:
                return self._item(message)
            case Beat(replies_received=count):
                self._link.forget(count)
                return []
            case Hello() if self.phase is Phase.GREETING and self.hello is None:
                self.hello = message
                if message.version != PROTOCOL_VERSION:
                    return self._refuse(
                        Refusal.VERSION, f"this engine speaks version {PROTOCOL_VERSION} of the protocol"
                    )
                return [LookUp(message)]
            case Bye(says=says, disconnect=disconnect, unwatched=unwatched):
                left: list[TargetAction] = [SourceLeft(says, unwatched)] if disconnect else []
                return [*left, Hangup(says)]
            case _:
                return [Hangup(f"the source sent {type(message).__name__} out of turn")]

    def _found(self, facts: ReplicaFacts) -> list[TargetAction]:
        hello = self.hello
        if hello is None or self.phase is not Phase.GREETING:
            return []
        self._facts = facts
        refused = refusal(hello, facts)
        if refused is not None:
            return self._refuse(*refused)
        return [PrepareLog(hello)] if hello.fresh else self._welcome(facts.acknowledged)

    def _welcome(self, position: int) -> list[TargetAction]:
        hello, facts = self.hello, self._facts
        if hello is None or facts is None or self.phase is not Phase.GREETING:
            return []
        self.phase = Phase.STREAMING
        self.received = self._acknowledged = position
        self._link = facts.link
        known = join_link(facts.link, hello)
        applied = position if hello.fresh else facts.applied
        welcome = Welcome(
            position, applied, facts.data_state, known, facts.link.received, ZSTD if hello.compression == ZSTD else ""
        )
        return [Send(welcome), *(Send(reply) for reply in facts.link.replies)]

    def _refuse(self, reason: Refusal, says: str) -> list[TargetAction]:
        self.phase = Phase.REFUSED
        return [Send(Refuse(reason, says)), Hangup(says)]

    def _operations(self, operations: Operations) -> list[TargetAction]:
        if operations.first > self.received + 1:
            return [Hangup(f"operation {operations.first} came where {self.received + 1} was due")]
        try:
            last = verify_run(operations.data, operations.first - 1)
        except (CorruptRecord, TornRecord) as error:
            return [Hangup(str(error))]
        if last != operations.last:
            return [Hangup(f"a run that was to end with {operations.last} ends with {last}")]
        if last <= self.received:
            return []
        self.received = last
        return [Append(operations)]

    def _item(self, item: MirrorItem) -> list[TargetAction]:
        if item.index <= self._link.received:
            return []
        if item.index != self._link.received + 1 or item.after != self.received:
            return [Hangup(f"mirror item {item.index} (after {item.after}) is out of its place")]
        self._link.received = item.index
        return [Enqueue(item)]

    def _handled(self, replies: tuple[Reply, ...], payload_bytes: int) -> list[TargetAction]:
        if self.phase is not Phase.STREAMING:
            return []
        self._unsaid, self._unsaid_bytes = True, self._unsaid_bytes + payload_bytes
        sends: list[TargetAction] = [Send(reply) for reply in replies]
        return sends + (self._say() if self._unsaid_bytes >= 1 << 20 else [])

    def _stands(self, progress: Progress) -> list[TargetAction]:
        before, self._progress, self._unsaid = self._progress, progress, True
        changed = (before.data_state, before.status, before.queue_full) != (
            progress.data_state,
            progress.status,
            progress.queue_full,
        )
        return self._say() if changed else []

    def _say(self) -> list[TargetAction]:
        if self.phase is not Phase.STREAMING:
            return []
        self._unsaid, self._unsaid_bytes = False, 0
        now = self._progress
        ack = Ack(
            self._acknowledged,
            now.applied,
            self._link.handled,
            now.data_state,
            now.status,
            now.queue_full,
            now.queue_bytes,
            now.verify_required,
            now.says,
        )
        return [Send(ack)]

    @property
    def has_unsaid(self) -> bool:
        """Whether the next tick has something to tell."""
        return self._unsaid

    def _tick(self, now_s: float) -> list[TargetAction]:
        if self.phase not in {Phase.GREETING, Phase.STREAMING}:
            return []
        if self._life.is_silent(now_s):
            return [Hangup("no sign of life from the source")]
        said = self._say() if self._unsaid else []
        beat_due = self._life.beat_due(now_s)
        return said or ([Send(Beat())] if beat_due else [])


def refusal(hello: Hello, facts: ReplicaFacts) -> tuple[Refusal, str] | None:  # noqa: PLR0911 - one reason a line
    """Why this source may not replicate here now; None when it may."""
    if hello.epoch < facts.epoch:
        return Refusal.STALE_EPOCH, f"the source has epoch {hello.epoch}, the protection is at {facts.epoch}"
    if facts.promoted:
        return Refusal.RESTORE_REQUIRED, "the target was promoted: restore from it, or demote it and mirror"
    if hello.fresh:
        return None
    if hello.log_id != facts.log_id:
        return Refusal.LOG_MISMATCH, "the target's queue continues another log of the source"
    wanted = facts.acknowledged + 1
    if wanted < hello.first_available:
        return Refusal.LOG_GAP, f"operation {wanted} is due, the source's log begins with {hello.first_available}"
    if facts.acknowledged > hello.committed:
        return Refusal.LOG_GAP, f"the target has {facts.acknowledged}, the source's log ends with {hello.committed}"
    return None


def join_link(link: MirrorLink, hello: Hello) -> bool:
    """Go on with the numbering of mirror items, or begin with the source's; whether it was known."""
    if link.token == hello.mirror_token and not hello.fresh:
        link.forget(hello.replies_received)
        return True
    link.token = hello.mirror_token
    link.received = link.handled = hello.mirror_first - 1
    link.replied = hello.replies_received
    link.replies.clear()
    return False


def verify_run(data: memoryview | bytes, after: int) -> int:
    """Check that ``data`` is whole records, each with its checksum, continuing ``after``; the last sequence.

    Raises:
        CorruptRecord, TornRecord: it is not.
    """
    view = data if isinstance(data, memoryview) else memoryview(data)
    offset, end, position = 0, len(view), after
    while offset < end:
        total, kind, sequence = verify(view, offset)
        first = HEADER.unpack_from(view, offset)[7] if kind == Kind.SKIP else sequence
        if first != position + 1:
            raise CorruptRecord(where=f"offset {offset}", why=f"sequence {first} where {position + 1} is due")
        position = sequence
        offset += total
    return position
