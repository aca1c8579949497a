"""The credential cache: passwords of accounts, sealed, until somebody clears them.

One file, ``credentials.json`` in the state directory, mode 0600, replaced whole. An account is remembered for all servers, or for one
(two hosts may have local users of one name); the one for the server counts first. Names and times are legible, passwords are not.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.store.errors import CredentialUnusable
from orchestrator.store.sealing import KeyFile, KeyPlace, KeyringKey, KeyUnusable, available_keyring, seal, unseal


class Credential(msgspec.Struct, frozen=True):
    """A remembered password, sealed. ``server`` empty means every server."""

    account: str
    server: str
    sealed: str
    set_at_s: float

    @property
    def bound_to(self) -> str:
        """What the seal is for."""
        return f"{self.account.lower()}\0{self.server.lower()}"


class Kept(msgspec.Struct, frozen=True):
    """The file. ``key`` says where its key lies."""

    key: str
    credentials: tuple[Credential, ...] = ()


class CredentialCache:
    """The cache below a state directory. Each method is one deed; any number of processes may use it."""

    def __init__(
        self, home: Path, now_s: Callable[[], float], keyring: Callable[[], Any | None] = available_keyring
    ) -> None:
        self._home = home
        self._path = home / "credentials.json"
        self._now_s = now_s
        self._keyring = keyring

    def listed(self) -> tuple[tuple[Credential, ...], str]:
        """What is remembered, by account and server, and where its key lies (``keyring`` or ``file``)."""
        kept = self._read()
        order = sorted(kept.credentials, key=lambda one: (one.account.lower(), one.server.lower()))
        return tuple(order), kept.key

    def password(self, account: str, server: str) -> str:
        """The password of an account at a server.

        Raises:
            CredentialUnusable: none is remembered, or it does not open.
        """
        kept = self._read()
        found = _find(kept, account, server) or _find(kept, account, "")
        if found is None:
            advice = f"dtam credentials set {shlex.quote(account)} --server {server}"
            raise CredentialUnusable(account=account, why=f"none is remembered for {server}", advice=advice)
        with _explained(account):
            key = self._place(kept.key).read()
            if key is None:
                raise KeyUnusable(f"its key is not in the {kept.key} any more")
            return unseal(key, found.sealed, found.bound_to)

    def remember(self, account: str, server: str, password: str) -> None:
        """Keep a password; the one of before is forgotten."""
        with self._alone(), _explained(account):
            kept = self._read()
            place = self._place(kept.key)
            key = place.read() or place.make()
            bare = Credential(account, server, "", self._now_s())
            sealed = msgspec.structs.replace(bare, sealed=seal(key, password, bare.bound_to))
            others = (one for one in kept.credentials if one.bound_to != bare.bound_to)
            self._write(msgspec.structs.replace(kept, credentials=(*others, sealed)))

    def clear(self, account: str | None = None, server: str | None = None) -> tuple[Credential, ...]:
        """Forget what fits (None fits all), and the key with the last one; gives what was forgotten."""
        with self._alone(), _explained(account or "any account"):
            kept = self._read()
            gone = tuple(one for one in kept.credentials if _fits(one, account, server))
            rest = tuple(one for one in kept.credentials if one not in gone)
            if rest:
                self._write(msgspec.structs.replace(kept, credentials=rest))
            else:
                self._path.unlink(missing_ok=True)
                self._place(kept.key).remove()
        return gone

    def _place(self, kind: str) -> KeyPlace:
        if kind == "file":
            return KeyFile(self._home / "credentials.key")
        keyring = self._keyring()
        if keyring is None:
            raise KeyUnusable("its key is in a keyring that is not there now")
        return KeyringKey(self._home, keyring)

    def _read(self) -> Kept:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Kept)
        except FileNotFoundError:
            return Kept("keyring" if self._keyring() is not None else "file")
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is damaged"
            advice = f"move {self._path} away and set the passwords again: dtam credentials set ACCOUNT"
            raise CredentialUnusable(account="any account", why=f"{self._path}: {why}", advice=advice) from error

    def _write(self, kept: Kept) -> None:
        handle, temporary = tempfile.mkstemp(dir=self._home, prefix=".credentials-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(kept)) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(self._path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Nobody else changes the cache meanwhile; made with the state directory's own mode."""
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self._home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _find(kept: Kept, account: str, server: str) -> Credential | None:
    wanted = Credential(account, server, "", 0.0).bound_to
    return next((one for one in kept.credentials if one.bound_to == wanted), None)


def _fits(one: Credential, account: str | None, server: str | None) -> bool:
    return account in {None, one.account} and server in {None, one.server}


@contextmanager
def _explained(account: str) -> Iterator[None]:
    try:
        yield
    except KeyUnusable as error:
        advice = f"unlock the keyring or mend the key file, or begin anew: dtam credentials clear --all, then dtam credentials set {shlex.quote(account)}"
        raise CredentialUnusable(account=account, why=str(error), advice=advice) from error
    except OSError as error:
        advice = "is the directory of DTAM_HOME yours, and is there room?"
        raise CredentialUnusable(account=account, why=error.strerror or str(error), advice=advice) from error
