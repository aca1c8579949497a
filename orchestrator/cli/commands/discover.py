"""``dtam discover``: which servers there are and what they are part of; or everything about one protection's pair."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from orchestrator.cli.desk import Desk
from orchestrator.cli.examples import Command
from orchestrator.cli.options import json_option
from orchestrator.cli.screen import Screen
from orchestrator.model.inventory import Inventory, SideInventory
from orchestrator.model.resolvers import ListedServer, listed
from orchestrator.model.settings_names import DnsSettings

_FILE = click.Path(path_type=Path)


@click.command(
    "discover",
    cls=Command,
    examples=(
        "dtam --fileprint discover",
        "dtam --fileprint discover --protection fileprint_alpha_beta --json",
        "dtam --sql discover",
        "dtam --sql --nosqlsearch discover --server sql7.corp.example.com",
        "dtam --sql discover --test 'ALPHA\\SALES' --set failover.sql.login.user=sa",
    ),
)
@click.option("--protection", "name", metavar="NAME", help="Gather everything about this protection's pair anew.")
@click.option(
    "--server", "hosts", multiple=True, metavar="HOST", help="SQL Server: ask this host, too; may be repeated."
)
@click.option("--test", "tested", metavar="SERVER[\\INSTANCE]", help="SQL Server: reach it and log in; say why not.")
@click.option("--domain", metavar="NAME", help="SQL Server: the domain to search; without it, that of this machine.")
@click.option("--controller", "controllers", multiple=True, metavar="HOST", help="A domain controller to use.")
@click.option("--principal", metavar="USER", help="Who asks the domain; without it, the owner of the ticket cache.")
@click.option("--keytab", type=_FILE, help="The principal's keytab, of mode 0600.")
@click.option("--password-file", type=_FILE, help="A file of mode 0600 with the principal's password.")
@click.option("--ca-file", type=_FILE, help="Ask the domain by LDAPS, with this authority for its certificate.")
@click.option(
    "--dns-server", "dns_servers", multiple=True, metavar="ADDRESS", help="Ask this DNS server for controllers."
)
@click.option(
    "--set", "sets", multiple=True, metavar="SETTING=VALUE", help="Test SQL: how to log in, as failover.sql.login."
)
@json_option
@click.pass_obj
def command(
    desk: Desk,
    /,
    *,
    name: str | None,
    hosts: tuple[str, ...],
    tested: str | None,
    domain: str | None,
    sets: tuple[str, ...],
    as_json: bool,
    **fields: Any,
) -> None:
    """Ask all known servers what they are part of; with --protection, gather and keep the facts of its pair.

    For SQL Server the domain is searched for service names (MSSQLSvc), and this network for SQL Browser, unless --nosqlsearch is given. Which
    servers dtam knows is said by 'dtam hosts add' alone.
    """
    screen = Screen(as_json)
    if name is None and desk.application == "sql":
        from orchestrator.cli import sql_servers  # noqa: PLC0415  the others need neither directory nor driver

        access, wide = sql_servers.access_of(domain, fields), "nosqlsearch" not in desk.modes
        if tested is not None:
            sql_servers.test(desk, screen, tested, sets, access, is_named=bool(domain))
            return
        sql_servers.show(desk, screen, sql_servers.Search(hosts, access if wide else None, wide))
        return
    if hosts or tested or domain or sets:
        message = "--server, --test, --domain and --set are for SQL Server: dtam --sql discover"
        raise click.UsageError(message)
    if name is not None:
        protection = desk.protection(name, "discover")
        inventory = desk.pipeline.inventory(protection)
        servers = _name_servers(inventory, protection.settings.failover.dns)
        _show(screen, inventory)
        _show_servers(screen, servers)
        screen.document(
            msgspec.to_builtins(inventory) | {"name_servers": [msgspec.to_builtins(one) for one in servers]}
        )
        return
    found = desk.pipeline.discover()
    rows = [(one.server.name, one.says, one.engine.capture if one.engine else "", one.silence) for one in found]
    if rows:
        screen.table(("server", "is", "capture", "silence"), rows)
    else:
        screen.say("no server is known: dtam hosts add NAME --address ADDRESS --token-file FILE")
    screen.document([msgspec.to_builtins(one) | {"says": one.says} for one in found])


def _show(screen: Screen, inventory: Inventory) -> None:
    for side in (inventory.source, inventory.target):
        screen.say(f"{side.name}: {side.unreachable or _engine(side)}")
        screen.table(
            ("fact", "value"),
            [
                *(("address", f"{one.address} ({one.interface})") for one in side.addresses),
                *(("path", f"{one.path}: {one.kind}{_free(one.free_bytes)}") for one in side.paths),
                *(("service", f"{one.name}: {one.state}") for one in side.services),
            ],
        )
    names = inventory.names
    rows = [line for records in names.records for line in records.lines()]
    screen.table(("DNS record",), [(line,) for line in rows]) if rows else screen.say("no DNS records")
    for _, sentence in names.problems:
        screen.say(f"DNS: {sentence}", "warning")
    if inventory.witness.configured:
        screen.say(f"witness: {inventory.witness.problem or 'answers with the pinned key'}")


def _name_servers(inventory: Inventory, dns: DnsSettings) -> tuple[ListedServer, ...]:
    ours, theirs = (side.samba.resolvers if side.samba else () for side in (inventory.source, inventory.target))
    return listed(ours, theirs, dns.servers, dns.client_server)


def _show_servers(screen: Screen, servers: Sequence[ListedServer]) -> None:
    rows = [(one.address, one.of, "clients'" if one.first else "yes" if one.used else "no") for one in servers]
    if rows:
        screen.table(("DNS server", "of", "in failover.dns.servers"), rows)


def _engine(side: SideInventory) -> str:
    engine = side.engine
    return f"engine {engine.name} {engine.version}, capture {engine.capture}" if engine else "no engine"


def _free(free_bytes: int | None) -> str:
    return "" if free_bytes is None else f", {free_bytes // 10**6} MB free"
