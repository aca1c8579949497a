"""What a deed of this room did or would do, one line a change."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec


class Line(msgspec.Struct, frozen=True):
    """One thing and what became of it: ``state`` is taken, already, given-back, left, missing or would-…."""

    what: str
    state: str
    says: str = ""

    def text(self) -> str:
        """As a person reads it."""
        return f"{self.state:>16}  {self.what}{': ' + self.says if self.says else ''}"


class Report(msgspec.Struct, frozen=True):
    """All lines of one deed. ``so`` says whether things are as the deed wants them; ``measured`` holds seconds by name."""

    deed: str
    so: bool
    lines: tuple[Line, ...] = ()
    remarks: tuple[str, ...] = ()
    measured: dict[str, float] = {}
    found: dict[str, Any] = {}

    def with_remarks(self, remarks: Iterable[str]) -> Report:
        """The same with more to say."""
        return msgspec.structs.replace(self, remarks=(*self.remarks, *remarks))
