"""The Advanced tab: rules, scripts, budgets, checks."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from orchestrator.model.fields import CheckId, ShortName, Tab
from orchestrator.model.settings_services import Seconds


class RuleSettings(Tab):
    """One line of a replication set: ``path`` is absolute on the source or relative to its root."""

    path: Annotated[str, Field(max_length=4096)] = ""
    include: bool = True
    recursive: bool = True


class ScriptSettings(Tab):
    """People's own commands, kept in the marked place of each script."""

    pre_failover: Annotated[str, Field(max_length=65536)] = ""
    post_failover: Annotated[str, Field(max_length=65536)] = ""
    pre_failback: Annotated[str, Field(max_length=65536)] = ""
    post_restore: Annotated[str, Field(max_length=65536)] = ""
    post_failback: Annotated[str, Field(max_length=65536)] = ""


class SilencedCheck(Tab):
    """A check that is not to be reported, with the reason, which is shown instead."""

    check: CheckId
    reason: Annotated[str, Field(min_length=3, max_length=500)]


class CreateSettings(Tab):
    """What enabling makes; each alone may be left out, for testing or where somebody made it by hand.

    ``replication_set`` false: that of the name there is, as somebody saved it. ``scripts`` false: those that lie on the hosts stay.
    ``connection`` false: nothing is mirrored, and nothing counts as protected until it is. ``monitor`` false: the target does not watch.
    """

    replication_set: bool = True
    scripts: bool = True
    connection: bool = True
    monitor: bool = True

    @property
    def left_out(self) -> tuple[str, ...]:
        """What is not made, in words."""
        return tuple(name.replace("_", " ") for name in type(self).model_fields if not getattr(self, name))


class AdvancedTab(Tab):
    """Replication set rules, scripts, budgets, checks. Ages and budgets in seconds. ``create``: what enabling makes."""

    replication_set: ShortName | None = None
    override_generated_rules: bool = False
    rules: Annotated[tuple[RuleSettings, ...], Field(max_length=10_000)] = ()
    scripts: ScriptSettings = ScriptSettings()
    silenced: Annotated[tuple[SilencedCheck, ...], Field(max_length=200)] = ()
    step_budget_s: Seconds = 300.0
    mirror_budget_s: Annotated[float, Field(gt=0, le=30 * 86400)] = 86400.0
    facts_age_limit_s: Annotated[float, Field(ge=60, le=30 * 86400)] = 86400.0
    clock_offset_limit_s: Annotated[float, Field(gt=0, le=3600)] = 2.0
    create: CreateSettings = CreateSettings()

    @model_validator(mode="after")
    def _rules_wanted(self) -> Self:
        if self.rules and not self.override_generated_rules:
            msg = "rules are given but override_generated_rules is false: set it to true, or leave the rules out"
            raise ValueError(msg)
        return self
