"""The documents about snapshots of replicas that an engine takes."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from orchestrator.engine.control.fields import Name, Path, Request, Sentence
from orchestrator.engine.snapshot.limits import MIN_INTERVAL_S
from orchestrator.engine.snapshot.record import ID_PATTERN

SnapshotId = Annotated[str, Field(pattern=ID_PATTERN)]
Interval = Annotated[float, Field(ge=MIN_INTERVAL_S, le=31_536_000)]


class SnapshotSettings(Request):
    """When snapshots of the target's data are taken, and how long they stay.

    ``interval_s``: how often, 15 minutes at least; None: only by hand. ``start_ns``: when the first is taken (nanoseconds since 1970);
    0: at once. ``keep`` of the periodic ones stay, and none older than ``max_age_s``; the only good one always stays.
    ``before_remirror``: what happens to a good state that a mirror is about to overwrite. ``snapshot`` keeps it where that can be done
    and tells it loudly where it cannot; ``refuse`` lets no mirror begin without; ``overwrite`` keeps none.
    """

    interval_s: Interval | None = None
    start_ns: int = Field(default=0, ge=0)
    keep: int = Field(default=8, ge=1, le=10_000)
    max_age_s: float | None = Field(default=None, ge=MIN_INTERVAL_S)
    before_remirror: Literal["snapshot", "refuse", "overwrite"] = "snapshot"


class SnapshotActionKind(StrEnum):
    """What can be asked about snapshots."""

    TAKE = "take"
    DELETE = "delete"
    REVERT = "revert"
    COPY_OUT = "copy_out"
    DROP_COPY = "drop_copy"
    MOUNT = "mount"
    UNMOUNT = "unmount"
    SCHEDULE = "schedule"


_WITHOUT_ID = frozenset({SnapshotActionKind.TAKE, SnapshotActionKind.SCHEDULE, SnapshotActionKind.DROP_COPY})


class SnapshotAction(Request):
    """Ask something of the snapshots of one replica, or of all of a protection; those taken together share their id.

    ``to``: where a snapshot is copied or mounted, or lies as a copy that is removed (drop_copy); with several replicas each has a directory of its replication set's name in it.
    ``settings``: with schedule; None goes back to what the protection says. ``wait_s``: answer after so long even when it goes on.
    """

    action: SnapshotActionKind
    replica: Name | None = None
    protection: Name | None = None
    id: SnapshotId | None = None
    label: Sentence = ""
    to: Path | None = None
    settings: SnapshotSettings | None = None
    by: Sentence = ""
    wait_s: float = Field(default=5.0, ge=0, le=3600)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.replica is None) == (self.protection is None):
            msg = "give either replica or protection"
            raise ValueError(msg)
        if self.id is None and self.action not in _WITHOUT_ID:
            msg = f"{self.action} needs id"
            raise ValueError(msg)
        if self.to is None and self.action in {
            SnapshotActionKind.COPY_OUT,
            SnapshotActionKind.DROP_COPY,
            SnapshotActionKind.MOUNT,
        }:
            msg = f"{self.action} needs to"
            raise ValueError(msg)
        return self
