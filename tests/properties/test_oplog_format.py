"""Whatever the operation: its record comes back equal, and no flipped bit and no cut passes for a record."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.engine.oplog.check import check_log
from orchestrator.engine.oplog.errors import CorruptRecord, TornRecord
from orchestrator.engine.oplog.format import Kind, Operation, decode, encode
from orchestrator.engine.oplog.segments import LogPlace
from orchestrator.engine.oplog.writer import LogWriter

U64 = st.integers(0, 2**64 - 1)
operations = st.builds(
    Operation,
    kind=st.sampled_from(sorted(Kind)),
    sequence=st.integers(1, 2**63),
    time_ns=U64,
    path=st.binary(max_size=60),
    path2=st.binary(max_size=60),
    a=U64,
    b=U64,
    data=st.binary(max_size=200),
    flags=st.integers(0, 2**16 - 1),
)


@given(operations)
def test_a_record_comes_back_equal(operation: Operation) -> None:
    record = encode(operation)
    assert len(record) % 8 == 0
    assert decode(record) == operation


@given(operations, st.data())
def test_a_flipped_bit_is_found(operation: Operation, data: st.DataObject) -> None:
    record = bytearray(encode(operation))
    bit = data.draw(st.integers(0, len(record) * 8 - 1))
    record[bit // 8] ^= 1 << bit % 8
    with pytest.raises((CorruptRecord, TornRecord)):
        decode(record)


@given(operations, st.data())
def test_a_cut_is_found(operation: Operation, data: st.DataObject) -> None:
    record = encode(operation)
    with pytest.raises((CorruptRecord, TornRecord)):
        decode(record[: data.draw(st.integers(0, len(record) - 1))])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(0, 900), min_size=2, max_size=12), data=st.data())
def test_a_flipped_bit_anywhere_in_a_log_is_found_by_the_check(
    tmp_path: Path, sizes: list[int], data: st.DataObject
) -> None:
    directory = tmp_path / uuid.uuid4().hex
    writer = LogWriter.create(directory, uuid.uuid4(), segment_bytes=2048)
    for sequence, size in enumerate(sizes, 1):
        writer.append(Operation(Kind.WRITE, sequence, 1, b"f", b"", 0, 0, b"z" * size))
    writer.close()
    place = LogPlace(directory, directory)
    assert check_log(place, len(sizes)).bad is None
    path = place.find(data.draw(st.sampled_from(place.numbers())))
    content = bytearray(path.read_bytes())
    bit = data.draw(st.integers(0, len(content) * 8 - 1))
    content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    report = check_log(place, len(sizes))
    assert report.bad is not None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(sizes=st.lists(st.integers(0, 900), min_size=2, max_size=12), data=st.data())
def test_a_tail_cut_off_is_found_and_what_was_before_it_stands(
    tmp_path: Path, sizes: list[int], data: st.DataObject
) -> None:
    directory = tmp_path / uuid.uuid4().hex
    writer = LogWriter.create(directory, uuid.uuid4(), segment_bytes=1 << 16)
    for sequence, size in enumerate(sizes, 1):
        writer.append(Operation(Kind.WRITE, sequence, 1, b"f", b"", 0, 0, b"z" * size))
    writer.close()
    place = LogPlace(directory, directory)
    end = check_log(place).end_offset
    path = place.find(1)
    content = path.read_bytes()
    path.write_bytes(content[: data.draw(st.integers(64, end - 1))])
    report = check_log(place, len(sizes))
    assert report.bad is not None
    assert report.last_sequence < len(sizes)
    assert report.bad.torn or "was committed" in report.bad.why
