"""Every way that servers can be joined: both directions, many to one, one to many, a chain, one server, through other ports; and what is refused."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.engine.client import AnswerRefused, schema
from tests.e2e.conftest import EngineProcess, wait_for
from tests.e2e.test_engine_pair import fill, tree
from tests.e2e.way import MIB, Joined, Way

Three = tuple[EngineProcess, EngineProcess, EngineProcess]


@pytest.fixture(scope="module")
def three(module_engines) -> Three:
    alpha, beta = module_engines.make("alpha"), module_engines.make("beta", "127.0.0.3")
    gamma = module_engines.make("gamma", "127.0.0.4")
    for one, other in ((alpha, beta), (beta, gamma), (alpha, gamma)):
        module_engines.pair(one, other)
    return alpha, beta, gamma


class Plan:
    """Joins servers, and takes everything apart at the end."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.made: list[Joined] = []

    def join(self, one: EngineProcess, source: str, other: EngineProcess, target: str, **options: object) -> Joined:
        joined = Joined(one, other, self.directory / source, self.directory / target, None)
        capture = options.pop("capture", "auto")
        known = [each for each in self.made if (each.alpha, each.source) == (one, joined.source)]
        if known:
            joined.name = known[0].name
        else:
            if not joined.source.exists():
                joined.source.mkdir()
                fill(joined.source, 12)
            joined.capture(capture=capture)
        self.made.append(joined)
        joined.connect(**options)
        return joined

    def end(self) -> None:
        for joined in reversed(self.made):
            others = [each for each in self.made if each is not joined and each.name == joined.name]
            with joined.alpha.local(timeout_s=60) as client:
                if joined.key:
                    client.disconnect(joined.key)
                if not others:
                    client.delete_replication_set(joined.name)
                    client.unmount(str(joined.source))
            self.made.remove(joined)


@pytest.fixture
def plan(tmp_path, needs) -> Iterator[Plan]:
    needs("fuse")
    made = Plan(tmp_path)
    yield made
    made.end()


def change(root: Path, name: str) -> None:
    (root / "d1").mkdir(exist_ok=True)
    (root / "d1" / name).write_bytes(random.Random(name).randbytes(70_000))


@pytest.mark.covers("ENG-CN-06")
def test_active_active(three, plan) -> None:
    alpha, beta, _ = three
    there, back = plan.join(alpha, "a", beta, "a-copy"), plan.join(beta, "b", alpha, "b-copy")
    for joined in (there, back):
        change(joined.source, "changed")
    for joined in (there, back):
        joined.assert_identical()


@pytest.mark.covers("ENG-CN-06")
def test_many_to_one(three, plan) -> None:
    alpha, beta, gamma = three
    one, other = plan.join(alpha, "a", gamma, "copies/a"), plan.join(beta, "b", gamma, "copies/b")
    for joined in (one, other):
        change(joined.source, "changed")
    for joined in (one, other):
        joined.assert_identical()
    with gamma.local() as client:
        assert {replica.source for replica in client.replicas()} == {"alpha", "beta"}


@pytest.mark.covers("ENG-CN-06")
def test_one_to_many_and_a_slow_one_holds_up_only_itself(three, plan) -> None:
    alpha, beta, gamma = three
    first, second = plan.join(alpha, "a", beta, "copy-1"), plan.join(alpha, "a", gamma, "copy-2")
    for joined in (first, second):
        joined.settled()
    second.act("pause")
    change(first.source, "changed")
    first.assert_identical()
    assert tree(second.target) != tree(second.source)
    second.act("resume")
    second.assert_identical()
    assert len(second.mirrors()) == 1


@pytest.mark.covers("ENG-CN-06")
def test_a_chain_passes_changes_on_and_is_never_made_a_ring(three, plan) -> None:
    alpha, beta, gamma = three
    first = plan.join(alpha, "a", beta, "middle", capture="watcher")
    first.settled()
    second = plan.join(beta, "middle", gamma, "end", capture="watcher")
    second.settled()
    change(first.source, "changed")
    first.settled()
    wait_for(lambda: tree(second.target) == tree(first.source), 60, "the change at the end of the chain")
    third = plan.join(gamma, "end", alpha, "a", capture="watcher")
    wait_for(lambda: "that is a loop" in third.status().last_error, 30, str(third.status()))


@pytest.mark.covers("ENG-CN-06", "ENG-RS-09")
def test_one_server_alone_and_never_into_its_own_data(three, plan) -> None:
    alpha, _, _ = three
    joined = plan.join(alpha, "a", alpha, "copy")
    change(joined.source, "changed")
    joined.assert_identical()
    with alpha.local() as client:
        client.disconnect(joined.key)
        joined.key = ""
        joined.target = joined.source / "d1" / "copy"
        with pytest.raises(AnswerRefused, match="inside its own data"):
            joined.connect()


@pytest.mark.covers("ENG-RS-06", "ENG-RS-09")
def test_overlap_is_refused(three, plan) -> None:
    alpha, beta, _ = three
    first = plan.join(alpha, "a", beta, "copy")
    other = Joined(alpha, beta, plan.directory / "other", plan.directory / "copy" / "below", None)
    other.capture()
    try:
        with pytest.raises(AnswerRefused, match="already goes to"):
            other.connect()
        first.settled()
        captured = plan.directory / "captured"
        captured.mkdir()
        with beta.local() as client:
            client.mount(schema.MountRequest(path=str(captured)))
        other.target = captured
        other.connect()
        wait_for(lambda: "apply never writes under it" in other.status().last_error, 30)
    finally:
        other.end()
        with beta.local() as client:
            client.unmount(str(plan.directory / "captured"))


@pytest.mark.covers("ENG-CN-03", "ENG-CN-04")
def test_through_a_translation_of_addresses_with_other_ports(engines, needs, tmp_path) -> None:
    needs("fuse")
    alpha, beta = engines.make("alpha"), engines.make("beta", "127.0.0.3")
    data, control = Way(beta), Way(beta)
    control.target = beta.ports["control_port"]
    with alpha.local() as here, beta.local() as there:
        token = there.create_token("pairing", schema.Scope.ADMIN).token
        peer = here.pair(
            schema.PairRequest(
                address="127.0.0.1",
                control_port=control.port,
                data_port=data.port,
                fingerprint=there.server().fingerprint,
                token=token,
            )
        )
    assert (peer.address, peer.control_port, peer.data_port) == ("127.0.0.1", control.port, data.port)
    joined = Joined(alpha, beta, tmp_path / "source", tmp_path / "target", None)
    joined.capture()
    fill(joined.source, 12)
    status = joined.connect()
    assert status.target_address == "127.0.0.1"
    joined.assert_identical()
    data.close()
    control.close()


@pytest.mark.covers("ENG-CN-05")
def test_a_simulated_connection_counts_everything_and_sends_nothing(three, needs, tmp_path) -> None:
    needs("fuse")
    alpha = three[0]
    joined = Joined(alpha, alpha, tmp_path / "source", tmp_path / "nowhere", None)
    joined.capture()
    fill(joined.source, 12)
    (joined.source / "big").write_bytes(random.Random(9).randbytes(3 * MIB))
    joined.connect(simulate=True)
    try:
        joined.settled()
        change(joined.source, "changed")
        joined.settled()
        now = joined.status()
        assert now.simulated
        assert now.mirror_bytes_sent > 3 * MIB
        assert now.replication_bytes_sent > 70_000
        assert (now.target_data_state, now.mirror_state, now.replication_state) == ("good", "Idle", "Ready")
        assert not joined.target.exists()
        with alpha.local() as client:
            assert client.replicas() == []
    finally:
        joined.end()
