"""A disk that fails: writes that are refused and yet may stand, tails torn by a crash, crashes in the middle."""

from __future__ import annotations

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

    def read(self, name: str) -> bytes | None:
        return self.files.get(name)

    def replace(self, name: str, content: bytes) -> None:
        fate = self._fate()
        if fate is None or self._world.rng.random() < 0.5:
            self.files[name] = content
        self._suffer(fate)

    def growing(self, name: str) -> GrowingFile:
        return GrowingFile(self, name)

    def append_at(self, name: str, offset: int, data: bytes) -> None:
        fate = self._fate()
        kept = data if fate is None else data[: self._world.rng.randint(0, len(data))]
        self.files[name] = self.files.get(name, b"")[:offset] + kept
        self._suffer(fate)

    def point(self) -> None:
        """A place where the party may die or its disk refuse."""
        self._suffer(self._fate())

    def _fate(self) -> str | None:
        dice = self._world.rng.random()
        if dice < self._crashing:
            return "crash"
        return "fail" if dice < self._crashing + self._failing else None

    def _suffer(self, fate: str | None) -> None:
        if fate == "crash":
            self._on_crash()
            raise Crashed
        if fate == "fail":
            raise OSError(28, "No space left on device")


class GrowingFile:
    """One ``AppendFile`` on the disk."""

    def __init__(self, disk: FaultyDisk, name: str) -> None:
        self._disk = disk
        self._name = name

    def read(self) -> bytes:
        return self._disk.files.get(self._name, b"")

    def append_at(self, offset: int, data: bytes) -> None:
        self._disk.append_at(self._name, offset, data)
