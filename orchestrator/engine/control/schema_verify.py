"""The documents about verification: what one does, when it is done again, and the log that it writes (Linux guide, chapter 11)."""

from __future__ import annotations

from pydantic import Field

from orchestrator.engine.control.fields import Bytes, Request
from orchestrator.engine.mirror.verify import DEFAULT_FILE_NAME, DEFAULT_MAXIMUM_BYTES


class VerifySettings(Request):
    """The verification log of all connections of this engine: ``file_name`` comes behind the name of the set."""

    file_name: str = Field(default=DEFAULT_FILE_NAME, min_length=1, max_length=100, pattern=r"^[^/\x00]+$")
    maximum_bytes: Bytes = DEFAULT_MAXIMUM_BYTES
    append: bool = True


class VerifySchedule(Request):
    """When a connection is verified by itself, and how.

    ``first_ns`` is CLOCK_REALTIME, None means at once; ``interval_s`` None means once. ``remirror``: what differs is sent; of that, with
    ``only_newer``, only what is newer on the source. ``checksum``: all files are compared by blocks; else by size and time.
    """

    first_ns: int | None = Field(default=None, ge=0)
    interval_s: int | None = Field(default=None, ge=60, le=366 * 86400)
    remirror: bool = False
    only_newer: bool = False
    checksum: bool = True


class VerifyPlan(Request):
    """A schedule as it is kept: ``due_ns`` None when it is over; ``last`` says what became of the last one."""

    key: str
    schedule: VerifySchedule
    due_ns: int | None
    last_ns: int | None = None
    last: str = ""
