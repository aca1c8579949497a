"""What every part of the machine has: its saved data, what it forgets without power, its place in the boot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from tests.lab.windows.machine.machine import Machine


class Part:
    """One part; ``data`` is JSON and outlives the power, every other attribute does not."""

    file: ClassVar[str]

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        loaded = machine.store.load(self.file)
        self.data: dict[str, Any] = self.fresh() if loaded is None else loaded
        self.power_on()
        if loaded is None:
            self.save()

    def fresh(self) -> dict[str, Any]:
        """What a newly installed machine has."""
        return {}

    def save(self) -> None:
        """Put ``data`` on the disk."""
        self.machine.store.save(self.file, self.data)

    def plant(self, name: str, value: Any) -> None:
        """The lab sets something that the part keeps."""
        self.data[name] = value
        self.save()

    def power_on(self) -> None:
        """Set what is only in memory."""

    def boot(self) -> None:
        """What the part does while the system starts."""

    def tick(self, now: float) -> None:
        """What the part does as time goes on."""
