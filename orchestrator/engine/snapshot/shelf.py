"""The snapshots of one root: taken, listed, set back to, copied out, mounted, deleted, and what a kill left swept away.

Order on the disk: content first, then its record; a deletion takes the record first. So a record always has its content, and content
without a record is rubbish. A replacement of the root is written down before it begins and finished at the next start.

No locks: several snapshots may be taken and read at once. Whoever calls keeps apart what concerns the same snapshot, and going back from
all else but the taking of others; ``sweep`` and ``recover`` are for a start, when nothing else runs.
"""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import time
from pathlib import Path

import msgspec

from orchestrator.engine.snapshot import copies, exchange, record, trees, ways
from orchestrator.engine.snapshot.errors import SnapshotFailed
from orchestrator.engine.snapshot.exchange import SetBack
from orchestrator.engine.snapshot.record import Kind, SnapshotRecord
from orchestrator.engine.snapshot.trees import Check

log = logging.getLogger(__name__)
JOURNAL = "set-back.json"
FRESH = "fresh"
OUT = ".dtam-snapshots"


def shelf_name(root: Path) -> str:
    """The directory of a root's records, below STATE/snapshots."""
    return hashlib.blake2b(os.fsencode(root), digest_size=10).hexdigest()


class Shelf:
    """Snapshots of one root.

    Args:
        root: the replica's root; it need not exist.
        directory: where the records are kept, in the engine's state.
    """

    def __init__(self, root: Path, directory: Path) -> None:
        self.root = root
        self._directory = directory
        self._store = root.parent / OUT / root.name

    # -- looked at

    def listed(self) -> list[SnapshotRecord]:
        """All snapshots, oldest first. What cannot be read is left out, and logged."""
        found = []
        for path in self._directory.glob("2*.json"):
            try:
                found.append(record.load(path))
            except (OSError, msgspec.MsgspecError) as error:
                log.warning("snapshot record %s cannot be read: %s", path, error)
        return sorted(found, key=lambda one: (one.time_ns, one.id))

    def find(self, snapshot_id: str) -> SnapshotRecord | None:
        """One snapshot."""
        path = self._directory / f"{snapshot_id}.json"
        return record.load(path) if record.is_id(snapshot_id) and path.exists() else None

    def place(self, snapshot_id: str) -> Path:
        """Where a snapshot's content lies."""
        return self._store / snapshot_id

    def way(self) -> ways.Snapshots:
        """How snapshots are taken here. Raises OSError when the root is absent or the store cannot be made."""
        self._store.parent.mkdir(mode=0o700, exist_ok=True)
        self._store.mkdir(mode=0o700, exist_ok=True)
        return ways.way_for(self.root, self._store)

    # -- taken

    def take(self, wanted: SnapshotRecord, check: Check) -> SnapshotRecord:
        """Keep the root as it is now; nobody may write into it meanwhile. The record as it was written.

        Raises:
            SnapshotFailed: there is no space, or the file system refused; nothing is left of it.
        """
        content = self._store / wanted.id
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            way = self.way()
            step("taking", wanted.id)
            began = time.monotonic()
            size_bytes = way.take(self.root, content, check)
            exchange.sync_names(self._store)
            step("taken", wanted.id)
            held_s = round(time.monotonic() - began, 4)
            made = msgspec.structs.replace(wanted, kind=way.kind, size_bytes=size_bytes, held_s=held_s)
            record.save(self._directory, made)
        except BaseException as error:
            self._discard(wanted.id)
            if isinstance(error, OSError):
                raise self._failed("cannot take a snapshot of", error) from error
            raise
        step("recorded", wanted.id)
        return made

    # -- taken away

    def delete(self, snapshot_id: str) -> None:
        """Remove a snapshot. Raises SnapshotFailed while it is mounted, or when it cannot be removed; then a sweep tries again."""
        known = self.find(snapshot_id)
        if known is not None and known.mounted_at and ways.is_mounted(Path(known.mounted_at)):
            why = f"it is mounted at {known.mounted_at}"
            raise SnapshotFailed(deed=f"cannot delete snapshot {snapshot_id} of", root=self.root, why=why)
        (self._directory / f"{snapshot_id}.json").unlink(missing_ok=True)
        exchange.sync_names(self._directory)
        step("unrecorded", snapshot_id)
        try:
            self._discard(snapshot_id)
        except OSError as error:
            raise self._failed(f"cannot delete snapshot {snapshot_id} of", error) from error
        step("deleted", snapshot_id)

    def _discard(self, name: str) -> None:
        ways.discard(self._store / name)

    def sweep(self) -> list[str]:
        """Remove what a kill left; the names of what was removed."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self._store.is_dir():
            return []
        known = {path.stem for path in self._directory.glob("2*.json")}
        if self.under_way is not None:
            known.add(FRESH)
        rubbish = [path for path in self._store.iterdir() if path.name not in known]
        for path in rubbish:
            ways.discard(path)
        return [path.name for path in rubbish]

    # -- back to one

    @property
    def under_way(self) -> SetBack | None:
        """The replacement that was begun and is not over."""
        return exchange.load(self._directory / JOURNAL)

    def set_back(self, snapshot_id: str, replica: str, check: Check, let_go: Check = lambda: None) -> None:
        """Replace the root by a snapshot's content. Over only when ``forget_set_back`` is called.

        ``let_go`` is called when all is ready: nobody may have the root open when it returns.

        Raises:
            SnapshotFailed: the new tree could not be made; the root is as it was.
        """
        before = self.recover()
        if before is not None and before.id == snapshot_id:
            return
        if ways.mounted_below(self.root):
            why = "other file systems are mounted inside"
            raise SnapshotFailed(deed="cannot set back", root=self.root, why=why)
        begun = SetBack(id=snapshot_id, replica=replica, good=self._known(snapshot_id).is_good)
        exchange.save(self._directory / JOURNAL, begun)
        step("begun", snapshot_id)
        try:
            self._finish(self._built(begun, check), check, let_go)
        except BaseException as error:
            if self.under_way == begun:  # the root was not touched yet
                self._discard(FRESH)
                self.forget_set_back()
            if isinstance(error, OSError):
                raise self._failed("cannot set back", error) from error
            raise

    def recover(self) -> SetBack | None:
        """After a start: finish a replacement that was begun; what it was. ``forget_set_back`` ends it."""
        begun = self.under_way
        if begun is not None:
            whole = begun if begun.in_place or begun.fresh else self._built(begun, lambda: None)
            self._finish(whole, lambda: None, lambda: None)
        return begun

    def forget_set_back(self) -> None:
        """Whoever uses the root knows of its replacement."""
        exchange.forget(self._directory / JOURNAL)

    def abandon_set_back(self) -> None:
        """What could not be finished is not wanted any more: the root stays as it is."""
        self.forget_set_back()
        self._discard(FRESH)

    def _built(self, begun: SetBack, check: Check) -> SetBack:
        """The new tree, whole and on the disk; of a plain copy for which there is no space, the snapshot itself."""
        kept, fresh = self.place(begun.id), self._store / FRESH
        self._discard(FRESH)
        if ways.is_mounted(self.root) or not self.root.exists():
            self.root.mkdir(parents=True, exist_ok=True)
            ready = msgspec.structs.replace(begun, in_place=True)
        else:
            ready = self._thawed(begun, kept, fresh, check)
        exchange.save(self._directory / JOURNAL, ready)
        step("built", begun.id)
        return ready

    def _thawed(self, begun: SetBack, kept: Path, fresh: Path, check: Check) -> SetBack:
        way = ways.Btrfs() if self._known(begun.id).kind is Kind.BTRFS else self.way()
        try:
            way.thaw(kept, fresh, check)
        except SnapshotFailed:
            if way.kind is not Kind.COPY:
                raise
            return msgspec.structs.replace(begun, fresh=exchange.mark_of(kept), used_up=True)
        return msgspec.structs.replace(begun, fresh=exchange.mark_of(fresh))

    def _finish(self, ready: SetBack, check: Check, let_go: Check) -> None:
        """Everything after the new tree is whole; each part looks first whether it was done."""
        kept, fresh = self.place(ready.id), self._store / FRESH
        if ready.used_up and kept.exists():
            kept.rename(fresh)
            exchange.sync_names(self._store)
        if ready.fresh and exchange.mark_of(self.root) != ready.fresh:
            let_go()
            step("exchanging", ready.id)
            if not exchange.swap(fresh, self.root):
                if ready.used_up:
                    fresh.rename(kept)
                ready = msgspec.structs.replace(ready, fresh="", used_up=False, in_place=True)
                exchange.save(self._directory / JOURNAL, ready)
        if ready.in_place:
            let_go()
            step("refilling", ready.id)
            exchange.refill(self.root, kept, check)
        step("exchanged", ready.id)
        if ready.used_up:
            (self._directory / f"{ready.id}.json").unlink(missing_ok=True)
            exchange.sync_names(self._directory)
        self._discard(FRESH)
        step("swept", ready.id)

    # -- looked into

    def copy_out(self, snapshot_id: str, to: Path, check: Check) -> int:
        """Copy a snapshot's content to a directory that does not exist yet; how many bytes.

        Raises:
            SnapshotFailed: it exists, or there is no space.
        """
        deed = f"cannot copy snapshot {snapshot_id} out of"
        if to.exists() or not to.parent.is_dir():
            raise SnapshotFailed(deed=deed, root=self.root, why=f"{to} must be a new directory in one that exists")
        try:
            ways.refuse_without_space(self.place(snapshot_id), to.parent, check)
            copies.note(self._directory, to, whole=False)
            copying = trees.Copying(self.place(snapshot_id), to, clone=True, check=check)
            copying.run()
            ways.sync(to)
            copies.note(self._directory, to, whole=True)
        except OSError as error:
            raise self._failed(deed, error) from error
        return copying.size_bytes

    def drop_copy(self, to: Path) -> None:
        """Remove a directory that ``copy_out`` made, with all in it; its absence is fine.

        Raises:
            SnapshotFailed: something else lies there.
        """
        try:
            if to.exists() and not copies.is_noted(self._directory, to):
                why = "it is no copy of a snapshot that was made here"
                raise SnapshotFailed(deed=f"cannot remove {to}, a copy out of", root=self.root, why=why)
            trees.remove(to)
            copies.forget(self._directory, to)
        except OSError as error:
            raise self._failed(f"cannot remove {to}, a copy out of", error) from error

    def mount(self, snapshot_id: str, at: Path) -> None:
        """Show a snapshot read-only at a directory. Raises SnapshotFailed."""
        known = self._known(snapshot_id)
        at.mkdir(parents=True, exist_ok=True)
        self._mount_program(snapshot_id, "mount", "-o", "bind,ro", str(self.place(snapshot_id)), str(at))
        record.save(self._directory, msgspec.structs.replace(known, mounted_at=str(at)))

    def unmount(self, snapshot_id: str) -> None:
        """Show it no longer. Raises SnapshotFailed while somebody uses it."""
        known = self._known(snapshot_id)
        if known.mounted_at and ways.is_mounted(Path(known.mounted_at)):
            self._mount_program(snapshot_id, "umount", known.mounted_at)
        record.save(self._directory, msgspec.structs.replace(known, mounted_at=""))

    def _known(self, snapshot_id: str) -> SnapshotRecord:
        known = self.find(snapshot_id)
        if known is None:
            raise SnapshotFailed(deed="cannot use", root=self.root, why=f"there is no snapshot {snapshot_id}")
        return known

    def _mount_program(self, snapshot_id: str, *words: str) -> None:
        done = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=60)
        if done.returncode != 0:
            why = (done.stderr.strip().splitlines() or [f"{words[0]} ended with {done.returncode}"])[0]
            why = f"{why}; its files lie in {self.place(snapshot_id)}"
            raise SnapshotFailed(deed=f"cannot {words[0]} snapshot {snapshot_id} of", root=self.root, why=why)

    def _failed(self, deed: str, error: OSError) -> SnapshotFailed:
        return SnapshotFailed(deed=deed, root=self.root, why=error.strerror or str(error))


def step(word: str, snapshot_id: str) -> None:
    """A place between two deeds, for the log."""
    log.debug("snapshot %s: %s", snapshot_id, word)
