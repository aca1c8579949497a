"""A disk that fails: writes that are refused and yet may stand, tails torn by a crash, crashes in the middle."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from tests.simulation.world import Crashed, World


class FaultyDisk:
    """Durable records (a ``Shelf``) and growing files of one party. ``on_crash`` kills that party."""

    def __init__(self, world: World, on_crash: Callable[[], None], *, failing: float, crashing: float) -> None:
        self._world = world
        self._on_crash = on_crash
        self._failing = failing
        self._crashing = crashing
        self.files: dict[str, bytes] = {}
        self._trouble = errno.ENOSPC
        self._trouble_until = 0.0

    def refuse(self, why: int, until: float) -> None:
        """Full (ENOSPC) or read-only (EROFS) until somebody mends it."""
        self._trouble, self._trouble_until = why, max(until, self._trouble_until)

    def hold(self) -> None:
        """From now on it does what it is told."""
        self._failing = self._crashing = 0.0

    @property
    def refuses(self) -> bool:
        """Whether nothing can be written now."""
        return self._world.now < self._trouble_until

    def read(self, name: str) -> bytes | None:
        return self.files.get(name)

    def replace(self, name: str, content: bytes) -> None:
        fate = self._fate()
        if fate is None or (not self.refuses and self._world.rng.random() < 0.5):
            self.files[name] = content
        self._suffer(fate)

    def growing(self, name: str) -> GrowingFile:
        return GrowingFile(self, name)

    def append_at(self, name: str, offset: int, data: bytes) -> None:
        fate = self._fate()
        torn = 0 if self.refuses and self._trouble == errno.EROFS else self._world.rng.randint(0, len(data))
        kept = data if fate is None else data[:torn]
        self.files[name] = self.files.get(name, b"")[:offset] + kept
        self._suffer(fate)

    def point(self) -> None:
        """A place where the party may die or its disk refuse."""
        self._suffer(self._fate())

    def _fate(self) -> str | None:
        if self.refuses:
            return "fail"
        dice = self._world.rng.random()
        if dice < self._crashing:
            return "crash"
        return "fail" if dice < self._crashing + self._failing else None

    def _suffer(self, fate: str | None) -> None:
        if fate == "crash":
            self._on_crash()
            raise Crashed
        if fate == "fail":
            why = self._trouble if self.refuses else errno.EIO
            raise OSError(why, os.strerror(why))


class GrowingFile:
    """One ``AppendFile`` on the disk."""

    def __init__(self, disk: FaultyDisk, name: str) -> None:
        self._disk = disk
        self._name = name

    def read(self) -> bytes:
        return self._disk.files.get(self._name, b"")

    def append_at(self, offset: int, data: bytes) -> None:
        self._disk.append_at(self._name, offset, data)
