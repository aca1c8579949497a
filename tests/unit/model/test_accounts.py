"""Names of accounts: the three spellings, the limit of 100 characters, no single-label domain."""

from __future__ import annotations

import pytest

from orchestrator.model.accounts import AccountName
from orchestrator.model.errors import AccountInvalid


@pytest.mark.covers("AM-02")
@pytest.mark.parametrize(
    ("text", "user", "domain"),
    [
        ("ada", "ada", ""),
        ("LAB\\ada", "ada", "LAB"),
        ("ada@lab.example", "ada", "lab.example"),
        ("ada@home@lab.example", "ada@home", "lab.example"),
        ("u" * 100 + "@" + "d" * 60 + ".example", "u" * 100, "d" * 60 + ".example"),
        ("BETA$@LAB.EXAMPLE", "BETA$", "LAB.EXAMPLE"),
    ],
)
def test_spellings(text: str, user: str, domain: str) -> None:
    name = AccountName.parse(text)
    assert (name.user, name.domain, name.written) == (user, domain, text)


@pytest.mark.covers("AM-02")
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ada@lab", "lab is a single-label domain"),
        ("ada@", "is no DNS domain"),
        ("@lab.example", "names no user"),
        ("\\ada", "names no user"),
        ("LAB\\x\\ada", "names no user"),
        ("", "names no user"),
        ("ada:secret", "names no user"),
        ("u" * 101, "more than 100 characters"),
        ("D" * 101 + "\\ada", "more than 100 characters"),
    ],
)
def test_what_is_no_name(text: str, why: str) -> None:
    with pytest.raises(AccountInvalid) as told:
        AccountName.parse(text)
    assert why in str(told.value)
