"""What happens to a session, and what it wants done: the values between the sans-I/O cores and whoever drives them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from orchestrator.engine.transfer.messages import (
    Apart,
    DataState,
    Hello,
    Message,
    MirrorItem,
    Operations,
    Refusal,
    Reply,
    TargetStatus,
)

# --- happens to both sides


@dataclass(frozen=True, slots=True)
class Received:
    """The peer said something."""

    message: Message


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The TLS connection is gone."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed; given a few times a second."""


# --- happens to the source


@dataclass(frozen=True, slots=True)
class LogOffer:
    """What the source's log still has, when a session opens."""

    log_id: str
    first_available: int
    committed: int


@dataclass(frozen=True, slots=True)
class Connected:
    """TLS stands and the peer is the right one; ``fresh`` begins a new base, to be mirrored."""

    log: LogOffer
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class OperationsRead:
    """The next records of the log, within what the session allows."""

    operations: Operations


@dataclass(frozen=True, slots=True)
class MirrorOpened:
    """A mirror starts; the log stood at ``log_end``."""

    kind: str
    log_end: int
    changes_state: bool = True


@dataclass(frozen=True, slots=True)
class MirrorRead:
    """Mirror messages read from the files after the log had been seen to stand at ``log_end``."""

    payloads: tuple[bytes | Apart, ...]
    log_end: int


@dataclass(frozen=True, slots=True)
class MirrorClosed:
    """The mirror has nothing more to send (``complete``), or was given up."""

    log_end: int
    complete: bool
    says: str = ""


@dataclass(frozen=True, slots=True)
class SendingPaused:
    """A person (or a schedule) holds the sending back, or lets it go on."""

    paused: bool


SourceEvent = (
    Received
    | Disconnected
    | Tick
    | Connected
    | OperationsRead
    | MirrorOpened
    | MirrorRead
    | MirrorClosed
    | SendingPaused
)

# --- happens to the target


@dataclass(slots=True)
class MirrorLink:
    """The target's memory of mirror items and replies; it outlives sessions, not the daemon."""

    token: str = ""
    received: int = 0
    handled: int = 0
    replied: int = 0
    replies: deque[Reply] = field(default_factory=deque)

    def done(self, index: int, payloads: list[bytes]) -> tuple[Reply, ...]:
        """An item was handled; the replies to it, numbered and kept until the source has them."""
        if index > self.received:  # of a numbering that is over
            return ()
        self.handled = index
        made = tuple(Reply(self.replied + n, index, payload) for n, payload in enumerate(payloads, 1))
        self.replied += len(made)
        self.replies.extend(made)
        return made

    def forget(self, received: int) -> None:
        """The source has the replies up to ``received``."""
        while self.replies and self.replies[0].index <= received:
            self.replies.popleft()


@dataclass(frozen=True, slots=True)
class ReplicaFacts:
    """What the target knows of the connection that a source introduces."""

    epoch: int
    promoted: bool
    log_id: str
    acknowledged: int
    applied: int
    data_state: DataState
    link: MirrorLink


@dataclass(frozen=True, slots=True)
class Found:
    """The connection may come; this is how it stands."""

    facts: ReplicaFacts


@dataclass(frozen=True, slots=True)
class Denied:
    """The connection may not come, or must go."""

    reason: Refusal
    says: str


@dataclass(frozen=True, slots=True)
class LogPrepared:
    """The target's log is ready for a new base; operations after ``position`` are expected."""

    position: int


@dataclass(frozen=True, slots=True)
class Logged:
    """Operations up to ``sequence`` are in the target's log and on its disk."""

    sequence: int


@dataclass(frozen=True, slots=True)
class ItemHandled:
    """Mirror items up to ``link.handled`` are done; these are the replies."""

    replies: tuple[Reply, ...]
    payload_bytes: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How the replica stands."""

    applied: int
    data_state: DataState
    status: TargetStatus = TargetStatus.OK
    queue_full: bool = False
    queue_bytes: int = 0
    verify_required: bool = False
    says: str = ""


TargetEvent = Received | Disconnected | Tick | Found | Denied | LogPrepared | Logged | ItemHandled | Progress

# --- wanted by either


@dataclass(frozen=True, slots=True)
class Send:
    """Send this to the peer, in this order."""

    message: Message


@dataclass(frozen=True, slots=True)
class Hangup:
    """Close the TLS connection, after what was to be sent."""

    says: str


# --- wanted by the source


@dataclass(frozen=True, slots=True)
class Seek:
    """Read the log from after ``position`` on."""

    position: int


@dataclass(frozen=True, slots=True)
class Released:
    """The target has everything up to ``sequence``; the log need not keep it for this connection."""

    sequence: int


@dataclass(frozen=True, slots=True)
class MirrorReplied:
    """Give this to the mirror."""

    payload: bytes | memoryview


@dataclass(frozen=True, slots=True)
class MirrorBroken:
    """The target lost its part of the mirror under way; it has to begin anew."""

    says: str


@dataclass(frozen=True, slots=True)
class MirrorNeeded:
    """The two logs cannot be joined: open the next session fresh, and mirror."""

    says: str


SourceAction = Send | Hangup | Seek | Released | MirrorReplied | MirrorBroken | MirrorNeeded

# --- wanted by the target


@dataclass(frozen=True, slots=True)
class LookUp:
    """Say what is known of this connection: answer with Found or Denied."""

    hello: Hello


@dataclass(frozen=True, slots=True)
class PrepareLog:
    """Apply what the old log still holds, then begin a new one: answer with LogPrepared or Denied."""

    hello: Hello


@dataclass(frozen=True, slots=True)
class Append:
    """Put these verified operations into the log; say Logged when they are on the disk."""

    operations: Operations


@dataclass(frozen=True, slots=True)
class Enqueue:
    """Hand this mirror item to the applier, in stream order; say ItemHandled when it is done."""

    item: MirrorItem


@dataclass(frozen=True, slots=True)
class SourceLeft:
    """The source ended the connection for good; ``unwatched``: a person said that it need not be watched for failure any more."""

    says: str
    unwatched: bool = False


TargetAction = Send | Hangup | LookUp | PrepareLog | Append | Enqueue | SourceLeft
