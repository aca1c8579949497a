"""Machines in a test's own process, without a wire and without a domain: what they have for a clock, a directory and our scripts."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import resources

from tests.lab.windows.machine.machine import Machine

BIN = "C:\\Program Files\\dtam\\bin"


@dataclass
class PassingClock:
    """Seconds that go on while somebody waits."""

    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """They pass at once."""
        self.now += seconds


@dataclass
class AlternateNames:
    """The alternate names of computers' accounts, as netdom uses them."""

    names: dict[str, list[str]] = field(default_factory=dict)

    def alternate_names(self, account: str) -> list[str]:
        """Those of one account."""
        return self.names.setdefault(account.lower(), [])

    def add_alternate_name(self, account: str, name: str) -> None:
        """One more."""
        self.alternate_names(account).append(name)

    def remove_alternate_name(self, account: str, name: str) -> None:
        """One less."""
        self.alternate_names(account).remove(name)


def lay(machine: Machine) -> None:
    """All scripts that dtam installs on a server lie on it."""
    for script in (resources.files("scripts") / "windows").iterdir():
        place = machine.files.open_path(f"{BIN}\\{script.name}")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(script.read_text(encoding="utf-8-sig").encode("utf-8-sig"))
