"""Tickets through gssapi, which is there only where the extra ``kerberos`` is installed. Asked for by ``tickets``."""

from __future__ import annotations

import os
from pathlib import Path

import gssapi
import gssapi.raw
from gssapi.exceptions import ExpiredCredentialsError
from gssapi.raw.misc import GSSError

from orchestrator.directory.errors import AccessInvalid, TicketExpired
from orchestrator.directory.kerberos_failures import explained
from orchestrator.directory.port import DirectoryAccess
from orchestrator.directory.secret_files import read_password, usable_keytab

RENEW_BELOW_S = 600


class Tickets:
    """Where the tickets of one principal are; made by ``tickets.ticket_cache``."""

    def __init__(self, access: DirectoryAccess, cache: Path | None) -> None:
        self._access = access
        self.cache = cache
        """Our own cache; None: that of the process."""
        self.principal = full_principal(access) or _owner()

    def credentials(self) -> gssapi.Credentials:
        """What a security context is initiated with.

        Raises:
            TicketExpired: the cache of the process holds an expired ticket.
            CredentialsRefused: there is none, or the domain refused the key or the password.
        """
        try:
            found = gssapi.Credentials(usage="initiate", store=self._store())
            _ = found.lifetime
        except ExpiredCredentialsError as error:
            raise TicketExpired(principal=self.principal) from error
        except GSSError as error:
            raise explained(error, self._access, self.principal) from error
        return found

    def seconds_left(self) -> float:
        """For how long the tickets are good."""
        return float(self.credentials().lifetime or 0)

    def renew_if_short(self) -> bool:
        """Get new tickets when less than ten minutes are left and they are ours; whether that was done."""
        if self.cache is None or self.seconds_left() >= RENEW_BELOW_S:
            return False
        self.acquire()
        return True

    def acquire(self) -> None:
        """Fill our own cache with a new ticket-granting ticket; that of the process is left alone.

        Raises:
            CredentialsRefused: wrong key or password.
            AccountMissing: the domain does not know the principal.
            ClockOff: the clocks are too far apart.
            ControllerUnreachable: no KDC answers.
        """
        if self.cache is None:
            return
        try:
            _fill(self._access, gssapi.Name(self.principal, gssapi.NameType.kerberos_principal), self.cache)
        except GSSError as error:
            raise explained(error, self._access, self.principal) from error

    def _store(self) -> dict[str | bytes, str | bytes] | None:
        return None if self.cache is None else {"ccache": f"FILE:{self.cache}"}


def full_principal(access: DirectoryAccess) -> str | None:
    r"""The principal with its realm: ``BETA$``, ``user@domain`` and ``DOMAIN\user`` are all understood; None: none is named."""
    if access.principal is None:
        return None
    user = access.principal.rpartition("\\")[2]
    name, _, realm = user.partition("@")
    return f"{name}@{realm.upper() or access.realm}"


def _owner() -> str:
    try:
        return str(gssapi.Credentials(usage="initiate").name)
    except GSSError:
        return f"the ticket cache {os.environ.get('KRB5CCNAME', 'of this process')}"


def _fill(access: DirectoryAccess, name: gssapi.Name, cache: Path) -> None:
    target: dict[str | bytes, str | bytes] = {"ccache": f"FILE:{cache}"}
    if access.principal is None:
        raise AccessInvalid(
            reason="a keytab or a password file is given, and no principal", advice="name the principal"
        )
    if access.keytab is not None:
        cache.unlink(missing_ok=True)
        target["client_keytab"] = f"FILE:{usable_keytab(access.keytab)}"
        _ = gssapi.Credentials(name=name, usage="initiate", store=target).lifetime
    elif access.password_file is not None:
        secret = read_password(access.password_file)
        raw = gssapi.raw.acquire_cred_with_password(name, secret, usage="initiate").creds
        gssapi.raw.store_cred_into(target, raw, usage="initiate", overwrite=True)
