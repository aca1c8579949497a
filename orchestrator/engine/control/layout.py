"""Where the daemon keeps what it must remember, and the lock that lets one daemon at a time use it.

The state directory may be crossed by everybody, so that local callers reach ``control.sock``; all else in it is for its owner.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from orchestrator.engine.control.errors import StateFileDamaged, StateInUse

ROOMS = (
    "peers",
    "mounts",
    "devices",
    "logs",
    "sets",
    "connections",
    "lines",
    "replicas",
    "protections",
    "services",
    "runs",
    "promises",
    "addresses",
)


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths below a state directory."""

    root: Path

    def __getattr__(self, room: str) -> Path:
        if room not in ROOMS:
            raise AttributeError(room)
        return self.root / room

    @property
    def socket(self) -> Path:
        """The UNIX socket of the control API."""
        return self.root / "control.sock"

    @property
    def key(self) -> Path:
        """The engine's private key."""
        return self.root / "key.pem"

    @property
    def certificate(self) -> Path:
        """The engine's self-signed certificate."""
        return self.root / "certificate.pem"

    def make(self) -> None:
        """Create what is missing, with tight modes."""
        try:
            self.root.mkdir(mode=0o711, parents=True, exist_ok=True)
            self.root.chmod(0o711)
            for room in ROOMS:
                (self.root / room).mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise StateFileDamaged(path=self.root, why=f"it cannot be made: {error.strerror}") from error

    def lock(self) -> int:
        """Take the directory for this process until it ends; gives the descriptor that holds it.

        Raises:
            StateInUse: another daemon has it.
        """
        handle = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(handle, 20).decode(errors="replace").strip() or "unknown"
            os.close(handle)
            raise StateInUse(pid=pid, path=self.root) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        return handle
