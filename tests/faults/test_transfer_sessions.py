"""Real sessions over TLS: cut at random places, refused for cause, resumed without loss and without repetition."""

from __future__ import annotations

import random
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.engine.apply.works import ReplicaSettings
from orchestrator.engine.oplog.format import Kind
from orchestrator.engine.oplog.limits import QueueLimits
from orchestrator.engine.transfer.errors import PeerUnknown
from orchestrator.engine.transfer.ports import LogAccess, SourceHooks, TransmitState
from orchestrator.engine.transfer.protocol import SessionLimits
from orchestrator.engine.transfer.shipping import Shipping
from orchestrator.engine.transfer.tls import Channel, Identity, Peer, client_context
from tests.faults.transfer_pair import Model, Pair, tree_of, until, wanted


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = Pair(tmp_path)
    yield made
    made.close()


def test_what_happens_at_the_source_happens_at_the_target(pair: Pair) -> None:
    source = pair.connect()
    pair.good(source)
    model = Model(pair.log, seed=1)
    for _ in range(500):
        model.step()
    pair.log.commit()
    pair.applied()
    assert tree_of(pair.root) == wanted(model)
    assert pair.replica.status().data_state == "good"
    until(lambda: source.status().acknowledged_sequence == pair.log.sequence)


@pytest.mark.covers("ENG-Q-05")
@pytest.mark.parametrize("seed", range(3))
def test_cuts_at_random_places_lose_nothing_and_repeat_nothing(pair: Pair, seed: int) -> None:
    source = pair.connect()
    pair.good(source)
    rng = random.Random(seed)
    pair.proxy.cut_after = lambda: rng.randrange(3000, 120_000)
    pair.proxy.cut()
    model = Model(pair.log, seed)
    for _ in range(60):
        for _ in range(15):
            model.step()
        pair.log.commit()
    pair.applied(60)
    assert pair.proxy.cuts > 3
    assert tree_of(pair.root) == wanted(model)
    assert pair.mirrors == 1, "no remirror after a cut"
    assert pair.replica.status().data_state == "good"


@pytest.mark.covers("ENG-Q-05")
def test_while_the_link_is_down_the_source_queues_and_sends_on_when_it_is_back(pair: Pair) -> None:
    source = pair.connect()
    pair.good(source)
    pair.proxy.refusing = True
    pair.proxy.cut()
    model = Model(pair.log, seed=5)
    for _ in range(300):
        model.step()
    pair.log.commit()
    until(lambda: source.status().transmit_state is TransmitState.ERROR)
    assert (
        source.status().queue_operations == 0
        or source.status().queue_operations == 300
        or not source.status().connected
    )
    pair.proxy.refusing = False
    pair.applied()
    assert tree_of(pair.root) == wanted(model)
    assert pair.mirrors == 1


@pytest.mark.covers("ENG-Q-06")
def test_a_target_daemon_that_stops_and_starts_resumes_without_a_mirror(pair: Pair) -> None:
    source = pair.connect()
    pair.good(source)
    model = Model(pair.log, seed=6)
    for round_ in range(4):
        for _ in range(120):
            model.step()
        pair.log.commit()
        if round_ % 2:
            pair.close_target()
            pair.open_target()
    pair.applied()
    assert tree_of(pair.root) == wanted(model)
    assert pair.mirrors == 1, pair.says
    assert source.status().target_data_state == "good"


@pytest.mark.covers("ENG-Q-06")
def test_a_target_that_lost_its_queue_is_mirrored_again(pair: Pair) -> None:
    source = pair.connect()
    pair.good(source)
    pair.log.op(Kind.CREATE, b"f", a=0o100644)
    pair.log.commit()
    pair.applied()
    pair.close_target()
    for segment in (pair.tmp / "replicas" / pair.key / "queue").glob("*.seg"):
        segment.unlink()
    pair.open_target()
    until(lambda: pair.mirrors == 2, what=str(pair.says))
    pair.good(source)
    assert "queue was lost" in " ".join([pair.replica.record.says, *pair.says]) or pair.mirrors == 2


@pytest.mark.covers("ENG-Q-07")
def test_a_source_daemon_that_restarts_resumes_where_its_log_is_whole(pair: Pair) -> None:
    source = pair.connect()
    pair.good(source)
    model = Model(pair.log, seed=7)
    for _ in range(200):
        model.step()
    pair.log.commit()
    source.stop()
    for _ in range(200):
        model.step()
    pair.log.commit()
    pair.connect(fresh=False)
    pair.applied()
    assert tree_of(pair.root) == wanted(model)
    assert pair.mirrors == 1


@pytest.mark.covers("ENG-Q-07")
def test_another_log_of_the_source_is_not_joined_but_mirrored(pair: Pair) -> None:
    source = pair.connect()
    pair.good(source)
    source.stop()
    pair.log.restart()
    again = pair.connect(fresh=False)
    until(lambda: pair.mirrors == 2)
    pair.good(again)
    pair.log.op(Kind.CREATE, b"after", a=0o100644)
    pair.log.commit()
    pair.applied()
    assert (pair.root / "after").exists()


@pytest.mark.covers("ENG-Q-03")
def test_without_automatic_remirror_the_connection_waits_for_a_person(pair: Pair) -> None:
    source = pair.connect()
    pair.good(source)
    source.stop()
    pair.log.restart()
    again = pair.connect(fresh=False, hooks=SourceHooks(happened=pair.says.append))
    until(lambda: "log_mismatch" in again.status().says, what=str(again.status()))
    again.start_mirror(pair.mirror("by hand"))
    pair.good(again)


def test_a_log_that_lost_operations_is_out_of_step_and_mirrored(pair: Pair) -> None:
    def log_lost() -> bool:
        pair.log.restart()
        return True

    source = pair.connect(hooks=SourceHooks(mirror_due=pair.mirror, log_lost=log_lost, happened=pair.says.append))
    pair.good(source)
    pair.log.op(Kind.CREATE, b"f", a=0o100644)
    pair.log.commit()
    pair.applied()
    pair.log.writer.state.flags = 1
    until(lambda: pair.mirrors >= 2, what=str(pair.says))
    pair.good(source)


def test_a_stale_epoch_is_refused(pair: Pair) -> None:
    source = pair.connect(epoch=3)
    pair.good(source)
    source.stop()
    old = pair.connect(epoch=2, fresh=False)
    until(lambda: "stale_epoch" in old.status().says, what=str(old.status()))
    other = pair.connect(epoch=2, fresh=True, key="7d444840-9dc0-11d1-b245-5ffdce74fad2")
    until(lambda: "stale_epoch" in other.status().says, what=str(other.status()))


def test_a_promoted_target_refuses_until_it_is_demoted(pair: Pair) -> None:
    source = pair.connect()
    pair.good(source)
    pair.log.op(Kind.CREATE, b"f", a=0o100644)
    pair.log.commit()
    assert pair.replica.settle(10)
    pair.replica.promote(2)
    until(
        lambda: "restore_required" in source.status().says or "stale" in source.status().says, what=str(source.status())
    )
    before = tree_of(pair.root)
    pair.log.op(Kind.UNLINK, b"f")
    pair.log.commit()
    pair.close_target()
    pair.open_target()
    assert pair.replica.status().promoted
    until(lambda: not source.status().connected)
    assert tree_of(pair.root) == before
    pair.replica.demote()
    source.stop()
    again = pair.connect(epoch=2, fresh=False)
    until(lambda: pair.mirrors == 2)
    pair.good(again)


def talk(sock: socket.socket, context: ssl.SSLContext) -> None:
    """Open TLS and wait for a word of the other side."""
    channel = Channel(sock, context, server=False, peer="beta")
    try:
        channel.receive_into(memoryview(bytearray(1)))
    finally:
        channel.close()


def test_an_unknown_peer_gets_nothing(pair: Pair, tmp_path: Path) -> None:
    stranger = Identity.load_or_create(tmp_path / "stranger", "mallory")
    context = client_context(stranger, Peer("beta", pair.target_identity.certificate_pem))
    sock = socket.create_connection(("127.0.0.1", pair.listener.port), timeout=5)
    with pytest.raises((PeerUnknown, OSError)):
        talk(sock, context)
    with socket.create_connection(("127.0.0.1", pair.listener.port), timeout=5) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
        answer = plain.recv(4096)
        assert b"HTTP" not in answer
        assert len(answer) < 16  # a TLS alert at most
    assert pair.house.all() == []


def test_a_target_with_another_key_is_not_talked_to(pair: Pair, tmp_path: Path) -> None:
    pair.target_identity = Identity.load_or_create(tmp_path / "other", "beta")
    source = pair.connect()
    until(lambda: source.status().transmit_state is TransmitState.ERROR)
    assert "key" in source.status().says or "certificate" in source.status().says
    assert pair.house.all() == []


def test_a_damaged_frame_ends_the_session_and_nothing_of_it_is_used(pair: Pair) -> None:
    source = pair.connect()
    pair.good(source)
    channel = source._channel
    assert channel is not None
    channel.send([b"\xff" * 64])
    until(lambda: source._channel is not channel)
    pair.log.op(Kind.CREATE, b"f", a=0o100644)
    pair.log.commit()
    pair.applied()
    assert pair.mirrors == 1


def test_pausing_the_sending_keeps_the_session_and_loses_nothing(pair: Pair) -> None:
    source = pair.connect()
    pair.good(source)
    source.pause()
    model = Model(pair.log, seed=8)
    for _ in range(100):
        model.step()
    pair.log.commit()
    assert source.status().transmit_state is TransmitState.PAUSED
    assert source.status().connected
    threading.Event().wait(0.3)
    assert pair.replica.status().applied_sequence == 0
    source.resume()
    pair.applied()
    assert tree_of(pair.root) == wanted(model)


def test_what_may_not_be_sent_keeps_nobody_busy(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log holds operations, sending is paused: the thread sleeps until it is told otherwise."""
    looks: list[float] = []
    ship = Shipping.ship

    def counted(shipping: Shipping, access: LogAccess) -> bool:
        looks.append(time.monotonic())
        return ship(shipping, access)

    source = pair.connect()
    pair.good(source)
    source.pause()
    model = Model(pair.log, seed=9)
    for _ in range(20):
        model.step()
    pair.log.commit()
    monkeypatch.setattr(Shipping, "ship", counted)
    threading.Event().wait(0.3)
    assert len(looks) < 30
    source.resume()
    pair.applied()


def test_a_paused_target_queues_and_acknowledges_but_applies_nothing(pair: Pair) -> None:
    source = pair.connect()
    pair.good(source)
    pair.replica.pause()
    model = Model(pair.log, seed=9)
    for _ in range(200):
        model.step()
    pair.log.commit()
    until(lambda: source.status().acknowledged_sequence == pair.log.sequence)
    assert tree_of(pair.root) == {}
    until(lambda: source.status().target_state == "paused")
    pair.replica.resume()
    assert pair.replica.settle(20)
    assert tree_of(pair.root) == wanted(model)


@pytest.mark.covers("ENG-Q-02", "ENG-Q-04")
@pytest.mark.parametrize(
    "limits",
    [
        QueueLimits(memory_limit_bytes=64 << 10, disk_limit_bytes=256 << 10, minimum_free_bytes=0),
        QueueLimits(memory_limit_bytes=64 << 10, disk_limit_bytes=0, minimum_free_bytes=0),
        QueueLimits(memory_limit_bytes=64 << 10, minimum_free_bytes=1 << 60),
    ],
    ids=["a disk limit", "no disk queue", "minimum free space"],
)
def test_a_full_target_queue_pauses_the_source_and_lets_it_go_on(tmp_path: Path, limits: QueueLimits) -> None:
    pair = Pair(
        tmp_path, settings=ReplicaSettings(limits=limits, segment_bytes=32 << 10, checkpoint_s=0.05, janitor_s=0.02)
    )
    try:
        source = pair.connect(limits=SessionLimits(operations_window_bytes=64 << 10))
        pair.good(source)
        pair.replica.pause()
        for n in range(1000):
            pair.log.op(Kind.CREATE, b"f%d" % n, a=0o100644)
            pair.log.op(Kind.WRITE, b"f%d" % n, data=b"x" * 2000)
        pair.log.commit()
        until(lambda: pair.replica.status().queue_full)
        until(lambda: not source._core.may_send_operations)
        assert source.status().acknowledged_sequence < 2000
        assert source.status().connected
        assert any("% of the disk queue" in line for line in pair.says)
        pair.replica.resume()
        pair.applied(30)
        assert len(tree_of(pair.root)) == 1000
        assert pair.mirrors == 1
    finally:
        pair.close()


@pytest.mark.covers("ENG-Q-01")
def test_memory_stays_bounded_and_the_order_is_kept_through_the_disk(tmp_path: Path) -> None:
    limits = QueueLimits(memory_limit_bytes=32 << 10)
    pair = Pair(tmp_path, settings=ReplicaSettings(limits=limits, segment_bytes=64 << 10, checkpoint_s=0.05))
    try:
        source = pair.connect()
        pair.good(source)
        pair.replica.pause()
        model = Model(pair.log, seed=21)
        for _ in range(40):
            for _ in range(50):
                model.step()
            pair.log.commit()
        until(lambda: source.status().acknowledged_sequence == pair.log.sequence)
        status = pair.replica.status()
        assert status.queue_memory_bytes <= 32 << 10
        assert status.queue_disk_bytes > 256 << 10
        pair.replica.resume()
        pair.applied(30)
        assert tree_of(pair.root) == wanted(model)
        until(lambda: pair.replica.status().queue_disk_bytes <= 128 << 10, what="spent segments are deleted")
    finally:
        pair.close()
