"""The document about what of a connection may change while it lives."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from orchestrator.engine.control.fields import Request
from orchestrator.engine.control.schema_lines import Bandwidth, Compression
from orchestrator.engine.control.schema_sets import MirrorOptions, Route


class ConnectionTerms(Request):
    """How a connection is carried on, and how it mirrors from its next mirror on.

    ``compression`` and ``bandwidth`` are those of the way to the target's address, which other connections may share; None: as they are.
    ``mode`` synchronous: a flush at the source is answered when the target holds it; ``when_late`` says what happens when that takes
    longer than ``synchronous_wait_s``: the application goes on asynchronously until the target has caught up, or it waits.
    ``ignore_deletes``: what is deleted or moved out at the source stays at the target, until something else takes its name.
    """

    route: Route | None = None
    mirror: MirrorOptions = MirrorOptions()
    compression: Compression = None
    bandwidth: Bandwidth | None = None
    mode: Literal["asynchronous", "synchronous"] = "asynchronous"
    synchronous_wait_s: float = Field(default=10.0, gt=0, le=3600)
    when_late: Literal["continue", "wait"] = "continue"
    ignore_deletes: bool = False
