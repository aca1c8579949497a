"""Whose the DNS servers of a protection are: those that the source asks, the target, both, or one that a person added."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec


class ListedServer(msgspec.Struct, frozen=True):
    """A DNS server. ``used``: it is in failover.dns.servers; ``first``: it is the clients' server there."""

    address: str
    of: Literal["source", "target", "both", "added"]
    used: bool
    first: bool = False


def listed(
    source: Sequence[str], target: Sequence[str], used: Sequence[str], first: str | None = None
) -> tuple[ListedServer, ...]:
    """Every server of either side and every one that is used, each once, labelled.

    >>> [(one.address, one.of, one.used) for one in listed(["192.0.2.1"], ["192.0.2.1", "192.0.2.2"], ["192.0.2.9"])]
    [('192.0.2.1', 'both', False), ('192.0.2.2', 'target', False), ('192.0.2.9', 'added', True)]
    """
    return tuple(
        ListedServer(one, _owner(one in source, one in target), one in used, one == first)
        for one in dict.fromkeys((*source, *target, *used))
    )


def _owner(at_source: bool, at_target: bool) -> Literal["source", "target", "both", "added"]:  # noqa: FBT001
    if at_source and at_target:
        return "both"
    return "source" if at_source else "target" if at_target else "added"
