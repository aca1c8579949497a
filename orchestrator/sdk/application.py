"""What a plugin is: one class that answers for one kind of application.

A plugin asks and proposes; it never executes. The stages own the order: discover -> configure -> validate -> plan. Everything
a plugin learns comes through the ports it is given, everything it wants done leaves it as steps. Plugins are found by the
entry point group ``dtam.plugins``; the entry's name is the application's (``fileprint``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from orchestrator.model.inventory import Inventory
from orchestrator.model.names import NameChanges
from orchestrator.model.plan import DeliveredScript
from orchestrator.model.points import Point
from orchestrator.model.ports import HealthProbe
from orchestrator.model.protections import Protection
from orchestrator.model.restoring import WHOLE, Restoring
from orchestrator.model.servers import Pair
from orchestrator.model.settings import RuleSettings, ServiceSettings, Settings
from orchestrator.model.steps import Step
from orchestrator.sdk.checks import Check
from orchestrator.sdk.context import Ports


class Planning(msgspec.Struct, frozen=True):
    """All that planning may look at: values only, so that the same values give the same plan.

    ``scripts`` are the scripts as rendered with people's part; ``names`` the DNS changes of a failover as gathered; ``epoch``
    is the one now held; ``forced`` is a person's word that the source is down, ``graceful`` that it is up and handed over; ``data`` is
    what a failover goes on with (apply, discard, snapshot:ID), empty: as the settings say. ``restoring`` is how a restore is wanted; where it
    goes to another server, that one is the source of ``protection``.
    """

    protection: Protection
    inventory: Inventory
    epoch: int = 0
    scripts: tuple[DeliveredScript, ...] = ()
    names: NameChanges | None = None
    graceful: bool = False
    forced: bool = False
    stop_monitoring: bool = False
    by: str = ""
    data: str = ""
    restoring: Restoring = WHOLE


class Application(Protocol):
    """One kind of application. Methods that plan are pure: same values in, same steps out."""

    @property
    def name(self) -> str:
        """The word on the command line, such as ``fileprint``."""
        ...

    @property
    def title(self) -> str:
        """What people call it, such as ``file server``."""
        ...

    def inventory(self, ports: Ports, settings: Settings) -> Inventory:
        """Ask both servers, the names and the witness. What does not answer is recorded with its reason, never raised."""
        ...

    def defaults(self, pair: Pair, inventory: Inventory | None, given: Mapping[str, Any]) -> dict[str, Any]:
        """The settings this application proposes for a pair, as a nested mapping; the weakest layer but one (model defaults).

        ``inventory`` holds what both hosts say of their file sharing, where somebody asked them; ``given`` is what people chose.
        """
        ...

    def rules(self, settings: Settings) -> tuple[RuleSettings, ...]:
        """The generated replication rules, or the overriding ones."""
        ...

    def services(self, settings: Settings) -> tuple[ServiceSettings, ...]:
        """The services in start order; the required ones are always among them."""
        ...

    def checks(self) -> Sequence[Check]:
        """Its checks, in the order in which they are reported."""
        ...

    def protect(self, planning: Planning) -> Iterable[Step]:
        """Steps from nothing to protected."""
        ...

    def unprotect(self, planning: Planning) -> Iterable[Step]:
        """Steps from protected to nothing; the service goes on where it is."""
        ...

    def failover(self, planning: Planning) -> Iterable[Step]:
        """Steps that move the service to the target. Those with a ``script`` are rendered into post_failover at enable."""
        ...

    def restore(self, planning: Planning) -> Iterable[Step]:
        """Steps that bring the source's data in step while the target serves."""
        ...

    def failback(self, planning: Planning) -> Iterable[Step]:
        """Steps that bring the data and then the service back to the source, and protect it again."""
        ...

    def refusals(self, kind: str, planning: Planning) -> Iterable[str]:
        """Reasons why a plan of that kind must not be executed now; each one sentence."""
        ...

    def points(self, planning: Planning) -> Sequence[Point]:
        """What `dtam serve` asks the application, beside its server: its built-in monitoring points."""
        ...

    def health(self, settings: Settings) -> HealthProbe:
        """How the service is asked through the clients' name."""
        ...
