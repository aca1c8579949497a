"""Where replication sets may go: pure decisions about places on servers."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from orchestrator.engine.mirror.errors import SetConflict
from orchestrator.engine.mirror.mapping import contains


class Placement(msgspec.Struct, frozen=True):
    """A connection as far as places are concerned: ``target`` is a server, ``location`` the absolute path there."""

    set_name: str
    root: str
    target: str
    location: str


def check_placement(wanted: Placement, source: str, others: Iterable[Placement]) -> None:
    """Refuse a connection whose places cannot work.

    Args:
        wanted: the new connection.
        source: the server that has the set.
        others: the connections that there are, of this source.

    Raises:
        SetConflict: the location is shared with another set, the same data already goes there from another set, or the location lies
            in the set's own data, which would be mirrored into itself without end.
    """
    if wanted.target == source and (contains(wanted.root, wanted.location) or contains(wanted.location, wanted.root)):
        raise _conflict(wanted, f"that is inside its own data {wanted.root} on the same server")
    for other in others:
        if other.set_name == wanted.set_name:
            continue
        if other.target == wanted.target and _overlap(other.location, wanted.location):
            raise _conflict(wanted, f"replication set {other.set_name!r} already goes to {other.location}")
        if _overlap(other.root, wanted.root):
            raise _conflict(wanted, f"its data {wanted.root} is already replicated by {other.set_name!r}")
        if other.target == source and _overlap(other.location, wanted.root):
            raise _conflict(wanted, f"its data {wanted.root} is the replica of {other.set_name!r}: that is a loop")


def _overlap(first: str, second: str) -> bool:
    return contains(first, second) or contains(second, first)


def _conflict(wanted: Placement, why: str) -> SetConflict:
    return SetConflict(name=wanted.set_name, target=f"{wanted.target}:{wanted.location}", why=why)
