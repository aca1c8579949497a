"""The codec of dnsRecord and dNSProperty: values that a real server wrote, and any value there and back."""

from __future__ import annotations

import base64
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.naming.dnsp import (
    DnspInvalid,
    DnsRecord,
    ZoneProperties,
    hours_since_1601,
    read_properties,
    read_record,
    record_from_text,
    write_record,
)

SAMBA_A = base64.b64decode("BAABAAXwAABuAAAAAAAEsAAAAAAO9zgACmMDCg==")
SAMBA_PROPERTIES = (
    "BAAAAAAAAAAAAAAAAQAAAAEAAAABAAAAAAAAAA==",
    "AQAAAAAAAAAAAAAAAQAAAAIAAAACAAAAAA==",
    "CAAAAAAAAAAAAAAAAQAAAAgAAAAAAAAAAAAAAAAAAAA=",
    "BAAAAAAAAAAAAAAAAQAAABAAAACoAAAAAAAAAA==",
    "BAAAAAAAAAAAAAAAAQAAACAAAACoAAAAAAAAAA==",
    "BAAAAAAAAAAAAAAAAQAAAEAAAAAAAAAAAAAAAA==",
)
U16, U32 = st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)
RECORDS = st.builds(
    DnsRecord,
    type=U16,
    ttl_s=U32,
    data=st.binary(max_size=300),
    stamp_h=U32,
    rank=st.integers(0, 255),
    version=st.integers(0, 255),
    flags=U16,
    serial=U32,
    reserved=U32,
)
LABELS = st.text("abcdefghijklmnopqrstuvwxyzABC0123456789-_", min_size=1, max_size=63)
NAMES = st.lists(LABELS, max_size=3).map(lambda labels: "".join(f"{one}." for one in labels) or ".")
TEXTS = st.one_of(
    st.tuples(st.just("A"), st.ip_addresses(v=4).map(str)),
    st.tuples(st.just("AAAA"), st.ip_addresses(v=6).map(str)),
    st.tuples(st.sampled_from(("PTR", "CNAME", "NS")), NAMES),
    st.tuples(st.just("MX"), st.builds("{} {}".format, U16, NAMES)),
    st.tuples(st.just("SRV"), st.builds("{} {} {} {}".format, U16, U16, U16, NAMES)),
)


def test_a_record_that_a_server_wrote():
    record = read_record(SAMBA_A)
    assert (record.type_name, record.ttl_s, record.text(), record.serial) == ("A", 1200, "10.99.3.10", 110)
    assert record.stamp_h == 0x38F70E
    assert write_record(record) == SAMBA_A
    assert read_record(write_record(record.stamped(0))) == record.stamped(0)


@given(RECORDS)
def test_any_record_there_and_back(record):
    assert read_record(write_record(record)) == record


@given(st.binary(max_size=80))
def test_any_bytes_are_a_record_or_refused(raw):
    try:
        record = read_record(raw)
    except DnspInvalid:
        return
    assert write_record(record) == raw
    try:
        record.text()
    except DnspInvalid:
        return


@given(TEXTS, U32)
def test_any_text_there_and_back(typed, ttl_s):
    record = record_from_text(typed[0], ttl_s, typed[1])
    assert (record.type_name, record.text(), record.ttl_s) == (typed[0], typed[1], ttl_s)


@given(st.binary(max_size=40), st.sampled_from((2, 5, 12, 15, 33, 1, 28)))
def test_any_data_is_read_or_refused(data, number):
    try:
        text = DnsRecord(number, 1, data).text()
    except DnspInvalid:
        return
    assert text


def test_texts_that_are_none():
    for type_name, text in (("A", "here"), ("MX", "x y."), ("TXT", "a"), ("SRV", "1 2 a.")):
        with pytest.raises(DnspInvalid):
            record_from_text(type_name, 1, text)
    assert DnsRecord(16, 1, b"\x01a").text() is None
    assert DnsRecord(16, 1, b"\x01a").type_name == "TYPE16"


def test_the_properties_of_a_zone():
    values = tuple(base64.b64decode(text) for text in SAMBA_PROPERTIES)
    assert read_properties(values) == ZoneProperties(updates=2, ageing=False, no_refresh_h=168, refresh_h=168)
    ageing = struct.pack("<IIIII", 4, 0, 0, 1, 0x40) + struct.pack("<I", 1) + b"\0"
    assert read_properties((*values, ageing, b"short")).ageing
    assert read_properties(()) == ZoneProperties()


def test_hours_since_1601():
    assert hours_since_1601(0) == 3234576
    assert hours_since_1601(3599) == 3234576
    assert hours_since_1601(3600) == 3234577
