"""A whole engine killed in the middle of taking, deleting and going back to snapshots of its replica, at moments drawn by chance."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.engine.client import EngineClient, SnapshotAction, SnapshotShelf, schema
from orchestrator.errors import DtamError
from tests.conftest import require
from tests.e2e.conftest import Engines, wait_for

FILES = 400
KILLS = 2
PATIENCE_S = 120.0


class Kept:
    """A replica at beta, whose snapshots are asked for while beta dies."""

    def __init__(self, engines: Engines, place: Path) -> None:
        self.source, self.target = place / "source", place / "target"
        self.alpha, self.beta = engines.make("alpha"), engines.make("beta", "127.0.0.3")
        engines.pair(self.alpha, self.beta)
        self.source.mkdir()
        self.write("first")
        with self.alpha.local() as client:
            client.mount(schema.MountRequest(path=str(self.source)))
            client.create_replication_set(schema.ReplicationSet(name="data", root=str(self.source)))
            mapping = schema.Mapping(kind="custom", target_root=str(self.target))
            request = schema.ConnectionRequest(replication_set="data", target="beta", mapping=mapping)
            self.key = client.connect(request).key
        self.settle()

    def write(self, word: str) -> None:
        """Another state of the source."""
        for number in range(FILES):
            above = self.source / f"d{number % 20}"
            above.mkdir(exist_ok=True)
            (above / f"f{number}").write_text(f"{word} {number}")

    def settle(self) -> None:
        """Both sides say that the replica is good: after beta's death, or its going back, alpha alone may not know better yet."""
        with self.alpha.local(timeout_s=PATIENCE_S) as client, self.beta.local() as keeper:
            wait_for(lambda: _data_state(keeper, self.key) == "good", PATIENCE_S, "a good replica, as beta says")
            wait_for(lambda: client.connection(self.key).target_data_state == "good", PATIENCE_S, "as alpha says")
            client.connection_action(self.key, "settle", timeout_s=PATIENCE_S)

    def shelf(self) -> SnapshotShelf:
        with self.beta.local() as client:
            return client.snapshots(replica=self.key)[0]

    def act(self, action: str, **given: object) -> SnapshotShelf:
        with self.beta.local(timeout_s=PATIENCE_S) as client:
            wanted = {"action": action, "replica": self.key, "wait_s": PATIENCE_S, **given}
            return client.snapshot_action(SnapshotAction.model_validate(wanted))[0]

    def killed_during(self, after_s: float, action: str, **given: object) -> None:
        """Ask for it, kill beta a moment later, and start it again."""
        asked = threading.Thread(target=self._ask_of_the_dying, args=(action,), kwargs=given)
        asked.start()
        time.sleep(after_s)  # the moment is the fault, not a condition that is waited for
        self.beta.kill()
        asked.join()
        self.beta.start()

    def _ask_of_the_dying(self, action: str, **given: object) -> None:
        with contextlib.suppress(DtamError):
            self.act(action, **given)


def _data_state(keeper: EngineClient, key: str) -> str:
    with contextlib.suppress(DtamError):
        return str(keeper.replica(key).data_state)
    return "not there yet"


def content(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kept]:
    require("fuse")
    place = tmp_path_factory.mktemp("kept")
    engines = Engines(place)
    try:
        yield Kept(engines, place)
    finally:
        engines.clean()


@pytest.mark.covers("ENG-SNAP-01")
def test_what_a_killed_engine_leaves_of_a_snapshot_is_whole_or_nothing(kept: Kept) -> None:
    chance, known = random.Random(7), content(kept.source)
    began_s = time.monotonic()
    whole = kept.act("take").snapshots[-1].id
    takes_s = time.monotonic() - began_s
    for _ in range(KILLS):
        kept.killed_during(chance.uniform(0, takes_s), "take", label="killed")
        for one in kept.shelf().snapshots:
            assert content(Path(one.path)) == known
        assert content(kept.target) == known
    for one in kept.shelf().snapshots:
        if one.id != whole:
            kept.killed_during(chance.uniform(0, takes_s), "delete", id=one.id)
        left = {each.id: each for each in kept.shelf().snapshots}
        assert whole in left
        assert all(content(Path(each.path)) == known for each in left.values())
    kept.settle()
    stands = {Path(one.path) for one in kept.shelf().snapshots}
    assert {path for path in next(iter(stands)).parent.iterdir() if path.is_dir()} == stands, "nothing half is left"


@pytest.mark.covers("ENG-SNAP-01")
def test_a_killed_engine_finishes_going_back_or_has_not_begun(kept: Kept) -> None:
    chance, first = random.Random(11), content(kept.source)
    taken = kept.act("take", label="first").snapshots[-1]
    began_s = time.monotonic()
    kept.act("revert", id=taken.id)
    takes_s = time.monotonic() - began_s
    go_on(kept)
    for _ in range(KILLS):
        kept.write(f"later {chance.random()}")
        kept.settle()
        later = content(kept.source)
        kept.killed_during(chance.uniform(0, takes_s), "revert", id=taken.id)
        wait_for(lambda: not kept.shelf().under_way, PATIENCE_S, "what was begun is finished")
        with kept.beta.local() as client:
            back = client.replica(kept.key).set_back_to == taken.id
        assert content(kept.target) == (first if back else later)
        assert content(Path(taken.path)) == first
        if back:
            go_on(kept)
        kept.settle()
        assert content(kept.target) == later


def go_on(kept: Kept) -> None:
    """The replica follows its source again."""
    with kept.beta.local() as client:
        client.replica_action(kept.key, "resume")
