"""``dtam validate``: every check, passed, warning or error, with reason and remedy; ``--fix`` mends what dtam can."""

from __future__ import annotations

import click
import msgspec

from orchestrator.cli.carrying import How, carry, carry_out, plan_document, run_document
from orchestrator.cli.desk import Desk
from orchestrator.cli.examples import Command
from orchestrator.cli.options import changing_options, protection_option
from orchestrator.cli.screen import Screen
from orchestrator.failover.guards import Wish
from orchestrator.model.findings import Finding, Severity
from orchestrator.model.plan import PlanKind
from orchestrator.model.protections import Protection
from orchestrator.validate import Report


@click.command(
    "validate",
    cls=Command,
    examples=(
        "dtam --fileprint validate",
        "dtam --fileprint validate --fix --plan",
        "dtam --fileprint validate --fix --only target-directory-missing",
    ),
)
@protection_option
@click.option("--fix", is_flag=True, help="Mend what dtam can mend, needed things first, and validate again.")
@click.option("--only", multiple=True, metavar="CHECK", help="Only these checks; may be repeated.")
@changing_options
@click.pass_obj
def command(desk: Desk, *, name: str | None, fix: bool, only: tuple[str, ...], how: How, as_json: bool) -> None:
    """Check the pair. Without --fix nothing is changed. Exits with 1 while an error is left."""
    screen = Screen(as_json)
    protection = desk.protection(name, "validate")
    if how.resume or how.undo:
        finished = carry(desk, screen, protection, PlanKind.FIX, wish=Wish("enable"), how=how)
        screen.document(run_document(finished.run) if finished else None)
        return
    report = validated(desk, screen, protection, fix=fix, only=frozenset(only), how=how)
    plan = _fixes(desk, screen, protection, report, only) if how.only_plan else {}
    screen.document(document(report, protection) | plan)
    if report.errors:
        raise click.exceptions.Exit(1)


def validated(
    desk: Desk, screen: Screen, protection: Protection, *, fix: bool, only: frozenset[str], how: How
) -> Report:
    """Validate, show, mend if wanted, and validate again."""
    report = desk.pipeline.validate(protection, only)
    show(screen, report)
    return mended(desk, screen, protection, report, only=only, how=how) if fix and not how.only_plan else report


def mended(
    desk: Desk, screen: Screen, protection: Protection, report: Report, *, only: frozenset[str], how: How
) -> Report:
    """Mend what dtam can mend, and validate again."""
    planned = desk.pipeline.plan_fixes(protection, report, only)
    if not planned.plan.steps:
        screen.say(planned.plan.diff())
        return report
    carry_out(desk, screen, planned, how)
    again = desk.pipeline.validate(protection, only)
    show(screen, again, passed=False)
    return again


def _fixes(
    desk: Desk, screen: Screen, protection: Protection, report: Report, only: tuple[str, ...]
) -> dict[str, object]:
    """What ``--fix`` would do, shown, and for programs beside the report."""
    plan = desk.pipeline.plan_fixes(protection, report, frozenset(only)).plan
    screen.say(plan.diff())
    return plan_document(plan)


def show(screen: Screen, report: Report, *, passed: bool = True) -> None:
    """The findings for a person: what passed first, in one line each, where that is wanted; the rest with reason and remedy, errors last."""
    for finding in sorted(report.findings, key=lambda one: list(Severity).index(one.severity)):
        if finding.severity is Severity.PASSED and not passed:
            continue
        for line in _lines(finding):
            screen.say(line, str(finding.severity) if line.startswith(str(finding.severity)) else "")
    screen.say(report.says, "error" if report.errors else "passed")


def _lines(finding: Finding) -> list[str]:
    head = f"{finding.severity:<8}{finding.what}{f' [{finding.where}]' if finding.where else ''} (via {finding.check})"
    if finding.severity is Severity.PASSED:
        return [head]
    fix = ["        can be fixed: dtam validate --fix"] if finding.fixable else []
    why = [f"        why it matters: {finding.why}"] if finding.why else []
    remedy = [f"        remedy: {finding.remedy}"] if finding.remedy else []
    return [head, *why, *fix, *remedy]


def document(report: Report, protection: Protection) -> dict[str, object]:
    """A report for programs."""
    findings = [msgspec.to_builtins(one) | {"fixable": one.fixable} for one in report.findings]
    counts = {"errors": len(report.errors), "warnings": len(report.warnings), "fixable": len(report.fixable)}
    return {"protection": protection.id, "says": report.says, "counts": counts, "findings": findings}
