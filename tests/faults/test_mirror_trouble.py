"""A mirror among cut connections, a target that cannot write, and temporary files that a killed engine left."""

from __future__ import annotations

import errno
import os
import random
from unittest import mock

import pytest

from orchestrator.engine.mirror import placing
from orchestrator.engine.mirror.messages import decode_message, decode_reply, encode
from orchestrator.engine.mirror.options import MirrorKind, MirrorOptions, OrphanAction, OrphanPolicy
from orchestrator.engine.mirror.rules import RuleSet
from orchestrator.engine.mirror.source import MirrorSource
from orchestrator.engine.mirror.target import MirrorTarget
from tests.unit.mirror.loopback import exchange, picture

OPTIONS = [
    MirrorOptions(orphans=OrphanPolicy(OrphanAction.DELETE)),
    MirrorOptions(MirrorKind.DIFFERENCE, checksum=True, orphans=OrphanPolicy(OrphanAction.DELETE)),
]


@pytest.fixture
def places(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    rng = random.Random(7)
    for place in (source, target):
        (place / "d/e").mkdir(parents=True)
        for number in range(60):
            (place / f"d/f{number}").write_bytes(rng.randbytes(rng.randrange(20_000)))
        for number in range(3):
            (place / f"d/e/big{number}").write_bytes(rng.randbytes(400_000))
        (place / "d" / f"only {place.name}").write_bytes(b"x")
    os.link(source / "d/f1", source / "d/e/f1")
    return source, target


@pytest.mark.covers("ENG-MIR-02")
@pytest.mark.parametrize("options", OPTIONS, ids=["full", "checksum"])
@pytest.mark.parametrize("seed", range(6))
def test_a_connection_cut_at_random_places_costs_only_what_was_on_its_way(places, options, seed):
    source, target = places
    rng = random.Random(seed)
    begin, end = MirrorSource(source, RuleSet(), options), MirrorTarget(target)
    for _ in range(5000):
        if begin.finished:
            break
        batch = [encode(message) for message in begin.next_messages(rng.choice([1, 100_000]))]
        cut = rng.random() < 0.15
        replies = []
        for data in batch[: rng.randrange(len(batch) + 1)] if cut else batch:
            replies += [encode(reply) for reply in end.handle(decode_message(data))]
        for data in replies[: rng.randrange(len(replies) + 1)] if cut else replies:
            begin.on_reply(decode_reply(data))
        if cut:
            begin.reconnected()
    assert begin.finished
    assert picture(target, directory_times=False) == picture(source, directory_times=False)


@pytest.mark.parametrize("seed", range(4))
def test_a_message_that_could_not_be_done_is_done_when_it_is_handed_in_again(places, seed):
    source, target = places
    rng = random.Random(seed)
    begin, end = MirrorSource(source, RuleSet(), OPTIONS[1]), MirrorTarget(target)
    real = placing.write_all

    def sometimes(fd, data, offset):
        if rng.random() < 0.02:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(fd, data, offset)

    class Patient:
        def handle(self, message):
            while True:
                try:
                    return end.handle(message)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise

    with mock.patch.object(placing, "write_all", sometimes):
        exchange(begin, Patient())
    assert picture(target) == picture(source)


def test_what_a_killed_engine_left_is_removed(places):
    source, target = places
    (target / "d/.dtam-mirror-12-3").write_bytes(b"half")
    exchange(MirrorSource(source, RuleSet(), OPTIONS[0]), MirrorTarget(target))
    assert picture(target) == picture(source)


def test_a_file_that_cannot_be_read_is_told_and_the_rest_travels(places):
    source, target = places
    begin = MirrorSource(source, RuleSet(), OPTIONS[0])
    from orchestrator.engine.mirror import sending

    real = sending.open_file

    def refusing(dir_fd, name):
        if name == b"f7":
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(dir_fd, name)

    with mock.patch.object(sending, "open_file", refusing):
        exchange(begin, MirrorTarget(target))
    assert begin.progress.skipped_paths == 1
    mine, theirs = picture(source), picture(target)
    assert mine.pop("d/f7") != theirs.pop("d/f7")
    assert mine == theirs
