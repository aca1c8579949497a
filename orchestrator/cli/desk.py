"""What every command finds on its desk: the chosen application, the state directory, the pipeline (opened when first needed).

Nothing of the pipeline is read before that: ``dtam step`` runs while clients wait, and needs none of it.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.cli.errors import ApplicationNotChosen, PluginNotInstalled, ProtectionNotChosen
from orchestrator.cli.guard import open_log, prepare_home

if TYPE_CHECKING:
    from orchestrator.model.protections import Protection
    from orchestrator.pipeline import Pipeline


@dataclass(slots=True)
class Desk:
    """Made once by the program; handed to commands by click."""

    application: str | None
    home: Path
    advanced: bool = False
    _pipeline: Pipeline | None = field(default=None, repr=False)

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline over the state directory; the directory is made when it is not there.

        Raises:
            HomeNotUsable, StoreUnusable.
        """
        if self._pipeline is None:
            from orchestrator.pipeline import Pipeline  # noqa: PLC0415

            open_log(prepare_home(self.home))
            self._pipeline = Pipeline(self.home, who())
        return self._pipeline

    def close(self) -> None:
        """End what was opened."""
        if self._pipeline is not None:
            self._pipeline.close()

    def require_plugin(self, application: str) -> None:
        """Raises PluginNotInstalled with the names of those that are."""
        installed = _installed()
        if application not in installed:
            raise PluginNotInstalled(application=application, installed=", ".join(sorted(installed)) or "none")

    def chosen_application(self, command: str, fallback: str | None = None) -> str:
        """The application of the words before the command, else of the file; raises ApplicationNotChosen."""
        chosen = self.application or fallback
        if chosen is None:
            choices = ", ".join(f"--{name}" for name in sorted(_installed()))
            raise ApplicationNotChosen(command=command, choices=choices)
        self.require_plugin(chosen)
        return chosen

    def protection(self, name: str | None, command: str) -> Protection:
        """The named protection, or the only one of the chosen application.

        Raises:
            ProtectionUnknown, ProtectionNotChosen.
        """
        store = self.pipeline.store
        if name is not None:
            return store.protection(name)
        found = store.protections(self.application)
        if len(found) == 1:
            return found[0]
        names = ", ".join(each.id for each in found) or "none yet: dtam --fileprint setup makes one"
        raise ProtectionNotChosen(names=names, command=command)


def _installed() -> Collection[str]:
    from orchestrator.pipeline import installed_applications  # noqa: PLC0415

    return installed_applications()


def who() -> str:
    """The person at the keyboard, for the audit: the one behind sudo where there is one."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.geteuid()}"
