"""Steps about SQL Server: one deed of its port each, done from here, or as a segment of the target's own script.

Deeds and their documents are told with the port's adapter (``orchestrator.databases``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.model.servers import Where
from orchestrator.model.steps import ScriptCall, Step
from orchestrator.sdk.steps.identity import AtTarget, segment
from orchestrator.sdk.steps.making import NOTHING, act

DEFAULT = "MSSQLSERVER"


@dataclass(frozen=True, slots=True)
class SqlDeed:
    """A deed and what it is told. ``sentence`` is the step's, ``after`` its lines in a plan; ``looks_only``: there is nothing to undo, or another deed's undo does it."""

    name: str
    instance: str
    document: Mapping[str, Any]
    sentence: str
    after: tuple[str, ...] = ()
    looks_only: bool = False
    suffix: str = ""
    downtime: bool = True
    budget_s: float | None = None

    @property
    def step_id(self) -> str:
        """Kebab-case: the deed, and the instance where it is a named one."""
        return f"sql-{self.name}{named(self.instance)}{self.suffix}"


def named(instance: str) -> str:
    """What tells the steps of a named instance from those of the default one."""
    if instance.upper() == DEFAULT:
        return ""
    return f"-{re.sub(r'[^a-z0-9]+', '-', instance.lower()).strip('-') or 'x'}"


def sql_from_here(where: Where, deed: SqlDeed) -> Step:
    """The deed, done by whoever carries the plan out, over the instance's own port."""
    given = {"where": where, "deed": deed.name, "document": dict(deed.document)}
    return Step(
        f"{deed.step_id}-{where}",
        where,
        deed.sentence,
        act("sql-done", **given),
        act("do-sql", **given),
        NOTHING if deed.looks_only else act("undo-sql", **given),
        after=deed.after,
        downtime=deed.downtime,
        budget_s=deed.budget_s,
    )


def sql_on_target(at: AtTarget, deed: SqlDeed, access: Mapping[str, Any]) -> Step:
    """The deed as a segment of the target's script, with the way that the target itself goes."""
    document = {**deed.document, "access": dict(access)}
    variables: dict[str, Any] = {"deed": deed.name, "instance": deed.instance, "document": document}
    if deed.budget_s is not None:
        variables["wait_s"] = deed.budget_s
    template = f"sql/{deed.name.replace('-', '_')}"
    call = ScriptCall(at.script, template, variables)
    return segment(
        at, deed.step_id, deed.sentence, call, after=deed.after, downtime=deed.downtime, budget_s=deed.budget_s
    )
