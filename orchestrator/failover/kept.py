"""What `dtam serve` keeps about one watch: beside the store, written whole at every change, read by whoever shows a status.

Nothing here decides who is master: that is the ledger of leases and the runs' journals. Losing it costs a person's answer, no more.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Any

import msgspec

NOBODY = "no dtam serve runs here, so nobody watches: systemctl start dtam-serve"


class Kept(msgspec.Struct, frozen=True):
    """One watch. ``switched`` is a person's on or off, None as the settings say. ``waiting`` is why a failover waits for a person, ``approved`` who said yes.

    ``dealt_with`` is what became of the newest failure, until the source answers again. ``detected_s`` and ``at_s`` are seconds since the epoch, for people.
    """

    switched: bool | None = None
    colour: str = "off"
    missed: int = 0
    allowed: int = 0
    time_to_fail_s: float | None = None
    says: str = ""
    lease_says: str = ""
    waiting: str = ""
    approved: str = ""
    forced: bool = False
    graceful: bool = False
    data: str = ""
    dealt_with: str = ""
    detected_s: float | None = None
    at_s: float = 0.0
    application: dict[str, Any] | None = None
    """How the application itself answered last; None where it is not asked."""

    def enabled(self, by_settings: bool) -> bool:  # noqa: FBT001
        """Whether the watch is on."""
        return by_settings if self.switched is None else self.switched


def place(home: Path) -> Path:
    """Where watches, lock and socket of `dtam serve` lie."""
    return home / "service"


def read(home: Path, protection: str) -> Kept:
    """What is kept; what cannot be read is as if nothing were."""
    try:
        return msgspec.json.decode((place(home) / f"{protection}.json").read_bytes(), type=Kept)
    except (OSError, msgspec.MsgspecError):
        return Kept()


def shown(home: Path, protection: str) -> Kept:
    """What is kept, for a status: what a `dtam serve` that is gone saw last is not told as if it were so now."""
    kept = read(home, protection)
    if is_served(home):
        return kept
    return msgspec.structs.replace(
        kept, colour="off", time_to_fail_s=None, says=kept.waiting or NOBODY, application=None
    )


def write(home: Path, protection: str, kept: Kept) -> None:
    """Replace it as a whole. Raises OSError."""
    directory = place(home)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = directory / f".{protection}.{os.getpid()}"
    with os.fdopen(os.open(beside, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.encode(kept))
    beside.replace(directory / f"{protection}.json")


def is_served(home: Path) -> bool:
    """Whether a `dtam serve` works over this state directory now."""
    return is_locked(place(home) / "lock")


def is_locked(path: Path) -> bool:
    """Whether a living process holds this lock."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
