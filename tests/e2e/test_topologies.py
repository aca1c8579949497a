"""Every way that servers can be joined: both directions, many to one, one to many, a chain, one server, through other ports; and what is refused."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestrator.engine.cli.dtengine import main
from orchestrator.engine.cli.line_commands import guide_statistics
from orchestrator.engine.client import AnswerRefused, schema
from tests.e2e.conftest import EngineProcess, wait_for
from tests.e2e.test_engine_failover import side
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
    wait_for(lambda: "is captured here" in third.status().last_error, 30, str(third.status()))


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


def watched(three: Three, plan: Plan) -> schema.Protection:
    """What beta knows when it watches alpha."""
    alpha, beta, _ = three
    return schema.Protection(
        id="files",
        application="fileprint",
        role="target",
        source=side(alpha),
        target=side(beta),
        roots=[schema.Root(source_path=str(plan.directory / "a"), target_path=str(plan.directory / "copy"))],
        replication_set="data",
    )


@pytest.mark.covers("ENG-CN-08")
@pytest.mark.parametrize(("monitoring", "goes_on"), [("continue", True), ("stop", False)])
def test_who_disconnects_says_whether_monitoring_goes_on(three, plan, monitoring, goes_on) -> None:
    alpha, beta, _ = three
    with alpha.local() as here, beta.local() as there:
        there.put_protection(watched(three, plan))
        there.protection_action("files", "enable_monitor")
        joined = plan.join(alpha, "a", beta, "copy", protection="files")
        joined.settled()
        here.disconnect(joined.key, monitoring=monitoring)
        joined.key = ""
        wait_for(lambda: there.replicas() == [], 20)
        assert there.protection_state("files").monitor.enabled is goes_on
        there.delete_protection("files")


@pytest.mark.covers("ENG-CN-07")
def test_statistics_have_the_names_and_words_of_the_guide(three, plan) -> None:
    joined = plan.join(three[0], "a", three[1], "copy")
    joined.settled()
    done = CliRunner().invoke(main, ["statistics", "--state", str(three[0].state)])
    told = dict(line.split("\t") for line in done.output.splitlines() if line)
    assert len(told) == 26
    words = (
        "Target Data State",
        "Target Status",
        "Commit Mode",
        "Transmit Mode",
        "Mirror Status",
        "Replication Status",
    )
    assert [told[word] for word in words] == ["OK", "OK", "Real-time", "Started", "Idle", "Ready"]
    assert int(told["Sent (Bytes)"]) > int(told["Sent Mirror (Bytes)"]) > 0
    assert told["Sent Compressed (Bytes)"] == told["Sent (Bytes)"]
    assert told["Last File Touched"].startswith("d")
    joined.act("pause")
    with three[1].local() as beta:
        beta.replica_action(joined.key, "pause")
    wait_for(lambda: joined.status().target_state == "paused", 20)
    paused = guide_statistics(joined.status())
    assert (paused["Transmit Mode"], paused["Target Status"]) == ("Paused", "Paused")
    change(joined.source, "while-paused")
    queued = (
        "Queued (Ops)",
        "Queued Replication (Ops)",
        "Queued Replication (Bytes)",
        "Intermediate Queue (Bytes)",
    )
    waiting = guide_statistics(joined.status())
    assert min(int(str(waiting[word])) for word in queued) > 0
    with three[1].local() as beta:
        beta.replica_action(joined.key, "resume")
    joined.act("resume")
    joined.settled()
    joined.act("start_mirror", options=schema.MirrorOptions(kind="difference"))
    wait_for(lambda: joined.mirrors() == ["full", "difference"], 60, "the second mirror")
    joined.settled()
    after = guide_statistics(joined.status())
    assert [after[word] for word in queued[:3]] == [0, 0, 0]
    assert (after["Remaining Mirror (Bytes)"], after["Queued Mirror (Ops)"]) == (0, 0)
    assert int(str(after["Skipped Mirror (Bytes)"])) > 0, "what did not change is skipped"
    assert int(str(after["Sent Replication (Bytes)"])) > int(told["Sent Replication (Bytes)"])
    own = (after["Replication Set"], after["Target Name"], after["Target IP"], after["Connection ID"])
    assert own == (joined.name, joined.beta.name, joined.status().target_address, joined.status().id)
    assert dt.datetime.fromisoformat(str(after["Connected Since"])) < dt.datetime.now(dt.UTC)


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
