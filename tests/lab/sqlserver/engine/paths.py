"""Paths as the instance reports them (``E:\\data\\x.mdf``, ``/var/opt/mssql/data/x.mdf``) and the files that they are here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class NoSuchVolume(Exception):
    """Operating system error 3: nothing is mounted there."""


@dataclass(frozen=True)
class Volumes:
    """Which directory stands for which prefix."""

    platform: str
    mapping: Mapping[str, Path]

    @property
    def separator(self) -> str:
        """Of reported paths."""
        return "\\" if self.platform == "windows" else "/"

    def real(self, reported: str) -> Path:
        """The file of a reported path. Raises NoSuchVolume."""
        normal = reported.replace("\\", "/") if self.platform == "windows" else reported
        for prefix in sorted(self.mapping, key=len, reverse=True):
            wanted = prefix.replace("\\", "/").rstrip("/")
            if self._same(normal[: len(wanted)], wanted) and normal[len(wanted) : len(wanted) + 1] in {"/", ""}:
                rest = [part for part in normal[len(wanted) :].split("/") if part and part != "."]
                return self._descend(Path(self.mapping[prefix]), rest)
        raise NoSuchVolume(reported)

    def _same(self, one: str, other: str) -> bool:
        return one.lower() == other.lower() if self.platform == "windows" else one == other

    def _descend(self, here: Path, rest: list[str]) -> Path:
        for part in rest:
            here = here / part if self.platform != "windows" else _ignoring_case(here, part)
        return here

    def join(self, directory: str, name: str) -> str:
        """A reported path inside a reported directory."""
        return directory.rstrip("/\\") + self.separator + name

    def directory(self, reported: str) -> str:
        """The reported directory of a reported path, without the last separator."""
        return reported.rpartition(self.separator)[0]

    def base(self, reported: str) -> str:
        """The last part."""
        return reported.rpartition(self.separator)[2]


def _ignoring_case(directory: Path, name: str) -> Path:
    exact = directory / name
    if exact.exists():
        return exact
    try:
        entries = [entry for entry in directory.iterdir() if entry.name.lower() == name.lower()]
    except OSError:
        entries = []
    return entries[0] if entries else exact
