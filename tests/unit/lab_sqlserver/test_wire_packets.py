"""Packets and the messages before the log-in: what is written is read again, and what is no TDS is refused as such."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lab.sqlserver.wire import login7, prelogin
from tests.lab.sqlserver.wire.packets import HEADER, Kind, Message, Writing, negotiated, packed, read_message
from tests.lab.sqlserver.wire.prelogin import Encryption
from tests.lab.sqlserver.wire.reading import Malformed
from tests.unit.lab_sqlserver.wire_client import login_message, prelogin_message
from tests.unit.lab_sqlserver.wire_patience import patient

KINDS = st.sampled_from([Kind.BATCH, Kind.RPC, Kind.TRANSACTION, Kind.LOGIN7, Kind.ANSWER])


@patient
@given(kind=KINDS, pieces=st.lists(st.binary(max_size=3000), max_size=8), size=st.integers(512, 4096))
def test_a_message_is_read_as_it_was_written(kind: Kind, pieces: list[bytes], size: int) -> None:
    out: list[bytes] = []
    writing = Writing(out.append, size, kind)
    for one in pieces:
        writing.write(one)
    writing.end()
    raw = b"".join(out)
    read = io.BytesIO(raw).read
    assert read_message(read) == Message(kind, b"".join(pieces))
    assert read_message(read) is None
    at = 0
    while at < len(raw):
        length = HEADER.unpack_from(raw, at)[2]
        assert length <= size
        at += length


def test_no_more_than_a_packet_is_kept() -> None:
    sent: list[int] = []
    writing = Writing(lambda data: sent.append(len(data)), 4096)
    for _ in range(100):
        writing.write(b"x" * 1000)
    assert 100_000 - sum(sent) < 4096


@patient
@given(st.binary(max_size=200))
def test_noise_is_no_message(noise: bytes) -> None:
    read = io.BytesIO(noise).read
    try:
        message = read_message(read)
    except Malformed:
        return
    assert message is None or packed(message.kind, message.body)[0] == noise[0]


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01", id="a TLS hello"),
        pytest.param(struct.pack(">BBHHBB", 1, 1, 7, 0, 1, 0), id="shorter than its header"),
        pytest.param(struct.pack(">BBHHBB", 1, 1, 40000, 0, 1, 0), id="too long"),
        pytest.param(struct.pack(">BBHHBB", 1, 1, 20, 0, 1, 0) + b"x", id="cut off"),
        pytest.param(
            struct.pack(">BBHHBB", 1, 0, 8, 0, 1, 0) + struct.pack(">BBHHBB", 3, 1, 8, 0, 2, 0), id="two kinds"
        ),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="HTTP"),
    ],
)
def test_what_is_no_tds(raw: bytes) -> None:
    with pytest.raises(Malformed):
        read_message(io.BytesIO(raw).read)


def test_a_message_has_a_limit() -> None:
    with pytest.raises(Malformed, match="more than 100 bytes"):
        read_message(io.BytesIO(packed(Kind.BATCH, b"x" * 101)).read, limit_bytes=100)


def test_the_size_of_packets() -> None:
    assert [negotiated(one, False) for one in (0, 100, 512, 8000, 60000)] == [4096, 4096, 512, 8000, 32767]
    assert negotiated(32767, True) == 16383


# -- PRELOGIN ---------------------------------------------------------------------------------------------------------
def test_prelogin_is_read() -> None:
    said = prelogin.parse(prelogin_message(Encryption.ON, instance="SALES", mars=True))
    assert said == prelogin.Prelogin(Encryption.ON, "SALES", True)


def test_mars_is_refused_and_the_version_told() -> None:
    body = prelogin.answer("15.0.4322.2", Encryption.ON, knows_instance=False)
    said = prelogin.parse(body)
    assert not said.mars
    assert bytes([15, 0]) + struct.pack(">HH", 4322, 2) in body
    assert prelogin._options(body)[prelogin.INSTANCE] == b"\1"


@pytest.mark.parametrize(
    ("asked", "forced", "answer"),
    [
        (Encryption.OFF, False, Encryption.OFF),
        (Encryption.OFF, True, Encryption.REQUIRED),
        (Encryption.ON, False, Encryption.ON),
        (Encryption.REQUIRED, False, Encryption.ON),
        (Encryption.NOT_SUPPORTED, False, Encryption.NOT_SUPPORTED),
        (Encryption.NOT_SUPPORTED, True, Encryption.REQUIRED),
        (77, False, None),
    ],
)
def test_what_is_agreed_of_encryption(asked: int, forced: bool, answer: Encryption | None) -> None:
    assert prelogin.agreed(asked, forced) is answer


@patient
@given(st.binary(max_size=100))
def test_noise_is_no_prelogin(noise: bytes) -> None:
    try:
        prelogin.parse(noise)
    except Malformed:
        return
    assert noise[0] == prelogin.VERSION


# -- LOGIN7 -----------------------------------------------------------------------------------------------------------
@patient
@given(
    user=st.text(max_size=60), password=st.text(max_size=60), database=st.text(max_size=60), sspi=st.binary(max_size=90)
)
def test_login7_is_read(user: str, password: str, database: str, sspi: bytes) -> None:
    features = {10: b"\1", 1: b""}
    said = login7.parse(login_message(user, password, database, sspi=sspi or None, features=features))
    assert (said.user, said.password, said.database) == (user, password, database)
    assert (said.sspi, said.features) == (sspi or None, features)


def test_nobody_reads_a_password_in_a_log() -> None:
    assert "geheim" not in repr(login7.parse(login_message("sa", "geheim", "master")))


@patient
@given(st.text(max_size=128))
def test_a_password_is_turned_there_and_back(password: str) -> None:
    assert login7.revealed(login7.hidden(password)) == password


@patient
@given(
    whole=st.just(login_message("sa", "secret", "master", features={10: b"\1"})),
    at=st.integers(0, 200),
    noise=st.binary(min_size=1, max_size=4),
)
def test_a_bent_login7_is_refused_or_read(whole: bytes, at: int, noise: bytes) -> None:
    bent = (whole[:at] + noise + whole[at + len(noise) :])[: len(whole)]
    try:
        login7.parse(bent)
    except Malformed:
        return


@pytest.mark.parametrize(
    ("asked", "version", "granted"),
    [
        (0x74000004, "15.0.4322.2", 0x74000004),
        (0x73000003, "15.0.4322.2", None),
        (0x730B0003, "15.0.4322.2", 0x730B0003),
        (0x72090002, "11.0.7001.0", 0x72090002),
        (0x74000004, "10.50.6000.34", 0x730B0003),
        (0x74000004, "9.0.5000.0", 0x72090002),
        (0x71000001, "15.0.4322.2", None),
        (0x08000000, "15.0.4322.2", None),
    ],
)
def test_the_version_of_tds(asked: int, version: str, granted: int | None) -> None:
    if granted is None:
        if asked < 0x72090002:
            with pytest.raises(Malformed):
                login7.granted(asked, version)
        else:
            assert login7.granted(asked, version) == 0x72090002
    else:
        assert login7.granted(asked, version) == granted
