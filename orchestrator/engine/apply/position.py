"""Where the applier stands, in a mapped page that a killed daemon leaves exact, with checkpoints that a killed machine leaves.

Words: *applied* is the last operation that was done; the *doubt* is the name-changing operation that was begun, with the inode it
concerned, so that a restart can tell from the files whether it was done; a *checkpoint* is a sequence up to which everything was
on the disk (syncfs). Stores go to the page one word at a time in this order: doubt's inodes, doubt's sequence, the deed, applied.
Invariants: within one boot, applied <= done <= applied + 1; across a power cut, everything up to the checkpoint is in the files.

Layout (little endian): 0 magic ``DTPOSIT1``; 16 log id; 32 boot id; 48 applied; 56 doubt sequence; 64 doubt inode; 72 doubt's other
inode; 80 applied time (ns); 128 and 192 two checkpoint slots: generation, sequence, xxh3_64 of both.
"""

from __future__ import annotations

import mmap
import os
import struct
import uuid
from dataclasses import dataclass
from pathlib import Path

from xxhash import xxh3_64_intdigest

from orchestrator.engine.apply.errors import ReplicaUnusable

PAGE_BYTES = 4096
MAGIC = b"DTPOSIT1"
_APPLIED, _DOUBT, _INODE, _INODE2, _TIME = 6, 7, 8, 9, 10
_SLOTS = (128, 192)
_SLOT = struct.Struct("<QQQ")


@dataclass(frozen=True, slots=True)
class Doubt:
    """A name-changing operation that was begun: what the first and the second path named before (0: nothing)."""

    sequence: int
    inode: int
    inode2: int


def boot_id() -> uuid.UUID:
    """Which boot of the machine this is."""
    return uuid.UUID(Path("/proc/sys/kernel/random/boot_id").read_text().strip())


class PositionPage:
    """The page of one replica. One thread stores (the applier); ``checkpoint`` may come from another."""

    def __init__(self, path: Path, boot: uuid.UUID) -> None:
        """Map an existing page.

        Raises:
            ReplicaUnusable: it is absent or not such a page.
        """
        try:
            with path.open("r+b") as file:
                self._map = mmap.mmap(file.fileno(), PAGE_BYTES)
        except (OSError, ValueError) as error:
            raise ReplicaUnusable(where=path.parent, why=f"its position page: {error}") from error
        if self._map[:8] != MAGIC:
            raise ReplicaUnusable(where=path.parent, why="its position page has another magic")
        self._words = memoryview(self._map).cast("Q")
        self._generation, self.checkpointed = max(self._slot(offset) for offset in _SLOTS)
        self.same_boot = self._map[32:48] == boot.bytes
        """Whether the machine has been running since the page was last used: then ``applied`` is exact."""
        if not self.same_boot:
            self._words[_APPLIED] = self.checkpointed
            self._words[_DOUBT] = 0
            self._map[32:48] = boot.bytes

    @classmethod
    def create(cls, path: Path, log_id: uuid.UUID, boot: uuid.UUID, *, applied: int) -> PositionPage:
        """A new page, durable when this returns, that stands after ``applied``; an older one is replaced."""
        page = bytearray(PAGE_BYTES)
        page[0:8], page[16:32], page[32:48] = MAGIC, log_id.bytes, boot.bytes
        struct.pack_into("<Q", page, 48, applied)
        page[_SLOTS[0] : _SLOTS[0] + _SLOT.size] = _packed(1, applied)
        draft = path.with_name(path.name + ".new")
        with draft.open("wb") as file:
            draft.chmod(0o600)
            file.write(page)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        return cls(path, boot)

    def _slot(self, offset: int) -> tuple[int, int]:
        generation, sequence, checksum = _SLOT.unpack_from(self._map, offset)
        return (generation, sequence) if checksum == _packed_checksum(generation, sequence) else (0, 0)

    @property
    def log_id(self) -> uuid.UUID:
        """The log that the sequences belong to."""
        return uuid.UUID(bytes=self._map[16:32])

    @property
    def applied(self) -> int:
        """The last operation that was done."""
        return self._words[_APPLIED]

    @property
    def applied_time_ns(self) -> int:
        """When the source made that operation."""
        return self._words[_TIME]

    def advance(self, sequence: int, time_ns: int) -> None:
        """The operation is done."""
        self._words[_APPLIED] = sequence
        self._words[_TIME] = time_ns

    @property
    def doubt(self) -> Doubt | None:
        """The operation that was begun and not noted as done, if any."""
        sequence = self._words[_DOUBT]
        return Doubt(sequence, self._words[_INODE], self._words[_INODE2]) if sequence == self.applied + 1 else None

    def begin(self, doubt: Doubt) -> None:
        """A name-changing operation is about to be done."""
        self._words[_INODE] = doubt.inode
        self._words[_INODE2] = doubt.inode2
        self._words[_DOUBT] = doubt.sequence

    def checkpoint(self, sequence: int) -> None:
        """Everything up to ``sequence`` is on the disk; noted durably (the slots take turns)."""
        self._generation += 1
        offset = _SLOTS[self._generation % 2]
        self._map[offset : offset + _SLOT.size] = _packed(self._generation, sequence)
        self._map.flush()
        self.checkpointed = sequence

    def close(self) -> None:
        """Put the page on the disk and unmap it."""
        self._map.flush()
        self._words.release()
        self._map.close()


def _packed_checksum(generation: int, sequence: int) -> int:
    return xxh3_64_intdigest(struct.pack("<QQ", generation, sequence))


def _packed(generation: int, sequence: int) -> bytes:
    return _SLOT.pack(generation, sequence, _packed_checksum(generation, sequence))
