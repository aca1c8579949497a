"""Mirror items in the stream of a real connection: their place among operations, cuts, failures at the target."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.engine.apply.errors import ReplicaUnusable
from orchestrator.engine.oplog.format import Kind, Operation
from orchestrator.engine.transfer.ports import MirrorJob, SourceHooks
from tests.faults.transfer_pair import Pair, until


class Counting:
    """A feed of numbered messages; each must be answered with its own number."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.sent = 0
        self.answers: list[bytes] = []
        self.noted: list[int] = []

    @property
    def finished(self) -> bool:
        return len(self.answers) == self.count

    def next_messages(self, budget_bytes: int) -> list[bytes]:
        if budget_bytes <= 0 or self.sent == self.count:
            return []
        self.sent += 1
        return [b"%d:" % self.sent + bytes(3000)]

    def on_reply(self, payload: bytes) -> None:
        self.answers.append(payload)

    def note_operation(self, operation: Operation) -> None:
        self.noted.append(operation.sequence)


class Answering:
    """The target's side: notes what came, answers with the number."""

    def __init__(self, seen: list[int], failing: list[str]) -> None:
        self.seen = seen
        self.failing = failing

    def handle(self, payload: bytes) -> list[bytes]:
        number = bytes(payload).partition(b":")[0]
        if self.failing and int(number) == 5:
            raise ReplicaUnusable(where="mirror", why=self.failing.pop())
        self.seen.append(int(number))
        return [number]


@pytest.fixture
def seen() -> list[int]:
    return []


@pytest.fixture
def failing() -> list[str]:
    return []


@pytest.fixture
def pair(tmp_path: Path, seen: list[int], failing: list[str]) -> Iterator[Pair]:
    made = Pair(tmp_path, ports={"mirror": lambda _root, _kind: Answering(seen, failing)})
    yield made
    made.close()


def hooks(pair: Pair, feeds: list[Counting], count: int) -> SourceHooks:
    def due(_says: str) -> MirrorJob:
        feeds.append(Counting(count))
        return MirrorJob(feeds[-1], "full")

    return SourceHooks(mirror_due=due, happened=pair.says.append)


def test_a_mirror_under_way_survives_cuts(pair: Pair, seen: list[int]) -> None:
    feeds: list[Counting] = []
    rng = random.Random(1)
    pair.proxy.cut_after = lambda: rng.randrange(20_000, 200_000)
    source = pair.connect(hooks=hooks(pair, feeds, 400))
    until(lambda: source.status().connected)
    for n in range(200):
        pair.log.op(Kind.CREATE, b"f%d" % n, a=0o100644)
        if n % 10 == 0:
            pair.log.commit()
    pair.log.commit()
    pair.good(source)
    assert pair.proxy.cuts > 3
    assert len(feeds) == 1, "the mirror went on, it did not begin anew"
    assert seen == list(range(1, 401)), "each item once, in order"
    assert [int(answer) for answer in feeds[0].answers] == seen
    pair.applied()
    assert len(list(pair.root.iterdir())) == 200


def test_a_mirror_that_fails_at_the_target_is_begun_again(pair: Pair, seen: list[int], failing: list[str]) -> None:
    failing.append("somebody pulled a plug")
    feeds: list[Counting] = []
    source = pair.connect(hooks=hooks(pair, feeds, 20))
    pair.good(source)
    assert len(feeds) == 2
    assert seen[-20:] == list(range(1, 21))
    assert any("somebody pulled a plug" in line for line in pair.says)


def test_a_target_restarted_during_a_mirror_is_mirrored_again(pair: Pair, seen: list[int]) -> None:
    feeds: list[Counting] = []
    source = pair.connect(hooks=hooks(pair, feeds, 3000))
    until(lambda: len(seen) > 50)
    pair.close_target()
    pair.open_target()
    assert pair.replica.status().data_state == "mirror_required"
    pair.good(source)
    assert len(feeds) >= 2
    assert seen[-3000:] == list(range(1, 3001))


def test_a_stopped_mirror_leaves_the_target_in_need_of_one(pair: Pair, seen: list[int]) -> None:
    feeds: list[Counting] = []
    source = pair.connect(hooks=hooks(pair, feeds, 5000))
    until(lambda: len(seen) > 10)
    source.stop_mirror()
    until(lambda: pair.replica.status().data_state == "mirror_required")
    assert "stopped" in pair.replica.status().says
    source.start_mirror(MirrorJob(Counting(5), "full"))
    pair.good(source)
