"""``dtengine snapshots``: what is kept of the replicas here."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from orchestrator.engine.cli.asking import Ask, asking, print_rows
from orchestrator.engine.client import SnapshotAction, SnapshotActionKind, SnapshotSettings, SnapshotShelf
from orchestrator.engine.snapshot.errors import SnapshotFailed

COLUMNS = ("replica", "id", "kind", "reason", "taken", "data", "bytes", "label", "needed")
LOOK_S = 0.5


@click.group()
def snapshots() -> None:
    """The snapshots of the replicas that this engine keeps."""


@snapshots.command("list")
@click.option("--replica", default="", help="Only this one, by its key.")
@asking
def list_snapshots(ask: Ask, replica: str) -> None:
    """All snapshots, oldest first."""
    show(ask, ask.engine.snapshots(replica=replica))


@snapshots.command("take")
@click.argument("replica")
@click.option("--label", default="", help="What it is for.")
@asking
def take(ask: Ask, replica: str, label: str) -> None:
    """Keep a replica as it is now."""
    done(ask, SnapshotActionKind.TAKE, replica, label=label)


@snapshots.command("delete")
@click.argument("replica")
@click.argument("snapshot")
@asking
def delete(ask: Ask, replica: str, snapshot: str) -> None:
    """Delete a snapshot."""
    done(ask, SnapshotActionKind.DELETE, replica, id=snapshot)


@snapshots.command("revert")
@click.argument("replica")
@click.argument("snapshot")
@asking
def revert(ask: Ask, replica: str, snapshot: str) -> None:
    """Set a replica back to a snapshot; it follows its source again, with a mirror, when it is resumed ('replicas act KEY resume')."""
    done(ask, SnapshotActionKind.REVERT, replica, id=snapshot)


@snapshots.command("copy-out")
@click.argument("replica")
@click.argument("snapshot")
@click.argument("to", type=click.Path(path_type=Path))
@asking
def copy_out(ask: Ask, replica: str, snapshot: str, to: Path) -> None:
    """Copy a snapshot to a new directory."""
    done(ask, SnapshotActionKind.COPY_OUT, replica, id=snapshot, to=str(to))


@snapshots.command("mount")
@click.argument("replica")
@click.argument("snapshot")
@click.argument("to", type=click.Path(path_type=Path))
@asking
def mount(ask: Ask, replica: str, snapshot: str, to: Path) -> None:
    """Show a snapshot read-only at a directory."""
    done(ask, SnapshotActionKind.MOUNT, replica, id=snapshot, to=str(to))


@snapshots.command("unmount")
@click.argument("replica")
@click.argument("snapshot")
@asking
def unmount(ask: Ask, replica: str, snapshot: str) -> None:
    """Show it no longer."""
    done(ask, SnapshotActionKind.UNMOUNT, replica, id=snapshot)


@snapshots.command("schedule")
@click.argument("replica")
@click.option("--every-s", type=float, help="Seconds between two, 900 at least.")
@click.option("--keep", type=int, default=8, show_default=True, help="How many periodic ones stay.")
@click.option("--max-age-s", type=float, help="None older than this stays.")
@click.option(
    "--before-remirror", type=click.Choice(["snapshot", "refuse", "overwrite"]), default="snapshot", show_default=True
)
@click.option("--as-protected", is_flag=True, help="Go back to what the protection says.")
@asking
def schedule(ask: Ask, replica: str, every_s: float | None, as_protected: bool, **limits: Any) -> None:  # noqa: FBT001 - click's
    """Take snapshots periodically, set by hand for one replica."""
    settings = None if as_protected else SnapshotSettings(interval_s=every_s, **limits)
    done(ask, SnapshotActionKind.SCHEDULE, replica, settings=settings)


def done(ask: Ask, kind: SnapshotActionKind, replica: str, **given: Any) -> None:
    """Ask it, wait until it is over, show what there is then. Raises SnapshotFailed where it failed."""
    shelves = ask.engine.snapshot_action(SnapshotAction(action=kind, replica=replica, **given))
    while any(shelf.under_way for shelf in shelves):
        time.sleep(LOOK_S)
        shelves = ask.engine.snapshots(replica=replica)
    if kind is not SnapshotActionKind.SCHEDULE:
        raise_problem(shelves)
    show(ask, shelves)


def raise_problem(shelves: Sequence[SnapshotShelf]) -> None:
    """Raises SnapshotFailed with what went wrong last."""
    for shelf in shelves:
        if shelf.last_problem:
            raise SnapshotFailed(deed="it went wrong with", root=shelf.root, why=shelf.last_problem)


def show(ask: Ask, shelves: Sequence[SnapshotShelf]) -> None:
    """Print shelves: as JSON, or one line a snapshot."""
    if ask.as_json:
        click.echo(json.dumps([shelf.model_dump(mode="json") for shelf in shelves], indent=1))
    else:
        print_rows(COLUMNS, [row for shelf in shelves for row in rows(shelf)])


def rows(shelf: SnapshotShelf) -> list[tuple[Any, ...]]:
    """What people see of a shelf."""
    return [
        (shelf.replica, one.id, one.kind, one.reason, when(one.time_ns), one.data_state, one.size_bytes, one.label, one.needed)
        for one in shelf.snapshots
    ]  # fmt: skip


def when(time_ns: int) -> str:
    """A time as people here read it."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time_ns / 1e9))
