"""What goes wrong between here and a script, as the one error that tells a person what to do.

Fault codes: winerror.h and wsmerror.h as published by Microsoft ([MS-WSMV] 2.2.4.43 and appendix); the texts of PowerShell are those of
5.1 in English, its error ids are the same in every language.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator

from spnego.exceptions import SpnegoError
from winrm.exceptions import InvalidCredentialsError, WinRMTransportError, WSManFaultError

from orchestrator.errors import DtamError
from orchestrator.hosts.errors import (
    HostScriptFailed,
    ScriptsForbidden,
    WinRmCertificateRefused,
    WinRmClockOff,
    WinRmLoginRefused,
    WinRmNotAuthorised,
    WinRmQuota,
    WinRmUnreachable,
)
from orchestrator.hosts.winrm_login import NO_LIBRARY, LoginFailed

ACCESS_DENIED = frozenset({5, 2147942405})
QUOTA = frozenset({2150858815, *range(2150859173, 2150859177), 2150859179, *range(2150859236, 2150859241)})
SHELL_GONE = frozenset({2150858813, 2150858843, 2150859082})
FORBIDDEN = 403
SKEW = ("clock skew", "skew too great", "not yet valid")
KERBEROS_MISSING = "install them on this machine; NTLM and certificates do without: dtam hosts add --transport"
NO_KDC = ("cannot contact any kdc", "cannot find kdc", "cannot locate kdc")
FORBIDDEN_WORDS = (
    ": UnauthorizedAccess",
    "running scripts is disabled",
    "is not digitally signed",
    "ConstrainedLanguage",
    "supported only on core types in this language mode",
)


def explained(error: Exception, server: str, where: str, account: str) -> DtamError:
    """The error of ours that tells what a failure on the way means."""
    refused = {"server": server, "where": where, "account": account}
    match error:
        case ssl.SSLError():
            why = getattr(error, "verify_message", "") or getattr(error, "reason", "") or str(error)
            return WinRmCertificateRefused(server=server, where=where, why=why)
        case InvalidCredentialsError():
            return WinRmLoginRefused(**refused, why="the login was refused", advice=_advice(account, server))
        case WSManFaultError():
            return _fault(error, refused)
        case WinRMTransportError() if error.code == FORBIDDEN:
            return WinRmNotAuthorised(server=server, account=account, why="HTTP 403")
        case SpnegoError() | LoginFailed():
            return _of_security(error, refused)
        case _:
            return WinRmUnreachable(server=server, where=where, why=_said(error))


def _fault(error: WSManFaultError, refused: dict[str, str]) -> DtamError:
    code, reason = error.wsman_fault_code or error.wmierror_code or 0, _line(error.reason or "")
    if code in ACCESS_DENIED or (error.fault_subcode or "").endswith("AccessDenied"):
        return WinRmNotAuthorised(server=refused["server"], account=refused["account"], why=reason)
    if code in QUOTA or (error.fault_subcode or "").endswith(("QuotaLimit", "EncodingLimit")):
        return WinRmQuota(server=refused["server"], why=reason)
    return WinRmUnreachable(server=refused["server"], where=refused["where"], why=f"{reason} (code {code})")


def _of_security(error: Exception, refused: dict[str, str]) -> DtamError:
    said = _line(str(error))
    small = " ".join(map(str, _chain(error))).lower()
    if any(words in small for words in SKEW):
        return WinRmClockOff(server=refused["server"], why=said)
    if any(words in small for words in NO_KDC):
        why = f"no domain controller answers for its tickets ({said})"
        return WinRmUnreachable(server=refused["server"], where=refused["where"], why=why)
    advice = KERBEROS_MISSING if NO_LIBRARY in said else _advice(refused["account"], refused["server"])
    return WinRmLoginRefused(**refused, why=said, advice=advice)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _advice(account: str, server: str) -> str:
    return (
        f"is the password still right (dtam credentials set '{account}' --server {server}), or the ticket still good (klist)? "
        "Kerberos wants the host's full name, NTLM must be allowed there"
    )


def of_words(server: str, words: str, code: int) -> DtamError:
    """The failure of a script that ended without an answer in JSON: what PowerShell itself said on its error stream."""
    line = _line(plain(words)) or f"it ended with code {code} and said nothing"
    if any(word in words for word in FORBIDDEN_WORDS):
        return ScriptsForbidden(server=server, why=line)
    return HostScriptFailed(server, line, "", 0)


def plain(words: str) -> str:
    """The text of an error stream; what comes as CLIXML is reduced to its text, progress left out."""
    if not words.startswith("#< CLIXML"):
        return words
    parts = [one.partition("</S>")[0] for one in words.split('<S S="Error">')[1:]]
    text = "".join(parts).replace("_x000D__x000A_", "\n")
    for escaped, char in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&")):
        text = text.replace(escaped, char)
    return text


def _line(text: str) -> str:
    return " ".join(text.split())[:500]


def _said(error: Exception) -> str:
    return _line(str(error)) if str(error) else type(error).__name__
