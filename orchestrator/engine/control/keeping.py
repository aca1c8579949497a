"""What an old source had that never arrived is put aside before a restore overwrites it.

How far everything had arrived is written beside each log once a second (``acknowledged``: the source's clock). At the first mirror of a
restore, every file that changed after that instant is copied to STATE/set-aside/KEY; what turns out to be the same afterwards is dropped
again. Where it is not known how far things had arrived, everything that the restore changes is copied.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from orchestrator.engine.apply.replica import Replica
from orchestrator.engine.control.errors import StateFileDamaged
from orchestrator.engine.mirror.set_aside import Manifest, SetAside, changed_since

ACKNOWLEDGED = "acknowledged"
REASON = "before the restore from the replica that went live"


class Keeping:
    """Where things are put aside, by replica."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def begin(self, replica: Replica, log_dir: Path) -> SetAside | None:
        """Put aside what never arrived; the keeper of the restore's first mirror. None when that was done before."""
        place, root = self._directory / replica.key, Path(replica.record.root)
        if place.exists():
            return None
        since_ns = read_acknowledged(log_dir)
        if since_ns is None:
            return SetAside(root, place, REASON, keep_all=lambda _: "was here before the restore")
        aside = SetAside(root, place, f"{REASON}; arrived were changes up to {since_ns} ns")
        aside.gather(changed_since(root, since_ns))
        return aside

    def listed(self, replica: Replica) -> list[str]:
        """What is put aside for a replica, one line each."""
        manifest = self._directory / replica.key / "manifest.json"
        if not manifest.exists():
            return []
        try:
            entries = msgspec.json.decode(manifest.read_bytes(), type=Manifest).entries
        except msgspec.MsgspecError as error:
            raise StateFileDamaged(path=manifest, why=str(error)) from error
        return [f"{entry.path}: {entry.why}" for entry in entries]


def write_acknowledged(log_dir: Path, time_ns: int) -> None:
    """Remember that every change before this instant arrived; an older value that a power cut leaves only means more copies."""
    draft = log_dir / f"{ACKNOWLEDGED}.new"
    draft.write_text(str(time_ns), encoding="ascii")
    draft.replace(log_dir / ACKNOWLEDGED)


def read_acknowledged(log_dir: Path) -> int | None:
    """Up to when every change arrived; None when it is not known."""
    try:
        return int((log_dir / ACKNOWLEDGED).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
