"""The log written and read in Python: segments, seeking, limits of a run, recovery of a torn tail."""

from __future__ import annotations

import threading
import uuid
from pathlib import Path

import pytest

from orchestrator.engine.capture.state import StatePage
from orchestrator.engine.oplog.check import check_log
from orchestrator.engine.oplog.errors import CorruptRecord, LogUnusable
from orchestrator.engine.oplog.format import Kind, Operation
from orchestrator.engine.oplog.reader import LogReader
from orchestrator.engine.oplog.segments import LogPlace
from orchestrator.engine.oplog.waking import Sleeper
from orchestrator.engine.oplog.writer import GroupCommit, LogWriter

SEGMENT_BYTES = 4096


def write_op(sequence: int, data: bytes = b"x" * 100) -> Operation:
    return Operation(Kind.WRITE, sequence, 17, b"dir/file", b"", sequence * 10, 0, data)


def filled(directory: Path, count: int, *, start: int = 0) -> LogWriter:
    writer = LogWriter.create(directory, uuid.uuid4(), start=start, segment_bytes=SEGMENT_BYTES)
    for sequence in range(start + 1, start + count + 1):
        writer.append(write_op(sequence))
    writer.commit()
    return writer


def reader_of(directory: Path) -> LogReader:
    return LogReader(directory, directory, StatePage(directory / "state"))


def drain(reader: LogReader) -> list[Operation]:
    found: list[Operation] = []
    while batch := reader.operations(1000):
        found += batch
    return found


def test_what_is_written_is_read_in_order_across_segments(tmp_path: Path) -> None:
    writer = filled(tmp_path, 200)
    assert writer.state.last_segment > 3
    assert drain(reader_of(tmp_path)) == [write_op(n) for n in range(1, 201)]


def test_a_reader_sees_committed_records_only(tmp_path: Path) -> None:
    writer = filled(tmp_path, 3)
    writer.append(write_op(4))
    reader = reader_of(tmp_path)
    assert [op.sequence for op in drain(reader)] == [1, 2, 3]
    writer.commit()
    assert [op.sequence for op in drain(reader)] == [4]


def test_a_record_larger_than_a_segment_gets_one_of_its_own(tmp_path: Path) -> None:
    writer = filled(tmp_path, 2)
    writer.append(write_op(3, b"y" * 20_000))
    writer.append(write_op(4))
    writer.commit()
    found = drain(reader_of(tmp_path))
    assert [len(op.data) for op in found] == [100, 100, 20_000, 100]


def test_seek_goes_to_just_after_a_sequence(tmp_path: Path) -> None:
    filled(tmp_path, 100)
    reader = reader_of(tmp_path)
    for position in (0, 1, 57, 99, 100):
        reader.seek(position)
        assert [op.sequence for op in drain(reader)] == list(range(position + 1, 101))


def test_a_run_stops_where_it_is_told(tmp_path: Path) -> None:
    filled(tmp_path, 50)
    reader = reader_of(tmp_path)
    run = reader.read_run(1 << 20, up_to=5)
    assert run is not None
    assert (run.first, run.last, run.count) == (1, 5, 5)
    assert reader.read_run(1 << 20, up_to=5) is None


def test_released_segments_are_deleted_and_seeking_there_is_refused(tmp_path: Path) -> None:
    writer = filled(tmp_path, 200)
    writer.release(100)
    reader = reader_of(tmp_path)
    assert 1 < reader.first_available() <= 101
    with pytest.raises(LogUnusable):
        reader.seek(3)
    reader.seek(100)
    assert drain(reader)[0].sequence == 101


def test_memory_segments_are_found_before_disk_segments(tmp_path: Path) -> None:
    filled(tmp_path / "disk", 200)
    (tmp_path / "mem").mkdir()
    for name in ("1.seg", "2.seg"):
        path = tmp_path / "disk" / name.rjust(20, "0")
        path.rename(tmp_path / "mem" / path.name)
    reader = LogReader(tmp_path / "mem", tmp_path / "disk", StatePage(tmp_path / "disk" / "state"))
    assert len(drain(reader)) == 200


def test_a_damaged_committed_record_is_refused(tmp_path: Path) -> None:
    filled(tmp_path, 5)
    segment = LogPlace(tmp_path, tmp_path).find(1)
    data = bytearray(segment.read_bytes())
    data[300] ^= 4
    segment.write_bytes(data)
    with pytest.raises(CorruptRecord, match=r"0001\.seg:"):
        drain(reader_of(tmp_path))


def test_a_log_goes_on_after_it_was_closed(tmp_path: Path) -> None:
    filled(tmp_path, 150).close()
    writer = LogWriter.open(tmp_path)
    assert writer.appended_sequence == 150
    assert writer.torn is None
    writer.append(write_op(151))
    writer.commit()
    assert drain(reader_of(tmp_path)) == [write_op(n) for n in range(1, 152)]


def test_a_torn_tail_is_cut_off_and_what_was_committed_stays(tmp_path: Path) -> None:
    writer = filled(tmp_path, 10)
    end = check_log(LogPlace(tmp_path, tmp_path)).end_offset
    writer.append(write_op(11))
    writer.state.flush()
    segment = LogPlace(tmp_path, tmp_path).find(1)
    data = bytearray(segment.read_bytes())
    data[end + 90] ^= 1
    segment.write_bytes(data)
    again = LogWriter.open(tmp_path)
    assert again.appended_sequence == 10
    assert again.torn is not None
    again.append(write_op(11, b"anew"))
    again.commit()
    assert drain(reader_of(tmp_path))[-1] == write_op(11, b"anew")


def test_a_log_that_lost_committed_records_is_unusable(tmp_path: Path) -> None:
    filled(tmp_path, 10)
    segment = LogPlace(tmp_path, tmp_path).find(1)
    data = segment.read_bytes()
    segment.write_bytes(data[:500].ljust(len(data), b"\0"))
    with pytest.raises(LogUnusable, match="10 was committed"):
        LogWriter.open(tmp_path)


def test_appending_again_what_was_taken_changes_nothing(tmp_path: Path) -> None:
    writer = filled(tmp_path, 10)
    writer.append(write_op(10))
    writer.append(write_op(3))
    writer.commit()
    assert len(drain(reader_of(tmp_path))) == 10


def test_group_commit_publishes_all_that_was_appended(tmp_path: Path) -> None:
    writer = filled(tmp_path, 0)
    seen: list[int] = []
    done = threading.Event()

    def committed(sequence: int) -> None:
        seen.append(sequence)
        if sequence == 500:
            done.set()

    group = GroupCommit(writer, committed, lambda error: pytest.fail(str(error)))
    group.start()
    for sequence in range(1, 501):
        writer.append(write_op(sequence))
        group.request()
    assert done.wait(10)
    group.stop()
    assert len(drain(reader_of(tmp_path))) == 500
    assert seen == sorted(seen)


def test_waiting_ends_when_something_comes(tmp_path: Path) -> None:
    writer = filled(tmp_path, 1)
    reader = LogReader(tmp_path, tmp_path, StatePage(tmp_path / "state"), wake=tmp_path / "wake")
    drain(reader)
    assert not reader.wait(0.001)
    assert writer.state.reader_waiting == 1
    writer.append(write_op(2))
    writer.commit()
    assert reader.wait(1)
    reader.close()


def test_one_byte_wakes_every_reader_of_a_log(tmp_path: Path) -> None:
    """Whoever takes it nudges the others: nobody looks by itself, nobody sleeps on."""
    fifo, awake = tmp_path / "wake", threading.Barrier(4)
    sleepers = [Sleeper(fifo) for _ in range(3)]

    def sleep(sleeper: Sleeper) -> None:
        sleeper.sleep(3600)
        awake.wait(30)

    for sleeper in sleepers:
        threading.Thread(target=sleep, args=(sleeper,), daemon=True).start()
    with fifo.open("r+b", buffering=0) as writer:
        writer.write(b"\1")
        awake.wait(30)
    for sleeper in sleepers:
        sleeper.close()


def test_opening_a_long_log_reads_its_last_segment_and_finds_damage_before_it_when_that_is_read(tmp_path: Path) -> None:
    filled(tmp_path, 400).close()
    place = LogPlace(tmp_path, tmp_path)
    early = place.find(place.numbers()[2])
    data = bytearray(early.read_bytes())
    data[300] ^= 4
    early.write_bytes(data)
    assert LogWriter.open(tmp_path).appended_sequence == 400
    with pytest.raises(CorruptRecord, match=early.name):
        drain(reader_of(tmp_path))


@pytest.mark.parametrize("lost", [1, 5])
def test_a_long_log_without_one_of_its_segments_is_unusable(tmp_path: Path, lost: int) -> None:
    filled(tmp_path, 400).close()
    place = LogPlace(tmp_path, tmp_path)
    place.find(place.numbers()[lost]).unlink()
    with pytest.raises(LogUnusable, match="400 was committed"):
        LogWriter.open(tmp_path)
