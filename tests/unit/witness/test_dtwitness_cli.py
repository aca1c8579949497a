"""The command: what it prints, what it refuses, in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestrator.engine.cli.dtwitness import cli
from orchestrator.engine.witness.errors import WitnessCannotServe
from orchestrator.engine.witness.identity import Clients, load_or_make
from orchestrator.engine.witness.server import WitnessServer


def _run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, list(words))
    return result.exit_code, result.output


def _certificate(directory: Path) -> Path:
    directory.mkdir()
    return load_or_make(directory).certificate_file


def test_enrolling_prints_the_fingerprint_and_withdrawing_takes_it_back(tmp_path: Path) -> None:
    state, certificate = str(tmp_path / "w"), _certificate(tmp_path / "alpha")
    code, said = _run("enrol", str(certificate), "--state", state, "--holder", "alpha")
    assert code == 0
    fingerprint = said.strip()
    assert Clients(tmp_path / "w").all()[fingerprint].holder == "alpha"
    assert "withdrawn" in _run("enrol", str(certificate), "--state", state, "--withdraw")[1]
    assert Clients(tmp_path / "w").all() == {}


def test_what_is_no_certificate_or_not_the_expected_one_is_refused(tmp_path: Path) -> None:
    state, certificate = str(tmp_path / "w"), _certificate(tmp_path / "alpha")
    (tmp_path / "x.pem").write_text("hello")
    code, said = _run("enrol", str(tmp_path / "x.pem"), "--state", state)
    assert (code, "not a certificate" in said) == (2, True)
    code, said = _run("enrol", str(certificate), "--state", state, "--fingerprint", "ab:cd")
    assert (code, "not abcd" in said) == (2, True)
    assert Clients(tmp_path / "w").all() == {}


def test_status_of_one_that_does_not_run_says_so_and_shows_the_book(tmp_path: Path) -> None:
    code, said = _run("status", "--state", str(tmp_path / "w"), "--json")
    told = json.loads(said)
    assert (code, told["running"], told["protections"]) == (1, False, [])
    assert told["fingerprint"] == _run("fingerprint", "--state", str(tmp_path / "w"))[1].strip()


def test_the_key_is_for_its_owner_only(tmp_path: Path) -> None:
    server = WitnessServer(tmp_path / "w", "127.0.0.1", 0)
    server.server_close()
    assert (tmp_path / "w" / "witness.key").stat().st_mode & 0o777 == 0o600


def test_a_port_in_use_or_a_second_witness_is_one_clear_line(tmp_path: Path) -> None:
    server = WitnessServer(tmp_path / "w", "127.0.0.1", 0)
    with pytest.raises(WitnessCannotServe, match="Address already in use"):
        WitnessServer(tmp_path / "other", "127.0.0.1", server.server_port)
    with pytest.raises(WitnessCannotServe, match="another witness runs on"):
        WitnessServer(tmp_path / "w", "127.0.0.1", 0)
    server.server_close()
