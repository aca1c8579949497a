"""Descriptors survive their wire form: those of a real domain byte for byte, and whatever else can be thought of as values."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.directory.errors import DescriptorInvalid
from orchestrator.directory.security import Ace, Acl, Descriptor, Kind, Right
from orchestrator.directory.security_wire import decoded, encoded, sid_bytes, sid_text

SAMPLES = sorted((Path(__file__).parents[2] / "data" / "descriptors").glob("*.hex"))
PLAIN, OBJECT, UNKNOWN = (0, 1, 2, 3, 9, 17), (5, 6, 7, 8, 11), (4, 20, 99)

sids = st.builds(
    lambda authority, parts: "-".join(map(str, ("S-1", authority, *parts))),
    st.integers(0, 2**48 - 1),
    st.lists(st.integers(0, 2**32 - 1), max_size=15),
)
masks, flags = st.integers(0, 2**32 - 1), st.integers(0, 255)
rests = st.binary(max_size=3).map(lambda some: some * 4)
plain_aces = st.builds(Ace, st.sampled_from(PLAIN), flags, masks, sids, rest=rests)
object_aces = st.builds(
    Ace, st.sampled_from(OBJECT), flags, masks, sids, st.none() | st.uuids(), st.none() | st.uuids(), rests
)
unknown_aces = st.builds(
    lambda kind, flags, rest: Ace(kind, flags, 0, "", rest=rest), st.sampled_from(UNKNOWN), flags, rests
)
aces = plain_aces | object_aces | unknown_aces
acls = st.builds(Acl, st.lists(aces, max_size=5).map(tuple), st.sampled_from([2, 4]))
controls = st.sets(st.sampled_from([0x1, 0x2, 0x400, 0x800, 0x1000, 0x2000])).map(sum)
descriptors = st.builds(Descriptor, st.none() | sids, st.none() | sids, st.none() | acls, st.none() | acls, controls)


@given(sids)
def test_a_sid_comes_back(sid):
    assert sid_text(sid_bytes(sid)) == sid


@given(descriptors)
def test_a_descriptor_comes_back(descriptor):
    assert decoded(encoded(descriptor)) == descriptor


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.stem)
def test_a_real_descriptor_comes_back_byte_for_byte(sample):
    raw = bytes.fromhex(sample.read_text())
    descriptor = decoded(raw)
    assert descriptor.owner.startswith("S-1-5-")
    assert descriptor.dacl.aces
    assert encoded(descriptor) == raw


def test_there_are_samples():
    assert len(SAMPLES) >= 3


@given(st.binary(max_size=120))
def test_any_bytes_are_read_or_refused(raw):
    with contextlib.suppress(DescriptorInvalid):
        decoded(raw)


@given(descriptors, st.data())
def test_a_cut_descriptor_is_read_or_refused(descriptor, data):
    raw = encoded(descriptor)
    cut = data.draw(st.integers(0, len(raw)))
    with contextlib.suppress(DescriptorInvalid):
        decoded(raw[:cut])


@pytest.mark.parametrize(
    "text", ["", "S-1", "S-1-5-x", "S-1--5", "X-1-5", "S-1-5-" + "-".join("1" * 16), "S-1-5-4294967296"]
)
def test_what_is_no_sid_is_refused(text):
    with pytest.raises(DescriptorInvalid):
        sid_bytes(text)


def test_a_denial_goes_before_grants_and_a_grant_before_what_is_inherited():
    grant, inherited = Ace(Kind.ALLOW, 0, 1, "S-1-1-0"), Ace(Kind.ALLOW, 0x10, 1, "S-1-5-11")
    was = Descriptor(dacl=Acl((grant, inherited)))
    denial = Ace(Kind.DENY, 0, Right.WRITE_PROPERTY, "S-1-5-7")
    assert was.with_ace(denial).dacl.aces == (denial, grant, inherited)
    assert was.with_ace(denial).with_ace(denial) == was.with_ace(denial)
    assert was.with_ace(denial).without_ace(denial) == was
    more = Ace(Kind.ALLOW, 0, 2, "S-1-5-7")
    assert was.with_ace(more).dacl.aces == (grant, more, inherited)


def test_an_object_without_an_access_list_gets_no_entry():
    with pytest.raises(DescriptorInvalid, match="no access list"):
        Descriptor().with_ace(Ace(Kind.DENY, 0, 1, "S-1-1-0"))


def test_a_list_that_is_said_to_be_there_and_is_not_stays_so():
    everybody = Descriptor(owner="S-1-1-0", control=0x4)
    assert decoded(encoded(everybody)) == everybody
