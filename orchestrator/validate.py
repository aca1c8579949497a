"""Validate: run the checks of an application over an inventory; change nothing. ``fixes`` plans what can be mended, in order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from orchestrator.model.findings import Finding, Severity
from orchestrator.model.inventory import Inventory
from orchestrator.model.plan import Plan, PlanKind
from orchestrator.model.protections import Protection
from orchestrator.model.steps import Step
from orchestrator.sdk.checks import Check, silence


class Report(msgspec.Struct, frozen=True):
    """All findings of one validation, in the order of the checks."""

    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What forbids protection."""
        return tuple(one for one in self.findings if one.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What is shown."""
        return tuple(one for one in self.findings if one.severity is Severity.WARNING)

    @property
    def fixable(self) -> tuple[Finding, ...]:
        """What dtam can mend by itself."""
        return tuple(one for one in self.findings if one.fixable)

    @property
    def says(self) -> str:
        """One sentence."""
        passed = len(self.findings) - len(self.errors) - len(self.warnings)
        can = f", {len(self.fixable)} can be fixed" if self.fixable else ""
        return f"{passed} checks passed, {len(self.warnings)} warnings, {len(self.errors)} errors{can}"


def validate(
    checks: Sequence[Check],
    inventory: Inventory,
    protection: Protection,
    now_s: float,
    *,
    sets: frozenset[str] = frozenset(),
    only: frozenset[str] = frozenset(),
) -> Report:
    """Run the checks (those in ``sets``, or with the ids in ``only``, or all)."""
    chosen = [one for one in checks if (not sets or one.sets & sets) and (not only or one.id in only)]
    found = [finding for one in chosen for finding in one.run(inventory, protection, now_s)]
    silenced = {one.check: one.reason for one in protection.settings.advanced.silenced}
    return Report(silence(found, silenced))


def fixes(report: Report, protection: Protection, only: frozenset[str] = frozenset()) -> Plan:
    """A plan of every fix (or those of the checks in ``only`` with what they need), needed ones first.

    A step that two findings ask for is there once.
    """
    fixable = {finding.check: finding for finding in report.fixable}
    wanted = [finding for finding in report.fixable if not only or finding.check in only]
    ordered = _in_order(wanted, fixable, report)
    steps: dict[str, Step] = {}
    for finding in ordered:
        for step in finding.fix:
            steps.setdefault(step.id, step)
    left = tuple(
        f"a person must: {one.remedy or one.what} (via {one.check})" for one in report.errors if not one.fixable
    )
    return Plan(
        PlanKind.FIX,
        protection.id,
        tuple(steps.values()),
        protection.epoch,
        remarks=left,
        nothing_because="no finding can be fixed by dtam" if report.errors else "every check passed",
    )


def _in_order(wanted: Iterable[Finding], fixable: dict[str, Finding], report: Report) -> list[Finding]:
    """Depth first over ``needs``; a circle is broken where it was entered."""
    ordered: list[Finding] = []
    visited: set[int] = set()

    def visit(finding: Finding) -> None:
        if id(finding) in visited:
            return
        visited.add(id(finding))
        for need in finding.needs:
            for other in report.fixable:
                if other.check == need and need in fixable:
                    visit(other)
        ordered.append(finding)

    for finding in wanted:
        visit(finding)
    return ordered
