"""Bring the data back to the original source (Linux guide, chapter 14).

A restore is a mirror the other way: the target's engine reads, the old source's engine is the receiving end, and only differences
travel. Before anything of the old source is touched, what it had that never arrived is put aside (``set_aside``).
"""

from __future__ import annotations

import msgspec

from orchestrator.engine.mirror.options import MirrorKind, MirrorOptions, OrphanAction, OrphanPolicy


class RestoreOptions(msgspec.Struct, frozen=True):
    """What a restore does.

    Attributes:
        overwrite: replace files that the source has; without it only files that it lacks are restored.
        only_newer: only files that are newer on the target. Not for databases.
        checksum: compare all files by blocks and send only those that differ. Safe after a crash, when times prove little.
        use_backup_set: take the replication set from the target's copy.
        restore_set: give the source that copy.
        orphans: what only the old source has, once it was set aside.
    """

    overwrite: bool = True
    only_newer: bool = False
    checksum: bool = True
    use_backup_set: bool = True
    restore_set: bool = False
    orphans: OrphanPolicy = OrphanPolicy(OrphanAction.DELETE)

    def mirror_options(self) -> MirrorOptions:
        """The mirror that does this."""
        return MirrorOptions(
            kind=MirrorKind.DIFFERENCE,
            checksum=self.checksum,
            checksum_all=self.checksum and self.overwrite and not self.only_newer,
            only_newer=self.only_newer and self.overwrite,
            only_missing=not self.overwrite,
            orphans=self.orphans,
        )
