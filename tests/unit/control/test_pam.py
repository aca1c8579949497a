"""What PAM is asked for, over a stub of its library."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from orchestrator.engine.control import pam
from orchestrator.engine.control.errors import Unauthorised

DISALLOW_NULL_AUTHTOK = 0x1  # Linux-PAM's _pam_types.h


class PAMError(Exception):
    """As pamela's."""


def library(*, empty: bool = False, begins: bool = True) -> SimpleNamespace:
    """A PAM whose stack says ``nullok`` and knows one account."""

    def start(*_args: object, **_more: object) -> SimpleNamespace:
        if not begins:
            raise PAMError
        return SimpleNamespace(set_item=lambda *_: None)

    def authenticate(_handle: object, flags: int) -> int:
        return 7 if empty and flags & DISALLOW_NULL_AUTHTOK else 0

    return SimpleNamespace(
        PAMError=PAMError,
        PAM_RHOST=4,
        PAM_AUTHENTICATE=authenticate,
        PAM_ACCT_MGMT=lambda *_: 0,
        PAM_END=lambda *_: 0,
        pam_start=start,
        new_simple_password_conv=lambda *_: None,
    )


@pytest.mark.covers("ENG-SEC-01")
def test_an_account_without_a_password_never_logs_in_from_afar(monkeypatch):
    """Debian's pam_unix says nullok, and then takes whatever is sent for such an account."""
    monkeypatch.setattr(pam, "_library", lambda: library(empty=True))
    with pytest.raises(Unauthorised, match="the name or the password is wrong"):
        pam.check_password("ada", "anything", "192.0.2.1")
    monkeypatch.setattr(pam, "_library", library)
    pam.check_password("ada", "anything", "192.0.2.1")


def test_a_pam_that_does_not_begin_is_a_refusal(monkeypatch):
    monkeypatch.setattr(pam, "_library", lambda: library(begins=False))
    with pytest.raises(Unauthorised, match="ada: PAM does not begin"):
        pam.check_account("ada", "192.0.2.1")
