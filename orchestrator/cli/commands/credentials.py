r"""``dtam credentials``: the passwords that dtam remembers for accounts at engines: list, set, clear. None is ever shown.

dtam credentials set 'LAB\ada' --server alpha
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from orchestrator.cli.accounts import remember_password
from orchestrator.cli.desk import Desk
from orchestrator.cli.examples import Group
from orchestrator.cli.options import json_option, yes_option
from orchestrator.cli.screen import Screen, confirm
from orchestrator.model.accounts import AccountName
from orchestrator.store.credentials import Credential

EVERY_SERVER = "every server"


@click.group(
    "credentials",
    cls=Group,
    examples=(
        "dtam credentials list",
        "dtam credentials set ada@lab.example",
        "dtam credentials clear --all --yes",
    ),
)
def command() -> None:
    """Remembered passwords of accounts: list, set, clear."""


@command.command("list", examples=("dtam credentials list", "dtam credentials list --json"))
@json_option
@click.pass_obj
def list_(desk: Desk, *, as_json: bool) -> None:
    """The accounts whose passwords are remembered; not the passwords."""
    screen = Screen(as_json)
    found, key = desk.pipeline.credentials.listed()
    rows = [(one.account, one.server or EVERY_SERVER, _when(one.set_at_s)) for one in found]
    screen.table(("account", "for", "set"), rows)
    screen.say(
        f"sealed; the key lies in the {'keyring' if key == 'keyring' else 'state directory'}" if found else "none"
    )
    screen.document({"key": key, "credentials": [_document(one) for one in found]})


@command.command(
    "set",
    examples=(
        "dtam credentials set ada@lab.example",
        "dtam credentials set dtam --server alpha --password-file alpha.password",
    ),
)
@click.argument("account")
@click.option("--server", default="", metavar="NAME", help="Only for this server; for every one when not given.")
@click.option("--password-file", type=click.Path(path_type=Path), help="A file of mode 0600; asked for when not given.")
@json_option
@click.pass_obj
def set_(desk: Desk, *, account: str, server: str, password_file: Path | None, as_json: bool) -> None:
    """Remember the password of an account; the one of before is forgotten."""
    screen = Screen(as_json)
    name = AccountName.parse(account).written
    for_server = desk.pipeline.known(server).name if server else ""
    remember_password(desk.pipeline.credentials, name, for_server, password_file)
    desk.pipeline.store.audit(desk.pipeline.by, "", "credentials set", f"the password of {name} is remembered")
    screen.say(f"the password of {name} is remembered for {for_server or EVERY_SERVER}")
    screen.document({"account": name, "server": for_server})


@command.command(
    "clear",
    examples=(
        "dtam credentials clear ada@lab.example",
        "dtam credentials clear --all --yes",
    ),
)
@click.argument("account", required=False)
@click.option("--server", metavar="NAME", help="Only what is remembered for this server.")
@click.option("--all", "every", is_flag=True, help="Every account, and the key.")
@yes_option
@json_option
@click.pass_obj
def clear(desk: Desk, *, account: str | None, server: str | None, every: bool, yes: bool, as_json: bool) -> None:
    """Forget the password of an account, or all."""
    screen = Screen(as_json)
    if (account is None) == (not every) or (every and server is not None):
        msg = "name an account (and a server), or give --all"
        raise click.UsageError(msg, click.get_current_context())
    confirm(f"Forget the password of {account or 'every account'}?", what="forgetting", yes=yes or not every)
    gone = desk.pipeline.credentials.clear(account, server)
    for one in gone:
        desk.pipeline.store.audit(
            desk.pipeline.by, "", "credentials clear", f"the password of {one.account} is forgotten"
        )
    screen.say(
        f"forgotten: {', '.join(one.account for one in gone)}" if gone else "nothing of that kind was remembered"
    )
    screen.document({"forgotten": [_document(one) for one in gone]})


def _document(one: Credential) -> dict[str, Any]:
    return {"account": one.account, "server": one.server, "set_at_s": one.set_at_s}


def _when(at_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at_s))
