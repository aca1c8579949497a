"""How an account is given: what excludes what, what is refused before anything is asked, where a password comes from."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import pytest

from orchestrator.cli.accounts import LoginChoice, new_password, remember_password
from orchestrator.cli.errors import AnswerNeeded
from orchestrator.errors import DtamError
from orchestrator.model.errors import AccountInvalid
from orchestrator.model.servers import EngineAccount
from orchestrator.store.credentials import CredentialCache
from orchestrator.store.errors import CredentialUnusable


@pytest.mark.parametrize(
    ("choice", "account"),
    [
        (LoginChoice(), None),
        (LoginChoice(user="LAB\\ada"), EngineAccount(user="LAB\\ada")),
        (LoginChoice(kerberos="alpha.lab.example"), EngineAccount(kerberos_host="alpha.lab.example")),
        (
            LoginChoice(kerberos="alpha.lab.example", principal="dtam@LAB.EXAMPLE", keytab=Path("/etc/dtam.keytab")),
            EngineAccount(kerberos_host="alpha.lab.example", principal="dtam@LAB.EXAMPLE", keytab="/etc/dtam.keytab"),
        ),
    ],
)
def test_choices(choice, account):
    assert choice.account() == account


@pytest.mark.covers("AM-02")
@pytest.mark.parametrize(
    ("choice", "kind", "why"),
    [
        (LoginChoice(user="ada", kerberos="alpha.lab.example"), click.UsageError, "exclude each other"),
        (LoginChoice(user="ada@lab"), AccountInvalid, "single-label domain"),
        (LoginChoice(kerberos="alpha"), AccountInvalid, "full name is needed"),
        (LoginChoice(kerberos="alpha.lab.example", keytab=Path("/x")), click.UsageError, "belong together"),
    ],
)
def test_what_cannot_be_meant(choice, kind, why):
    with pytest.raises(kind, match=why):
        choice.account()


@pytest.fixture
def cache(tmp_path):
    return CredentialCache(tmp_path / "home", lambda: 0.0, lambda: None)


def password_file(tmp_path: Path, text: str, mode: int = 0o600) -> Path:
    path = tmp_path / "password"
    path.write_text(text, encoding="latin-1")
    path.chmod(mode)
    return path


def test_the_first_line_of_a_file_counts(tmp_path, cache):
    remember_password(cache, "ada", "", password_file(tmp_path, " with spaces \nmore\n"))
    assert cache.password("ada", "alpha") == " with spaces "


@pytest.mark.covers("AM-02")
@pytest.mark.parametrize(
    ("text", "mode", "why"),
    [
        ("secret", 0o604, "others can read"),
        ("", 0o600, "1 to 100 characters"),
        ("s" * 101, 0o600, "1 to 100 characters"),
        ("s\0t", 0o600, "1 to 100 characters"),
        ("secr\xe9t", 0o600, "not UTF-8"),
    ],
)
def test_a_file_that_is_not_fit(tmp_path, cache, text, mode, why):
    with pytest.raises(CredentialUnusable, match=why) as told:
        remember_password(cache, "ada", "", password_file(tmp_path, text, mode))
    assert "secr" not in f"{told.value}{told.value.hint}"
    assert told.value.__cause__ is None


def test_without_terminal_or_file_nobody_is_asked(monkeypatch, cache):
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    with pytest.raises(AnswerNeeded, match="the password of ada is not given"):
        remember_password(cache, "ada", "", None)


def test_a_password_that_did_not_serve_is_forgotten(tmp_path, cache):
    file = password_file(tmp_path, "secret")
    seen = []

    def fail() -> None:
        with new_password(cache, EngineAccount(user="ada"), "alpha", file):
            seen.append(cache.password("ada", "alpha"))
            raise DtamError

    with pytest.raises(DtamError):
        fail()
    assert seen == ["secret"]
    assert cache.listed()[0] == ()
    with new_password(cache, EngineAccount(user="ada"), "alpha", file):
        pass
    assert cache.password("ada", "alpha") == "secret"
