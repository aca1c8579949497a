"""What two engines say to each other, as values. Bytes are made of them in ``framing``.

Everything that changes files travels in one ordered stream from source to target: ``Operations`` by sequence, and between them
``MirrorItem`` by index, each with the sequence after which it stands. ``Ack`` tells how far the target is with both.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Any

import msgspec

PROTOCOL_VERSION = 1
ZSTD = "zstd"
"""The only compression there is."""


class DataState(StrEnum):
    """What the target knows of its data."""

    GOOD = "good"
    MIRRORING = "mirroring"
    MIRROR_REQUIRED = "mirror_required"
    RESTORE_REQUIRED = "restore_required"
    NOT_READY = "not_ready"


class TargetStatus(StrEnum):
    """What the target is doing with what it has."""

    OK = "ok"
    PAUSED = "paused"
    RETRYING = "retrying"
    NOT_LOADED = "not_loaded"


class Refusal(StrEnum):
    """Why a target does not take a session. The first four end in an error that a person looks at, the others mend themselves."""

    VERSION = "version"
    UNKNOWN_PEER = "unknown_peer"
    STALE_EPOCH = "stale_epoch"
    RESTORE_REQUIRED = "restore_required"
    LOG_MISMATCH = "log_mismatch"
    LOG_GAP = "log_gap"
    NOT_READY = "not_ready"

    @property
    def needs_mirror(self) -> bool:
        """Whether the target's log and the source's cannot be joined, so that only a mirror helps."""
        return self in {Refusal.LOG_MISMATCH, Refusal.LOG_GAP}


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """The source introduces a connection: who, under which epoch, and what its log still has."""

    connection: str
    protection: str
    epoch: int
    source: str
    replication_set: str
    target_root: str
    log_id: str
    first_available: int
    committed: int
    fresh: bool = False
    """Begin a new base: operations come from ``committed`` + 1 on, everything before is to be mirrored."""
    mirror_token: str = ""
    """Names the numbering of mirror items and replies; new with each start of the source's daemon."""
    mirror_first: int = 1
    """The oldest mirror item that the source still has, or would number next."""
    replies_received: int = 0
    mapping: dict[str, str] = {}
    purpose: str = "protect"
    backup_set: str = ""
    """The rules of the replication set as JSON, which the target keeps for the day when the source has lost its own."""
    compression: str = ""
    """How the source could compress frames; empty: not at all."""
    version: int = PROTOCOL_VERSION


class Welcome(msgspec.Struct, frozen=True, tag="welcome"):
    """The target takes the session; operations are to come from ``resume_after`` + 1 on."""

    resume_after: int
    applied: int
    data_state: DataState
    mirror_known: bool = False
    """Whether the target kept its part of this numbering: a mirror under way goes on after ``mirror_received``."""
    mirror_received: int = 0
    compression: str = ""
    """The compression that the target reads, of those that the source could use."""
    version: int = PROTOCOL_VERSION


class Refuse(msgspec.Struct, frozen=True, tag="refuse"):
    """The target does not take the session, or ends it."""

    reason: Refusal
    says: str


class Ack(msgspec.Struct, frozen=True, tag="ack"):
    """How far the target is."""

    acknowledged: int
    applied: int
    mirror_handled: int
    data_state: DataState
    status: TargetStatus = TargetStatus.OK
    queue_full: bool = False
    queue_bytes: int = 0
    verify_required: bool = False
    says: str = ""


class Beat(msgspec.Struct, frozen=True, tag="beat"):
    """A sign of life; from the source also how many mirror replies it has."""

    replies_received: int = 0


class Bye(msgspec.Struct, frozen=True, tag="bye"):
    """An orderly end of the session; ``disconnect`` when the connection itself is over, ``unwatched`` when the target stops watching, too."""

    says: str = ""
    disconnect: bool = False
    unwatched: bool = False


class PromiseVerb(StrEnum):
    """What a source wants of its target's promise: ``take_up`` renews it even where it was given back before."""

    RENEW = "renew"
    TAKE_UP = "take_up"
    RELEASE = "release"


class PromiseAsk(msgspec.Struct, frozen=True, tag="promise_ask"):
    """The first and only frame of a connection of its own: will the target ask for no grant for so long (seconds)?"""

    verb: PromiseVerb
    protection: str
    epoch: int
    holder: str
    lease_s: float


class PromiseAnswer(msgspec.Struct, frozen=True, tag="promise_answer"):
    """The target's word. ``expires_in_s`` counts from the answer; a refusal names a newer epoch only if it was granted."""

    granted: bool
    epoch: int
    expires_in_s: float = 0.0
    says: str = ""


class SharesAsk(msgspec.Struct, frozen=True, tag="shares_ask"):
    """The first and only frame of a connection of its own: which shares has the source of this protection now?"""

    protection: str


class SharesAnswer(msgspec.Struct, frozen=True, tag="shares_answer"):
    """The source's shares as its facts name them. Not ``given``: it could not look at all of them, and ``says`` why."""

    given: bool
    says: str = ""
    shares: list[dict[str, Any]] = []


Question = PromiseAsk | SharesAsk
Answer = PromiseAnswer | SharesAnswer
Control = Hello | Welcome | Refuse | Ack | Beat | Bye | Question | Answer


class ItemKind(IntEnum):
    """What a mirror item is: its begin, one opaque message of the mirror, its end."""

    BEGIN = 1
    MESSAGE = 2
    END = 3


class MirrorBegin(msgspec.Struct, frozen=True):
    """A mirror starts; ``changes_state`` is false for a mere verification."""

    kind: str
    changes_state: bool = True


class MirrorEnd(msgspec.Struct, frozen=True):
    """A mirror is over; the data is good when the sequence ``log_end`` is applied, if it is ``complete``."""

    log_end: int
    complete: bool
    says: str = ""


class Operations(msgspec.Struct, frozen=True):
    """Records as they lie in a log, from ``first`` to ``last``."""

    first: int
    last: int
    count: int
    data: memoryview | bytes


class Apart:
    """A payload that lies in two pieces, so that megabytes need not be copied behind their few bytes of introduction."""

    __slots__ = ("data", "head")

    def __init__(self, head: bytes, data: bytes) -> None:
        self.head, self.data = head, data

    def __len__(self) -> int:
        return len(self.head) + len(self.data)


def whole(payload: memoryview | bytes | Apart) -> memoryview | bytes:
    """A payload in one piece."""
    return payload.head + payload.data if isinstance(payload, Apart) else payload


class MirrorItem(msgspec.Struct, frozen=True):
    """Something of the mirror; it stands in the stream after the operation ``after``."""

    index: int
    after: int
    kind: ItemKind
    payload: memoryview | bytes | Apart


class Reply(msgspec.Struct, frozen=True):
    """An answer of the mirror's target side to the item ``item``, in its own numbering."""

    index: int
    item: int
    payload: memoryview | bytes


Message = Control | Operations | MirrorItem | Reply
