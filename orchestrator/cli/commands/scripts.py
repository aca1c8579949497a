"""``dtam scripts``: the scripts that run on the hosts: shown, edited in people's place, delivered."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import click

from orchestrator import scripting
from orchestrator.cli.desk import Desk
from orchestrator.cli.errors import CommandsUnreadable, ScriptBelongsToPlan, ScriptFailed, ScriptUnknown
from orchestrator.cli.examples import Group
from orchestrator.cli.options import json_option, plan_option, protection_option, yes_option
from orchestrator.cli.screen import Screen, confirm
from orchestrator.delivering import BY_HAND, PLACES, HostScript, blank, own_part, with_own_part
from orchestrator.hosts.by_hand import run_by_hand
from orchestrator.model.conditions import Stage
from orchestrator.model.protections import Protection

UNDELIVERED = {Stage.CONFIGURED, Stage.DISABLED}


@click.group(
    "scripts",
    cls=Group,
    invoke_without_command=True,
    examples=("dtam --fileprint scripts", "dtam --fileprint scripts show post_failover"),
)
@click.pass_context
def command(context: click.Context) -> None:
    """Scripts of a protection: list, show, edit, deliver, accept, run. Your own commands have a place in each that is always kept."""
    if context.invoked_subcommand is None:
        context.invoke(list_, name=None, as_json=False)


@command.command("list", examples=("dtam --fileprint scripts list --json",))
@protection_option
@json_option
@click.pass_obj
def list_(desk: Desk, *, name: str | None, as_json: bool) -> None:
    """Which scripts there are, where each lies, and its steps."""
    screen = Screen(as_json)
    protection = desk.protection(name, "scripts")
    scripts = desk.pipeline.scripts(protection)
    screen.table(
        ("script", "host", "steps", "sha256"),
        [(one.name, _server(protection, one), ", ".join(one.step_ids), one.sha256[:12]) for one in scripts],
    )
    if any(one.name == BY_HAND for one in scripts):
        screen.say(f"{BY_HAND} is run by no plan: when the source has been restored, dtam scripts run {BY_HAND}")
    screen.document([_document(protection, one) for one in scripts])


@command.command("show", examples=("dtam --fileprint scripts show post_failover",))
@click.argument("script")
@protection_option
@json_option
@click.pass_obj
def show(desk: Desk, *, script: str, name: str | None, as_json: bool) -> None:
    """The text of a script as an enable would deliver it."""
    screen = Screen(as_json)
    protection = desk.protection(name, "scripts show")
    found = _named(desk, protection, script)
    if not as_json:
        click.echo(found.text, nl=False)
    screen.document(_document(protection, found) | {"text": found.text})


@command.command(
    "edit",
    examples=(
        "dtam --fileprint scripts edit post_failover",
        "dtam --fileprint scripts edit post_failover --own commands.sh",
    ),
)
@click.argument("script")
@click.option("--own", type=click.Path(path_type=Path), help="A file with your own commands.")
@protection_option
@plan_option
@json_option
@click.pass_obj
def edit(desk: Desk, *, script: str, own: Path | None, name: str | None, only_plan: bool, as_json: bool) -> None:
    """Change your own commands in a script (in your editor, or from a file) and deliver it."""
    screen = Screen(as_json)
    protection = desk.protection(name, "scripts edit")
    found = _named(desk, protection, script)
    before = scripting.own_commands(script, found.text)
    after = _read(own) if own else click.edit(before, extension=".sh")
    if after is None or own_part(after) == own_part(before):
        screen.say("nothing was changed")
        screen.document(_document(protection, found))
        return
    if only_plan:
        _deliver(desk, screen, protection, [with_own_part(found, after)], only_plan=True)
        return
    changed = desk.pipeline.keep_own_part(protection, found, own_part(after))
    if protection.stage in UNDELIVERED:
        screen.say(f"kept; {script} is delivered when the protection is enabled")
        screen.document(_document(protection, changed))
        return
    _deliver(desk, screen, protection, [changed], only_plan=False)


@command.command("deliver", examples=("dtam --fileprint scripts deliver", "dtam --fileprint scripts deliver --plan"))
@protection_option
@plan_option
@json_option
@click.pass_obj
def deliver(desk: Desk, *, name: str | None, only_plan: bool, as_json: bool) -> None:
    """Render all scripts anew, keep your own commands, and deliver them."""
    screen = Screen(as_json)
    protection = desk.protection(name, "scripts deliver")
    _deliver(desk, screen, protection, list(desk.pipeline.scripts(protection)), only_plan=only_plan)


@command.command("accept", examples=("dtam --fileprint scripts accept post_failover",))
@click.argument("script")
@protection_option
@plan_option
@json_option
@click.pass_obj
def accept(desk: Desk, *, script: str, name: str | None, only_plan: bool, as_json: bool) -> None:
    """Take a script as somebody changed it on its host: from then on that is what runs. Nothing else would run it."""
    screen = Screen(as_json)
    protection = desk.protection(name, "scripts accept")
    lying = [one for one in desk.pipeline.lying(protection) if one.name == script]
    if not lying:
        raise ScriptUnknown(script=script, protection=protection.id, known=_names(desk.pipeline.lying(protection)))
    _deliver(desk, screen, protection, lying, only_plan=only_plan)


@command.command(
    "run",
    examples=(
        "dtam --fileprint scripts run post_failover --dry-run",
        "dtam --fileprint scripts run post_restore --yes",
    ),
)
@click.argument("script")
@click.option(
    "--dry-run", is_flag=True, help="What would be done, what is so already, and each undo; nothing is changed."
)
@click.option("--run-id", metavar="ID", help="Go on with this run; what it did stays done.")
@protection_option
@yes_option
@json_option
@click.pass_obj
def run(
    desk: Desk, *, script: str, dry_run: bool, run_id: str | None, name: str | None, yes: bool, as_json: bool
) -> None:
    """Run post_restore on the source, which no plan does; or show with --dry-run what any delivered script would do."""
    screen = Screen(as_json)
    protection = desk.protection(name, "scripts run")
    lying = {one.name: one for one in desk.pipeline.lying(protection)}
    if script not in lying:
        raise ScriptUnknown(script=script, protection=protection.id, known=_names(lying.values()))
    if script != BY_HAND and not dry_run:
        raise ScriptBelongsToPlan(script=script, by_hand=BY_HAND)
    server = protection.pair.on(lying[script].where)
    if not dry_run:
        confirm(f"Run {script} on {server.name} now?", what=f"running {script}", yes=yes)
    chosen = run_id or f"hand-{time.time_ns():x}"
    ended = run_by_hand(desk.pipeline.reach.client(server), protection.id, script, chosen, dry_run=dry_run)
    for line in ended.says:
        screen.say(line)
    if not dry_run:
        desk.pipeline.store.audit(desk.pipeline.by, protection.id, "scripts", f"{script} {ended.state} as {chosen}")
    if ended.state != "done":
        raise ScriptFailed(script=script, ended=ended.state, server=server.name, says=ended.says[-1], run_id=chosen)
    screen.say(f"{script} {'would do this' if dry_run else 'is done'} on {server.name}, run {chosen}")
    screen.document({"script": script, "server": server.name, "run_id": chosen, "dry_run": dry_run, "says": ended.says})


def _names(scripts: Iterable[HostScript]) -> str:
    return ", ".join(one.name for one in scripts) or "none"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = (error.strerror or str(error)) if isinstance(error, OSError) else "it is not UTF-8"
        raise CommandsUnreadable(path=path, why=why) from error


def _deliver(desk: Desk, screen: Screen, protection: Protection, scripts: list[HostScript], *, only_plan: bool) -> None:
    for one in scripts:
        if one.warning:
            screen.say(one.warning, "warning")
        word = "would be delivered" if only_plan else "is delivered"
        if not only_plan:
            desk.pipeline.deliver(protection, one)
        screen.say(f"{one.name} {word} to {_server(protection, one)}, sha256 {one.sha256[:12]}")
    screen.document([_document(protection, one) for one in scripts])


def _named(desk: Desk, protection: Protection, name: str) -> HostScript:
    """A script by its name; one of those that may be, and is not yet, is empty but for the place of people's commands."""
    scripts = {one.name: one for one in desk.pipeline.scripts(protection)}
    if name not in scripts and name in PLACES:
        return blank(protection.id, name, protection.pair.on(PLACES[name]).platform)
    if name not in scripts:
        raise ScriptUnknown(script=name, protection=protection.id, known=_names(scripts.values()))
    return scripts[name]


def _server(protection: Protection, script: HostScript) -> str:
    return protection.pair.on(script.where).name


def _document(protection: Protection, script: HostScript) -> dict[str, object]:
    return {
        "script": script.name,
        "where": str(script.where),
        "server": _server(protection, script),
        "steps": list(script.step_ids),
        "sha256": script.sha256,
        "warning": script.warning,
    }
