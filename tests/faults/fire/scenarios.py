"""What is thrown at a field under load, one function a scenario; ``chance`` decides the moments. Each ends with identical trees."""

from __future__ import annotations

import contextlib
import random
import time

from orchestrator.engine.client import schema
from orchestrator.errors import DtamError
from tests.faults.fire import diary
from tests.faults.fire.field import PATIENCE_S, REMIRRORED, Field
from tests.faults.fire.proxy import Cut
from tests.faults.witness_process import eventually

ROUNDS = 2
WAY_S = 0.03
"""So long is everything under way where an answer that did not wait for it must be seen."""


def a_moment(field: Field, chance: random.Random) -> None:
    """Some commits, and then a while that no commit decides."""
    field.more_commits(chance.randrange(3, 20))
    time.sleep(chance.random() * 0.2)


def mirrors_asked(field: Field) -> int:
    """How many mirrors either side found necessary since the beginning."""
    return len(field.happened(field.alpha, REMIRRORED)) + len(field.happened(field.beta, "mirror required"))


def target_engine_killed(field: Field, chance: random.Random) -> None:
    """What it left is a prefix; it goes on at the acknowledged position, and nothing is mirrored."""
    before = mirrors_asked(field)
    for _ in range(ROUNDS):
        a_moment(field, chance)
        log_id, last_seen = diary.log_end(field.page)[0], field.replica()
        assert last_seen.data_state == "good"
        field.beta.kill()
        with field.copied() as tree:
            field.prove_prefix(tree, log_id, last_seen.applied_sequence)
        field.more_commits(chance.randrange(2, 10))
        field.beta.start()
        field.wait_good()
        field.prove_frozen_prefix()
    field.prove_identical()
    assert mirrors_asked(field) == before


def source_engine_killed(field: Field, chance: random.Random) -> None:
    """The capture and the databases go on without it; all that was acknowledged is on the target; it resumes, nothing is mirrored."""
    before, log_id = mirrors_asked(field), diary.log_end(field.page)[0]
    for _ in range(ROUNDS):
        a_moment(field, chance)
        field.alpha.kill()
        acknowledged = field.acknowledged()
        field.more_commits(chance.randrange(2, 10))
        with field.beta.local() as client:
            client.replica_action(field.key, "settle", timeout_s=PATIENCE_S)
        with field.copied() as tree:
            field.prove_prefix(tree, *acknowledged)
        field.alpha.start()
        field.wait_good()
    field.prove_identical()
    assert diary.log_end(field.page)[0] == log_id
    assert mirrors_asked(field) == before


def both_engines_restarted(field: Field, chance: random.Random) -> None:
    """One after the other, in order or by SIGKILL, under load: both are back, and nothing is mirrored."""
    before = mirrors_asked(field)
    for engine in chance.sample([field.alpha, field.beta], 2):
        a_moment(field, chance)
        if chance.random() < 0.5:
            engine.kill()
        else:
            assert engine.stop() == 0
        field.more_commits(chance.randrange(2, 10))
        engine.start()
    field.wait_good()
    field.prove_frozen_prefix()
    field.prove_identical()
    assert mirrors_asked(field) == before


def network_cut(field: Field, chance: random.Random) -> None:
    """The source queues and sends on when the network is back; nothing is lost, nothing is mirrored."""
    before = mirrors_asked(field)
    for cut in chance.sample([Cut.RESET, Cut.SILENT], 2):
        a_moment(field, chance)
        field.proxy.cut = cut
        time.sleep(0.2)
        arrived = field.replica().acknowledged_sequence
        field.more_commits(chance.randrange(5, 30))
        assert field.replica().acknowledged_sequence == arrived, "the network is cut"
        assert diary.log_end(field.page)[1] > arrived
        field.proxy.cut = Cut.NONE
        field.wait_good()
        field.prove_frozen_prefix()
    field.prove_identical()
    assert mirrors_asked(field) == before


def capture_killed(field: Field, chance: random.Random) -> None:
    """Open files are lost, the directory comes back, a difference mirror runs under the restarted databases, and all is well again."""
    a_moment(field, chance)
    before, log_id = len(field.happened(field.alpha, REMIRRORED)), diary.log_end(field.page)[0]
    sent_before = field.status().mirror_bytes_sent
    killed = field.kill_capture()
    for load in field.loads:
        eventually(lambda load=load: not load.alive(), f"{load.name} noticing that its files are lost", PATIENCE_S)
        load.kill()
    eventually(lambda: field.mount().pid not in (None, killed), "a new capture", PATIENCE_S)
    field.fire()
    eventually(lambda: len(field.happened(field.alpha, REMIRRORED)) > before, "a mirror being asked for", PATIENCE_S)
    field.wait_good()
    assert diary.log_end(field.page)[0] != log_id, "what is missing from a log is never resumed over"
    field.more_commits(3)
    field.prove_frozen_prefix()
    field.prove_identical()
    whole = sum(path.lstat().st_size for path in field.source.rglob("*") if path.is_file())
    assert field.status().mirror_bytes_sent - sent_before < whole / 2, "only differences travel"


def mirror_interrupted(field: Field, chance: random.Random) -> None:
    """A mirror over a good replica, and something dies in its middle: the target never calls good what is not, and gets there."""
    for victim in chance.sample(["target engine", "source engine", "network"], 2):
        a_moment(field, chance)
        with field.alpha.local() as client:
            options = schema.MirrorOptions(kind=chance.choice(["full", "difference"]), checksum=chance.random() < 0.5)
            client.connection_action(field.key, "start_mirror", options=options)
        time.sleep(chance.random() * 1.5)
        _fall_and_rise(field, victim)
        eventually(lambda: field.prove_frozen_prefix(unless_bad=True), "a good replica", PATIENCE_S)
    field.prove_identical()


def _fall_and_rise(field: Field, victim: str) -> None:
    if victim == "network":
        field.proxy.cut = Cut.RESET
        field.more_commits(2)
        field.proxy.cut = Cut.NONE
        return
    engine = field.alpha if victim == "source engine" else field.beta
    engine.kill()
    field.more_commits(2)
    engine.start()


def applications_killed(field: Field, chance: random.Random) -> None:
    """The databases die and recover on the source; the target follows, recovery and all."""
    before = mirrors_asked(field)
    for _ in range(ROUNDS):
        a_moment(field, chance)
        for load in chance.sample(field.loads, chance.randrange(1, len(field.loads))):
            load.kill()
        field.prove_frozen_prefix()
        field.fire()
    a_moment(field, chance)
    field.prove_identical()
    assert mirrors_asked(field) == before


def source_machine_restarted(field: Field, chance: random.Random) -> None:
    """Everything of the source dies; it comes back before anybody failed over: mirrored with checksums, then in step."""
    a_moment(field, chance)
    log_id = diary.log_end(field.page)[0]
    field.cut_power()
    acknowledged = field.acknowledged()
    with field.beta.local() as client:
        client.replica_action(field.key, "settle", timeout_s=PATIENCE_S)
    assert field.replica().data_state == "good"
    with field.copied() as tree:
        field.prove_prefix(tree, *acknowledged)
    field.alpha.start()
    field.fire()
    eventually(lambda: diary.log_end(field.page)[0] != log_id, "a new log", PATIENCE_S)
    eventually(lambda: field.prove_frozen_prefix(unless_bad=True), "a good replica", PATIENCE_S)
    field.prove_identical()


def source_lost_while_synchronous(field: Field, chance: random.Random) -> None:
    """Everything of the source dies: all that was answered to be flushed is on the target. Then it comes back."""
    tell_mode(field, "synchronous")
    field.proxy.delay_s = WAY_S
    eventually(lambda: flushes(field) == "synchronous", "the connection being synchronous", PATIENCE_S)
    a_moment(field, chance)
    log_id = diary.log_end(field.page)[0]
    assert flushes(field) == "synchronous"
    field.proxy.cut = Cut.RESET
    field.cut_power(chance)
    field.proxy.cut, field.proxy.delay_s = Cut.NONE, 0.0
    with field.beta.local() as client:
        client.replica_action(field.key, "settle", timeout_s=PATIENCE_S)
    assert field.replica().data_state == "good"
    with field.copied() as tree:
        for load in field.loads:
            answered = load.commits()[-1].number
            assert load.numbers(tree) >= answered, f"{load.name}: {answered} was answered"
    field.alpha.start()
    tell_mode(field, "asynchronous")
    field.fire()
    eventually(lambda: diary.log_end(field.page)[0] != log_id, "a new log", PATIENCE_S)
    eventually(lambda: field.prove_frozen_prefix(unless_bad=True), "a good replica", PATIENCE_S)
    field.prove_identical()


def tell_mode(field: Field, mode: str) -> None:
    with field.alpha.local() as client:
        client.connection_action(field.key, mode)


def flushes(field: Field) -> str:
    """How the flushes of the source are answered now."""
    with contextlib.suppress(DtamError):
        synchrony = field.status().synchrony
        return synchrony.state if synchrony else "asynchronous"
    return "unknown"


SCENARIOS = {
    one.__name__: one
    for one in (
        target_engine_killed,
        source_engine_killed,
        both_engines_restarted,
        network_cut,
        capture_killed,
        mirror_interrupted,
        applications_killed,
        source_machine_restarted,
        source_lost_while_synchronous,
    )
}
