"""Which of the source's shares a target follows while it waits."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from orchestrator.engine.control.fields import Request

ShareName = Annotated[str, Field(min_length=1, max_length=80)]


class FollowedShares(Request):
    """The target asks its source for them each ``interval_s``; None: only when somebody wants it (``renew_shares``).

    All that are not administrative, or those of ``include``; never those of ``exclude``.
    """

    interval_s: float | None = Field(default=3600.0, ge=1, le=31_536_000)
    include: list[ShareName] = Field(default=[], max_length=1000)
    exclude: list[ShareName] = Field(default=[], max_length=1000)

    def chosen(self, name: str) -> bool:
        """Whether a share of this name is followed."""
        wanted = {one.lower() for one in self.include}
        return name.lower() not in {one.lower() for one in self.exclude} and (not wanted or name.lower() in wanted)
