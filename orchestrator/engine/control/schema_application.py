"""How the application itself is asked, beside its server."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from orchestrator.engine.control.fields import Command, Request


class ApplicationPoint(Request):
    """A program that ends with 0 when all is well; ``reads`` is given to it. ``{state}`` in its arguments is the state directory."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    command: Command
    reads: Annotated[str, Field(max_length=1_000_000)] = ""


class ApplicationWatch(Request):
    """Asked each ``interval_s`` while the source serves; ``errors`` in a row raise an alert."""

    interval_s: float = Field(default=60.0, ge=1, le=86400)
    errors: int = Field(default=3, ge=1, le=1000)
    timeout_s: float = Field(default=30.0, gt=0, le=3600)
    environment: dict[str, str] = {}
    points: list[ApplicationPoint] = Field(min_length=1, max_length=200)
