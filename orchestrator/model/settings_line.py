"""How data travels to the target's address: compression and bandwidth."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from orchestrator.model.fields import Tab

Level = Literal["off", "minimum", "low", "medium", "high", "maximum"]


def _of_a_switch(given: object) -> object:
    """Compression once was a switch: on means the middle, off means nothing said."""
    return {True: "medium", False: None}[given] if isinstance(given, bool) else given


Compression = Annotated[Level | None, BeforeValidator(_of_a_switch)]


class BandwidthSettings(Tab):
    """So many bytes a second, or a percentage of a link of so many bits a second (chapter 12)."""

    bytes_per_s: Annotated[int, Field(ge=1024, lt=2**50)] | None = None
    percent: Annotated[float, Field(gt=0, le=100)] | None = None
    link_bits_per_s: Annotated[int, Field(ge=1200, lt=2**50)] | None = None

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> Self:
        share = self.percent is not None and self.link_bits_per_s is not None
        if share == (self.bytes_per_s is not None) or (self.percent is None) != (self.link_bits_per_s is None):
            msg = "give either bytes_per_s, or percent and link_bits_per_s"
            raise ValueError(msg)
        rate = int((self.link_bits_per_s or 0) * (self.percent or 0) / 800)
        if self.bytes_per_s is None and rate < 1024:
            msg = f"that is {rate} bytes a second; the least is 1024"
            raise ValueError(msg)
        return self
