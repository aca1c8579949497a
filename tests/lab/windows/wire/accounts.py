"""Who may log on to the simulated host, and what rights a logon over the network gives.

One JSON file, for its owner alone::

    {"local":  {"Administrator": {"password": "...", "groups": ["Administrators"], "rid": 500}},
     "domain": {"LAB\\\\operator": {"password": "...", "groups": ["Administrators"], "upn": "operator@LAB.EXAMPLE"}},
     "certificates": [{"upn": "dtam@alpha", "account": "dtam"}]}

Domain accounts stand here with the local groups of the host that they are in; the passwords of those that may use NTLM stand
here too, because the simulation has no secure channel to a controller. Kerberos needs no password here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ADMINISTRATORS = "Administrators"
REMOTE_MANAGEMENT_USERS = "Remote Management Users"
BUILT_IN_ADMINISTRATOR_RID = 500


@dataclass(frozen=True)
class Account:
    """One account, as DOMAIN\\name or HOST\\name."""

    name: str
    local: bool
    password: str | None = field(default=None, repr=False)
    groups: frozenset[str] = frozenset()
    upn: str = ""
    rid: int = 0


@dataclass(frozen=True)
class Identity:
    """Somebody who has logged on over the network: what the token holds."""

    name: str
    scheme: str  # Kerberos, NTLM, Basic or Certificate
    groups: frozenset[str] = frozenset()
    elevated: bool = False  # the groups of administrators are enabled in the token
    local: bool = False
    address: str = ""
    delegated: bool = False  # no simulated client delegates: there is no second hop

    @property
    def may_open_shells(self) -> bool:
        """Whether WinRM's own security descriptor lets this token in."""
        return self.elevated or REMOTE_MANAGEMENT_USERS in self.groups


class Accounts:
    """The accounts of one host. ``machine_groups`` may say more groups of an account: what the machine's own cmdlets changed."""

    def __init__(self, document: dict[str, Any], host: str, filters_local: Callable[[], bool]) -> None:
        self._host = host.upper()
        self._filters_local = filters_local
        self._accounts = [self._local(name, one) for name, one in document.get("local", {}).items()]
        self._accounts += [self._domain(name, one) for name, one in document.get("domain", {}).items()]
        self._certificates = {one["upn"].lower(): one["account"] for one in document.get("certificates", [])}
        self._short = {one.name.partition("\\")[0].upper() for one in self._accounts if not one.local}

    @classmethod
    def read(cls, path: Path, host: str, filters_local: Callable[[], bool]) -> Accounts:
        """From the file."""
        return cls(json.loads(path.read_text(encoding="utf-8")), host, filters_local)

    def _local(self, name: str, one: dict[str, Any]) -> Account:
        groups = frozenset(one.get("groups", ()))
        return Account(f"{self._host}\\{name}", True, one.get("password"), groups, rid=int(one.get("rid", 1000)))

    @staticmethod
    def _domain(name: str, one: dict[str, Any]) -> Account:
        return Account(name, False, one.get("password"), frozenset(one.get("groups", ())), one.get("upn", ""))

    def find(self, name: str) -> Account | None:
        """The account that DOMAIN\\name, name, .\\name or name@REALM means; a name alone is a local one first."""
        domain, slash, short = name.rpartition("\\")
        if not slash and "@" in name:
            return next((one for one in self._accounts if one.upn.lower() == name.lower()), None)
        wanted = short.lower()
        for one in self._accounts:
            own_domain, _, own_short = one.name.partition("\\")
            here = not domain or domain == "." or domain.upper() == own_domain.upper()
            if own_short.lower() == wanted and here:
                return one
        return None

    def of_certificate(self, upn: str) -> Account | None:
        """The account that a client certificate with this name is mapped to."""
        mapped = self._certificates.get(upn.lower())
        return self.find(mapped) if mapped else None

    def of_principal(self, principal: str) -> Account:
        """The account of a Kerberos principal; one that the host knows nothing of is an account without rights."""
        if found := self.find(principal):
            return found
        user, _, realm = principal.partition("@")
        domain = next(iter(self._short), realm.partition(".")[0].upper())
        return self.find(f"{domain}\\{user}") or Account(f"{domain}\\{user}", False, upn=principal)

    def log_on(self, account: Account, scheme: str, address: str) -> Identity:
        """The token of a network logon: a local account's is filtered unless the policy says otherwise."""
        filtered = account.local and account.rid != BUILT_IN_ADMINISTRATOR_RID and self._filters_local()
        groups = account.groups - {ADMINISTRATORS} if filtered else account.groups
        return Identity(account.name, scheme, groups, ADMINISTRATORS in groups, account.local, address)

    def ntlm_lines(self) -> str:
        """The accounts with a password in the form in which the NTLM library reads them, in each spelling that Windows takes."""
        lines = []
        for one in self._accounts:
            if one.password is None:
                continue
            domain, _, short = one.name.partition("\\")
            spellings = [f"{domain}:{short}", f".:{short}", f":{short}"] if one.local else [f"{domain}:{short}"]
            spellings += [f":{one.upn}"] if one.upn else []
            if not one.local and self.find(short) is one:
                spellings.append(f":{short}")
            lines += [f"{spelling}:{one.password}" for spelling in spellings]
        return "\n".join(lines) + "\n"
