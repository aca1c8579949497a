"""Each row of the guide's table: what travels, byte for byte."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest
import yaml

from orchestrator.engine.mirror.messages import Data, Files
from orchestrator.engine.mirror.options import MirrorOptions
from tests.unit.mirror.loopback import mirror

CASES = yaml.safe_load((Path(__file__).parents[2] / "cases/mirror/difference.yaml").read_text())
SIZE = 300_000
STAMP = 1_700_000_000_000_000_000
FILES = ["equal", "touched", "newer", "older", "silent", "missing"]


def plant(source: Path, target: Path) -> None:
    for name in FILES:
        content = name.encode() * (SIZE // len(name))
        other = bytearray(content)
        if name not in {"equal", "touched"}:
            other[100_000] ^= 255
        write(source / name, content, STAMP + 5 * 10**9 * (name in {"touched", "newer"}))
        if name != "missing":
            write(target / name, bytes(other), STAMP + 5 * 10**9 * (name == "older"))


def write(path: Path, content: bytes, stamp: int) -> None:
    path.write_bytes(content)
    os.utime(path, ns=(stamp, stamp))


def travelled(sent: list) -> dict[str, str]:
    """By file: whole, blocks or nothing."""
    paths = {message.transfer: message.path.decode() for message in sent if hasattr(message, "whole")}
    bytes_of = dict.fromkeys(FILES, 0)
    for message in sent:
        if isinstance(message, Data):
            bytes_of[paths[message.transfer]] += len(message.data)
        assert not isinstance(message, Files)
    return {name: "nothing" if not size else "blocks" if size <= 65_536 else "whole" for name, size in bytes_of.items()}


@pytest.mark.covers("ENG-MIR-01")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_what_travels(case, tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    plant(source, target)
    before = {name: (target / name).read_bytes() for name in FILES if (target / name).exists()}
    _, sent = mirror(source, target, msgspec.convert(case["options"], MirrorOptions))
    assert travelled(sent) == case["sends"]
    for name in FILES:
        expected = (source / name).read_bytes() if case["sends"][name] != "nothing" else before[name]
        assert (target / name).read_bytes() == expected
