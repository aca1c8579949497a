"""The operating system's own word on an account: PAM, service ``dtam`` (scripts/host/dtam.pam, installed as /etc/pam.d/dtam).

Where that file is not installed nobody logs in by password: the engine never falls back to the machine's catch-all service.
Every call opens its own handle, so calls may come from several threads. Calls may take as long as a module likes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from orchestrator.engine.control.errors import Unauthorised

SERVICE = "dtam"
PLACES = (Path("/etc/pam.d"), Path("/usr/lib/pam.d"))
WRONG = "the name or the password is wrong"
NOT_NOW = "the account may not be used now: it has expired, is locked, or is not admitted on this host"
# Linux-PAM's _pam_types.h; where a stack ends in pam_deny only a general code is left.
WHY_NOT_AUTHENTICATED = {
    6: WRONG,
    7: WRONG,
    8: WRONG,
    9: "the account database cannot be reached",
    10: WRONG,
    11: WRONG,
}
WHY_NOT_NOW = {
    6: NOT_NOW,
    7: NOT_NOW,
    10: NOT_NOW,
    12: "the password has expired and must be changed first",
    13: NOT_NOW,
}
NO_EMPTY_PASSWORD = 0x1
"""PAM_DISALLOW_NULL_AUTHTOK: an account without a password logs in at the console at most, whatever the stack says ("nullok")."""
HINT = "try the same account with 'pamtester dtam NAME authenticate' on that host; its auth log has PAM's reasons"


def check_password(name: str, password: str, source: str) -> None:
    """Authenticate, then ask whether the account may be used now.

    Raises:
        Unauthorised: no; the reason without the password.
    """
    with _handle(name, password, source) as (pam, handle):
        _agreed(name, pam.PAM_AUTHENTICATE(handle, NO_EMPTY_PASSWORD), WHY_NOT_AUTHENTICATED)
        _agreed(name, pam.PAM_ACCT_MGMT(handle, 0), WHY_NOT_NOW)


def check_account(name: str, source: str) -> None:
    """Ask whether an account that was recognised otherwise may be used now: not expired, admitted here.

    Raises:
        Unauthorised: no.
    """
    with _handle(name, None, source) as (pam, handle):
        _agreed(name, pam.PAM_ACCT_MGMT(handle, 0), WHY_NOT_NOW)


@contextmanager
def _handle(name: str, password: str | None, source: str) -> Iterator[tuple[Any, Any]]:
    pam = _library()
    answers = pam.new_simple_password_conv([] if password is None else [password], "utf-8")
    try:
        handle = pam.pam_start(SERVICE, name, conv_func=answers)
    except pam.PAMError as error:
        raise Unauthorised(why=f"{name}: PAM does not begin ({error})", hint=HINT) from error
    try:
        with suppress(pam.PAMError):  # it is for PAM's own logs
            handle.set_item(pam.PAM_RHOST, source)
        yield pam, handle
    finally:
        pam.PAM_END(handle, 0)


def _library() -> Any:
    if not any((place / SERVICE).is_file() for place in PLACES):
        hint = "on that host, install scripts/host/dtam.pam of dtam as /etc/pam.d/dtam (dtam hosts install does)"
        raise Unauthorised(why="log-in by password is not set up on this host (there is no /etc/pam.d/dtam)", hint=hint)
    try:
        import pamela  # noqa: PLC0415  looks for libpam, which only a host that uses it must have
    except (ImportError, OSError, TypeError) as error:
        hint = "on that host, install libpam0g and restart dtengine"
        raise Unauthorised(why="this host has no PAM library", hint=hint) from error
    return pamela


def _agreed(name: str, code: int, reasons: Mapping[int, str]) -> None:
    if code != 0:
        raise Unauthorised(why=f"{name}: {reasons.get(code, f'PAM failed with code {code}')}", hint=HINT)
