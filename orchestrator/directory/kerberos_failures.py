"""What libkrb5 says, as the one line that a person can act on. Codes: krb5.h of MIT Kerberos (table krb5, base -1765328384)."""

from __future__ import annotations

from gssapi.raw.misc import GSSError

from orchestrator.directory.errors import (
    AccountMissing,
    ClockOff,
    ControllerUnreachable,
    CredentialsRefused,
    DirectoryError,
    TicketExpired,
)
from orchestrator.directory.port import DirectoryAccess

_BASE = -1765328384
_CLIENT_UNKNOWN, _SERVICE_UNKNOWN, _REVOKED, _KEY_EXPIRED, _PREAUTH_FAILED = 6, 7, 18, 23, 24
_BAD_INTEGRITY, _EXPIRED, _NOT_YET_VALID, _SKEW = 31, 32, 33, 37
_UNREACHABLE, _REALM_UNKNOWN = 156, 154
_NO_TICKET = frozenset({141, 195})  # KRB5_CC_NOTFOUND, KRB5_FCC_NOFILE
_NO_KEY = frozenset({181, 198})  # KRB5_KT_NOTFOUND, KRB5_KT_KVNONOTFOUND


def explained(error: GSSError, access: DirectoryAccess, principal: str) -> DirectoryError:
    """The error of ours that tells what a failure of Kerberos means."""
    reason = said(error)
    match _code(error):
        case code if code == _CLIENT_UNKNOWN:
            advice = "look at the spelling of the principal; a computer's ends with a dollar sign"
            return AccountMissing(domain=access.domain, account=principal, advice=advice)
        case code if code == _EXPIRED:
            return TicketExpired(principal=principal)
        case code if code in (_SKEW, _NOT_YET_VALID):
            return ClockOff(domain=access.domain, reason=reason)
        case code if code in (_UNREACHABLE, _REALM_UNKNOWN):
            return ControllerUnreachable(domain=access.domain, reason=reason)
        case code:
            return CredentialsRefused(principal=principal, reason=reason, advice=_advice(code, principal))


def _advice(code: int, principal: str) -> str:
    if code in (_PREAUTH_FAILED, _BAD_INTEGRITY, *_NO_KEY):
        return "the password or the key in the keytab is not the account's present one: write it anew"
    if code in (_REVOKED, _KEY_EXPIRED):
        return "have an administrator of the domain enable the account or renew its password"
    if code in _NO_TICKET:
        return "run kinit, or give a principal with its keytab"
    if code == _SERVICE_UNKNOWN:
        return "name the domain controller by the name that the domain knows it by"
    return "try it by hand: kinit " + principal


def said(error: GSSError) -> str:
    """The text of the innermost message, without full stop."""
    try:
        text = error.get_all_statuses(error.min_code, is_maj=False)[-1]
    except (GSSError, IndexError, ValueError):
        text = str(error)
    return str(text).strip().rstrip(".")


def _code(error: GSSError) -> int:
    signed = error.min_code - 2**32 if error.min_code >= 2**31 else error.min_code
    return int(signed - _BASE)
