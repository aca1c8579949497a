"""What a status shows of a watch, while `dtam serve` runs and when it is gone."""

from __future__ import annotations

import fcntl
from pathlib import Path

from orchestrator.failover import kept
from orchestrator.failover.kept import Kept


def test_what_was_green_is_told_only_while_somebody_watches(tmp_path: Path) -> None:
    kept.write(tmp_path, "files", Kept(colour="green", time_to_fail_s=2.0, says="the source answers"))
    gone = kept.shown(tmp_path, "files")
    assert (gone.colour, gone.time_to_fail_s, gone.says) == ("off", None, kept.NOBODY)
    with (kept.place(tmp_path) / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert kept.shown(tmp_path, "files") == kept.read(tmp_path, "files")


def test_who_is_asked_is_told_without_a_watch_too(tmp_path: Path) -> None:
    kept.write(tmp_path, "files", Kept(colour="red", waiting="manual intervention is set"))
    assert kept.shown(tmp_path, "files").says == "manual intervention is set"
