"""What checks of shares look for in the same way, whatever serves the shares; remedies that differ are given by the check."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from orchestrator.model.findings import Finding
from orchestrator.model.paths import is_windows, same
from orchestrator.sdk.checks import View
from orchestrator.sdk.sides import root_of
from plugins.fileserver.placing import Placed, target_path


class Known(Protocol):
    """What a side says about accounts."""

    @property
    def local_sid(self) -> str:
        """The number that those of its own begin with."""
        ...

    @property
    def unresolved_sids(self) -> tuple[str, ...]:
        """Those that have no name there."""
        ...


def missing(view: View, refused: Callable[[str], str], eligible: Iterable[Placed]) -> Iterator[Finding]:
    """Chosen shares that cannot be moved: ``refused`` says what the source has instead, or nothing."""
    for position, share in enumerate(view.settings.connection.shares.include):
        found = refused(share)
        if found:
            yield view.error(
                f"{view.inventory.source.name} has {found} {share}",
                where=view.place(f"connection.shares.include.{position}"),
                why="it cannot be moved",
                remedy=f"it has {', '.join(one.name for one in eligible) or 'none'}; mend the name",
            )


def nothing_to_move(view: View, otherwise: str) -> Finding:
    """The source has shares that could be moved no more than any that were chosen."""
    return view.warning(
        f"{view.inventory.source.name} has no share to move",
        where=view.place("connection.shares"),
        why="a failover would move data and names, and no share",
        remedy=f"make the shares first, or {otherwise}",
    )


def outside(view: View, shares: Iterable[Placed]) -> Iterator[Finding]:
    """Shares whose directory is not replicated."""
    for one in shares:
        if root_of(view.settings, one.path) is None:
            written = f"'{one.path}'" if is_windows(one.path) else one.path
            yield view.error(
                f"the share {one.name} lies in {one.path}, which is not protected",
                where=view.place("connection.roots"),
                why="on the target it would have no data",
                remedy=f"add {{source_path: {written}}} to connection.roots, or leave it out: connection.shares.exclude: [{one.name}]",
            )


def in_the_way(view: View, shares: Iterable[Placed], there: Mapping[str, tuple[Placed, str]]) -> Iterator[Finding]:
    """Shares that the target has already, elsewhere: ``there`` is by name in small letters, each with where it is to be found."""
    for one in shares:
        held, wanted = there.get(one.name.lower()), target_path(view.settings, one)
        if held is not None and wanted is not None and not same(held[0].path, wanted):
            yield view.error(
                f"{view.inventory.target.name} has a share {held[0].name} already, of {held[0].path}",
                where=f"{view.inventory.target.name}, {held[1]}",
                why="two shares of one name cannot be served; dtam removes nothing that it did not make",
                remedy=f"rename or remove it there, or leave it out: connection.shares.exclude: [{one.name}]",
            )


def strangers(sids: Iterable[str], ours: Known | None, theirs: Known | None) -> tuple[list[str], list[str]]:
    """Those of the accounts that are the source's own, and those of the others that have no name on the target."""
    every = list(sids)
    local = [sid for sid in every if ours and ours.local_sid and sid.startswith(ours.local_sid + "-")]
    return local, [sid for sid in every if theirs and sid in theirs.unresolved_sids and sid not in local]


def differing(told: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of the shares that are otherwise than the target was told."""
    before, after = ({one["name"]: one for one in shares} for shares in (told, now))
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
