"""``dtam verify-data``: is the target's data the source's? Compared file by file, and sent where that is wished."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import click

from orchestrator.cli.desk import Desk
from orchestrator.cli.errors import NotVerifiable
from orchestrator.cli.examples import Command
from orchestrator.cli.opening import Opening, opened_at
from orchestrator.cli.options import json_option, protection_option
from orchestrator.cli.screen import Bar, Screen, in_units
from orchestrator.engine.client import ConnectionStatus, EngineClient, schema
from orchestrator.model.protections import Protection

LOOK_S = 0.5
SILENT_S = 60.0
"""A verification whose connection stands idle for so long and never said that it ended was lost with its engine."""


@click.command(
    "verify-data",
    cls=Command,
    examples=(
        "dtam --fileprint verify-data",
        "dtam --fileprint verify-data --remirror",
        "dtam --fileprint verify-data --json",
        "dtam --sql verify-data --open",
    ),
)
@protection_option
@click.option("--remirror", is_flag=True, help="Send what differs.")
@click.option("--only-newer", is_flag=True, help="Of that only what is newer on the source. Not for databases.")
@click.option("--checksum/--no-checksum", default=True, show_default=True, help="Compare all files by blocks.")
@click.option(
    "--open",
    "opens",
    is_flag=True,
    help="SQL Server: compare nothing, but attach each database of a snapshot under another name, run DBCC CHECKDB, take it off again.",
)
@click.option(
    "--at",
    metavar="HOST[:PORT]",
    help="With --open: an instance on the target's machine that opens them, if its own is stopped.",
)
@json_option
@click.pass_obj
def command(
    desk: Desk,
    /,
    *,
    name: str | None,
    remirror: bool,
    opens: bool,
    at: str | None,
    as_json: bool,
    **how: Any,
) -> None:
    """Compare the target's data with the source's and wait for the result; exit with 1 if they are not the same.

    Nothing is changed without --remirror. The verification log of the set, on the source, names each file.

    With --open the databases of a protected SQL Server are proved to open: protection goes on meanwhile, and nothing is mirrored.
    """
    screen, protection = Screen(as_json), desk.protection(name, "verify-data")
    if opens:
        _open(desk, screen, protection, at)
        return
    engine = desk.pipeline.reach.client(protection.pair.source)
    options = schema.MirrorOptions(kind="difference", orphans=schema.Orphans(action="log"), **how)
    found = []
    for connection in _ready(engine, protection.id):
        with screen.bar(f"verifying {connection.replication_set}") as bar:
            facts = _verified(engine, connection, options, bar, remirror=remirror)
        found.append(_result(connection, facts, remirror=remirror))
    desk.pipeline.store.audit(desk.pipeline.by, protection.id, "verify-data", "remirror" if remirror else "report only")
    for one in found:
        screen.say(_sentence(one), mark="ok" if one["same"] else "warning")
    same = all(one["same"] for one in found)
    screen.document({"protection": protection.id, "same": same, "sets": found})
    if not same:
        raise click.exceptions.Exit(1)


def _open(desk: Desk, screen: Screen, protection: Protection, at: str | None) -> None:
    """Each database of a snapshot, on a copy, under another name."""
    sql, reach = protection.settings.failover.sql, desk.pipeline.reach
    if sql is None or protection.pair.target.engine is None:
        why = "only databases of a SQL Server are opened, on a target with an engine, whose snapshots are used"
        raise NotVerifiable(protection=protection.id, why=why)
    if sql.mode == "instance" and at is None:
        why = "the target's own instance is stopped while its files come in: name another one there that may open copies, --at HOST:PORT"
        raise NotVerifiable(protection=protection.id, why=why)
    document = reach.host(protection.pair.target).protection_document(protection.id) or {}
    told = ((document.get("takeover") or {}).get("sql") or {}).get("databases") or []
    servers = reach.sql(protection.pair, opened_at(protection.settings, at) if at else protection.settings)
    engine = reach.client(protection.pair.target)
    with screen.bar(f"opening {len(told)} databases of a snapshot"):
        found = Opening(protection.id, told, engine, servers).run()
    desk.pipeline.store.audit(desk.pipeline.by, protection.id, "verify-data", "databases opened on a snapshot")
    for one in found:
        screen.say(f"{one.instance} {one.name}: {one.says}", mark="ok" if one.good else "warning")
    good = all(one.good for one in found)
    screen.document({"protection": protection.id, "same": good, "databases": [asdict(one) for one in found]})
    if not good:
        raise click.exceptions.Exit(1)


def _ready(engine: EngineClient, protection: str) -> list[ConnectionStatus]:
    """The protection's connections, if all can be verified now: a mirror that runs would be given up for it."""
    found = [one for one in engine.connections() if (one.protection, one.purpose) == (protection, "protect")]
    if not found:
        raise NotVerifiable(protection=protection, why="its source replicates to no target")
    for one in found:
        if one.state != "Started":
            raise NotVerifiable(
                protection=protection, why=f"the connection is {one.state}: {one.last_error or one.says}"
            )
        if one.mirror_state != "Idle":
            raise NotVerifiable(protection=protection, why=f"its mirror is at work: {one.mirror_state}")
    return found


def _verified(
    engine: EngineClient, connection: ConnectionStatus, options: schema.MirrorOptions, bar: Bar, *, remirror: bool
) -> dict[str, Any]:
    """Verify one connection and wait until it is over; what the engine said of it."""
    events = engine.events()
    seen = events[-1].n if events else 0
    engine.connection_action(connection.key, schema.ConnectionActionKind.VERIFY, options=options, remirror=remirror)
    idle_since_s = time.monotonic()
    while True:
        for event in engine.events(seen):
            seen = event.n
            if event.kind == "mirror" and event.facts.get("key") == connection.key:
                return {"says": event.sentence, **event.facts}
        now = engine.connection(connection.key)
        if now.mirror_state != "Idle":
            idle_since_s = time.monotonic()
        elif time.monotonic() - idle_since_s > SILENT_S:
            raise NotVerifiable(protection=connection.protection, why="the engine never said how it ended")
        total = now.mirror_bytes_total
        bar.moved((total or 0) - (now.mirror_bytes_remaining or 0), total)
        time.sleep(LOOK_S)


def _result(connection: ConnectionStatus, facts: dict[str, Any], *, remirror: bool) -> dict[str, Any]:
    orphans, left_out = facts.get("orphans", 0), facts.get("left_out", 0)
    mended = remirror or not facts["files_different"]
    return {
        "replication_set": connection.replication_set,
        "target": connection.target,
        "complete": facts["complete"],
        "same": facts["complete"] and mended and not orphans and not left_out,
        "files_compared": facts["files_compared"],
        "files_different": facts["files_different"],
        "sent_bytes": facts["sent_bytes"],
        "orphans": orphans,
        "left_out": left_out,
        "remirrored": remirror,
        "says": facts["says"],
    }


def _sentence(one: dict[str, Any]) -> str:
    if not one["complete"]:
        return f"{one['replication_set']}: {one['says']}"
    counted = f"{one['files_compared']} files compared, {one['files_different']} different"
    sent = f", {in_units(one['sent_bytes'])} sent" if one["remirrored"] else ""
    more = f", {one['orphans']} names that only {one['target']} has" if one["orphans"] else ""
    out = f", {one['left_out']} paths left out" if one["left_out"] else ""
    return f"{one['replication_set']}: {counted}{sent}{more}{out}: {'the same' if one['same'] else 'NOT the same'}"
