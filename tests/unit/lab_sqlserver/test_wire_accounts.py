"""Accounts of Windows: SIDs, what a ticket's certificate of privileges says, and the file of accounts."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lab.sqlserver.wire import pac
from tests.lab.sqlserver.wire.principals import Accounts, binary_sid, text_sid
from tests.lab.sqlserver.wire.sspi import protocol_of
from tests.unit.lab_sqlserver.wire_patience import patient

DOMAIN = "S-1-5-21-1-2-3"
SOMEWHERE = 0x20000


def ndr_text(text: str) -> bytes:
    raw = text.encode("utf-16-le")
    return struct.pack("<III", len(text), 0, len(text)) + raw + b"\0" * (-len(raw) % 4)


def ndr_sid(text: str) -> bytes:
    raw = binary_sid(text)
    return struct.pack("<I", raw[1]) + raw


def header(text: str) -> bytes:
    return struct.pack("<HHI", 2 * len(text), 2 * len(text), SOMEWHERE if text else 0)


def logon_info(user: str, rids: list[int], extra: list[str], primary: int = 513) -> bytes:
    """KERB_VALIDATION_INFO as a controller of the domain LAB writes it."""
    strings = [user, "full name", "", "", "", ""]
    fixed = b"\0" * 48 + b"".join(map(header, strings)) + b"\0" * 4
    fixed += struct.pack("<IIIII", 1105, primary, len(rids), SOMEWHERE if rids else 0, 0x20) + b"\0" * 16
    fixed += header("DC1") + header("LAB") + struct.pack("<I", SOMEWHERE) + b"\0" * 40
    fixed += struct.pack("<IIIII", len(extra), SOMEWHERE if extra else 0, 0, 0, 0)
    behind = b"".join(ndr_text(one) for one in strings if one)
    if rids:
        behind += struct.pack("<I", len(rids)) + b"".join(struct.pack("<II", rid, 7) for rid in rids)
    behind += ndr_text("DC1") + ndr_text("LAB") + ndr_sid(DOMAIN)
    if extra:
        behind += struct.pack("<I", len(extra)) + struct.pack("<II", SOMEWHERE, 7) * len(extra)
        behind += b"".join(map(ndr_sid, extra))
    return (
        b"\x01\x10\x08\0\xcc\xcc\xcc\xcc"
        + struct.pack("<II", len(fixed + behind) + 4, 0)
        + b"\0\0\x02\0"
        + fixed
        + behind
    )


def test_who_a_ticket_is_of() -> None:
    info = pac.parse(logon_info("writer", [513, 1200], ["S-1-18-1", "S-1-5-21-9-9-9-500"]))
    assert (info.user, info.domain, text_sid(info.sid)) == ("writer", "LAB", f"{DOMAIN}-1105")
    assert [text_sid(one) for one in info.groups] == [
        *(f"{DOMAIN}-513", f"{DOMAIN}-1200", "S-1-18-1", "S-1-5-21-9-9-9-500")
    ]


def test_the_primary_group_counts_too() -> None:
    assert text_sid(pac.parse(logon_info("odd", [], [], 515)).groups[0]) == f"{DOMAIN}-515"


@patient
@given(at=st.integers(0, 400), noise=st.binary(max_size=6))
def test_a_bent_certificate_of_privileges(at: int, noise: bytes) -> None:
    whole = logon_info("writer", [513], ["S-1-18-1"])
    try:
        pac.parse(whole[:at] + noise + whole[at + 2 * len(noise) :])
    except pac.Unreadable:
        return


@patient
@given(st.lists(st.integers(0, (1 << 32) - 1), max_size=8))
def test_sids(parts: list[int]) -> None:
    text = "-".join(["S", "1", "5", *map(str, parts)])
    assert text_sid(binary_sid(text)) == text


def test_the_file_of_accounts(tmp_path: Path) -> None:
    file = tmp_path / "accounts.json"
    accounts = Accounts(file)
    assert accounts.sid_of("LAB\\writer") is None
    groups = {"LAB\\dba": f"{DOMAIN}-1200"}
    one = {"sid": f"{DOMAIN}-1105", "upn": "writer@LAB.EXAMPLE", "password": "x", "groups": groups}
    file.write_text(json.dumps({"LAB\\writer": one, "LAB\\plain": f"{DOMAIN}-1106"}))
    assert accounts.sid_of("lab\\WRITER") == binary_sid(f"{DOMAIN}-1105")
    assert accounts.sid_of("LAB\\dba") == binary_sid(f"{DOMAIN}-1200")
    assert accounts.sid_of("LAB\\plain") == binary_sid(f"{DOMAIN}-1106")
    assert accounts.name_of(binary_sid(f"{DOMAIN}-1200")) == "LAB\\dba"
    assert accounts.name_of(binary_sid("S-1-1-0")) == "S-1-1-0"
    known = accounts.identity("writer@lab.example")
    assert known is not None
    assert (known.name, known.groups) == ("LAB\\writer", (("LAB\\dba", binary_sid(f"{DOMAIN}-1200")),))
    assert accounts.identity("LAB\\nobody") is None


def test_ntlm_is_told_who_has_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NTLM_USER_FILE", "before")
    file = tmp_path / "accounts.json"
    file.write_text(json.dumps({"LAB\\writer": {"sid": f"{DOMAIN}-1", "password": "x"}, "LAB\\plain": f"{DOMAIN}-2"}))
    Accounts(file).tell_ntlm(tmp_path)
    told = tmp_path / "ntlm.users"
    assert told.read_text() == "LAB:writer:x\n"
    assert told.stat().st_mode & 0o777 == 0o600


def test_which_mechanism_a_token_begins() -> None:
    assert protocol_of(b"NTLMSSP\0\1\0\0\0") == "ntlm"
    assert protocol_of(bytes.fromhex("604806062b0601050502a03e")) == "negotiate"
    assert protocol_of(bytes.fromhex("6082054006092a864886f712010202")) == "kerberos"
