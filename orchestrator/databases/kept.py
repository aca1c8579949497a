"""What is kept beside a protection: log-ins of the source, sealed, and which databases were checked.

The log-ins carry the hashes of their passwords. They lie as ``INSTANCE.logins``, sealed with AES-256-GCM by a key beside them (``logins.key``),
both 0600 in a directory of 0700: out of copies of one file, not out of root's hands. A seal holds for its protection's directory and
instance. Invariant: a file is replaced whole or not at all.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from orchestrator.databases.errors import KeptLoginsUnusable
from orchestrator.model.sql import SqlLogin

NONCE_BYTES, KEY_BYTES = 12, 32
_KEY = "logins.key"


class KeptLogin(msgspec.Struct, frozen=True):
    """A log-in with its password's hash (``0x0200...``); empty for one of Windows."""

    login: SqlLogin
    password_hash: str = ""

    def __repr__(self) -> str:
        """Without the hash."""
        return f"KeptLogin({self.login.name!r})"


class KeptLogins(msgspec.Struct, frozen=True):
    """The log-ins of an instance as they were at ``gathered_at_s``; ``accounts`` run its services."""

    source: str
    machine: str
    major: int
    gathered_at_s: float
    logins: tuple[KeptLogin, ...] = ()
    accounts: tuple[str, ...] = ()


def keep(folder: Path, instance: str, kept: KeptLogins) -> None:
    """Seal them.

    Raises:
        KeptLoginsUnusable: there is no place for them.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        nonce = os.urandom(NONCE_BYTES)
        sealed = nonce + AESGCM(_key(folder)).encrypt(nonce, msgspec.json.encode(kept), _bound(instance))
        _replace(_path(folder, instance), sealed)
    except OSError as error:
        raise _unusable(instance, error.strerror or str(error)) from error


def kept_logins(folder: Path, instance: str) -> KeptLogins | None:
    """What is kept, or None where nothing is.

    Raises:
        KeptLoginsUnusable: it does not open.
    """
    try:
        sealed = _path(folder, instance).read_bytes()
        opened = AESGCM(_own(folder / _KEY)).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _bound(instance))
        return msgspec.json.decode(opened, type=KeptLogins)
    except FileNotFoundError as error:
        if _path(folder, instance).exists():
            raise _unusable(instance, f"their key is gone: {folder / _KEY}") from error
        return None
    except OSError as error:
        raise _unusable(instance, error.strerror or str(error)) from error
    except (InvalidTag, ValueError, msgspec.MsgspecError) as error:
        raise _unusable(instance, "they were sealed with another key, or are damaged") from error


def kept_at_s(folder: Path, instance: str) -> float | None:
    """When they were gathered, as their file tells; None where none are."""
    try:
        return _path(folder, instance).stat().st_mtime
    except OSError:
        return None


def forget(folder: Path, instance: str) -> None:
    """Keep them no longer; the key goes with the last."""
    _path(folder, instance).unlink(missing_ok=True)
    if folder.is_dir() and not list(folder.glob("*.logins")):
        (folder / _KEY).unlink(missing_ok=True)


def remembered_checks(folder: Path, instance: str) -> dict[str, float]:
    """Per database, in lower case: when DBCC CHECKDB last found nothing wrong."""
    try:
        return msgspec.json.decode((folder / f"{_plain(instance)}.checked.json").read_bytes(), type=dict[str, float])
    except (OSError, msgspec.MsgspecError):
        return {}


def remember_check(folder: Path, instance: str, database: str, at_s: float) -> None:
    """Note that one was found good."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    known = remembered_checks(folder, instance) | {database.lower(): at_s}
    _replace(folder / f"{_plain(instance)}.checked.json", msgspec.json.encode(known))


def _path(folder: Path, instance: str) -> Path:
    return folder / f"{_plain(instance)}.logins"


def _plain(instance: str) -> str:
    return re.sub(r"[^A-Za-z0-9_$#-]", "_", instance).upper()


def _bound(instance: str) -> bytes:
    return f"dtam log-ins\0{instance.upper()}".encode()


def _key(folder: Path) -> bytes:
    path = folder / _KEY
    if not path.exists():
        _replace(path, AESGCM.generate_key(bit_length=256))
    return _own(path)


def _own(path: Path) -> bytes:
    """A key that nobody else can read."""
    with path.open("rb") as file:
        facts = os.fstat(file.fileno())
        if facts.st_uid != os.geteuid() or facts.st_mode & 0o077:
            raise PermissionError(0, f"{path} is not this user's alone")
        key = file.read(KEY_BYTES + 1)
    if len(key) != KEY_BYTES:
        msg = "no key"
        raise ValueError(msg)
    return key


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _unusable(instance: str, reason: str) -> KeptLoginsUnusable:
    advice = "gather them anew while the source is up: dtam enable, or dtam step sql keep-logins"
    return KeptLoginsUnusable(server=instance, reason=reason, advice=advice)
