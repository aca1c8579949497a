"""The two cores talking to each other without sockets: order, resumption, refusals."""

from __future__ import annotations

import pytest

from orchestrator.engine.oplog.format import Kind, Operation, encode
from orchestrator.engine.transfer.events import (
    Append,
    Connected,
    Denied,
    Disconnected,
    Enqueue,
    Found,
    Hangup,
    ItemHandled,
    Logged,
    LogOffer,
    LogPrepared,
    LookUp,
    MirrorBroken,
    MirrorClosed,
    MirrorLink,
    MirrorNeeded,
    MirrorOpened,
    MirrorRead,
    MirrorReplied,
    OperationsRead,
    PrepareLog,
    Progress,
    Received,
    Released,
    ReplicaFacts,
    Seek,
    Send,
    SendingPaused,
    Tick,
)
from orchestrator.engine.transfer.framing import encode_frame, parse_header, parse_payload
from orchestrator.engine.transfer.messages import Ack, DataState, Operations, Refusal, Refuse, Welcome
from orchestrator.engine.transfer.protocol import Phase, SessionLimits, SourceSession, TargetSession, Terms

TERMS = Terms("c1", "p1", 1, "alpha", "set", "/replica")


def run_of(first: int, last: int) -> Operations:
    records = [encode(Operation(Kind.WRITE, n, 1, b"f", b"", 0, 0, b"x")) for n in range(first, last + 1)]
    return Operations(first, last, len(records), b"".join(records))


class Wire:
    """Source and target, and everything that passes between them, in frames."""

    def __init__(self, link: MirrorLink | None = None, **facts: object) -> None:
        self.source = SourceSession(TERMS, token="t")
        self.link = link or MirrorLink()
        self.facts = {
            "epoch": 1,
            "promoted": False,
            "log_id": "L",
            "acknowledged": 0,
            "applied": 0,
            "data_state": DataState.GOOD,
        } | facts
        self.from_source: list[object] = []
        self.stream: list[object] = []
        self.connect()

    def connect(self) -> None:
        self.target = TargetSession()

    def give_source(self, event: object) -> None:
        for action in self.source.handle(event, 0.0):  # type: ignore[arg-type]
            self.from_source.append(action)
            if isinstance(action, Send):
                self.give_target(Received(over_the_wire(action.message)))

    def give_target(self, event: object) -> None:
        for action in self.target.handle(event, 0.0):  # type: ignore[arg-type]
            match action:
                case Send(message):
                    self.give_source(Received(over_the_wire(message)))
                case LookUp():
                    self.give_target(Found(ReplicaFacts(**self.facts, link=self.link)))  # type: ignore[arg-type]
                case PrepareLog(hello):
                    self.give_target(LogPrepared(hello.committed))
                case Append(operations):
                    self.stream.append((operations.first, operations.last))
                case Enqueue(item):
                    self.stream.append(bytes(item.payload) if item.kind == 2 else item.kind.name)
                case _:
                    self.stream.append(action)


def over_the_wire(message: object) -> object:
    frame = b"".join(encode_frame(message))  # type: ignore[arg-type]
    kind, length = parse_header(frame[:8], control_only=False, peer="x")
    assert length == len(frame) - 8
    return parse_payload(kind, memoryview(frame)[8:], peer="x")


def connected(wire: Wire, *, committed: int = 100, fresh: bool = False, first: int = 1) -> Wire:
    wire.give_source(Connected(LogOffer("L", first, committed), fresh))
    return wire


def test_operations_flow_and_are_released_when_acknowledged() -> None:
    wire = connected(Wire(acknowledged=5, applied=5))
    assert Seek(5) in wire.from_source
    wire.give_source(OperationsRead(run_of(6, 9)))
    assert wire.stream == [(6, 9)]
    wire.give_target(Logged(9))
    assert wire.from_source[-1] == Released(9)
    assert wire.source.acknowledged == 9


def test_a_mirror_item_waits_for_its_place_in_the_stream() -> None:
    wire = connected(Wire())
    wire.give_source(MirrorOpened("full", 3))
    wire.give_source(MirrorRead((b"m1", b"m2"), 5))
    assert wire.source.operations_up_to == 3
    assert wire.stream == []
    wire.give_source(OperationsRead(run_of(1, 3)))
    assert wire.source.operations_up_to == 5
    wire.give_source(OperationsRead(run_of(4, 5)))
    wire.give_source(OperationsRead(run_of(6, 7)))
    wire.give_source(MirrorClosed(8, complete=True))
    wire.give_source(OperationsRead(run_of(8, 8)))
    assert wire.stream == [(1, 3), "BEGIN", (4, 5), b"m1", b"m2", (6, 7), (8, 8), "END"]
    assert wire.source.operations_up_to is None


def test_after_a_cut_a_mirror_goes_on_exactly_where_the_target_is() -> None:
    wire = connected(Wire())
    wire.give_source(MirrorOpened("full", 0))
    wire.give_source(MirrorRead((b"m1",), 0))
    wire.give_source(OperationsRead(run_of(1, 4)))
    wire.give_source(Disconnected())
    wire.give_source(MirrorRead((b"m2",), 6))
    wire.facts["acknowledged"] = 2  # the rest of the run was cut off
    wire.connect()
    wire.stream.clear()
    connected(wire)
    assert wire.source.operations_up_to == 6
    wire.give_source(OperationsRead(run_of(3, 6)))
    assert wire.stream == [(3, 6), b"m2"]
    assert not any(isinstance(action, MirrorBroken) for action in wire.from_source)


def test_a_target_that_started_anew_breaks_the_mirror_under_way() -> None:
    wire = connected(Wire())
    wire.give_source(MirrorOpened("full", 0))
    wire.give_source(Disconnected())
    wire.link = MirrorLink()
    wire.facts["data_state"] = DataState.MIRROR_REQUIRED
    wire.connect()
    connected(wire)
    assert any(isinstance(action, MirrorBroken) for action in wire.from_source)
    wire.give_source(MirrorOpened("full", 0))
    assert wire.stream[-1] == "BEGIN"


def test_replies_come_once_and_in_order_even_over_a_cut() -> None:
    wire = connected(Wire())
    wire.give_source(MirrorOpened("full", 0))
    wire.give_source(MirrorRead((b"m1",), 0))
    wire.give_target(ItemHandled(wire.link.done(1, []), 10))
    wire.give_source(Disconnected())
    wire.target = TargetSession()
    made = wire.link.done(2, [b"r1", b"r2"])  # handled while nobody was connected
    assert len(made) == 2
    connected(wire)
    wire.source.handle(Received(made[0]), 0.0)
    replies = [bytes(action.payload) for action in wire.from_source if isinstance(action, MirrorReplied)]
    assert replies == [b"r1", b"r2"]


@pytest.mark.parametrize(
    ("facts", "reason", "mirror"),
    [
        ({"epoch": 2}, Refusal.STALE_EPOCH, False),
        ({"promoted": True}, Refusal.RESTORE_REQUIRED, False),
        ({"log_id": "other"}, Refusal.LOG_MISMATCH, True),
        ({"acknowledged": 3}, Refusal.LOG_GAP, True),
        ({"acknowledged": 101}, Refusal.LOG_GAP, True),
    ],
)
def test_refusals(facts: dict[str, object], reason: Refusal, mirror: bool) -> None:
    wire = connected(Wire(**facts), first=10)
    assert wire.source.phase is Phase.REFUSED
    assert wire.source.refusal is not None
    assert wire.source.refusal.reason is reason
    assert any(isinstance(action, MirrorNeeded) for action in wire.from_source) is mirror
    assert not wire.source.may_send_operations


def test_a_fresh_session_begins_a_new_base_whatever_the_target_had() -> None:
    wire = connected(Wire(log_id="other", acknowledged=7), committed=50, fresh=True)
    assert Seek(50) in wire.from_source
    wire.give_source(OperationsRead(run_of(51, 52)))
    assert wire.stream == [(51, 52)]


def test_a_promoted_replica_ends_the_session_under_way() -> None:
    wire = connected(Wire())
    wire.give_target(Denied(Refusal.RESTORE_REQUIRED, "promoted"))
    assert wire.source.phase is Phase.REFUSED


def test_a_gap_or_damage_in_the_stream_ends_the_session() -> None:
    wire = connected(Wire())
    assert isinstance(wire.target.handle(Received(run_of(2, 3)), 0)[0], Hangup)
    damaged = bytearray(run_of(1, 2).data)
    damaged[70] ^= 1
    assert isinstance(wire.target.handle(Received(Operations(1, 2, 2, bytes(damaged))), 0)[0], Hangup)
    assert wire.stream == []


def test_what_the_target_knows_already_is_not_appended_again() -> None:
    wire = connected(Wire())
    wire.give_source(OperationsRead(run_of(1, 4)))
    assert wire.target.handle(Received(run_of(1, 4)), 0) == []


def test_full_queue_and_pause_hold_the_source_back() -> None:
    wire = connected(Wire())
    assert wire.source.may_send_operations
    wire.give_target(Progress(0, DataState.GOOD, queue_full=True))
    assert not wire.source.may_send_operations
    assert wire.source.mirror_budget_bytes == 0
    wire.give_target(Progress(0, DataState.GOOD, queue_full=False))
    assert wire.source.may_send_operations
    wire.give_source(SendingPaused(paused=True))
    assert not wire.source.may_send_operations


def test_the_window_bounds_what_is_not_acknowledged() -> None:
    source = SourceSession(TERMS, SessionLimits(operations_window_bytes=200))
    source.handle(Connected(LogOffer("L", 1, 100)), 0)
    target = Wire()
    target.source = source
    target.give_source(Connected(LogOffer("L", 1, 100)))
    target.give_source(OperationsRead(run_of(1, 3)))
    assert not source.may_send_operations
    target.give_target(Logged(3))
    assert source.may_send_operations


def test_silence_ends_a_session_and_beats_keep_it() -> None:
    wire = connected(Wire())
    assert wire.source.handle(Tick(), 2.0)[0].__class__ is Send
    assert isinstance(wire.source.handle(Tick(), 11.0)[0], Hangup)
    assert isinstance(wire.target.handle(Tick(), 11.0)[0], Hangup)


def test_an_acknowledgement_of_what_was_never_sent_ends_the_session() -> None:
    wire = connected(Wire())
    wire.target.received = 9
    wire.give_target(Logged(9))
    assert any(isinstance(action, Hangup) for action in wire.from_source)


def test_refuse_before_welcome_is_understood() -> None:
    source = SourceSession(TERMS)
    source.handle(Connected(LogOffer("L", 1, 1)), 0)
    actions = source.handle(Received(Refuse(Refusal.NOT_READY, "busy")), 0)
    assert actions == [Hangup("busy")]


@pytest.mark.covers("ENG-SYNC-01")
def test_good_data_is_not_counted_upon_from_the_beginning_of_a_mirror_until_its_end_was_handled() -> None:
    source = SourceSession(TERMS, token="t")

    def word(handled: int) -> Ack:
        return Ack(0, 0, handled, DataState.GOOD)

    assert not source.overwrites(word(0))
    source.handle(MirrorOpened("difference", 0, changes_state=False), 0.0)  # a verification
    source.handle(MirrorClosed(0, complete=True), 0.0)
    assert not source.overwrites(word(0))
    source.handle(MirrorOpened("difference", 0), 0.0)
    assert source.overwrites(word(3))
    source.handle(MirrorClosed(0, complete=True), 0.0)
    assert source.overwrites(word(3)), "its end was not handled"
    assert source.overwrites(Welcome(0, 0, DataState.GOOD, mirror_known=True))
    assert not source.overwrites(Welcome(0, 0, DataState.GOOD)), "the target began a new numbering, and is good"
    assert not source.overwrites(word(4))
