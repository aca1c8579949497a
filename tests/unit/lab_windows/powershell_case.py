"""Runs a script of the subset on a machine that has a directory for its drive C: and nothing else."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.windows.powershell.commands import Session
from tests.lab.windows.powershell.run import Ran, run


@dataclass
class Drive:
    """Drive C: as a directory."""

    root: Path

    def open_path(self, windows_path: str) -> Path:
        """The real path, names taken as they are."""
        return self.root.joinpath(*windows_path.partition("\\")[2].split("\\"))


@dataclass
class Name:
    """What the machine is called."""

    name: str = "ALPHA"

    def environment(self) -> dict[str, str]:
        """The variables of a new process."""
        return {"COMPUTERNAME": self.name, "SystemRoot": "C:\\Windows", "TEMP": "C:\\Temp"}


@dataclass
class Bare:
    """A machine with nothing but what the language asks for."""

    files: Drive
    computer: Name = field(default_factory=Name)

    def now(self) -> float:
        """The clock."""
        return time.time()


def bare(root: Path) -> Bare:
    """A machine whose drive C: is this directory."""
    (root / "Temp").mkdir(exist_ok=True)
    return Bare(Drive(root))


def lines(ran: Ran) -> list[str]:
    """Standard output by lines."""
    return ran.stdout.decode().split("\r\n")[:-1]


def said(machine: Bare, text: str, session: Session | None = None) -> list[str]:
    """What a script puts out; it must end well."""
    ran = run(text, machine, session)
    assert ran.exit_code == 0, ran
    assert ran.stderr == b"", ran
    return lines(ran)


def refused(machine: Bare, text: str, session: Session | None = None) -> str:
    """The FullyQualifiedErrorId a script ends with."""
    ran = run(text, machine, session)
    assert ran.exit_code != 0, ran
    found = [
        line.partition(" : ")[2] for line in ran.stderr.decode().split("\r\n") if "+ FullyQualifiedErrorId" in line
    ]
    return found[-1] if found else ran.stderr.decode()
