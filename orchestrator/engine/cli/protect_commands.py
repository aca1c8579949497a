"""``dtengine protections | fence | status``: where the protections of this engine stand, and whether its services may run."""

from __future__ import annotations

import time

import click

from orchestrator.engine.cli.asking import Ask, asking
from orchestrator.engine.client import schema
from orchestrator.engine.control.errors import EngineUnreachable

FENCED_EXIT_CODE = 1
LOOK_S = 0.5


@click.group()
def protections() -> None:
    """The protections that this engine has a part in."""


@protections.command("list")
@asking
def list_protections(ask: Ask) -> None:
    """All protections."""
    states = [ask.engine.protection_state(document.id) for document in ask.engine.protections()]
    ask.show_all(states, ("id", "role", "epoch", "phase", "says"))


@protections.command("show")
@click.argument("protection")
@asking
def show_protection(ask: Ask, protection: str) -> None:
    """Where one stands."""
    ask.show(ask.engine.protection_state(protection))


@protections.command("act")
@click.argument("protection")
@click.argument("action", type=click.Choice([str(kind) for kind in schema.ProtectionActionKind]))
@click.option("--epoch", type=int)
@click.option("--forced", is_flag=True, help="You know that the other side is down.")
@click.option("--by", default="", help="Who says so.")
@click.option("--reason", default="")
@asking
def act(ask: Ask, protection: str, action: str, **settings: object) -> None:
    """Tell a protection something: enable_monitor, failover, fence, unfence ..."""
    ask.show(ask.engine.protection_action(protection, action, **settings))


@click.command()
@click.option("--check", "protection", required=True, metavar="PROTECTION", help="The protection to ask about.")
@click.option("--wait-s", type=float, default=0.0, show_default=True, help="Wait so long for the fence to open.")
@asking
def fence(ask: Ask, protection: str, wait_s: float) -> None:
    """Say whether the protected services may run here: exit code 0 they may, 1 they may not.

    The boot fence unit runs this before the services: until the epoch is confirmed they stay down.
    """
    until = time.monotonic() + wait_s
    while True:
        held, says = _looked(ask, protection)
        if not held or time.monotonic() >= until:
            break
        time.sleep(LOOK_S)
    click.echo(says)
    if held:
        raise click.exceptions.Exit(FENCED_EXIT_CODE)


def _looked(ask: Ask, protection: str) -> tuple[bool, str]:
    """An engine that does not answer confirms nothing."""
    try:
        state = ask.engine.protection_state(protection)
    except EngineUnreachable as error:
        return True, f"fenced: {error}"
    return state.fence.held, state.fence.reason if state.fence.held else f"open: epoch {state.epoch}"


@click.command()
@asking
def status(ask: Ask) -> None:
    """The engine in a few lines: captures, connections, replicas, protections, services."""
    engine = ask.engine
    server = engine.server()
    click.echo(
        f"{server.name} {server.version}, up {server.uptime_s:.0f} s, capture: {server.capture} ({server.capture_says})"
    )
    for mount in engine.mounts():
        click.echo(f"mount {mount.path}: {mount.state}, {mount.says}")
    for one in engine.connections():
        flushes = f", flushes {one.synchrony.state} since {one.synchrony.since}" if one.synchrony else ""
        click.echo(
            f"connection {one.id} {one.replication_set} to {one.target}: {one.state}, data {one.target_data_state}, "
            f"lag {one.lag_s:.1f} s{flushes}"
        )
    for replica in engine.replicas():
        live = ", live" if replica.promoted else ""
        click.echo(f"replica {replica.target_root} of {replica.source}: {replica.data_state}{live}")
    for document in engine.protections():
        state = engine.protection_state(document.id)
        click.echo(f"protection {state.id} ({state.role}, epoch {state.epoch}, {state.phase}): {state.says}")
    for service in engine.services():
        click.echo(f"service {service.says}")
