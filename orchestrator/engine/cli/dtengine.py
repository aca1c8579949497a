"""``dtengine``: runs the daemon and asks it things. Who is asked and how answers are shown: asking.py."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import click

from orchestrator.engine.cli.asking import Ask, Clear, asking, confirmed_fingerprint, read_token, split_address
from orchestrator.engine.cli.data_commands import connections, devices, mounts, replicas, sets
from orchestrator.engine.cli.line_commands import lines, statistics
from orchestrator.engine.cli.oplog_commands import oplog
from orchestrator.engine.cli.protect_commands import fence, protections, status
from orchestrator.engine.cli.restore_command import restore
from orchestrator.engine.cli.snapshot_commands import snapshots
from orchestrator.engine.client import schema
from orchestrator.engine.control.settings import read_settings


@click.group(cls=Clear)
@click.version_option(package_name="dtam")
def main() -> None:
    """The engine of a host: capture, replication, services and scripts of its protections."""


@main.command()
@click.option("--config", type=click.Path(path_type=Path), help="TOML file with these settings.")
@click.option("--state", help="State directory.")
@click.option("--name", help="Name of this engine; the host's name when absent.")
@click.option("--address", help="Address to listen on; all when absent.")
@click.option("--control-port", type=int, help="TCP port of the control API (6320).")
@click.option("--data-port", type=int, help="TCP port for replication data (6321).")
@click.option("--probe-port", type=int, help="UDP port that answers probes (6320).")
@click.option("--memory-directory", help="tmpfs directory for the queue in memory.")
def run(config: Path | None, **flags: Any) -> None:
    """Run the daemon in the foreground until SIGTERM."""
    from orchestrator.engine.cli.collecting import collect_rarely  # noqa: PLC0415  # the asking commands need none of it
    from orchestrator.engine.control import daemon  # noqa: PLC0415

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    collect_rarely()
    daemon.run(read_settings(config, flags))


@main.command()
@asking
def server(ask: Ask) -> None:
    """Who this engine is: name, id, fingerprint, addresses, ports."""
    ask.show(ask.engine.server())


@main.command()
@asking
def openapi(ask: Ask) -> None:
    """Print the control API as an OpenAPI document."""
    click.echo(json.dumps(ask.engine.openapi(), indent=1))


@main.command()
@click.argument("address")
@click.option("--peer-fingerprint", help="SHA-256 of the other engine's certificate, as that host shows it.")
@click.option(
    "--peer-token-file",
    type=click.Path(path_type=Path),
    required=True,
    help="File with an admin token of the other engine.",
)
@click.option("--own-address", help="Address at which the other engine reaches this one.")
@click.option("--peer-data-port", type=int, help="Data port at which the other engine is reached; its own when absent.")
@asking
def pair(
    ask: Ask,
    address: str,
    peer_fingerprint: str | None,
    peer_token_file: Path,
    *,
    own_address: str | None,
    peer_data_port: int | None,
) -> None:
    """Pair this engine with the one at ADDRESS[:PORT], both ways."""
    where, port = split_address(address)
    confirmed = peer_fingerprint or confirmed_fingerprint(where, port)
    token = read_token(peer_token_file)
    values = {
        "address": where,
        "control_port": port,
        "fingerprint": confirmed,
        "token": token,
        "own_address": own_address,
        "data_port": peer_data_port,
    }
    ask.show(ask.engine.pair(schema.PairRequest.model_validate(values)))


@main.group()
def peers() -> None:
    """The engines that this one trusts."""


@peers.command("list")
@asking
def list_peers(ask: Ask) -> None:
    """All peers."""
    ask.show_all(ask.engine.peers(), ("name", "address", "control_port", "data_port", "fingerprint"))


@peers.command("remove")
@click.argument("name")
@asking
def remove_peer(ask: Ask, name: str) -> None:
    """Trust an engine no more."""
    ask.show(ask.engine.remove_peer(name))


@main.group()
def token() -> None:
    """Tokens of remote callers."""


@token.command("create")
@click.argument("name")
@click.option("--scope", type=click.Choice(["admin", "monitor"]), default="monitor", show_default=True)
@click.option(
    "--to", type=click.Path(path_type=Path), help="Write the token to this new file (0600) instead of showing it."
)
@asking
def create_token(ask: Ask, name: str, scope: str, to: Path | None) -> None:
    """Make a token; it is shown once."""
    if to is not None:
        _new_file(to)
    made = ask.engine.create_token(name, schema.Scope(scope))
    if to is not None:
        to.write_text(f"{made.token}\n", encoding="ascii")
        made = made.model_copy(update={"token": None})
    ask.show(made)


def _new_file(path: Path) -> None:
    """Make it before there is a token: one that cannot be written down would be lost."""
    try:
        path.touch(mode=0o600, exist_ok=False)
    except OSError as error:
        raise click.BadParameter(
            f"{path}: {error.strerror}: give a file that is not there yet", param_hint="--to"
        ) from error


@token.command("list")
@asking
def list_tokens(ask: Ask) -> None:
    """Tokens by name."""
    ask.show_all(ask.engine.tokens(), ("name", "scope", "created_ns"))


@token.command("revoke")
@click.argument("name")
@asking
def revoke_token(ask: Ask, name: str) -> None:
    """A token counts no more."""
    ask.show(ask.engine.revoke_token(name))


@main.group()
def services() -> None:
    """The protected services of this host."""


@services.command("list")
@asking
def list_services(ask: Ask) -> None:
    """All services."""
    ask.show_all(ask.engine.services(), ("name", "protection", "state", "pid", "fenced"))


@services.command("start")
@click.argument("name")
@asking
def start_service(ask: Ask, name: str) -> None:
    """Start a service; refused while the fence of its protection holds."""
    ask.show(ask.engine.start_service(name))


@services.command("stop")
@click.argument("name")
@asking
def stop_service(ask: Ask, name: str) -> None:
    """Stop a service."""
    ask.show(ask.engine.stop_service(name))


@main.group()
def runs() -> None:
    """Runs of scripts."""


@runs.command("list")
@asking
def list_runs(ask: Ask) -> None:
    """All runs, newest first."""
    ask.show_all(ask.engine.runs(), ("run_id", "script", "protection", "state", "script_exit_code"))


@runs.command("show")
@click.argument("name")
@asking
def show_run(ask: Ask, name: str) -> None:
    """One run with its lines."""
    ask.show(ask.engine.run(name))


@main.command()
@click.option("--after", type=int, default=0, help="Only events with a larger number.")
@asking
def events(ask: Ask, after: int) -> None:
    """What happened."""
    ask.show_all(ask.engine.events(after), ("n", "time_ns", "kind", "sentence"))


for command in (
    mounts,
    devices,
    sets,
    connections,
    replicas,
    snapshots,
    protections,
    fence,
    status,
    statistics,
    lines,
    oplog,
    restore,
):
    main.add_command(command)

if __name__ == "__main__":
    main()
