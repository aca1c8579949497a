"""The file server, as dtam asks for it: answers come from the other files of this folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from orchestrator.model.inventory import Inventory
from orchestrator.model.ports import HealthProbe
from orchestrator.model.servers import Pair, Where
from orchestrator.model.settings import RuleSettings, ServiceSettings, Settings
from orchestrator.model.steps import Step
from orchestrator.sdk.application import Planning
from orchestrator.sdk.checks import Check
from orchestrator.sdk.context import Ports
from plugins.fileserver import discover, inventory, parts, returning, rules, steps
from plugins.fileserver.checks import CHECKS


class FileServer:
    """A file server on Linux: directories, and the services that share them out."""

    name = "fileprint"
    title = "file server"

    def inventory(self, ports: Ports, settings: Settings) -> Inventory:
        """Ask both servers, the names and the witness."""
        return inventory.inventory(ports, settings)

    def defaults(self, pair: Pair, found: Inventory | None, given: Mapping[str, Any]) -> dict[str, Any]:
        """What is proposed for a pair."""
        return discover.defaults(pair, found, given)

    def rules(self, settings: Settings) -> tuple[RuleSettings, ...]:
        """Everything below the directories, unless overridden."""
        return rules.rules(settings)

    def services(self, settings: Settings) -> tuple[ServiceSettings, ...]:
        """The services in start order."""
        return settings.failover.services

    def checks(self) -> Sequence[Check]:
        """All checks."""
        return CHECKS

    def protect(self, planning: Planning) -> Iterable[Step]:
        """From nothing to protected."""
        return steps.protect(planning)

    def unprotect(self, planning: Planning) -> Iterable[Step]:
        """From protected to nothing."""
        return steps.unprotect(planning)

    def failover(self, planning: Planning) -> Iterable[Step]:
        """The service moves to the target."""
        return steps.failover(planning)

    def restore(self, planning: Planning) -> Iterable[Step]:
        """The source's data is brought in step."""
        return returning.restore(planning)

    def failback(self, planning: Planning) -> Iterable[Step]:
        """Data and service come back, protected again."""
        return returning.failback(planning)

    def refusals(self, kind: str, planning: Planning) -> Iterator[str]:
        """Why a plan must not be executed now."""
        needed = {
            "failover": (Where.SOURCE, Where.TARGET) if planning.graceful else (Where.TARGET,),
            "unprotect": (),
        }.get(kind, (Where.SOURCE, Where.TARGET))
        for where in needed:
            side = planning.inventory.on(where)
            if side.unreachable:
                yield f"the {where} {side.name} does not answer: {side.unreachable}"
        if kind != "unprotect" and not planning.protection.settings.connection.roots:
            yield "no directory is protected: connection.roots is empty"
        if kind == "failback" or (kind == "failover" and planning.graceful):
            yield from _changed_scripts(planning)
        failover = planning.protection.settings.failover
        if kind == "failover" and planning.graceful and failover.samba is not None:
            yield "a Samba file server is not handed over: its clients' open files and locks cannot move; dtam failover --force once it is down"
        moves = planning.names is not None or not failover.moves_names
        if kind in {"failover", "failback"} and not moves:
            yield "the DNS changes of a failover were never gathered: dtam enable gathers them"

    def health(self, settings: Settings) -> HealthProbe:
        """How clients see it."""
        return parts.probe(settings)


def _changed_scripts(planning: Planning) -> Iterator[str]:
    """What an engine would refuse to run is better refused before anything is stopped."""
    for where in (Where.SOURCE, Where.TARGET):
        side = planning.inventory.on(where)
        for protection, script in side.changed_scripts:
            if protection == planning.protection.id:
                yield f"{script} was changed on {side.name} since its delivery: dtam scripts accept {script}, or deliver"
