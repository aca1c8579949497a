"""What checks say: passed, warning or error, with what, where, why it matters, a remedy, and perhaps a fix made of steps."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from orchestrator.model.steps import Step


class Severity(StrEnum):
    """How bad it is. An error forbids protection, a warning is shown."""

    PASSED = "passed"
    WARNING = "warning"
    ERROR = "error"


class Finding(msgspec.Struct, frozen=True):
    """One sentence about one thing. ``check`` is the kebab-case id; ``needs`` names checks whose fixes must come before this one's.

    ``remedy`` is what a person does when there is no ``fix``.
    """

    check: str
    severity: Severity
    what: str
    where: str = ""
    why: str = ""
    remedy: str = ""
    fix: tuple[Step, ...] = ()
    needs: tuple[str, ...] = ()

    @property
    def fixable(self) -> bool:
        """Whether dtam can mend it by itself."""
        return bool(self.fix)

    def line(self) -> str:
        """The finding in one line, with the check it came from."""
        place = f" [{self.where}]" if self.where else ""
        return f"{self.severity}: {self.what}{place} (via {self.check})"
