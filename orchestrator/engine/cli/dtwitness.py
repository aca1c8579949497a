"""``dtwitness``: the third machine's only program. It says once who may be master, and remembers it.

dtwitness run --state /var/lib/dtwitness
dtwitness enrol ENGINE.pem --state /var/lib/dtwitness --holder ENGINE_ID
dtwitness status --state /var/lib/dtwitness --json
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import click
import msgspec

from orchestrator.engine.witness.book import Book
from orchestrator.engine.witness.client import WitnessClient
from orchestrator.engine.witness.errors import WitnessUnreachable
from orchestrator.engine.witness.identity import Clients, fingerprint_of, load_or_make
from orchestrator.engine.witness.server import SERVING, Serving, WitnessServer
from orchestrator.engine.witness.store import DirectoryShelf, Store
from orchestrator.engine.witness.wire import ProtectionView
from orchestrator.errors import DtamError

DEFAULT_PORT = 6322
_STATE = click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("/var/lib/dtwitness"),
    show_default=True,
    help="Where the witness keeps its key, its clients and its book.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """The witness: grants each epoch of a protection once, and keeps leases."""


@cli.command()
@_STATE
@click.option("--address", default="0.0.0.0", show_default=True, help="Address to listen on.")
@click.option("--port", default=DEFAULT_PORT, show_default=True, type=click.IntRange(0, 65535), help="0 chooses one.")
def run(state: Path, address: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    server = WitnessServer(state, address, port)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown, daemon=True).start())
    line = {"address": address, "port": server.server_port, "fingerprint": server.identity.fingerprint}
    click.echo(msgspec.json.encode(line).decode())
    server.serve_forever(poll_interval=0.2)
    server.server_close()


@cli.command()
@_STATE
def fingerprint(state: Path) -> None:
    """Print the sha256 of the witness's certificate, which engines pin. Makes the key if there is none yet."""
    DirectoryShelf(state)
    click.echo(load_or_make(state).fingerprint)


@cli.command()
@click.argument("certificate", type=click.File("r"))
@_STATE
@click.option("--name", default="", help="What people call this engine.")
@click.option("--holder", default="", help="The engine id this key may speak for; without it, any.")
@click.option("--fingerprint", "expected", default="", help="Refuse unless the certificate has this sha256.")
@click.option("--withdraw", is_flag=True, help="Admit this certificate no more.")
def enrol(certificate: Any, state: Path, name: str, holder: str, expected: str, withdraw: bool) -> None:  # noqa: FBT001, PLR0917 - click passes by name
    """Admit an engine by its CERTIFICATE (a PEM file, or - for standard input). Takes effect at once."""
    text = certificate.read()
    wanted = expected.replace(":", "").lower()
    try:
        found = fingerprint_of(text)
        if wanted and found != wanted:
            raise click.BadParameter(f"its fingerprint is {found}, not {wanted}", param_hint="CERTIFICATE")
        if withdraw:
            known = Clients(state).withdraw(found)
            click.echo(f"{found} {'withdrawn' if known else 'was not enrolled'}")
            return
        click.echo(Clients(state).enrol(text, name=name, holder=holder).fingerprint)
    except ValueError as error:
        raise click.BadParameter(f"this is not a certificate in PEM form: {error}", param_hint="CERTIFICATE") from error


@cli.command()
@_STATE
@_JSON
def status(state: Path, as_json: bool) -> None:  # noqa: FBT001
    """Show whether the witness runs, whom it admits, and who owns which epoch. Exit code 1 when it does not run."""
    facts = _facts(state)
    if as_json:
        click.echo(msgspec.json.encode(facts).decode())
    else:
        _print(facts)
    sys.exit(0 if facts["running"] else 1)


def _facts(state: Path) -> dict[str, Any]:
    identity = load_or_make(state)
    clients = [
        {"name": c.name, "holder": c.holder, "fingerprint": c.fingerprint} for c in Clients(state).all().values()
    ]
    facts: dict[str, Any] = {"state": str(state), "fingerprint": identity.fingerprint, "clients": clients}
    stored = DirectoryShelf(state).read(SERVING)
    if stored is not None:
        serving = msgspec.json.decode(stored, type=Serving)
        address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(serving.address, serving.address)
        client = WitnessClient(
            address,
            serving.port,
            identity.fingerprint,
            certificate_file=identity.certificate_file,
            key_file=identity.key_file,
        )
        try:
            return {**facts, "running": True, "port": serving.port, "protections": client.look_at_all()}
        except WitnessUnreachable:
            pass
        finally:
            client.close()
    return {**facts, "running": False, "port": None, "protections": Book(Store(DirectoryShelf(state))).all()}


def _print(facts: dict[str, Any]) -> None:
    click.echo(
        f"witness {facts['state']}: {'running on port ' + str(facts['port']) if facts['running'] else 'not running'}"
    )
    for client in facts["clients"]:
        click.echo(f"  admits {client['name'] or client['holder'] or 'an engine'} {client['fingerprint'][:16]}...")
    views: list[ProtectionView] = facts["protections"]
    for view in views:
        ends = "" if view.expires_in_s is None else f", {view.expires_in_s:.1f} s left"
        click.echo(f"  {view.protection}: epoch {view.epoch} owned by {view.holder} ({view.lease}{ends})")
        for forced in view.forced:
            click.echo(f"    forced by {forced.by} from epoch {forced.from_epoch} for {forced.candidate}")


def main() -> None:
    """Entry point: one line and the class's exit code for whatever we foresaw."""
    try:
        cli(standalone_mode=True)
    except DtamError as error:
        click.echo(f"dtwitness: {error}", err=True)
        if error.hint:
            click.echo(f"HINT: {error.hint}", err=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
