"""Service names moved by whoever executes: the ``ServiceNames`` port over ``dtam step``'s own code, with the undo below the state directory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.identity import step as steps
from orchestrator.identity.report import Report
from orchestrator.identity.step import Deed, Hands, What


class DirectoryServiceNames:
    """The ``ServiceNames`` port. ``folder`` holds the undo of each protection; it is as safe as the journal beside it."""

    def __init__(self, folder: Path, access: Mapping[str, Any], hands: Hands | None = None) -> None:
        self._folder = folder
        self._access = dict(access)
        self._hands = hands or Hands()

    def taken(self, protection: str, document: Mapping[str, Any]) -> tuple[bool, str]:
        """Whether the target alone owns every wanted name."""
        report = self._do(Deed.SHOW, protection, document)
        return report.so, _says(report)

    def take(self, protection: str, document: Mapping[str, Any]) -> None:
        """The target alone owns them."""
        self._do(Deed.TAKE, protection, document)

    def given_back(self, protection: str, document: Mapping[str, Any]) -> tuple[bool, str]:
        """Whether nothing is left to be given back."""
        report = self._do(Deed.BACK, protection, document, dry=True)
        return report.so, _says(report)

    def give_back(self, protection: str, document: Mapping[str, Any]) -> None:
        """Both accounts hold what they held before."""
        self._do(Deed.BACK, protection, document)

    def _do(self, deed: Deed, protection: str, document: Mapping[str, Any], *, dry: bool = False) -> Report:
        place = self._folder / protection
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = msgspec.json.encode({**document, "directory": self._access})
        return steps.step(What.SPNS, deed, text, place / "spns.json", dry=dry, hands=self._hands)


def _says(report: Report) -> str:
    lines = [*(one.text().strip() for one in report.lines), *report.remarks]
    return "; ".join(lines) or ("so already" if report.so else "not yet")
