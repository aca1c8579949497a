"""When the target's data is kept as snapshots, and for how long."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, Field, ValidationInfo, model_validator

from orchestrator.model.fields import Tab, chosen_now


class SnapshotsTab(Tab):
    """Snapshots of the target's data, which a failover can go on with.

    Each ``interval_s`` one is taken, 15 minutes at least (absent: only by hand), the first at once or at ``start_at``, a date with its
    time and zone. ``keep`` of them stay, and none older than ``max_age_s``; the only good one always stays. ``before_remirror``: a good
    state that a mirror is about to overwrite is kept where that can be done (``snapshot``); no mirror begins without (``refuse``); none
    is kept (``overwrite``).
    """

    interval_s: Annotated[float, Field(ge=900, le=31_536_000)] | None = None
    start_at: AwareDatetime | None = None
    keep: Annotated[int, Field(ge=1, le=10_000)] = 8
    max_age_s: Annotated[float, Field(ge=900)] | None = None
    before_remirror: Literal["snapshot", "refuse", "overwrite"] = "snapshot"

    @model_validator(mode="after")
    def _periodic(self, info: ValidationInfo) -> Self:
        if chosen_now(info) and self.start_at is not None and self.interval_s is None:
            msg = "start_at is of periodic snapshots: give interval_s, too"
            raise ValueError(msg)
        return self

    def document(self) -> dict[str, Any]:
        """The settings as the engine's control API takes them."""
        plain = self.model_dump(mode="json", exclude={"start_at"})
        return plain | {"start_ns": nanoseconds(self.start_at) if self.start_at else 0}


def nanoseconds(moment: datetime) -> int:
    """Since 1970."""
    return int(moment.timestamp()) * 10**9
