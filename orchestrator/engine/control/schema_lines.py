"""The documents about the ways to target addresses: compression and bandwidth, which all connections to one address share."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from orchestrator.engine.control.fields import Address, Request

Level = Literal["off", "minimum", "low", "medium", "high", "maximum"]


def _of_a_switch(given: object) -> object:
    """Compression once was a switch: on means the middle, off means nothing said."""
    return {True: "medium", False: None}[given] if isinstance(given, bool) else given


Compression = Annotated[Level | None, BeforeValidator(_of_a_switch)]
"""A level, or None: as the way is set already."""


class Bandwidth(Request):
    """How fast data may travel: so many bytes a second, or a percentage of a link of so many bits a second."""

    bytes_per_s: int | None = Field(default=None, ge=1024, lt=2**50)
    percent: float | None = Field(default=None, gt=0, le=100)
    link_bits_per_s: int | None = Field(default=None, ge=1200, lt=2**50)

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> Self:
        share = self.percent is not None and self.link_bits_per_s is not None
        if share == (self.bytes_per_s is not None) or (self.percent is None) != (self.link_bits_per_s is None):
            msg = "give either bytes_per_s, or percent and link_bits_per_s"
            raise ValueError(msg)
        if self.rate_bytes_s < 1024:
            msg = f"that is {self.rate_bytes_s} bytes a second; the least is 1024"
            raise ValueError(msg)
        return self

    @property
    def rate_bytes_s(self) -> int:
        """Bytes of frames a second, before encryption."""
        if self.bytes_per_s is not None:
            return self.bytes_per_s
        return int((self.link_bits_per_s or 0) * (self.percent or 0) / 800)


class LineSettings(Request):
    """How data travels to one target address, whatever connection it belongs to; ``bandwidth`` None: as fast as it goes."""

    address: Address
    compression: Level = "off"
    bandwidth: Bandwidth | None = None
