"""Coming to know a server: its certificate is shown, a person compares it, and from then on it is pinned."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from orchestrator.cli.desk import Desk
from orchestrator.cli.screen import Screen, confirm
from orchestrator.cli.windows_hosts import windows_document
from orchestrator.hosts.errors import FingerprintNeeded, ServerDiffers
from orchestrator.hosts.reach import shown_fingerprint
from orchestrator.model.servers import EngineAddress, Platform, Server, ServerName


def confirmed_fingerprint(name: str, address: str, port: int, *, yes: bool) -> str:
    """The fingerprint that an engine shows, once somebody said that it is the right one.

    Raises:
        HostSilent, FingerprintNeeded, NotConfirmed.
    """
    shown = shown_fingerprint(name, address, port)
    confirm_fingerprint(name, address, port, shown, yes=yes)
    return shown


def confirm_fingerprint(name: str, address: str, port: int, shown: str, *, yes: bool) -> None:
    """Go on only when a person said that this is the engine's fingerprint.

    Raises:
        FingerprintNeeded: nobody can be asked.
        NotConfirmed: it is not.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise FingerprintNeeded(server=name, where=f"{address}:{port}", fingerprint=shown)
    click.echo(f"{name} at {address}:{port} shows this certificate (SHA-256):\n  {shown}", err=True)
    click.echo("compare it with 'dtengine server' on that host", err=True)
    confirm("Is it the same?", what=f"the certificate of {name}", yes=False)


def know(desk: Desk, screen: Screen, name: str, engine: EngineAddress) -> None:
    """Ask the engine who it is, keep it as this server, and say so.

    Raises:
        ServerDiffers: another engine is known by this name.
    """
    server, status = desk.pipeline.reach.meet(Server(ServerName(name), (), engine))
    refuse_another(desk.pipeline.store.server(name), engine.fingerprint)
    desk.pipeline.know(server)
    where = f"{engine.address}:{engine.control_port}"
    addresses = ", ".join(server.addresses)
    screen.say(f"{name} is known: engine {status.name} {status.version} at {where}, addresses {addresses}")
    screen.document(server_document(server, "answers"))


def refuse_another(known: Server | None, fingerprint: str) -> None:
    """Raises ServerDiffers when the name stands for an engine with another certificate already."""
    engine = known.own_engine if known is not None else None
    if known is not None and engine is not None and engine.fingerprint != fingerprint:
        where = f"{engine.address}:{engine.control_port}"
        raise ServerDiffers(server=known.name, where=where, fingerprint=engine.fingerprint[:16] + "…")


def plain_fingerprint(given: str) -> str:
    """As people write it, with colons and capitals, to how it is kept."""
    return given.replace(":", "").strip().lower()


def own_token_file(desk: Desk, name: str) -> Path:
    """Where the token lies that an installation fetched from the host's engine."""
    return desk.home / "tokens" / f"{name}.token"


def server_document(server: Server, says: str = "") -> dict[str, Any]:
    """A server for programs."""
    if server.platform is Platform.WINDOWS:
        return windows_document(server, says)
    engine = server.own_engine
    return {
        "name": server.name,
        "addresses": list(server.addresses),
        "address": engine.address,
        "control_port": engine.control_port,
        "fingerprint": engine.fingerprint,
        "token_file": engine.token_file,
        "account": msgspec.to_builtins(engine.account),
    } | ({"says": says} if says else {})
