"""What the asking commands of ``dtengine`` share: which engine is asked, how answers are shown, how failures are said.

Without ``--connect`` a command speaks to the daemon of this machine over its UNIX socket; with it to a remote one, whose
certificate must have ``--fingerprint`` and whose token comes from ``--token-file`` or DTENGINE_TOKEN, never from the command line.
"""

from __future__ import annotations

import functools
import json
import os
import ssl
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel, ValidationError
from rich.console import Console
from rich.table import Table

from orchestrator.engine.client import EngineClient
from orchestrator.engine.control.errors import BadRequest, EngineUnreachable, SettingsUnreadable
from orchestrator.engine.control.identity import pem_fingerprint
from orchestrator.engine.control.settings import default_state
from orchestrator.errors import DtamError


class Clear(click.Group):
    """A group whose failures are one line and a hint on standard error, with the exit code of the error."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except ValidationError as error:
            first = error.errors()[0]
            return self._fail(ctx, BadRequest(why=f"{'.'.join(map(str, first['loc']))}: {first['msg']}"))
        except DtamError as error:
            return self._fail(ctx, error)

    @staticmethod
    def _fail(ctx: click.Context, error: DtamError) -> None:
        click.echo(f"dtengine: {error}", err=True)
        if error.hint:
            click.echo(f"HINT: {error.hint}", err=True)
        ctx.exit(error.exit_code)


@dataclass(frozen=True, slots=True)
class Ask:
    """The engine that a command asks, and how it shows what it hears."""

    engine: EngineClient
    as_json: bool

    def show(self, answer: BaseModel) -> None:
        """Print one answer."""
        if self.as_json:
            click.echo(answer.model_dump_json(indent=1))
        else:
            print_rows(("", ""), list(answer.model_dump(mode="json").items()))

    def show_all(self, answers: Sequence[BaseModel], columns: Sequence[str]) -> None:
        """Print several answers; ``columns`` are the fields that people see."""
        documents = [answer.model_dump(mode="json") for answer in answers]
        if self.as_json:
            click.echo(json.dumps(documents, indent=1))
        else:
            print_rows(columns, [tuple(document[column] for column in columns) for document in documents])


OPTIONS = (
    click.option("--state", type=click.Path(path_type=Path), help="State directory of the local daemon."),
    click.option("--connect", metavar="ADDRESS[:PORT]", help="Ask a remote engine instead."),
    click.option("--fingerprint", help="SHA-256 of the remote engine's certificate."),
    click.option(
        "--token-file", type=click.Path(path_type=Path), help="File that holds the token for the remote engine."
    ),
    click.option("--json", "as_json", is_flag=True, help="Print JSON."),
)


def asking(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command its ``Ask`` as first argument, and the options that say whom it asks."""

    @functools.wraps(command)
    def asked(**given: Any) -> None:
        whom = [given.pop(name) for name in ("state", "connect", "fingerprint", "token_file")]
        as_json = given.pop("as_json")
        with client(*whom) as engine:
            command(Ask(engine, as_json), **given)

    return functools.reduce(lambda wrapped, option: option(wrapped), reversed(OPTIONS), asked)


def client(state: Path | None, connect: str | None, fingerprint: str | None, token_file: Path | None) -> EngineClient:
    """The client for the options given."""
    if connect is None:
        return EngineClient.local(str((state or Path(default_state())) / "control.sock"), timeout_s=30)
    if fingerprint is None:
        raise click.UsageError("--connect needs --fingerprint; read it on that host with 'dtengine server'")
    address, port = split_address(connect)
    return EngineClient.https(address, port, fingerprint=fingerprint, token=read_token(token_file), timeout_s=30)


def split_address(text: str) -> tuple[str, int]:
    """Address and control port of ``ADDRESS[:PORT]``; an IPv6 address with a port stands in brackets."""
    if text.startswith("["):
        address, _, port = text[1:].partition("]")
        port = port.lstrip(":")
    elif text.count(":") == 1:
        address, _, port = text.partition(":")
    else:
        address, port = text, ""
    if port and not port.isdigit():
        raise click.UsageError(f"{text}: the port is not a number")
    return address, int(port or 6320)


def read_token(token_file: Path | None) -> str | None:
    """The token from a file, or from DTENGINE_TOKEN."""
    if token_file is None:
        return os.environ.get("DTENGINE_TOKEN")
    try:
        return token_file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsUnreadable(path=token_file, why=str(error)) from error


def confirmed_fingerprint(address: str, port: int) -> str:
    """The fingerprint that an engine shows, once a person has compared it and said yes."""
    try:
        shown = pem_fingerprint(ssl.get_server_certificate((address, port), timeout=10))
    except (OSError, ValueError) as error:
        raise EngineUnreachable(where=f"{address}:{port}", why=str(error)) from error
    if not sys.stdin.isatty():
        raise click.UsageError(f"{address}:{port} shows {shown}; compare it there and give it with --peer-fingerprint")
    click.echo(f"{address}:{port} shows the fingerprint {shown}\nCompare it with 'dtengine server' on that host.")
    click.confirm("Is it the same?", abort=True)
    return shown


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table on a terminal, tab-separated lines elsewhere."""
    if not sys.stdout.isatty():
        for row in rows:
            click.echo("\t".join(as_text(value) for value in row))
        return
    table = Table(*columns, box=None, show_header=any(columns))
    for row in rows:
        table.add_row(*(as_text(value) for value in row))
    Console().print(table)


def as_text(value: Any) -> str:
    """One value in a table."""
    if isinstance(value, dict | list):
        return json.dumps(value)
    return "-" if value is None else str(value).rstrip("\n")
