"""``dtam hosts``: the servers that dtam knows, each pinned to its engine's certificate.

dtam hosts add alpha --address 192.0.2.10 --token-file alpha.token
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from orchestrator.cli.accounts import LoginChoice, login_options, new_password
from orchestrator.cli.commands import hosts_engine
from orchestrator.cli.desk import Desk
from orchestrator.cli.examples import Group
from orchestrator.cli.options import json_option
from orchestrator.cli.pairing import confirmed_fingerprint, know, plain_fingerprint, server_document
from orchestrator.cli.screen import Screen
from orchestrator.cli.windows_hosts import WinRmChoice, know_windows, winrm_options
from orchestrator.hosts.reach import read_token
from orchestrator.model.servers import CONTROL_PORT, EngineAddress


@click.group(
    "hosts",
    cls=Group,
    examples=(
        "dtam hosts install alpha --ssh root@192.0.2.10",
        "dtam hosts list",
        "dtam hosts test alpha",
    ),
)
def command() -> None:
    """Servers: install the engine, add, list, test, upgrade, remove."""


@command.command(
    "add",
    examples=(
        "dtam hosts add alpha --address 192.0.2.10 --token-file alpha.token",
        "dtam hosts add beta --address 192.0.2.20 --port 6320 --token-file beta.token --fingerprint 5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
        "dtam hosts add alpha --address 192.0.2.10 --user ada@lab.example",
        "dtam hosts add alpha --address 192.0.2.10 --kerberos alpha.lab.example",
        "dtam hosts add wsrc --winrm wsrc.lab.example",
        "dtam hosts add wsrc --winrm 192.0.2.30 --transport ntlm --account LAB\\\\dtam",
    ),
)
@click.argument("name")
@click.option("--address", help="Where the server's engine is reached: an IP address or a host name.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help=f"Its control port; that of dtam options when not given, {CONTROL_PORT}.",
)
@click.option("--fingerprint", help="SHA-256 of its certificate; shown and asked for when not given.")
@click.option("--token-file", type=click.Path(path_type=Path), help="A file of mode 0600 that holds an admin token.")
@login_options
@winrm_options
@click.option("--yes", is_flag=True, help="Accept the fingerprint that is shown, without asking.")
@json_option
@click.pass_obj
def add(
    desk: Desk,
    /,
    *,
    name: str,
    address: str | None,
    port: int | None,
    fingerprint: str | None,
    token_file: Path | None,
    yes: bool,
    as_json: bool,
    **login: Any,
) -> None:
    """Know a server: by its engine, whose certificate is pinned, or a Windows server by its WinRM."""
    screen = Screen(as_json)
    windows = WinRmChoice(**{field: login.pop(field) for field in WinRmChoice.__dataclass_fields__})
    if windows.winrm is not None:
        _refuse_engine_options(address, token_file, fingerprint, login)
        way = windows.address(login["principal"], login["keytab"])
        know_windows(desk, screen, name, way, login["password_file"])
        return
    if address is None:
        msg = "give --address of its engine, or --winrm of a Windows server"
        raise click.UsageError(msg)
    if token_file is not None:
        read_token(name, token_file)
    choice = LoginChoice(**login)
    account = choice.account()
    if account is not None and token_file is not None:
        msg = "--token-file and an account exclude each other"
        raise click.UsageError(msg)
    at = port or desk.options.port
    pinned = fingerprint or confirmed_fingerprint(name, address, at, yes=yes)
    token = str(token_file.resolve()) if token_file else None
    with new_password(desk.pipeline.credentials, account, name, choice.password_file):
        know(desk, screen, name, EngineAddress(address, at, plain_fingerprint(pinned), token, account))


def _refuse_engine_options(
    address: str | None, token: Path | None, fingerprint: str | None, login: dict[str, Any]
) -> None:
    given = (address, token, fingerprint, login["user"], login["kerberos"])
    if any(one is not None for one in given):
        msg = "--winrm is for a server without engine: give none of --address, --token-file, --fingerprint, --user, --kerberos"
        raise click.UsageError(msg)


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
    rows = [(one.name, one.platform, one.reached_at, ", ".join(one.addresses)) for one in servers]
    screen.table(("name", "platform", "reached at", "addresses"), rows) if rows else screen.say(
        "no server is known: dtam hosts add"
    )
    screen.document([server_document(server) for server in servers])


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
    screen.document([server_document(server, says) | {"ok": mark == "ok"} for server, (mark, says) in answers])
    for server in (server for server, (mark, _) in answers if mark != "ok" and server.engine is not None):
        screen.say(f"if no engine is there: dtam hosts install {server.name} --ssh root@{server.address}")
    if any(mark != "ok" for _, (mark, _) in answers):
        raise click.exceptions.Exit(1)


for more in (hosts_engine.install, hosts_engine.upgrade, hosts_engine.remove, hosts_engine.package):
    command.add_command(more)
