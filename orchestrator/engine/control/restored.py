"""Whether a live replica's data is at its original source: noted when a restore ends, true until something changes here again."""

from __future__ import annotations

from pathlib import Path

from orchestrator.engine.apply.replica import Replica
from orchestrator.engine.control import store
from orchestrator.engine.control.mounts import Mounts


class Restored:
    """The notes, each beside its replica."""

    def __init__(self, mounts: Mounts) -> None:
        self._mounts = mounts

    def note(self, replica: Replica, mark: int) -> None:
        """All up to this sequence of the live data's log is there."""
        store.write_text(_file(replica), self._place(replica.record.root, mark))

    def is_so(self, replica: Replica) -> bool:
        """Whether nothing changed since."""
        path = _file(replica)
        return path.exists() and path.read_text(encoding="utf-8") == self._place(replica.record.root)

    def forget(self, replica: Replica) -> None:
        """It is a replica again."""
        _file(replica).unlink(missing_ok=True)

    def _place(self, root: str, mark: int | None = None) -> str:
        """A place in the log of the live data, where it stands if none is given; a watched directory has no log to tell by."""
        capture = self._mounts.capture(root)
        if capture is None or capture.kind != "fuse":
            return ""
        return f"{capture.state.log_id} {capture.state.committed_sequence if mark is None else mark}"


def _file(replica: Replica) -> Path:
    return replica.directory / "restored"
