"""Keytab files: whose keys are in one, who may read it, and that what is no keytab is looked at without harm."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.engine.control.errors import Conflict
from orchestrator.engine.control.keytabs import look, own, principals


def text(value: str) -> bytes:
    return struct.pack(">H", len(value.encode())) + value.encode()


def entry(realm: str, *names: str) -> bytes:
    body = struct.pack(">H", len(names)) + text(realm) + b"".join(text(name) for name in names)
    body += struct.pack(">IIB", 1, 0, 2) + struct.pack(">HH", 18, 4) + b"key!"
    return struct.pack(">i", len(body)) + body


HOLE = struct.pack(">i", -8) + b"\0" * 8
KEYTAB = b"\x05\x02" + entry("LAB.EXAMPLE", "BETA$") + HOLE + entry("LAB.EXAMPLE", "host", "beta.lab.example")


@pytest.mark.covers("AM-36")
def test_principals_and_modes(tmp_path: Path) -> None:
    path = tmp_path / "keytab"
    path.write_bytes(KEYTAB)
    path.chmod(0o640)
    facts = look(path)
    assert (facts.exists, facts.is_link, facts.mode) == (True, False, 0o640)
    assert facts.principals == ["BETA$@LAB.EXAMPLE", "host/beta.lab.example@LAB.EXAMPLE"]


@pytest.mark.covers("AM-36")
def test_a_link_is_named_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(KEYTAB)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    facts = look(tmp_path / "link")
    assert (facts.is_link, facts.principals) == (True, [])
    assert look(tmp_path / "none").exists is False
    assert look(tmp_path).principals == []


@given(st.binary(max_size=300))
def test_anything_else_is_harmless(content: bytes) -> None:
    assert list(principals(content)) == [] or content.startswith(b"\x05\x02")
    assert all("@" in one for one in principals(b"\x05\x02" + content))


@given(st.integers(0, len(KEYTAB)))
def test_a_torn_one_gives_what_stands_before_the_tear(end: int) -> None:
    whole = list(principals(KEYTAB))
    assert list(principals(KEYTAB[:end])) == whole[: len(list(principals(KEYTAB[:end])))]


@pytest.mark.covers("AM-11", "AM-36")
def test_a_keytab_and_nothing_else_is_made_roots_alone(tmp_path: Path) -> None:
    path, other, link = tmp_path / "keytab", tmp_path / "other", tmp_path / "link"
    path.write_bytes(KEYTAB)
    other.write_text("secret")
    link.symlink_to(path)
    for one in (path, other):
        one.chmod(0o644)
    own(path, os.getuid(), 0o600)
    assert (look(path).mode, look(path).owner) == (0o600, os.getuid())
    for wrong in (other, link, tmp_path, tmp_path / "none"):
        with pytest.raises(Conflict, match="changing who may read"):
            own(wrong, os.getuid(), 0o640)
    assert other.stat().st_mode & 0o777 == 0o644
