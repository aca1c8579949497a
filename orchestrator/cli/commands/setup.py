"""``dtam setup``: discover, choose, configure, validate and fix, scripts, enable; asked on a terminal or given whole.

dtam --fileprint setup --file protection.yaml --yes
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from orchestrator.cli import overview
from orchestrator.cli.carrying import How, carry, plan_document, run_document
from orchestrator.cli.commands import configure as configuring
from orchestrator.cli.commands import validate as validating
from orchestrator.cli.desk import Desk, modes
from orchestrator.cli.examples import Command
from orchestrator.cli.interview import complete, servers
from orchestrator.cli.options import json_option, plan_option, yes_option
from orchestrator.cli.screen import Screen, confirm
from orchestrator.cli.settings_options import Given, given, reuse_option, settings_options
from orchestrator.failover.guards import Wish
from orchestrator.model.errors import ChecksFailed
from orchestrator.model.findings import Finding
from orchestrator.model.plan import PlanKind
from orchestrator.model.protections import Protection


@click.command(
    "setup",
    cls=Command,
    examples=(
        "dtam --fileprint setup",
        "dtam --fileprint setup --file protection.yaml --yes",
        "dtam --fileprint setup --source alpha --target beta --name files.example.com --path /srv/files --yes",
        "dtam --fileprint setup --file protection.yaml --plan",
    ),
)
@settings_options
@reuse_option
@click.option(
    "--protection", "protection_id", metavar="NAME", help="What to call it; application_source_target otherwise."
)
@plan_option
@yes_option
@json_option
@click.pass_obj
def command(
    desk: Desk,
    *,
    file: Path | None,
    source: str | None,
    target: str | None,
    client_name: str | None,
    paths: tuple[str, ...],
    sets: tuple[str, ...],
    reuse: bool,
    protection_id: str | None,
    only_plan: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Set up a protection from nothing: choose, configure, validate and fix, deliver scripts, enable.

    On a terminal it asks for what is missing; elsewhere everything comes from the file and flags. Nothing is begun that
    cannot be finished: settings are checked first, then the pair, and only then anything is changed.
    """
    screen = Screen(as_json)
    words = given(file, {"source": source, "target": target, "client_name": client_name}, paths, sets)
    application = desk.chosen_application("setup", words.application)
    reuse = reuse or (file is None and not yes and _wants_previous(desk, application, words))
    complete_words = words if reuse else _asked(desk, application, words)
    screen.say("configure", "passed")
    protection = desk.pipeline.configure(application, complete_words.layers, reuse=reuse, name=protection_id)
    configuring.show(screen, protection)
    if only_plan:
        _show_plans(desk, screen, protection)
        return
    _validated(desk, screen, protection, yes=yes)
    desk.pipeline.keep(protection)
    screen.say("enable", "passed")
    finished = carry(desk, screen, protection, PlanKind.PROTECT, wish=Wish("enable"), how=How(yes=True, anew=True))
    status = overview.gather(desk.pipeline, desk.pipeline.store.protection(protection.id))
    overview.show(screen, status)
    screen.document({"run": run_document(finished.run) if finished else None, "status": status})


def _asked(desk: Desk, application: str, words: Given) -> Given:
    """What is missing, asked for; SQL Server has questions of its own, which come first."""
    if application == "sql":
        from orchestrator.cli import interview_sql  # noqa: PLC0415  the others need no driver

        words = interview_sql.complete(desk.pipeline, servers(desk.pipeline, words), advanced=desk.advanced)
    return complete(desk.pipeline, words, modes=_modes(desk))


def _modes(desk: Desk) -> frozenset[str]:
    """The modes in which it is asked, as said or as the options have them."""
    return modes(advanced=desk.advanced, altdns=desk.alternative_dns)


def _wants_previous(desk: Desk, application: str, words: Given) -> bool:
    """The pair was configured before: a person may take that over."""
    source, target = words.value("source"), words.value("target")
    if not (source and target and sys.stdin.isatty() and desk.pipeline.store.previous(application, source, target)):
        return False
    return click.confirm(f"{source} and {target} were configured before. Take that over?", default=True, err=True)


def _show_plans(desk: Desk, screen: Screen, protection: Protection) -> None:
    """What fixing and enabling would change; the second one as things are before the first."""
    report = desk.pipeline.validate(protection)
    validating.show(screen, report, passed=False)
    fixes = desk.pipeline.plan_fixes(protection, report, frozenset()).plan
    screen.say(fixes.diff())
    protect = desk.pipeline.plan(PlanKind.PROTECT, protection, Wish("enable")).plan
    screen.say(protect.diff())
    screen.document(plan_document(protect) | {"fixes": plan_document(fixes)})


def _validated(desk: Desk, screen: Screen, protection: Protection, *, yes: bool) -> None:
    """Validate, mend with a person's word, validate again.

    What only a person can mend ends the setup before anything is changed: nothing half-done stays behind.
    """
    screen.say("validate", "passed")
    report = desk.pipeline.validate(protection)
    validating.show(screen, report, passed=False)
    _refuse(protection, [one for one in report.errors if not one.fixable])
    if report.fixable and (yes or not sys.stdin.isatty() or _wants_fixes(len(report.fixable))):
        screen.say("fix", "passed")
        report = validating.mended(desk, screen, protection, report, only=frozenset(), how=How(yes=True))
    _refuse(protection, list(report.errors))
    if not yes and sys.stdin.isatty():
        confirm("Enable protection now?", what="enabling", yes=False)


def _refuse(protection: Protection, errors: list[Finding]) -> None:
    if errors:
        first = f"{errors[0].what} [{errors[0].where}]" if errors[0].where else errors[0].what
        advice = f"{errors[0].remedy or 'mend it'}; then run the same setup again"
        count = f"{len(errors)} check{'s' if len(errors) > 1 else ''}"
        raise ChecksFailed(protection=protection.id, count=count, first=first, advice=advice)


def _wants_fixes(count: int) -> bool:
    return click.confirm(f"Fix {'it' if count == 1 else f'these {count}'} now?", default=True, err=True)
