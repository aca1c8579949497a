"""Where a setting's value came from: each value remembers it, and every complaint names it."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Layer(StrEnum):
    """The layers of settings, weakest first."""

    DEFAULT = "default"
    PREVIOUS = "previous"
    FILE = "file"
    FLAG = "flag"


class Origin(msgspec.Struct, frozen=True):
    """A layer and the place in it: a file with line and column (from 1), a flag, or the pair whose settings were reused."""

    layer: Layer
    place: str = ""
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        if self.line is not None:
            return f"{self.place}:{self.line}:{self.column}"
        return self.place or str(self.layer)


DEFAULT = Origin(Layer.DEFAULT)
