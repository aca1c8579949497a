"""Identities and security descriptors of .NET, on the machine that they ask."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.lab.windows.powershell.convert import to_text
from tests.lab.windows.powershell.instances import Raised
from tests.lab.windows.powershell.net_objects import (
    enum,
)
from tests.lab.windows.powershell.operators import equal
from tests.lab.windows.powershell.values import (
    EnumValue,
    OutsideSubset,
    PsObject,
    typed,
)

if TYPE_CHECKING:
    from tests.lab.windows.powershell.evaluate import Interpreter


def sid_object(shell: Interpreter, text: Any) -> PsObject:
    """A SecurityIdentifier; Translate asks the machine."""
    sid = to_text(text)
    if not re.fullmatch(r"S-1-\d+(-\d+)*", sid, re.IGNORECASE):
        raise Raised("System.ArgumentException", "Value was invalid.\r\nParameter name: sddlForm")
    domain = sid.rsplit("-", 1)[0] if sid.startswith("S-1-5-21-") else None
    made = typed(
        "System.Security.Principal.SecurityIdentifier",
        {"Value": sid.upper(), "AccountDomainSid": domain, "BinaryLength": 28},
        "System.Security.Principal.IdentityReference",
        text=sid.upper(),
        read_only=True,
    )

    def translate(kind: Any) -> PsObject:
        if "NTAccount" not in to_text(kind):
            return made
        try:
            name = shell.machine.accounts.account(sid)
        except Exception as error:
            raise not_mapped() from error
        if name == sid:
            raise not_mapped()
        return account_object(shell, name)

    made.methods = {
        "Translate": translate,
        "Equals": lambda other: equal(made.text, to_text(other)),
        "IsWellKnown": lambda kind: False,
    }
    return made


def account_object(shell: Interpreter, *given: Any) -> PsObject:
    """An NTAccount; Translate asks the machine."""
    name = "\\".join(to_text(one) for one in given)
    made = typed(
        "System.Security.Principal.NTAccount",
        {"Value": name},
        "System.Security.Principal.IdentityReference",
        text=name,
        read_only=True,
    )

    def translate(kind: Any) -> PsObject:
        if "SecurityIdentifier" not in to_text(kind):
            return made
        try:
            return sid_object(shell, shell.machine.accounts.sid(name))
        except Exception as error:
            raise not_mapped() from error

    made.methods = {"Translate": translate}
    return made


def not_mapped() -> Raised:
    """IdentityNotMappedException."""
    return Raised(
        "System.Security.Principal.IdentityNotMappedException",
        "Some or all identity references could not be translated.",
    )


def security_descriptor(shell: Interpreter, text: Any) -> PsObject:
    """A RawSecurityDescriptor from SDDL."""
    from tests.lab.windows.machine import descriptors

    try:
        parsed = descriptors.parse(to_text(text), getattr(shell.machine.accounts, "domain_sid", None))
    except ValueError as error:
        raise Raised(
            "System.ArgumentException",
            "The SDDL form of a security descriptor object is invalid.\r\nParameter name: sddlForm",
        ) from error
    whole = descriptors.sddl(parsed)
    made = typed(
        "System.Security.AccessControl.RawSecurityDescriptor",
        {"Owner": None, "Group": None},
        "System.Security.AccessControl.GenericSecurityDescriptor",
        read_only=True,
    )

    def form(sections: Any) -> str:
        wanted = (
            to_text(enum("System.Security.AccessControl.AccessControlSections", sections))
            if not isinstance(sections, EnumValue)
            else sections.name
        )
        if wanted == "All":
            return whole
        start = {"Access": "D:", "Owner": "O:", "Group": "G:", "Audit": "S:"}[wanted]
        found = re.search(
            re.escape(start) + r"(.*?)(?=[OGS]:|D:|$)" if start != "D:" else r"D:(.*?)(?=S:\(|S:[A-Z]*\(|$)", whole
        )
        return found[0] if found else ""

    made.methods = {"GetSddlForm": form, "GetBinaryForm": lambda into, start: None}
    made.methods.pop("GetBinaryForm")
    return made


def identity(shell: Interpreter) -> PsObject:
    """WindowsIdentity.GetCurrent()."""
    session = shell.session
    return typed(
        "System.Security.Principal.WindowsIdentity",
        {"Name": session.user, "User": sid_object(shell, session.user_sid), "AuthenticationType": "Kerberos" if session.is_network_logon else "Negotiate", "IsAuthenticated": True, "__elevated": session.elevated,
         "IsSystem": session.user_sid == "S-1-5-18"}, read_only=True,
    )  # fmt: skip


def principal(who: PsObject) -> PsObject:
    """A WindowsPrincipal."""
    made = typed("System.Security.Principal.WindowsPrincipal", {"Identity": who}, read_only=True)

    def in_role(role: Any) -> bool:
        text = to_text(role).casefold()
        if text in ("administrator", "builtin\\administrators", "s-1-5-32-544", "544"):
            return bool(who.get("__elevated"))
        raise OutsideSubset(f"IsInRole({to_text(role)}) lies outside the subset; ask for Administrator")

    made.methods = {"IsInRole": in_role}
    return made
