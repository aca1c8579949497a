"""SQL Server, as dtam asks for it: answers come from the other files of this folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from orchestrator.model.inventory import Inventory
from orchestrator.model.points import Point
from orchestrator.model.ports import HealthProbe
from orchestrator.model.servers import Pair, Platform
from orchestrator.model.settings import RuleSettings, ServiceSettings, Settings
from orchestrator.model.steps import Step
from orchestrator.sdk.application import Planning
from orchestrator.sdk.checks import Check
from orchestrator.sdk.context import Ports
from orchestrator.sdk.pair_plans import engines as pairs_of_engines
from orchestrator.sdk.pair_plans import engines_back, volumes_back
from orchestrator.sdk.pair_plans import volumes as pairs_of_volumes
from plugins.sql import asking_clients, discover, engines, inventory, points, refusals, rules, volumes
from plugins.sql.checks import CHECKS


class SqlServer:
    """SQL Server on Linux, with dtam's engines, or on Windows, whose volumes something else keeps in step."""

    name = "sql"
    title = "SQL Server"

    def inventory(self, ports: Ports, settings: Settings) -> Inventory:
        """Ask both servers, their instances, the names and the witness."""
        return inventory.inventory(ports, settings)

    def defaults(self, pair: Pair, found: Inventory | None, given: Mapping[str, Any]) -> dict[str, Any]:
        """What is proposed for a pair."""
        return discover.defaults(pair, found, given)

    def rules(self, settings: Settings) -> tuple[RuleSettings, ...]:
        """The overriding rules, or the generated ones as far as they follow from the settings alone."""
        return rules.rules(settings)

    def services(self, settings: Settings) -> tuple[ServiceSettings, ...]:
        """The services in start order."""
        return settings.failover.services

    def checks(self) -> Sequence[Check]:
        """All checks."""
        return CHECKS

    def protect(self, planning: Planning) -> Iterable[Step]:
        """From nothing to protected."""
        if on_windows(planning):
            return pairs_of_volumes.protect(volumes.DEEDS, planning)
        return pairs_of_engines.protect(engines.DEEDS, planning)

    def unprotect(self, planning: Planning) -> Iterable[Step]:
        """From protected to nothing."""
        if on_windows(planning):
            return pairs_of_volumes.unprotect(volumes.DEEDS, planning)
        return pairs_of_engines.unprotect(engines.DEEDS, planning)

    def failover(self, planning: Planning) -> Iterable[Step]:
        """The instances, or the databases, move to the target."""
        if on_windows(planning):
            return pairs_of_volumes.failover(volumes.DEEDS, planning)
        return pairs_of_engines.failover(engines.DEEDS, planning)

    def restore(self, planning: Planning) -> Iterable[Step]:
        """The source's data is brought in step."""
        return volumes_back.restore(planning) if on_windows(planning) else engines_back.restore(engines.DEEDS, planning)

    def failback(self, planning: Planning) -> Iterable[Step]:
        """Data and service come back, protected again."""
        if on_windows(planning):
            return volumes_back.failback(volumes.DEEDS, planning)
        return engines_back.failback(engines.DEEDS, planning)

    def refusals(self, kind: str, planning: Planning) -> Iterator[str]:
        """Why a plan must not be executed now."""
        yield from refusals.refusals(kind, planning)

    def points(self, planning: Planning) -> Sequence[Point]:
        """What is asked beside the server."""
        return points.points(planning, by_target=False)

    def health(self, settings: Settings) -> HealthProbe:
        """How clients see it."""
        return asking_clients.probe(settings)


def on_windows(planning: Planning) -> bool:
    """Whether the pair is one of Windows servers."""
    return planning.protection.pair.source.platform is Platform.WINDOWS
