"""The lab's directory as netdom and setspn of a simulated server use it: real LDAP at a real domain controller, with the server's own account."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from tests.lab.windows.machine.refusals import Refused

CACHE = "FILE:/run/windows-directory.cc"
ALTERNATE, SPN = "msDS-AdditionalDnsHostName", "servicePrincipalName"


@dataclass(frozen=True)
class AccountDirectory:
    """``machine`` is the account's name without $; ``domain`` the DNS name of its domain, whose first controller is asked."""

    machine: str
    domain: str

    def spns(self, account: str) -> Sequence[str]:
        """Those of one account."""
        return self._values(_account(account), SPN)

    def holders(self, spn: str) -> Sequence[str]:
        """The accounts that have it."""
        return self._values(f"({SPN}={spn})", "sAMAccountName")

    def add_spn(self, account: str, spn: str) -> None:
        """One more."""
        self._change(account, "add", SPN, spn)

    def remove_spn(self, account: str, spn: str) -> None:
        """One less."""
        self._change(account, "delete", SPN, spn)

    def alternate_names(self, account: str) -> Sequence[str]:
        """The further DNS names of a computer's account."""
        return self._values(_account(account), ALTERNATE)

    def add_alternate_name(self, account: str, name: str) -> None:
        """One more."""
        self._change(account, "add", ALTERNATE, name)

    def remove_alternate_name(self, account: str, name: str) -> None:
        """One less; one that is not there any more is no matter."""
        if name.lower() in {one.lower() for one in self.alternate_names(account)}:
            self._change(account, "delete", ALTERNATE, name)

    def distinguished_name(self, account: str) -> str:
        """Where the account lies."""
        found = self._values(_account(account), "distinguishedName")
        if not found:
            raise Refused("The specified account does not exist.", code=1332)
        return found[0]

    def _change(self, account: str, deed: str, attribute: str, value: str) -> None:
        text = (
            f"dn: {self.distinguished_name(account)}\nchangetype: modify\n{deed}: {attribute}\n{attribute}: {value}\n"
        )
        done = self._asked("ldbmodify", text)
        if done.returncode:
            raise Refused(f"Access is denied. ({' '.join(done.stderr.split())})", code=5)

    def _values(self, wanted: str, attribute: str) -> list[str]:
        shown = self._asked("ldbsearch", "", wanted, attribute).stdout
        return re.findall(rf"^{attribute}: (.*)$", shown.replace("\n ", ""), re.MULTILINE | re.IGNORECASE)

    def _asked(self, program: str, given: str, *words: str) -> subprocess.CompletedProcess[str]:
        account = f"{self.machine.upper()}$@{self.domain.upper()}"
        subprocess.run(["kinit", "-k", "-c", CACHE, account], capture_output=True, check=False, timeout=60)
        line = [
            program,
            "-H",
            f"ldap://dc1.{self.domain}",
            "--use-kerberos=required",
            f"--use-krb5-ccache={CACHE}",
            *words,
        ]
        return subprocess.run(line, input=given, capture_output=True, text=True, check=False, timeout=60)


def _account(name: str) -> str:
    return f"(sAMAccountName={name.rstrip('$')}$)"
