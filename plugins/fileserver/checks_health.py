"""Whether anybody sees that clients are served."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.model.findings import Finding
from orchestrator.sdk.checks import View, check
from orchestrator.sdk.pair_plans.parts import has_probe


@check("health-not-configured", sets=("basic", "failover"), passed="it is known how clients see the service")
def health_missing(view: View) -> Iterator[Finding]:
    """A failover is done only when the application answers through the clients' name."""
    if not has_probe(view.settings):
        yield view.error(
            "it is not known how clients see the service",
            where=view.place("failover.health.url"),
            why="a failover counts as done only when the service answers through the clients' name",
            remedy="give failover.health.url, such as http://{name}/, or failover.health.command",
        )


HEALTH = (health_missing,)
