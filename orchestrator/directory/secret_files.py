"""Files that hold a secret: used only when nobody but their owner can read them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from orchestrator.directory.errors import SecretUnusable

_PASSWORD_LIMIT_BYTES = 4096


def read_password(path: Path) -> bytes:
    """The first line of a password file.

    Raises:
        SecretUnusable: it is missing, empty, or others can read it.
    """
    line = _read_private("password file", path, _PASSWORD_LIMIT_BYTES).partition(b"\n")[0].rstrip(b"\r")
    if not line:
        raise SecretUnusable(kind="password file", path=path, reason="it is empty", advice="put the password into it")
    return line


def usable_keytab(path: Path) -> Path:
    """The path of a keytab that can be read and is one.

    Raises:
        SecretUnusable: it is missing, is no keytab, or others can read it.
    """
    head = _read_private("keytab", path, 2)
    if head[:1] != b"\x05":
        reason = "it is not a keytab" if head else "it is empty"
        raise SecretUnusable(kind="keytab", path=path, reason=reason, advice="look at it with: klist -k " + str(path))
    return path


def _read_private(kind: str, path: Path, limit_bytes: int) -> bytes:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & 0o077:
                reason, advice = f"its mode {mode:04o} lets others read it", f"run: chmod 600 {path}"
                raise SecretUnusable(kind=kind, path=path, reason=reason, advice=advice)
            return file.read(limit_bytes)
    except OSError as error:
        reason, advice = error.strerror or str(error), "give a file of mode 0600 that this user can read"
        raise SecretUnusable(kind=kind, path=path, reason=reason, advice=advice) from error
