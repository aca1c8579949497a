"""What a controller's refusal means, as the one line that a person can act on.

Sources: RFC 4511 4.1.9 (result codes), [MS-ADTS] 3.1.1.3.1.9 and Win32 error codes in the message ("000021C7: ..."), [MS-ERREF].
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.directory.errors import (
    AccountMissing,
    CredentialsRefused,
    DirectoryError,
    EntryMissing,
    RightMissing,
    SpnNotUnique,
    ValueChanged,
)

SUCCESS, SASL_IN_PROGRESS = 0, 14
NO_SUCH_OBJECT = 32
_STRONGER_AUTH, _NO_SUCH_ATTRIBUTE, _CONSTRAINT, _VALUE_EXISTS, _BAD_CREDENTIALS, _NO_RIGHT, _EXISTS = (
    8,
    16,
    19,
    20,
    49,
    50,
    68,
)
_SPN = "servicePrincipalName"
_SPN_NOT_UNIQUE = re.compile(r"21c7|spn\[(?P<spn>[^\]]+)\] would cause a conflict", re.IGNORECASE)
_LOGON = re.compile(r"data (?P<code>[0-9a-f]+)", re.IGNORECASE)
_LOGON_REASONS = {
    "52e": ("wrong name or password", "look at the principal, and at the password in the password file"),
    "532": ("its password has expired", "have it renewed by an administrator of the domain"),
    "533": ("it is disabled", "have it enabled by an administrator of the domain"),
    "701": ("it has expired", "have it renewed by an administrator of the domain"),
    "773": ("its password must be changed first", "have it renewed by an administrator of the domain"),
    "775": ("it is locked", "have it unlocked by an administrator of the domain"),
}


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked, as far as an error message tells it."""

    server: str
    principal: str
    dn: str = ""
    attributes: tuple[str, ...] = ()
    spns: tuple[str, ...] = ()

    @property
    def what(self) -> str:
        """The attributes in words."""
        return ", ".join(dict.fromkeys(self.attributes)) or "the object"


@dataclass(frozen=True, slots=True)
class Reply:
    """A controller's answer that is not success."""

    code: int
    word: str
    message: str

    @property
    def reason(self) -> str:
        """The message in one line, the word of the code where there is none."""
        return " ".join(self.message.replace("\0", " ").split()).rstrip(".") or self.word


def explained(reply: Reply, asked: Question, domain: str) -> DirectoryError:
    """The error of ours that tells what a refusal means."""
    match reply.code:
        case code if code == NO_SUCH_OBJECT:
            return EntryMissing(dn=asked.dn)
        case code if code in (_NO_SUCH_ATTRIBUTE, _VALUE_EXISTS, _EXISTS):
            what = "the absence" if code == _EXISTS else asked.what
            return ValueChanged(what=what, dn=asked.dn, reason=reply.reason)
        case code if code == _NO_RIGHT:
            return RightMissing(principal=asked.principal, what=asked.what, dn=asked.dn, reason=reply.reason)
        case code if code == _BAD_CREDENTIALS:
            return _refused_credentials(reply, asked, domain)
        case _:
            return _not_unique(reply, asked) or _unexpected(reply, asked)


def spn_values(attribute: str, values: Sequence[str | bytes]) -> tuple[str, ...]:
    """The values as text when the attribute is that of service principal names, else none."""
    if attribute.lower() != _SPN.lower():
        return ()
    return tuple(one if isinstance(one, str) else one.decode("utf-8", "replace") for one in values)


def _not_unique(reply: Reply, asked: Question) -> DirectoryError | None:
    conflict = _SPN_NOT_UNIQUE.search(reply.message) if reply.code == _CONSTRAINT else None
    return SpnNotUnique(spn=conflict["spn"] or " or ".join(asked.spns), dn=asked.dn) if conflict else None


def _unexpected(reply: Reply, asked: Question) -> DirectoryError:
    told = f"{reply.word}: {reply.reason}" if reply.reason != reply.word else reply.word
    reason = f"{told} ({asked.dn})" if asked.dn else told
    if reply.code == _STRONGER_AUTH:
        advice = (
            "it takes no Kerberos inside TLS: leave the CA file out, Kerberos seals by itself; or give a password file"
        )
        return DirectoryError(server=asked.server, reason=reason, advice=advice)
    return DirectoryError(server=asked.server, reason=reason)


def _refused_credentials(reply: Reply, asked: Question, domain: str) -> DirectoryError:
    found = _LOGON.search(reply.message)
    code = found["code"].lower() if found else ""
    if code == "525":
        return AccountMissing(domain=domain, account=asked.principal, advice="look at the spelling of the principal")
    reason, advice = _LOGON_REASONS.get(code, (reply.reason, "look at the principal and its password"))
    return CredentialsRefused(principal=asked.principal, reason=reason, advice=advice)
