"""One row of the report: an assumption about one server, proved, disproved or not known."""

from __future__ import annotations

from typing import Literal

import msgspec

State = Literal["proved", "disproved", "unknown"]


class Row(msgspec.Struct, frozen=True):
    """An assumption that could be shown on a simulated server only. ``says`` is what was seen, ``next`` what to do where it does not hold.

    A row never holds a secret: names of accounts are the only thing said of them.
    """

    server: str
    area: str
    assumption: str
    state: State
    says: str
    next: str = ""


def holds(proof: bool, server: str, area: str, assumption: str, says: str, advice: str = "") -> Row:  # noqa: FBT001, PLR0917
    """A row that is proved or disproved; ``advice`` is for the latter."""
    return Row(server, area, assumption, "proved" if proof else "disproved", says, "" if proof else advice)


def unknown(server: str, area: str, assumption: str, why: str, advice: str = "") -> Row:
    """A row of which nothing is known, with the reason."""
    return Row(server, area, assumption, "unknown", why, advice)
