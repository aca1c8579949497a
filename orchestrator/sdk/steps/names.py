"""Steps about the clients: their names in DNS, and their own view."""

from __future__ import annotations

from orchestrator.model.names import NameChanges
from orchestrator.model.ports import HealthProbe
from orchestrator.model.servers import Where
from orchestrator.model.steps import ScriptCall, Step
from orchestrator.sdk.steps.making import NOTHING, act


def move_names(changes: NameChanges, call: ScriptCall | None, where: Where = Where.ORCHESTRATOR) -> Step:
    """DNS leads clients to the target."""
    return Step(
        "names-to-target",
        where,
        "lead the clients' names to the target in DNS",
        act("names-moved", changes=changes),
        act("move-names", changes=changes),
        act("put-names-back", changes=changes),
        before=changes.before,
        after=changes.after,
        script=call,
        downtime=True,
    )


def add_names(changes: NameChanges) -> Step:
    """Records that are missing are there."""
    return Step(
        "add-names",
        Where.ORCHESTRATOR,
        "add the clients' name to DNS",
        act("names-moved", changes=changes),
        act("move-names", changes=changes),
        act("put-names-back", changes=changes),
        after=changes.after,
    )


def put_names_back(changes: NameChanges) -> Step:
    """DNS is exactly as it was before the failover."""
    return Step(
        "names-to-source",
        Where.ORCHESTRATOR,
        "put the clients' names back in DNS exactly as they were",
        act("names-put-back", changes=changes),
        act("put-names-back", changes=changes),
        act("move-names", changes=changes),
        before=changes.after,
        after=changes.before,
        downtime=True,
    )


def set_ttl(changes: NameChanges) -> Step:
    """Records with a TTL that clients would hold on to for too long get the wanted one."""
    return Step(
        "ttl-of-names",
        Where.ORCHESTRATOR,
        "lower the TTL of the clients' names in DNS",
        act("ttl-set", changes=changes),
        act("set-ttl", changes=changes),
        act("set-ttl", changes=changes.reversed()),
        before=changes.before,
        after=changes.after,
    )


def put_ttl_back(changes: NameChanges) -> Step:
    """Records have the TTL that they had before they were protected, whatever their data is now."""
    back = changes.reversed()
    return Step(
        "ttl-of-names-back",
        Where.ORCHESTRATOR,
        "give the clients' names in DNS the TTL back that they had before",
        act("ttl-set", changes=back),
        act("set-ttl", changes=back),
        act("set-ttl", changes=changes),
        before=back.before,
        after=back.after,
    )


def ask_as_client(
    probe: HealthProbe, budget_s: float, call: ScriptCall | None = None, where: Where = Where.ORCHESTRATOR
) -> Step:
    """The application answers through the name that clients use: before that, nothing is done."""
    return Step(
        "clients-served",
        where,
        f"see that {probe.name} answers its clients",
        act("clients-served", probe=probe),
        act("ask-as-client", probe=probe),
        NOTHING,
        budget_s=budget_s,
        script=call,
        downtime=True,
    )
