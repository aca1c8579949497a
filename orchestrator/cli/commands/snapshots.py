"""``dtam snapshots``: states of the target's data that are kept: listed, taken, looked into, gone back to, deleted."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from orchestrator.cli.desk import Desk
from orchestrator.cli.examples import Group
from orchestrator.cli.options import json_option, protection_option, yes_option
from orchestrator.cli.screen import Screen, confirm, in_units
from orchestrator.engine.client import (
    EngineClient,
    SnapshotAction,
    SnapshotActionKind,
    SnapshotSettings,
    SnapshotShelf,
    schema,
)
from orchestrator.engine.snapshot.errors import SnapshotFailed
from orchestrator.model.protections import Protection

LOOK_S = 0.5


@click.group(
    "snapshots",
    cls=Group,
    invoke_without_command=True,
    examples=("dtam --fileprint snapshots", "dtam --fileprint snapshots take --label 'before the update'"),
)
@click.pass_context
def command(context: click.Context) -> None:
    """Snapshots of the target's data: list, take, mount, copy out, go back to one, delete; how often they are taken."""
    if context.invoked_subcommand is None:
        context.invoke(list_, name=None, as_json=False)


@command.command("list", examples=("dtam --fileprint snapshots list --json",))
@protection_option
@json_option
@click.pass_obj
def list_(desk: Desk, *, name: str | None, as_json: bool) -> None:
    """All snapshots, oldest first, and how the next is taken."""
    screen, protection = Screen(as_json), desk.protection(name, "snapshots")
    show(screen, _target(desk, protection).snapshots(protection=protection.id))


@command.command("take", examples=("dtam --fileprint snapshots take --label 'before the update'",))
@click.option("--label", default="", help="What it is for.")
@protection_option
@json_option
@click.pass_obj
def take(desk: Desk, *, label: str, name: str | None, as_json: bool) -> None:
    """Keep the target's data as it is now; replication goes on."""
    _do(desk, name, "take", as_json=as_json, label=label)


@command.command("delete", examples=("dtam --fileprint snapshots delete 20260102T030405Z-a1b2c3 --yes",))
@click.argument("snapshot")
@yes_option
@protection_option
@json_option
@click.pass_obj
def delete(desk: Desk, *, snapshot: str, yes: bool, name: str | None, as_json: bool) -> None:
    """Delete a snapshot."""
    confirm(f"Delete snapshot {snapshot}?", what="deleting it", yes=yes)
    _do(desk, name, "delete", as_json=as_json, id=snapshot)


@command.command("revert", examples=("dtam --fileprint snapshots revert 20260102T030405Z-a1b2c3 --yes",))
@click.argument("snapshot")
@yes_option
@protection_option
@json_option
@click.pass_obj
def revert(desk: Desk, *, snapshot: str, yes: bool, name: str | None, as_json: bool) -> None:
    """Set the target's data back to a snapshot. It stays so, and is not protected, until 'dtam snapshots resume'."""
    question = (
        f"Set the target's data back to {snapshot}? What it received since goes; it follows its source no longer."
    )
    confirm(question, what="going back", yes=yes)
    _do(desk, name, "revert", as_json=as_json, id=snapshot)


@command.command("resume", examples=("dtam --fileprint snapshots resume",))
@protection_option
@json_option
@click.pass_obj
def resume(desk: Desk, *, name: str | None, as_json: bool) -> None:
    """After a revert: let the target follow its source again; a mirror by checksum brings what differs."""
    screen, protection = Screen(as_json), desk.protection(name, "snapshots resume")
    target = _target(desk, protection)
    for shelf in target.snapshots(protection=protection.id):
        if shelf.set_back_to:
            target.replica_action(shelf.replica, schema.ReplicaActionKind.RESUME)
            screen.say(f"{shelf.root} follows its source again")
    desk.pipeline.store.audit(desk.pipeline.by, protection.id, "snapshots", "resumed")
    screen.document({"protection": protection.id, "says": "the target follows its source again"})


@command.command("mount", examples=("dtam --fileprint snapshots mount 20260102T030405Z-a1b2c3 /mnt/yesterday",))
@click.argument("snapshot")
@click.argument("to", type=click.Path(path_type=Path))
@protection_option
@json_option
@click.pass_obj
def mount(desk: Desk, *, snapshot: str, to: Path, name: str | None, as_json: bool) -> None:
    """Show a snapshot read-only at a directory of the target."""
    _do(desk, name, "mount", as_json=as_json, id=snapshot, to=str(to))


@command.command("unmount", examples=("dtam --fileprint snapshots unmount 20260102T030405Z-a1b2c3",))
@click.argument("snapshot")
@protection_option
@json_option
@click.pass_obj
def unmount(desk: Desk, *, snapshot: str, name: str | None, as_json: bool) -> None:
    """Show it no longer."""
    _do(desk, name, "unmount", as_json=as_json, id=snapshot)


@command.command("copy-out", examples=("dtam --fileprint snapshots copy-out 20260102T030405Z-a1b2c3 /srv/copy",))
@click.argument("snapshot")
@click.argument("to", type=click.Path(path_type=Path))
@protection_option
@json_option
@click.pass_obj
def copy_out(desk: Desk, *, snapshot: str, to: Path, name: str | None, as_json: bool) -> None:
    """Copy a snapshot to a new directory of the target."""
    _do(desk, name, "copy_out", as_json=as_json, id=snapshot, to=str(to))


@command.command(
    "schedule",
    examples=(
        "dtam --fileprint snapshots schedule --every 60 --keep 24",
        "dtam --fileprint snapshots schedule --as-configured",
    ),
)
@click.option("--every", "every_minutes", type=click.IntRange(min=15), help="Minutes between two; none without.")
@click.option(
    "--start-at", type=click.DateTime(["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]), help="The first; at once without."
)
@click.option("--keep", type=click.IntRange(min=1), default=8, show_default=True, help="How many of them stay.")
@click.option("--max-age", "max_age_hours", type=click.IntRange(min=1), help="Hours; none older than this stays.")
@click.option(
    "--before-remirror",
    type=click.Choice(["snapshot", "refuse", "overwrite"]),
    default="snapshot",
    show_default=True,
    help="A good state that a mirror is about to overwrite: keep it, mirror not without, or keep none.",
)
@click.option("--as-configured", is_flag=True, help="Go back to what the protection's settings say.")
@protection_option
@json_option
@click.pass_obj
def schedule(desk: Desk, /, *, name: str | None, as_json: bool, **given: Any) -> None:
    """Take snapshots periodically, from now on; it goes before the protection's settings (snapshots.*) until --as-configured."""
    _do(desk, name, "schedule", as_json=as_json, settings=None if given["as_configured"] else _settings(given))


def _settings(given: dict[str, Any]) -> SnapshotSettings:
    start, every, age = given["start_at"], given["every_minutes"], given["max_age_hours"]
    return SnapshotSettings(
        interval_s=every * 60 if every else None,
        start_ns=int(start.astimezone().timestamp()) * 10**9 if start else 0,
        keep=given["keep"],
        max_age_s=age * 3600 if age else None,
        before_remirror=given["before_remirror"],
    )


def _target(desk: Desk, protection: Protection) -> EngineClient:
    return desk.pipeline.reach.client(protection.pair.target)


def _do(desk: Desk, name: str | None, word: str, *, as_json: bool, **given: Any) -> None:
    """Ask it of the target, wait until it is over, show what there is then."""
    screen, protection = Screen(as_json), desk.protection(name, f"snapshots {word}")
    target, kind = _target(desk, protection), SnapshotActionKind(word)
    asked = SnapshotAction(action=kind, protection=protection.id, by=desk.pipeline.by, **given)
    shelves = target.snapshot_action(asked)
    while any(shelf.under_way for shelf in shelves):
        time.sleep(LOOK_S)
        shelves = target.snapshots(protection=protection.id)
    desk.pipeline.store.audit(desk.pipeline.by, protection.id, "snapshots", f"{word} {given.get('id', '')}".strip())
    if kind is not SnapshotActionKind.SCHEDULE:
        _raise_problem(shelves)
    show(screen, shelves)


def _raise_problem(shelves: Sequence[SnapshotShelf]) -> None:
    for shelf in shelves:
        if shelf.last_problem:
            raise SnapshotFailed(deed="it went wrong with", root=shelf.root, why=shelf.last_problem)


def show(screen: Screen, shelves: Sequence[SnapshotShelf]) -> None:
    """Print shelves for a person, or as JSON."""
    for shelf in shelves:
        screen.say(_about(shelf))
    rows = [
        (one.id, one.kind, one.reason, _when(one.time_ns), one.data_state.replace("_", " "), _size(one.size_bytes), one.label, one.needed)
        for shelf in shelves
        for one in shelf.snapshots
    ]  # fmt: skip
    if rows:
        screen.table(("snapshot", "kind", "reason", "taken", "data", "size", "label", "stays because"), rows)
    screen.document([shelf.model_dump(mode="json") for shelf in shelves])


def _about(shelf: SnapshotShelf) -> str:
    kind = f"{shelf.kind} ({shelf.why_not_better})" if shelf.why_not_better else shelf.kind
    every = f"one each {shelf.settings.interval_s / 60:g} min" if shelf.settings.interval_s else "none by itself"
    following = f", the next {_when(shelf.next_ns)}" if shelf.next_ns else ""
    by_hand = ", set by hand" if shelf.settings_by_hand else ""
    back = f"; SET BACK to {shelf.set_back_to}: dtam snapshots resume" if shelf.set_back_to else ""
    return f"{shelf.root}: kind: {kind}; {every}{following}{by_hand}; {shelf.settings.keep} stay{back}"


def _when(time_ns: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time_ns / 1e9))


def _size(size_bytes: int | None) -> str:
    return "shared" if size_bytes is None else in_units(size_bytes)
