"""``dtam hosts``: the servers that dtam knows, each pinned to its engine's certificate.

dtam hosts add alpha --address 192.0.2.10 --token-file alpha.token
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from orchestrator.cli.desk import Desk
from orchestrator.cli.examples import Group
from orchestrator.cli.options import json_option
from orchestrator.cli.screen import Screen, confirm
from orchestrator.hosts.errors import FingerprintNeeded, ServerDiffers
from orchestrator.hosts.reach import read_token, shown_fingerprint
from orchestrator.model.servers import CONTROL_PORT, EngineAddress, Server, ServerName


@click.group(
    "hosts",
    cls=Group,
    examples=(
        "dtam hosts list",
        "dtam hosts test alpha",
    ),
)
def command() -> None:
    """Servers: add, list, test, remove."""


@command.command(
    "add",
    examples=(
        "dtam hosts add alpha --address 192.0.2.10 --token-file alpha.token",
        "dtam hosts add beta --address 192.0.2.20 --port 6320 --token-file beta.token --fingerprint 5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
    ),
)
@click.argument("name")
@click.option("--address", required=True, help="Where the server's engine is reached: an IP address or a host name.")
@click.option(
    "--port", default=CONTROL_PORT, show_default=True, type=click.IntRange(1, 65535), help="Its control port."
)
@click.option("--fingerprint", help="SHA-256 of its certificate; shown and asked for when not given.")
@click.option("--token-file", type=click.Path(path_type=Path), help="A file of mode 0600 that holds an admin token.")
@click.option("--yes", is_flag=True, help="Accept the fingerprint that is shown, without asking.")
@json_option
@click.pass_obj
def add(
    desk: Desk,
    *,
    name: str,
    address: str,
    port: int,
    fingerprint: str | None,
    token_file: Path | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Know a server and pin its engine's certificate."""
    screen = Screen(as_json)
    if token_file is not None:
        read_token(name, token_file)
    pinned = fingerprint or _confirmed(name, address, port, yes=yes)
    engine = EngineAddress(
        address, port, pinned.replace(":", "").lower(), str(token_file.resolve()) if token_file else None
    )
    server, status = desk.pipeline.reach.meet(Server(ServerName(name), (), engine))
    _refuse_another(desk.pipeline.store.server(name), server)
    desk.pipeline.know(server)
    screen.say(
        f"{name} is known: engine {status.name} {status.version} at {address}:{port}, addresses {', '.join(server.addresses)}"
    )
    screen.document(_document(server, "answers"))


@command.command(
    "list",
    examples=(
        "dtam hosts list",
        "dtam hosts list --json",
    ),
)
@json_option
@click.pass_obj
def list_(desk: Desk, *, as_json: bool) -> None:
    """The known servers."""
    screen = Screen(as_json)
    servers = desk.pipeline.store.servers()
    rows = [(one.name, f"{one.engine.address}:{one.engine.control_port}", ", ".join(one.addresses)) for one in servers]
    screen.table(("name", "engine", "addresses"), rows) if rows else screen.say("no server is known: dtam hosts add")
    screen.document([_document(server) for server in servers])


@command.command(
    "test",
    examples=(
        "dtam hosts test",
        "dtam hosts test alpha --json",
    ),
)
@click.argument("name", required=False)
@json_option
@click.pass_obj
def test(desk: Desk, *, name: str | None, as_json: bool) -> None:
    """Ask every known server, or one, for a sign of life."""
    screen = Screen(as_json)
    servers = [desk.pipeline.known(name)] if name else list(desk.pipeline.store.servers())
    answers = [(server, desk.pipeline.reach.sign_of_life(server)) for server in servers]
    screen.table(("name", "answer", "says"), [(server.name, mark, says) for server, (mark, says) in answers])
    screen.document([_document(server, says) | {"ok": mark == "ok"} for server, (mark, says) in answers])
    if any(mark != "ok" for _, (mark, _) in answers):
        raise click.exceptions.Exit(1)


@command.command("remove", examples=("dtam hosts remove alpha --yes",))
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask, go on.")
@json_option
@click.pass_obj
def remove(desk: Desk, *, name: str, yes: bool, as_json: bool) -> None:
    """Know a server no more; refused while a protection uses it."""
    screen = Screen(as_json)
    server = desk.pipeline.known(name)
    desk.pipeline.refuse_if_used(server)
    confirm(f"Forget {server.name}?", what=f"forgetting {server.name}", yes=yes)
    desk.pipeline.forget(server)
    screen.say(f"{server.name} is known no more")
    screen.document(_document(server))


def _confirmed(name: str, address: str, port: int, *, yes: bool) -> str:
    shown = shown_fingerprint(name, address, port)
    if yes:
        return shown
    if not sys.stdin.isatty():
        raise FingerprintNeeded(server=name, where=f"{address}:{port}", fingerprint=shown)
    click.echo(f"{name} at {address}:{port} shows this certificate (SHA-256):\n  {shown}", err=True)
    click.echo("compare it with 'dtengine server' on that host", err=True)
    confirm("Is it the same?", what=f"the certificate of {name}", yes=False)
    return shown


def _refuse_another(known: Server | None, server: Server) -> None:
    if known is not None and known.engine.fingerprint != server.engine.fingerprint:
        where = f"{known.engine.address}:{known.engine.control_port}"
        raise ServerDiffers(server=known.name, where=where, fingerprint=known.engine.fingerprint[:16] + "…")


def _document(server: Server, says: str = "") -> dict[str, Any]:
    engine = server.engine
    return {
        "name": server.name,
        "addresses": list(server.addresses),
        "address": engine.address,
        "control_port": engine.control_port,
        "fingerprint": engine.fingerprint,
        "token_file": engine.token_file,
    } | ({"says": says} if says else {})
