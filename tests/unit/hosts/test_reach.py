"""The token's file, the first look at a certificate, the witness."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from orchestrator.hosts.arbiter import PinnedWitness
from orchestrator.hosts.errors import HostSilent, HostWithoutEngine, TokenUnreadable
from orchestrator.hosts.reach import read_token, shown_fingerprint


def token_file(tmp_path: Path, text: str = "secret\n", mode: int = 0o600) -> Path:
    path = tmp_path / "token"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_token_is_read_without_its_line_break(tmp_path: Path) -> None:
    assert read_token("alpha", token_file(tmp_path)) == "secret"


@pytest.mark.parametrize(
    ("text", "mode", "why"),
    [("secret", 0o644, "others can read it (mode 0644)"), ("", 0o600, "it is empty"), ("sécret", 0o600, "no token")],
)
def test_token_that_is_not_fit(tmp_path: Path, text: str, mode: int, why: str) -> None:
    with pytest.raises(TokenUnreadable) as told:
        read_token("alpha", token_file(tmp_path, text, mode))
    assert why in str(told.value)
    assert "secret" not in str(told.value)


def test_missing_token(tmp_path: Path) -> None:
    with pytest.raises(TokenUnreadable, match="No such file"):
        read_token("alpha", tmp_path / "none")


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_nothing_listens() -> None:
    with pytest.raises(HostWithoutEngine, match=r"alpha at 127.0.0.1:[0-9]+: Connection refused") as refused:
        shown_fingerprint("alpha", "127.0.0.1", closed_port())
    assert isinstance(refused.value, HostSilent)
    assert "dtam hosts install alpha --address 127.0.0.1 --ssh root@127.0.0.1" in refused.value.hint


@pytest.mark.parametrize(
    ("shown", "problem"),
    [("ab" * 32, ""), ("cd" * 32, "shows the certificate cdcdcdcdcdcdcdcd…, pinned is abababababababab…")],
)
def test_witness_is_pinned(shown: str, problem: str) -> None:
    witness = PinnedWitness("127.0.0.9", 6322, "AB:" * 31 + "AB", shown=lambda *_: shown)
    assert witness.problem().endswith(problem)
    assert bool(witness.problem()) == bool(problem)


def test_silent_witness_is_a_sentence() -> None:
    witness = PinnedWitness("127.0.0.1", closed_port(), "ab" * 32)
    assert "does not answer: Connection refused" in witness.problem()
