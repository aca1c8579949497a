"""The key that seals remembered passwords, and where it lies: in the person's keyring where there is one, else in a file of mode 0600.

A sealed password opens with this key and for its own account and server only (AES-256-GCM, both are authenticated). A key file beside the
sealed passwords keeps them out of copies and backups of one file; it keeps nothing from root or from the same user.
"""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE_BYTES = 12
KEY_BYTES = 32
KEYRING_SERVICE = "dtam"


class KeyUnusable(Exception):
    """Why a key cannot be had; the caller knows whose password it was for."""


class KeyPlace(Protocol):
    """Where the key lies. ``kind`` is kept beside what it sealed."""

    @property
    def kind(self) -> str:
        """``keyring`` or ``file``."""

    def read(self) -> bytes | None:
        """The key, or None when there is none yet; raises KeyUnusable."""

    def make(self) -> bytes:
        """A new key, kept; raises KeyUnusable."""

    def remove(self) -> None:
        """Forget it; raises KeyUnusable."""


class KeyFile:
    """A key in a file that its owner alone can read."""

    kind = "file"

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> bytes | None:
        """The key; refused when others could read or change it."""
        try:
            handle = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise KeyUnusable(f"{self._path}: {error.strerror}") from error
        with os.fdopen(handle, "rb") as file:
            facts = os.fstat(file.fileno())
            if facts.st_uid != os.geteuid() or stat.S_IMODE(facts.st_mode) & 0o077:
                raise KeyUnusable(f"{self._path} is not this user's alone (mode {stat.S_IMODE(facts.st_mode):04o})")
            key = file.read(KEY_BYTES + 1)
        if key and len(key) != KEY_BYTES:
            raise KeyUnusable(f"{self._path} holds no key")
        return key or None  # a power cut may have left it empty before anything was sealed with it

    def make(self) -> bytes:
        """A new key, where ``read`` has found none."""
        key = AESGCM.generate_key(bit_length=256)
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        return key

    def remove(self) -> None:
        """Remove the file."""
        self._path.unlink(missing_ok=True)


class KeyringKey:
    """A key in the person's keyring, by the state directory that it is for."""

    kind = "keyring"

    def __init__(self, home: Path, keyring: Any) -> None:
        self._user = str(home.resolve())
        self._keyring = keyring

    def read(self) -> bytes | None:
        """The key."""
        text = self._asked(lambda: self._keyring.get_password(KEYRING_SERVICE, self._user))
        return base64.b64decode(text) if text else None

    def make(self) -> bytes:
        """A new key in the keyring."""
        key = AESGCM.generate_key(bit_length=256)
        text = base64.b64encode(key).decode()
        self._asked(lambda: self._keyring.set_password(KEYRING_SERVICE, self._user, text))
        return key

    def remove(self) -> None:
        """Take it out of the keyring."""
        if self.read() is not None:
            self._asked(lambda: self._keyring.delete_password(KEYRING_SERVICE, self._user))

    def _asked(self, question: Callable[[], Any]) -> Any:
        try:
            return question()
        except Exception as error:  # every backend has errors of its own
            raise KeyUnusable(f"the keyring does not open ({type(error).__name__})") from error


def available_keyring() -> Any | None:
    """The person's keyring, or None where the package ``keyring`` is not installed or knows no place that is safe."""
    try:
        import keyring  # noqa: PLC0415  optional: servers have none
    except ImportError:
        return None
    backend = keyring.get_keyring()
    return backend if backend.priority >= 1 else None


def seal(key: bytes, password: str, bound_to: str) -> str:
    """A password as it is kept."""
    nonce = os.urandom(NONCE_BYTES)
    return base64.b64encode(nonce + AESGCM(key).encrypt(nonce, password.encode(), bound_to.encode())).decode()


def unseal(key: bytes, sealed: str, bound_to: str) -> str:
    """The password; raises KeyUnusable for another key, another account, or damage."""
    try:
        raw = base64.b64decode(sealed, validate=True)
        return AESGCM(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], bound_to.encode()).decode()
    except (ValueError, InvalidTag) as error:
        raise KeyUnusable("what is kept was sealed with another key, or is damaged") from error
