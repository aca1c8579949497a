"""What every command finds on its desk: the chosen application, the state directory, the pipeline (opened when first needed).

Nothing of the pipeline is read before that: ``dtam step`` runs while clients wait, and needs none of it.
"""

from __future__ import annotations

import getpass
import logging
import os
import shlex
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.errors import ApplicationNotChosen, PluginNotInstalled, ProtectionNotChosen
from orchestrator.cli.guard import open_log, prepare_home

if TYPE_CHECKING:
    from orchestrator.model.protections import Protection
    from orchestrator.pipeline import Pipeline
    from orchestrator.store.options import Options

log = logging.getLogger("dtam")


@dataclass(slots=True)
class Desk:
    """Made once by the program; handed to commands by click."""

    application: str | None
    home: Path
    modes: frozenset[str] = frozenset()
    words: tuple[str, ...] = ()
    _pipeline: Pipeline | None = field(default=None, repr=False)
    _options: Options | None = field(default=None, repr=False)

    @property
    def options(self) -> Options:
        """The options of this state directory.

        Raises:
            OptionsUnreadable.
        """
        if self._options is None:
            from orchestrator.store.options import read  # noqa: PLC0415

            self._options = read(self.home)
        return self._options

    @property
    def advanced(self) -> bool:
        """Whether setup asks for advanced settings, too."""
        return "advanced" in self.modes or self.options.advanced

    @property
    def alternative_dns(self) -> bool:
        """Whether the names are in a DNS of another make than Active Directory's."""
        return "altdns" in self.modes or self.options.alternative_dns

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline over the state directory; the directory is made when it is not there.

        Raises:
            HomeNotUsable, StoreUnusable.
        """
        if self._pipeline is None:
            from orchestrator.pipeline import Pipeline  # noqa: PLC0415

            open_log(prepare_home(self.home), verbose=self.options.verbose, limit_bytes=self.options.log_bytes)
            log.info("dtam %s", shlex.join(self.words))
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
            return self._remembered(store.protection(name))
        found = store.protections(self.application)
        if len(found) == 1:
            return found[0]
        last = self.options.last.get(self.application or "") if self.options.load_last else None
        for each in found:
            if each.id == last:
                click.echo(f"{each.id}, as last time", err=True)
                return each
        names = ", ".join(each.id for each in found) or "none yet: dtam --fileprint setup makes one"
        raise ProtectionNotChosen(names=names, command=command)

    def _remembered(self, protection: Protection) -> Protection:
        """The same; where the last one is loaded, it is the last one from now on, for its application and for all."""
        meant = dict.fromkeys(("", protection.application), str(protection.id))
        if self.options.load_last and meant.items() - self.options.last.items():
            from orchestrator.store.options import changed, write  # noqa: PLC0415

            self._options = changed(self.options, {"last": self.options.last | meant})
            write(self.home, self._options)
        return protection


def modes(**said: bool) -> frozenset[str]:
    """The words that were said before the command."""
    return frozenset(word for word, meant in said.items() if meant)


def _installed() -> Collection[str]:
    from orchestrator.pipeline import installed_applications  # noqa: PLC0415

    return installed_applications()


def who() -> str:
    """The person at the keyboard, for the audit: the one behind sudo where there is one."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.geteuid()}"
