"""How a restore is done: where the data goes, which files count, what becomes of orphans (Linux guide, chapter 14)."""

from __future__ import annotations

from typing import Literal

import msgspec

OrphanAction = Literal["ignore", "log", "delete"]


class Restoring(msgspec.Struct, frozen=True):
    """What a person wants of a restore; by default the whole of it goes to where it was.

    Attributes:
        to: the server that gets the data; empty: the source.
        into: protected directories of the source with other places for them there.
        overwrite: replace files that are there; without it only those are sent that are missing.
        only_newer: only files that are newer on the target. Not for databases.
        checksum: compare by blocks and send only those that differ.
        orphans: what becomes of files that only the restored side has; empty: deleted where it is the source's own place and nothing is
            spared (what never arrived was put aside), else they stay.
    """

    to: str = ""
    into: tuple[tuple[str, str], ...] = ()
    overwrite: bool = True
    only_newer: bool = False
    checksum: bool = True
    orphans: OrphanAction | None = None

    @property
    def elsewhere(self) -> bool:
        """Another server or another directory: the source and its services are not touched."""
        return bool(self.to or self.into)

    @property
    def spares(self) -> bool:
        """Whether files that differ may stay as they are there."""
        return self.only_newer or not self.overwrite

    @property
    def ends(self) -> bool:
        """Whether it is a copy that ends; only the whole in its own place goes on following, for a failback."""
        return self.elsewhere or self.spares

    @property
    def orphan_action(self) -> OrphanAction:
        """What becomes of orphans."""
        return self.orphans or ("ignore" if self.ends else "delete")

    def place(self, source_path: str) -> str:
        """Where a protected directory goes."""
        return dict(self.into).get(source_path, source_path)


WHOLE = Restoring()
"""The whole of it, to where it was."""
