"""From a Windows path to the real one: drives, volumes' GUID paths, shadow copies, shares."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.lab.windows.machine.paths import DRIVE, LONGEST, SHADOW, UNC, VOLUME_GUID, bad_name, found_below, parts_of
from tests.lab.windows.machine.refusals import Refused

if TYPE_CHECKING:
    from tests.lab.windows.machine.machine import Machine


@dataclass(frozen=True)
class Located:
    """A place of a file: ``windows`` as Windows writes it, ``real`` where it lies, ``volume`` None on a shadow copy."""

    windows: str
    real: Path
    volume: dict[str, Any] | None
    is_root: bool = False

    @property
    def writable(self) -> bool:
        """A shadow copy is not."""
        return self.volume is not None


def _no_path(message: str, code: int, path: str) -> Refused:
    return Refused(
        message, "PathNotFound", "ObjectNotFound", "System.Management.Automation.ItemNotFoundException", path, code
    )


class Files:
    """The machine's name space of files."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def open_path(self, windows_path: str) -> Path:
        """The real path behind a full Windows path; it need not exist."""
        return self.locate(windows_path).real

    def locate(self, path: str, location: str = "C:\\") -> Located:
        """Find the place of ``path``; one without a drive is taken below ``location``.

        Raises:
            Refused: no such drive, a device that is not ready, a name that Windows does not take, a path that is too long.
        """
        text = (
            path.replace("/", "\\").removeprefix("Microsoft.PowerShell.Core\\FileSystem::").removeprefix("FileSystem::")
        )
        if shadow := SHADOW.match(text):
            copy = self._machine.shadows.directory(int(shadow[1]))
            return self._below(text[: shadow.end(1)], copy, shadow[2] or "", None)
        if guid := VOLUME_GUID.match(text):
            volume = self._machine.volumes.usable(text[: guid.end(1) + 1])
            return self._below(text[: guid.end(1) + 1], self._machine.volumes.directory(volume), guid[2] or "", volume)
        if unc := UNC.match(text):
            return self._shared(text, unc[1], unc[2], unc[3] or "")
        text = text.removeprefix("\\\\?\\") if DRIVE.match(text.removeprefix("\\\\?\\")) else text
        if not DRIVE.match(text):
            text = location[:2] + text if text.startswith("\\") else f"{location.rstrip(chr(92))}\\{text}"
        if UNC.match(text):
            return self.locate(text)
        drive = DRIVE.match(text)
        if drive is None:
            raise _no_path(f"Cannot find path '{path}' because it does not exist.", 3, path)
        rest = drive[2]
        if not rest.startswith("\\") and location[:1].upper() == drive[1].upper():
            rest = f"{location[2:].rstrip(chr(92))}\\{rest}"
        volume = self._machine.volumes.usable(f"{drive[1]}:")
        return self._below(f"{drive[1].upper()}:", self._machine.volumes.directory(volume), rest, volume)

    def _below(self, prefix: str, root: Path, rest: str, volume: dict[str, Any] | None) -> Located:
        parts = parts_of(rest)
        for part in parts:
            if bad_name(part):
                message = "The given path's format is not supported." if ":" in part else "Illegal characters in path."
                raise Refused(
                    message,
                    "ItemExistsNotSupportedError",
                    "InvalidOperation",
                    "System.NotSupportedException",
                    part,
                    123,
                )
        real = found_below(root, parts)
        named = real.relative_to(root).parts
        windows = f"{prefix}\\{chr(92).join(named)}"
        if len(windows) >= LONGEST and not prefix.startswith("\\\\?"):
            message = (
                "The specified path, file name, or both are too long. The fully qualified file name must be less than 260 characters, "
                "and the directory name must be less than 248 characters."
            )
            raise Refused(
                message, "System.IO.PathTooLongException", "WriteError", "System.IO.PathTooLongException", windows, 206
            )
        return Located(windows, real, volume, not parts)

    def _shared(self, text: str, host: str, share: str, rest: str) -> Located:
        names = {
            one.lower()
            for one in (*self._machine.computer.served_names(), "localhost", "127.0.0.1", *self._machine.network.own())
        }
        if host.lower() not in names:
            raise _no_path(f"Cannot find path '{text}' because it does not exist.", 53, text)
        offered = self._machine.shares.offered(share)
        if offered is None:
            raise _no_path(f"Cannot find path '{text}' because it does not exist.", 67, text)
        inside = self.locate(offered["path"].rstrip("\\") + "\\" + rest.lstrip("\\"))
        return Located(text, inside.real, inside.volume, not parts_of(rest))
