"""The file server, as dtam asks for it: answers come from the other files of this folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from orchestrator.model.inventory import Inventory
from orchestrator.model.points import Point
from orchestrator.model.ports import HealthProbe
from orchestrator.model.servers import Pair, Platform, Where
from orchestrator.model.settings import RuleSettings, ServiceSettings, Settings
from orchestrator.model.steps import Step
from orchestrator.sdk.application import Planning
from orchestrator.sdk.checks import Check
from orchestrator.sdk.context import Ports
from orchestrator.sdk.pair_plans import engines, engines_back, parts, volumes, volumes_back
from orchestrator.sdk.pair_plans.points import by_name
from plugins.fileserver import discover, inventory, rules, taking
from plugins.fileserver.checks import CHECKS
from plugins.fileserver.windows import discover as windows_discover
from plugins.fileserver.windows import inventory as windows_inventory
from plugins.fileserver.windows import refusals as windows_refusals
from plugins.fileserver.windows import taking as windows_taking


class FileServer:
    """A file server, on Linux or on Windows: directories, and the services that share them out. The settings say which."""

    name = "fileprint"
    title = "file server"

    def inventory(self, ports: Ports, settings: Settings) -> Inventory:
        """Ask both servers, the names and the witness."""
        ask = windows_inventory.inventory if windows(settings) else inventory.inventory
        return ask(ports, settings)

    def defaults(self, pair: Pair, found: Inventory | None, given: Mapping[str, Any]) -> dict[str, Any]:
        """What is proposed for a pair."""
        proposed = discover.defaults(pair, found, given)
        if pair.source.platform is pair.target.platform is Platform.WINDOWS:
            return overlaid(proposed, windows_discover.defaults(pair, found, given))
        return proposed

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
        own = windows(planning.protection.settings)
        return volumes.protect(windows_taking.DEEDS, planning) if own else engines.protect(taking.DEEDS, planning)

    def unprotect(self, planning: Planning) -> Iterable[Step]:
        """From protected to nothing."""
        own = windows(planning.protection.settings)
        return volumes.unprotect(windows_taking.DEEDS, planning) if own else engines.unprotect(taking.DEEDS, planning)

    def failover(self, planning: Planning) -> Iterable[Step]:
        """The service moves to the target."""
        own = windows(planning.protection.settings)
        return volumes.failover(windows_taking.DEEDS, planning) if own else engines.failover(taking.DEEDS, planning)

    def restore(self, planning: Planning) -> Iterable[Step]:
        """The source's data is brought in step."""
        own = windows(planning.protection.settings)
        return volumes_back.restore(planning) if own else engines_back.restore(taking.DEEDS, planning)

    def failback(self, planning: Planning) -> Iterable[Step]:
        """Data and service come back, protected again."""
        own = windows(planning.protection.settings)
        return (
            volumes_back.failback(windows_taking.DEEDS, planning)
            if own
            else engines_back.failback(taking.DEEDS, planning)
        )

    def refusals(self, kind: str, planning: Planning) -> Iterator[str]:
        """Why a plan must not be executed now."""
        if windows(planning.protection.settings):
            yield from windows_refusals.refusals(kind, planning)
            return
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
            yield from parts.changed_scripts(planning)
        failover = planning.protection.settings.failover
        if kind == "failover" and planning.graceful and failover.samba is not None:
            yield "a Samba file server is not handed over: its clients' open files and locks cannot move; dtam failover --force once it is down"
        moves = planning.names is not None or not failover.moves_names
        if kind in {"failover", "failback"} and not moves:
            yield "the DNS changes of a failover were never gathered: dtam enable gathers them"

    def points(self, planning: Planning) -> Sequence[Point]:
        """What is asked beside the server."""
        return by_name(planning)

    def health(self, settings: Settings) -> HealthProbe:
        """How clients see it."""
        return parts.probe(settings)


def windows(settings: Settings) -> bool:
    """Whether the protection is of a Windows file server."""
    return settings.failover.windows is not None


def overlaid(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """A nested mapping with another one on top."""
    merged = dict(below)
    for name, value in above.items():
        kept = merged.get(name)
        merged[name] = overlaid(kept, value) if isinstance(kept, dict) and isinstance(value, Mapping) else value
    return merged
