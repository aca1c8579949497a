"""A monitoring point: one question to the application, as a program that ends with 0 when all is well."""

from __future__ import annotations

import msgspec


class Point(msgspec.Struct, frozen=True):
    """The program and what it reads. ``{state}`` in its arguments becomes the asker's state directory."""

    name: str
    command: tuple[str, ...]
    reads: str = ""
