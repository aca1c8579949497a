"""Two real engines on 127.0.0.2 and 127.0.0.3: mirror, replicate under load, kill -9 of either, promote, restore.

Every test runs with both kinds of capture. The load writes while everything happens; at its end both trees must be identical.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.engine.capture.control import ControlClient
from orchestrator.engine.client import AnswerRefused, ConnectionStatus, schema
from tests.e2e.background import Background
from tests.faults.transfer_pair import Proxy

PACE_S = 0.002


def tree(root: Path) -> dict[str, tuple]:
    """Everything a replica must have the same."""
    found: dict[str, tuple] = {}
    for directory, names, files in os.walk(root):
        for name in [*names, *files]:
            path = Path(directory, name)
            status = path.lstat()
            content = ""
            if stat.S_ISREG(status.st_mode):
                content = hashlib.sha256(path.read_bytes()).hexdigest()
            elif stat.S_ISLNK(status.st_mode):
                content = os.readlink(path)
            found[str(path.relative_to(root))] = (oct(status.st_mode), status.st_uid, status.st_gid, content)
    return found


def fill(root: Path, files: int = 60) -> None:
    chance = random.Random(1)
    for number in range(files):
        path = root / f"d{number % 7}" / f"file-{number}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chance.randbytes(chance.choice((0, 10, 5_000, 200_000))))
    (root / "link").symlink_to("d1/file-1.bin")
    os.chmod(root / "d2", 0o750)


@dataclass
class Load(Background):
    """Changes a tree until told to stop: writes, appends, renames, truncations, removals."""

    root: Path
    seed: int = 7
    changes: int = 0

    def work(self) -> None:
        chance = random.Random(self.seed)
        while not self.over.wait(PACE_S):
            self._change(chance)
            self.changes += 1

    def _change(self, chance: random.Random) -> None:
        path = self.root / f"d{chance.randrange(7)}" / f"load-{chance.randrange(40)}"
        match chance.randrange(8):
            case 0 | 1 | 2:
                with path.open("ab") as file:
                    file.write(chance.randbytes(chance.randrange(1, 3000)))
            case 3 | 4:
                path.write_bytes(chance.randbytes(chance.randrange(1, 9000)))
            case 5 if path.exists():
                path.rename(path.with_name(f"moved-{chance.randrange(20)}"))
            case 6 if path.exists():
                os.truncate(path, chance.randrange(500))
            case 7:
                path.unlink(missing_ok=True)
            case _:
                (path.parent / f"sub-{chance.randrange(5)}").mkdir(exist_ok=True)


@dataclass
class Pair:
    """Two paired engines, a captured directory on the first, and where it goes on the second."""

    alpha: object
    beta: object
    source: Path
    target: Path
    until: object
    key: str = ""

    def connect(self, **options: object) -> ConnectionStatus:
        with self.alpha.local() as client:
            mapping = schema.Mapping(
                kind="custom", pairs=[schema.PathPair(source=str(self.source), target=str(self.target))]
            )
            request = schema.ConnectionRequest(replication_set="data", target="beta", mapping=mapping, **options)
            status = client.connect(request)
        self.key = status.key
        return status

    def status(self) -> ConnectionStatus:
        with self.alpha.local() as client:
            return client.connection(self.key)

    def good(self) -> bool:
        status = self.status()
        return status.state == "Started" and status.target_data_state == "good"

    def wait_good(self) -> None:
        self.until(self.good, 60, f"a good replica ({self.status()})")

    def settle(self) -> None:
        self.wait_good()
        with self.alpha.local() as client:
            client.connection_action(self.key, "settle", timeout_s=60)

    def assert_identical(self) -> None:
        self.settle()
        assert tree(self.target) == tree(self.source)


@pytest.fixture(params=["fuse", "watcher"])
def pair(request, engines, tmp_path, needs, until) -> Iterator[Pair]:
    if request.param == "fuse":
        needs("fuse")
    alpha, beta = engines.make("alpha"), engines.make("beta", "127.0.0.3")
    engines.pair(alpha, beta)
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    fill(source)
    with alpha.local() as client:
        mount = client.mount(schema.MountRequest(path=str(source), capture=request.param))
        assert (mount.capture, mount.state) == (request.param, "capturing")
        assert ("weaker: no write order" in mount.says) == (request.param == "watcher")
        client.create_replication_set(schema.ReplicationSet(name="data", root=str(source)))
    yield Pair(alpha, beta, source, target, until)
    for engine in (alpha, beta):
        if engine.process.poll() is not None:
            engine.start()


@pytest.mark.covers("ENG-CN-01", "ENG-CN-02")
def test_mirror_then_replicate_under_load(pair):
    with Load(pair.source) as load:
        status = pair.connect()
        assert status.id == 1
        pair.wait_good()
        pair.until(lambda: load.changes > 400, 30)
    assert not load.failure
    pair.assert_identical()
    status = pair.status()
    assert status.mirror_files_compared >= 60
    assert status.last_error == ""


def test_killed_engines_go_on_where_they_were(pair):
    pair.connect()
    pair.wait_good()
    with Load(pair.source) as load:
        for victim in (pair.beta, pair.alpha, pair.beta):
            seen = load.changes
            pair.until(lambda seen=seen: load.changes > seen + 100, 30)
            victim.kill()
            pair.until(lambda seen=seen: load.changes > seen + 200, 30)
            victim.start()
    assert not load.failure
    pair.assert_identical()
    assert pair.status().id == 1


@pytest.mark.covers("ENG-CN-02")
def test_orderly_restart_of_both(pair):
    assert pair.connect().id == 1
    with pair.alpha.local() as client:
        client.disconnect(1)
    assert pair.connect().id == 2
    pair.wait_good()
    with Load(pair.source):
        assert pair.alpha.stop() == 0
        assert pair.beta.stop() == 0
        pair.beta.start()
        pair.alpha.start()
    pair.assert_identical()
    assert pair.status().id == 1, "numbers begin anew with the daemon"


def log_what_follows(state: Path) -> None:
    """A fence logs what its capture would have logged a moment later."""
    for page in (state / "logs").glob("*/control"):
        ControlClient(page.parent).fence(on=True)
        ControlClient(page.parent).fence(on=False)


def never_arrived(pair: Pair) -> None:
    """What was written while nobody could send it."""
    (pair.source / "d1" / "never-arrived").write_text("only the old source has it")


@pytest.mark.covers("ENG-RST-01", "ENG-RST-02")
def test_promote_then_restore_and_protect_again(pair):
    first = pair.connect()
    pair.settle()
    pair.until(lambda: any((pair.alpha.state / "logs").glob("*/acknowledged")), 10)
    pair.alpha.kill()
    never_arrived(pair)
    with pair.beta.local() as beta:
        (replica,) = beta.replicas()
        promoted = beta.replica_action(replica.key, "promote", epoch=1)
        assert (promoted.promoted, promoted.data_state) == (True, "restore_required")
        assert [mount.path for mount in beta.mounts()] == [str(pair.target)]
    (pair.target / "d1" / "written-after-failover").write_text("new")
    (pair.target / "d2" / "file-2.bin").unlink()
    pair.alpha.start()
    pair.until(lambda: pair.status().target_data_state == "restore_required", 30, "the old source being refused")
    assert "is live since epoch 1" in pair.status().last_error
    with pair.alpha.local() as alpha, pair.beta.local() as beta:
        alpha.disconnect(first.key)
        alpha.unmount(str(pair.source))
        beta.create_replication_set(schema.ReplicationSet(name="data", root=str(pair.target)))
        mapping = schema.Mapping(kind="custom", target_root=str(pair.source))
        back = beta.connect(
            schema.ConnectionRequest(
                replication_set="data",
                target="alpha",
                mapping=mapping,
                purpose="restore",
                mirror=schema.MirrorOptions(kind="difference", checksum=True, orphans=schema.Orphans(action="delete")),
                epoch=1,
            )
        )
        pair.until(lambda: beta.connection(back.key).target_data_state == "good", 60, "a restored source")
        with Load(pair.target) as load:
            pair.until(lambda: load.changes > 100, 30)
        beta.connection_action(back.key, "settle")
        assert tree(pair.source) == tree(pair.target)
        (held,) = [one for one in alpha.replicas() if one.key == back.key]
        aside = {line.partition(":")[0] for line in held.set_aside}
        assert "d1/never-arrived" in aside
        assert aside <= {"d1/never-arrived", "d2/file-2.bin"}, (
            "the second was removed at the target seconds after its making"
        )
        (copy,) = (pair.alpha.state / "set-aside").rglob("never-arrived")
        assert copy.read_text() == "only the old source has it"
        assert beta.connection(back.key).mirror_bytes_sent < 500_000
        (pair.target / "d3" / "at-the-last-moment").write_text("its directory's time follows it")
        beta.disconnect(back.key)
        log_what_follows(pair.beta.state)
        assert beta.replica(replica.key).restored
        assert tree(pair.source) == tree(pair.target)
        beta.replica_action(replica.key, "demote")
    with pair.alpha.local() as alpha:
        alpha.mount(schema.MountRequest(path=str(pair.source)))
    pair.connect(epoch=2, mirror=schema.MirrorOptions(kind="difference", checksum=True))
    pair.assert_identical()


@pytest.mark.covers("ENG-RST-02")
def test_a_live_replica_is_not_mirrored_over_unless_its_changes_are_let_go(pair):
    pair.connect()
    pair.settle()
    with pair.beta.local() as beta:
        (replica,) = beta.replicas()
        beta.replica_action(replica.key, "promote", epoch=1)
        pair.until(lambda: pair.status().target_data_state == "restore_required", 30)
        with pytest.raises(AnswerRefused, match="was not restored"):
            beta.replica_action(replica.key, "demote")
        demoted = beta.replica_action(replica.key, "demote", discard_changes=True)
        assert demoted.promoted is False


def test_verification_tells_what_differs_and_changes_nothing(pair):
    pair.connect()
    pair.settle()
    with pair.alpha.local() as alpha:
        alpha.connection_action(pair.key, "pause")
        victim = pair.target / "d1" / "file-8.bin"
        before = victim.stat()
        victim.write_bytes(b"x" * before.st_size)
        os.utime(victim, ns=(before.st_atime_ns, before.st_mtime_ns))
        alpha.connection_action(pair.key, "resume")
        alpha.connection_action(pair.key, "verify")
        found = pair.until(
            lambda: [e for e in alpha.events() if e.kind == "mirror" and "verification" in e.sentence], 30
        )
        assert found[0].facts["files_different"] == 1
    assert victim.read_bytes() == b"x" * before.st_size
    assert "different d1/file-8.bin" in (pair.alpha.state / "verify" / "data DTVerify.log").read_text()


@pytest.mark.parametrize("pair", ["fuse"], indirect=True)
def test_killed_capture_program_comes_back_and_the_replica_is_mirrored_again(pair):
    pair.connect()
    pair.settle()
    with pair.alpha.local() as alpha:
        before = alpha.mounts()[0]
        os.kill(before.pid, signal.SIGKILL)
        pair.until(lambda: alpha.mounts()[0].restarts == 1, 10, "the supervisor")
        (pair.source / "after-the-death").write_text("captured again")
        after = alpha.mounts()[0]
    assert (after.state, after.log_id != before.log_id) == ("capturing", True)
    pair.until((pair.target / "after-the-death").exists, 30)
    pair.assert_identical()


@pytest.mark.covers("ENG-CN-02")
def test_pause_and_resume(pair):
    pair.connect()
    pair.settle()
    with pair.alpha.local() as alpha:
        assert alpha.connection_action(pair.key, "pause").state == "Paused"
        (pair.source / "while-paused").write_text("waits")
        with pytest.raises(AnswerRefused, match="not applied"):
            alpha.connection_action(pair.key, "settle", timeout_s=1)
        assert not (pair.target / "while-paused").exists()
        alpha.connection_action(pair.key, "resume")
    pair.assert_identical()


@pytest.mark.covers("ENG-CN-02", "ENG-CN-03")
def test_route_is_taken(pair):
    """Another port than the target's own; when that is shut nothing arrives."""
    way = Proxy(pair.beta.ports["data_port"], "127.0.0.3")
    status = pair.connect(route=schema.Route(address="127.0.0.1", port=way.port))
    assert status.target_address == "127.0.0.1"
    pair.assert_identical()
    way.refusing = True
    way.cut()
    pair.until(lambda: pair.status().state == "Error", 60, "the route being missed")
    (pair.source / "later").write_text("waits for the route")
    way.refusing = False
    pair.assert_identical()
    way.close()


def test_an_unpaired_source_gets_nothing(pair):
    pair.connect()
    pair.settle()
    with pair.beta.local() as beta:
        beta.remove_peer("alpha")
    pair.beta.kill()
    pair.beta.start()
    pair.until(lambda: pair.status().state == "Error", 30)
    (pair.source / "never-arrives").write_text("x")
    assert not (pair.target / "never-arrives").exists()
