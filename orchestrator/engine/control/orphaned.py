"""Orphans by hand: when they may be dealt with (Linux guide, chapter 10)."""

from __future__ import annotations

from pathlib import PurePosixPath

from orchestrator.engine.control.answers_connections import ConnectionStatus
from orchestrator.engine.control.errors import Conflict
from orchestrator.engine.control.schema_sets import Orphans


def check_orphans(now: ConnectionStatus, wanted: Orphans, target_root: str) -> None:
    """Whether orphans may be looked for now: in a replica that is good, while nothing else is compared.

    Raises:
        Conflict: they may not, or nothing was said of what becomes of them, or they would be moved to where they are found again.
    """
    what = f"removing orphans of connection {now.id}"
    if wanted.action == "ignore":
        raise Conflict(what=what, why="nothing was said of what becomes of them", hint="log, move or delete them")
    if wanted.move_to and PurePosixPath(wanted.move_to).is_relative_to(target_root):
        hint = "move them to a place outside of it"
        raise Conflict(what=what, why=f"{wanted.move_to} is in the replica, where they are found again", hint=hint)
    if (now.state, now.target_data_state) != ("Started", "good") or now.mirror_state != "Idle":
        why = f"it is {now.state}, its mirror {now.mirror_state}, the target's data {now.target_data_state}"
        raise Conflict(what=what, why=why, hint="wait until it replicates and no mirror runs, or mirror it first")
