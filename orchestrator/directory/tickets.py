"""A Kerberos ticket cache of our own, filled from a keytab or a password file, and gone when it is no longer needed.

Neither key nor password is ever on a command line or in a message. The cache is a file of mode 0600 in a directory of mode
0700 below the state (``run_place``). Without a keytab and a password file, the ticket cache of this process is used as it is.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from orchestrator.directory.errors import AccessInvalid
from orchestrator.directory.locating import kdc_addresses
from orchestrator.directory.port import DirectoryAccess
from orchestrator.directory.realms import known_realm
from orchestrator.directory.run_place import new_directory

if TYPE_CHECKING:
    from orchestrator.directory.gss import Tickets


@contextmanager
def ticket_cache(access: DirectoryAccess, kdcs: Sequence[str] = ()) -> Iterator[Tickets]:
    """Tickets for an access, for as long as the block runs. ``kdcs``: addresses of KDCs, looked up when not given.

    Raises:
        DirectoryError: see ``Tickets.acquire``; or a secret file cannot be used.
    """
    tickets_of = _tickets()
    with known_realm(access.realm, kdcs or kdc_addresses(access)):
        if access.keytab is None and access.password_file is None:
            yield tickets_of(access, None)
            return
        directory = new_directory("tickets-")
        try:
            tickets = tickets_of(access, directory / "cache")
            tickets.acquire()
            yield tickets
        finally:
            shutil.rmtree(directory, ignore_errors=True)


def _tickets() -> type[Tickets]:
    try:
        from orchestrator.directory.gss import Tickets as Found  # noqa: PLC0415  only where the extra is installed
    except ImportError as error:
        reason, advice = (
            "Kerberos needs the Python package gssapi",
            "run: pip install 'dtam[kerberos]' (builds with libkrb5-dev)",
        )
        raise AccessInvalid(reason=reason, advice=advice) from error
    return Found
