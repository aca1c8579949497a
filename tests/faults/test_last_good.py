"""Whatever ends a replica's good state: before the first write to it the state is kept, or waited for, or it may be had as it is."""

from __future__ import annotations

import errno
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from orchestrator.engine.apply.last_good import Check, Moment
from orchestrator.engine.apply.record import ReplicaRecord, load_record, save_record
from orchestrator.engine.apply.replica import Replica
from orchestrator.engine.apply.works import ReplicaSettings
from orchestrator.engine.control.replica_facts import goes_back_to
from orchestrator.engine.control.replicas import Replicas
from orchestrator.engine.oplog.format import Kind
from orchestrator.engine.oplog.reader import LogReader
from orchestrator.engine.transfer.messages import (
    DataState,
    Hello,
    ItemKind,
    MirrorBegin,
    MirrorEnd,
    MirrorItem,
    Operations,
)
from tests.faults.transfer_pair import SourceLog, until

KEPT = "20260102T030405Z-a1b2c3"


@dataclass
class Kept:
    """Keeps by noting what the files were."""

    root: Path
    refusing: bool = False
    long: bool = False
    asked: int = 0
    seen: list[tuple[list[str], Moment]] = field(default_factory=list)
    let_go: list[str] = field(default_factory=list)

    def before_remirror(self, moment: Moment, check: Check) -> str:
        self.asked += 1
        if self.refusing:
            raise OSError(errno.EAGAIN, "no snapshot could be kept")
        while self.long:
            check()
        self.seen.append((names(self.root), moment))
        return KEPT

    def good_again(self, record: ReplicaRecord) -> None:
        self.let_go.append(record.kept)


def names(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


@dataclass
class Stage:
    """A good replica that holds ``one`` and ``two``, and its source's log."""

    log: SourceLog
    replica: Replica
    kept: Kept
    hello: Hello

    @property
    def root(self) -> Path:
        return self.kept.root

    def send(self, *made: str, gap: bool = False) -> None:
        first = self.log.sequence
        if gap:
            self.log.op(Kind.GAP, b"")
        for name in made:
            self.log.op(Kind.MKDIR, name.encode(), a=0o40755)
        self.log.commit()
        reader = LogReader(self.log.directory, self.log.directory, self.log.writer.state)
        reader.seek(first)
        while (run := reader.read_run(1 << 18)) is not None:
            self.replica.append(Operations(run.first, run.last, run.count, bytes(run.data)))
        reader.close()

    def mirror(self, index: int, kind: ItemKind, message: object) -> None:
        self.replica.put_item(MirrorItem(index, self.log.sequence, kind, msgspec.msgpack.encode(message)))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    log, root = SourceLog(tmp_path / "log"), tmp_path / "replica"
    hello = Hello(
        str(uuid.uuid4()), "protection", 1, "alpha", "set", str(root), str(log.writer.state.log_id), 1, 0, fresh=True
    )
    directory, kept = tmp_path / "state", Kept(root)
    made = Replica.create(directory, hello, "fingerprint")
    made.prepare_log(hello)
    made.close()
    save_record(directory, msgspec.structs.replace(load_record(directory), data_state=DataState.GOOD, says=""))
    settings = ReplicaSettings(checkpoint_s=0.05, janitor_s=0.02)
    stage = Stage(log, Replica.open(directory, settings, snapshots=kept), kept, hello)
    stage.send("one", "two")
    assert stage.replica.settle(30)
    yield stage
    stage.replica.close()


@pytest.mark.covers("ENG-SNAP-01")
def test_a_mirror_begins_only_when_the_good_state_is_kept(stage: Stage) -> None:
    stage.mirror(0, ItemKind.BEGIN, MirrorBegin(kind="difference", changes_state=True))
    stage.send("three")
    until(lambda: stage.replica.record.data_state is DataState.MIRRORING)
    stage.replica.settle(30)
    ((seen, moment),) = stage.kept.seen
    assert (seen, moment.is_good, moment.position) == (["one", "two"], True, 2)
    assert stage.replica.record.kept == KEPT
    stage.mirror(1, ItemKind.END, MirrorEnd(complete=True, log_end=3))
    until(lambda: stage.replica.record.data_state is DataState.GOOD)
    until(lambda: stage.kept.let_go == [KEPT])
    assert stage.replica.record.kept == ""


@pytest.mark.covers("ENG-SNAP-01")
def test_lost_operations_leave_the_last_good_state_until_it_is_kept(stage: Stage) -> None:
    stage.kept.refusing = True
    stage.send("after the gap", gap=True)
    until(lambda: stage.kept.asked > 1)
    record = stage.replica.record
    assert (record.data_state, record.intact, names(stage.root)) == (DataState.MIRROR_REQUIRED, True, ["one", "two"])
    assert "no snapshot could be kept" in stage.replica.status().says
    stage.kept.refusing = False
    until(lambda: "after the gap" in names(stage.root))
    assert [seen for seen, _ in stage.kept.seen] == [["one", "two"]]
    assert not stage.replica.record.intact


@pytest.mark.covers("ENG-FO-08", "ENG-SNAP-01")
def test_a_new_base_or_a_discarded_queue_leaves_the_files_as_they_are(stage: Stage) -> None:
    stage.replica.pause()
    stage.send("three")
    assert stage.replica.discard_queue() == 1
    assert (stage.replica.record.intact, names(stage.root)) == (True, ["one", "two"])
    stage.replica.resume()
    stage.log.restart()
    stage.replica.prepare_log(msgspec.structs.replace(stage.hello, log_id=str(stage.log.writer.state.log_id)))
    assert stage.replica.record.intact
    assert stage.kept.seen == []
    stage.send("of the new base")
    until(lambda: "of the new base" in names(stage.root))
    ((seen, moment),) = stage.kept.seen
    assert (seen, moment.position) == (["one", "two"], 0)


@pytest.mark.covers("ENG-SNAP-01")
def test_another_connection_to_the_same_place_keeps_it_first(stage: Stage, tmp_path: Path) -> None:
    before = stage.replica.record
    stage.replica.close()
    hello = msgspec.structs.replace(stage.hello, connection=str(uuid.uuid4()))
    other = Replica.create(tmp_path / "other", hello, "fingerprint", snapshots=stage.kept)
    other.take_over_good(before)
    other.prepare_log(hello)
    assert (other.record.intact, stage.kept.seen) == (True, [])
    other.put_item(
        MirrorItem(0, 0, ItemKind.BEGIN, msgspec.msgpack.encode(MirrorBegin(kind="full", changes_state=True)))
    )
    until(lambda: other.record.data_state is DataState.MIRRORING)
    assert [seen for seen, _ in stage.kept.seen] == [["one", "two"]]
    other.close()


def test_what_was_kept_before_a_failover_is_not_gone_back_to_after_it(stage: Stage) -> None:
    stage.mirror(0, ItemKind.BEGIN, MirrorBegin(kind="difference", changes_state=True))
    until(lambda: stage.replica.record.kept == KEPT)
    stage.replica.promote(2)
    stage.replica.demote(3)
    record = stage.replica.record
    assert (record.kept, record.intact, record.data_state) == ("", False, DataState.MIRROR_REQUIRED)


def test_a_failover_does_not_wait_for_a_snapshot(stage: Stage) -> None:
    stage.kept.long = True
    stage.send("after the gap", gap=True)
    until(lambda: stage.kept.asked == 1)
    stage.replica.hurry.begin()
    assert stage.replica.discard_queue() == 2
    stage.replica.promote(2)
    assert names(stage.root) == ["one", "two"]


@pytest.mark.covers("ENG-SNAP-01")
def test_nothing_is_applied_while_it_stands_still(stage: Stage) -> None:
    with stage.replica.standing_still() as moment:
        stage.send("three")
        assert stage.replica.facts().acknowledged == 3
        assert (moment.position, names(stage.root)) == (2, ["one", "two"])
    assert stage.replica.settle(30)
    assert names(stage.root) == ["one", "three", "two"]


@pytest.mark.covers("ENG-FO-08")
def test_no_mirror_begins_on_good_data_once_a_failover_has_refused_its_source(stage: Stage) -> None:
    Replicas.refuse_older(SimpleNamespace(of=lambda _: [stage.replica]), "protection", 2)  # type: ignore[arg-type]
    stage.mirror(0, ItemKind.BEGIN, MirrorBegin(kind="difference", changes_state=True))
    until(lambda: stage.replica.record.intact)
    assert not stage.replica.settle(0.3), "the mirror stays in the queue"
    assert (stage.kept.asked, goes_back_to(stage.replica)) == (0, "")
    assert names(stage.root) == ["one", "two"]
