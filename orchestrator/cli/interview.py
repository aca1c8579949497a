"""The questions of ``dtam setup`` on a terminal: only what nobody gave yet, each with a default where there is a sensible one.

Answers become settings like any other layer, so they are checked in the same place and remembered in the same way. Questions go
to standard error; standard output stays for results.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import click

from orchestrator.cli.errors import AnswerNeeded
from orchestrator.cli.screen import ask
from orchestrator.cli.settings_options import Given
from orchestrator.discover import Discovered
from orchestrator.hosts.reach import shown_fingerprint
from orchestrator.model.servers import Platform
from orchestrator.pipeline import Pipeline


def complete(pipeline: Pipeline, given: Given, *, modes: frozenset[str] = frozenset()) -> Given:
    """Ask for what is missing; without a terminal the first missing thing is told with the flag that gives it.

    ``modes``: advanced asks also which DNS server is written first (the guide's Client DNS Server), altdns asks for the key of a DNS of
    another make.

    Raises:
        AnswerNeeded: nobody can be asked.
    """
    values: dict[str, Any] = {}
    given = servers(pipeline, given)
    if given.value("name") is None:
        values["name"] = ask("Full name that clients use", what="the name that clients use", flag="--name NAME")
    if not given.value("connection.roots") and not _shares_tell(pipeline, given):
        values["connection.roots"] = [_root()]
    if sys.stdin.isatty():
        values |= dict(_further(given, modes))
    return given.also(values)


def servers(pipeline: Pipeline, given: Given) -> Given:
    """Source and target, asked for where they are missing; unprotected ones are marked.

    Raises:
        AnswerNeeded: nobody can be asked.
    """
    values: dict[str, Any] = {}
    found = pipeline.discover() if not (given.value("source") and given.value("target")) else ()
    for setting, flag, question in (
        ("source", "--source", "Which server is to be protected"),
        ("target", "--target", "Which server takes over"),
    ):
        if given.value(setting) is None:
            values[setting] = _server(found, question, setting, flag, taken=str(values.get("source", "")))
    return given.also(values)


def _server(found: tuple[Discovered, ...], question: str, setting: str, flag: str, *, taken: str) -> str:
    if not sys.stdin.isatty():
        raise AnswerNeeded(what=f"the {setting} server", flag=f"{flag} SERVER, or a file with --file")
    left = [one for one in found if one.server.name != taken]
    for one in left:
        click.echo(f"  {one.server.name:<20} {one.says}", err=True)
    default = next((one.server.name for one in left if one.says == "unprotected"), None)
    return ask(question, what=f"the {setting} server", flag=flag, default=default)


def _shares_tell(pipeline: Pipeline, given: Given) -> bool:
    """Whether the source's shares or its instances say which directories are protected: shares always do on Windows."""
    if given.value("failover.sql") is not None:
        return True
    source = pipeline.store.server(str(given.value("source") or ""))
    if source is not None and source.platform is Platform.WINDOWS:
        return True
    return any(given.value(one) is not None for one in ("failover.samba", "connection.shares", "connection.volumes"))


def _root() -> dict[str, str]:
    source = ask("Directory to protect", what="the directory to protect", flag="--path SOURCE=TARGET")
    target = ask("Its place on the target", what="its place on the target", flag="--path", default=source)
    return {"source_path": source} | ({"target_path": target} if target != source else {})


def _further(given: Given, modes: frozenset[str]) -> Iterator[tuple[str, Any]]:
    """What has a default of "none", and a person at hand may want."""
    own = given.value("failover.sql") is None  # SQL Server's services and health are the plugin's
    if own and given.value("failover.services") is None:
        yield from _services()
    if given.value("failover.dns.servers") is None:
        yield from _dns(modes)
    if own and given.value("failover.health") is None:
        url = _maybe("URL that must answer after a failover, {name} for the clients' name")
        if url:
            yield "failover.health.url", url
    if given.value("monitoring.witness") is None:
        yield from _witness()


def _maybe(question: str) -> str:
    answer: str = click.prompt(f"{question} (empty: none)", default="", show_default=False, err=True)
    return answer.strip()


def _services() -> Iterator[tuple[str, Any]]:
    units = _maybe("systemd units to start on the target, in order, separated by spaces").split()
    if units:
        yield "failover.services", [{"name": unit.removesuffix(".service"), "unit": unit} for unit in units]


def _dns(modes: frozenset[str]) -> Iterator[tuple[str, Any]]:
    servers = _maybe("DNS servers that hold the clients' name, separated by spaces").split()
    if not servers:
        return
    yield "failover.dns.servers", servers
    first = _maybe("Client DNS server: the one of them that is written first") if "advanced" in modes else ""
    if first:
        yield "failover.dns.client_server", first
    key_question = "File with the TSIG key for them"
    if "altdns" in modes:
        key_file = ask(key_question, what="the TSIG key", flag="--set failover.dns.key_file=FILE")
        yield "failover.dns.security", "tsig"
    else:
        key_file = _maybe(key_question)
    if key_file:
        yield "failover.dns.key_file", key_file
        where = click.prompt("Where the same key lies on the target", default=key_file, err=True)
        yield "failover.dns.target_key_file", where


def _witness() -> Iterator[tuple[str, Any]]:
    where = _maybe("Witness, as ADDRESS or ADDRESS:PORT")
    if not where:
        return
    address, _, port = where.partition(":")
    number = int(port) if port.isdigit() else 6322
    shown = shown_fingerprint("witness", address, number)
    click.echo(f"it shows this certificate (SHA-256):\n  {shown}", err=True)
    if click.confirm("Is it the same as 'dtwitness fingerprint' prints there?", err=True):
        yield "monitoring.witness", {"address": address, "port": number, "fingerprint": shown}
