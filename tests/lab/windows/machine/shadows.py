"""Volume shadow copies: a real copy of the volume's tree, readable through its device path."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path
from typing import Any

from tests.lab.windows.machine.part import Part
from tests.lab.windows.machine.refusals import Refused

CREATE_RESULTS = {
    0: "Success.",
    1: "Access denied.",
    2: "Invalid argument.",
    3: "Specified volume not found.",
    9: "The maximum number has been reached.",
}
CONTEXTS = ("ClientAccessible", "Backup", "FileShareBackup", "NASRollback", "AppRollback", "ClientAccessibleWriters")
MOST = 64  # client-accessible copies of a volume


class Shadows(Part):
    """The copies, the oldest first."""

    file = "shadows"

    def fresh(self) -> dict[str, Any]:
        return {"copies": [], "next": 1}

    def boot(self) -> None:
        """Leave out copies whose directory never came to its end."""
        self.data["copies"] = [one for one in self.data["copies"] if self._place(one["number"]).is_dir()]

    def _place(self, number: int) -> Path:
        return self.machine.directory / "shadows" / str(number)

    def all(self) -> list[dict[str, Any]]:
        """Every copy."""
        return list(self.data["copies"])

    def create(self, volume_name: str, context: str = "ClientAccessible") -> tuple[int, str]:
        """Make one: the result's number as Win32_ShadowCopy.Create returns it, and the copy's id."""
        volume = self.machine.volumes.find(volume_name)
        if context not in CONTEXTS:
            return 5, ""  # unsupported shadow copy context
        if volume is None or not volume_name.endswith("\\"):
            return (3 if volume is None else 2), ""
        if volume["file_system"] not in {"NTFS", "ReFS"} or volume["blocked"]:
            return 4, ""  # volume not supported
        if sum(1 for one in self.data["copies"] if one["letter"] == volume["letter"]) >= MOST:
            return 9, ""
        number = self.data["next"]
        self.data["next"] += 1
        self.save()
        part = self._place(number).with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        shutil.copytree(self.machine.volumes.directory(volume), part, symlinks=True)
        part.rename(self._place(number))
        made = {
            "id": "{" + str(uuid.uuid4()).upper() + "}",
            "set": "{" + str(uuid.uuid4()).upper() + "}",
            "number": number,
            "letter": volume["letter"],
            "volume": f"\\\\?\\Volume{{{volume['guid']}}}\\",
            "device": f"\\\\?\\GLOBALROOT\\Device\\HarddiskVolumeShadowCopy{number}",
            "time": self.machine.now(),
            "client_accessible": context.startswith("ClientAccessible"),
        }
        self.data["copies"].append(made)
        self.save()
        return 0, made["id"]

    def find(self, copy_id: str) -> dict[str, Any] | None:
        """By its id, with or without braces."""
        bare = copy_id.strip("{}").lower()
        return next((one for one in self.data["copies"] if one["id"].strip("{}").lower() == bare), None)

    def delete(self, copy_id: str) -> bool:
        """Remove one; False when there is none."""
        found = self.find(copy_id)
        if found is None:
            return False
        self.data["copies"].remove(found)
        self.save()
        shutil.rmtree(self._place(found["number"]), ignore_errors=True)
        return True

    def revert(self, copy_id: str) -> None:
        """Put the volume back to the copy; not the system's volume."""
        found = self.find(copy_id)
        if found is None:
            raise Refused("Error: The shadow copy ID was not found.", "vssadmin", code=2)  # text not confirmed
        if found["letter"] == "C":
            raise Refused("Error: The volume cannot be reverted.", "vssadmin", code=2)  # text not confirmed
        target = self.machine.volumes.directory(self.machine.volumes.data["volumes"][found["letter"]])
        for one in target.iterdir():
            shutil.rmtree(one) if one.is_dir() and not one.is_symlink() else one.unlink()
        shutil.copytree(self._place(found["number"]), target, symlinks=True, dirs_exist_ok=True)

    def directory(self, number: int) -> Path:
        """Where the copy lies; refused when it is gone."""
        if not any(one["number"] == number for one in self.data["copies"]):
            message = "The system cannot find the path specified."
            raise Refused(
                message, "PathNotFound", "ObjectNotFound", "System.Management.Automation.ItemNotFoundException", None, 3
            )
        return self._place(number)
