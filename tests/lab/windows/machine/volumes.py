"""Disks, partitions and volumes; each drive letter is a real directory."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path
from typing import Any

from tests.lab.windows.machine.part import Part
from tests.lab.windows.machine.refusals import Refused, cim_error

TREE = (
    "Windows/System32/drivers/etc", "Windows/System32/Tasks", "Windows/System32/config", "Windows/Temp", "Windows/System32/WindowsPowerShell/v1.0",
    "Program Files", "Program Files (x86)", "ProgramData", "Users/Administrator", "Users/Public",
)  # fmt: skip
HOSTS = "# Copyright (c) 1993-2009 Microsoft Corp.\r\n#\r\n# localhost name resolution is handled within DNS itself.\r\n#\t127.0.0.1       localhost\r\n"


class Volumes(Part):
    """By drive letter."""

    file = "volumes"

    def fresh(self) -> dict[str, Any]:
        volumes = {}
        taken = [one.disk for one in self.machine.settings.volumes if one.disk is not None]
        for one in self.machine.settings.volumes:
            disk = one.disk if one.disk is not None else next(n for n in range(100) if n not in taken)
            taken.append(disk)
            volumes[one.letter.upper()] = {
                "letter": one.letter.upper(),
                "directory": str(one.directory) if one.directory else None,
                "label": one.label,
                "size": one.size,
                "disk": disk,
                "partition": sum(1 for other in volumes.values() if other["disk"] == disk) + 2,
                "style": one.style,
                "file_system": one.file_system,
                "guid": str(uuid.uuid4()),
                "blocked": None,
            }
        return {"volumes": volumes}

    def power_on(self) -> None:
        for volume in self.data["volumes"].values():
            self.directory(volume).mkdir(parents=True, exist_ok=True)
        if "C" in self.data["volumes"]:
            self._system_tree(self.directory(self.data["volumes"]["C"]))

    def _system_tree(self, root: Path) -> None:
        for path in TREE:
            (root / path).mkdir(parents=True, exist_ok=True)
        hosts = root / "Windows/System32/drivers/etc/hosts"
        if not hosts.exists():
            hosts.write_bytes(HOSTS.encode())

    def directory(self, volume: dict[str, Any]) -> Path:
        """Where its files really are."""
        return (
            Path(volume["directory"]) if volume["directory"] else self.machine.directory / "volumes" / volume["letter"]
        )

    def all(self) -> list[dict[str, Any]]:
        """Every volume, by letter."""
        return [self.data["volumes"][letter] for letter in sorted(self.data["volumes"])]

    def find(self, name: str) -> dict[str, Any] | None:
        """A volume by ``E``, ``E:``, ``E:\\`` or its GUID path."""
        bare = name.rstrip("\\").rstrip(":").upper()
        guid = bare.lower().removeprefix("\\\\?\\volume{").rstrip("}")
        return self.data["volumes"].get(bare) or next((one for one in self.all() if one["guid"] == guid), None)

    def usable(self, name: str) -> dict[str, Any]:
        """The same; refused when it is not there or may not be used now."""
        volume = self.find(name)
        if volume is None:
            message = f"Cannot find drive. A drive with the name '{name.rstrip(chr(92)).rstrip(':')}' does not exist."
            raise Refused(
                message,
                "DriveNotFound",
                "ObjectNotFound",
                "System.Management.Automation.DriveNotFoundException",
                name,
                3,
            )
        if volume["blocked"]:
            raise Refused(
                "The device is not ready.", "System.IO.IOException", "NotSpecified", "System.IO.IOException", name, 21
            )
        return volume

    def block(self, letter: str, why: str | None) -> None:
        """Take the volume out of use (a destination of replication), or give it back."""
        self.data["volumes"][letter]["blocked"] = why
        self.save()

    def used(self, volume: dict[str, Any]) -> int:
        """Bytes that its files take."""
        total = 0
        for where, _, names in os.walk(self.directory(volume)):
            total += sum(Path(where, name).lstat().st_size for name in names)
        return total

    def remaining(self, volume: dict[str, Any]) -> int:
        """Bytes that are free."""
        if volume["letter"] in self.machine.faults.full:
            return 0
        return max(0, volume["size"] - self.used(volume))

    def room_for(self, volume: dict[str, Any], size: int) -> None:
        """Refused when so many bytes do not fit; the disk is measured only where it is small or said to be full."""
        full = volume["letter"] in self.machine.faults.full
        if full or (volume["size"] < 1 << 28 and self.remaining(volume) < size):
            message = "There is not enough space on the disk."
            raise Refused(message, "System.IO.IOException", "WriteError", "System.IO.IOException", None, 112)

    def disks(self) -> dict[int, list[dict[str, Any]]]:
        """Disk number -> its volumes."""
        found: dict[int, list[dict[str, Any]]] = {}
        for volume in self.all():
            found.setdefault(volume["disk"], []).append(volume)
        return dict(sorted(found.items()))

    def format(self, letter: str, file_system: str, label: str) -> None:
        """Empty the volume."""
        volume = self.data["volumes"].get(letter.upper())
        if volume is None:
            raise cim_error(2, "MSFT_Volume")
        shutil.rmtree(self.directory(volume))
        self.directory(volume).mkdir(parents=True)
        volume.update(file_system=file_system, label=label)
        self.save()

    def relabel(self, letter: str, label: str) -> None:
        """Give it another label."""
        self.data["volumes"][letter.upper()]["label"] = label
        self.save()
