"""``dtam doctor``: does what dtam takes for granted hold on your servers?"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

import click

from orchestrator.cli.desk import Desk
from orchestrator.cli.examples import Command
from orchestrator.cli.options import json_option
from orchestrator.cli.screen import Screen
from orchestrator.directory.from_settings import directory_access
from orchestrator.directory.port import DirectoryAccess
from orchestrator.doctor.asking import examine
from orchestrator.doctor.here import of_zone
from orchestrator.doctor.report import document, without_names
from orchestrator.doctor.rows import Row
from orchestrator.hosts.winrm_watched import Questions, questions_of
from orchestrator.model.servers import Platform, Server, Transport

MARKS = {"proved": "", "disproved": "error", "unknown": "warning"}


@click.command(
    "doctor", cls=Command, examples=("dtam doctor", "dtam doctor alpha beta --report doctor.json", "dtam doctor --json")
)
@click.argument("names", nargs=-1, metavar="[SERVER]...")
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write all rows to this file, to be handed in: no secret is in it, and no name of a host, domain or account.",
)
@click.option("--with-names", is_flag=True, help="Let the report name hosts, domains, addresses and accounts.")
@json_option
@click.pass_obj
def command(desk: Desk, /, *, names: tuple[str, ...], report: Path | None, with_names: bool, as_json: bool) -> None:
    """Prove or disprove on your Windows servers what dtam was shown on simulated ones only; nothing is changed.

    Names, ports, WinRM's login, encryption and limits, PowerShell and its policies, rights, clock, domain, services, SMB, Storage Replica, the scripts that
    lie there, and every command that they use with the parameters that they give. A server need not have them: what cannot be asked then is said. All known
    Windows servers are asked, or those that are named. Exits with 1 when something was disproved.
    """
    screen = Screen(as_json)
    windows = _servers(desk, names)
    rows = [row for server in windows for row in _rows(desk, screen, server)]
    if not windows:
        screen.say("no Windows server is known: dtam hosts add NAME --winrm ADDRESS")
    made = int(time.time())
    if report is not None:
        _write(report, document(rows if with_names else without_names(rows, windows), version("dtam"), made))
        screen.say(f"the report is in {report}; read it before you hand it in")
    screen.document(document(rows, version("dtam"), made))
    if any(row.state == "disproved" for row in rows):
        raise click.exceptions.Exit(1)


def _servers(desk: Desk, names: Sequence[str]) -> list[Server]:
    named = [desk.pipeline.known(name) for name in names]
    for server in named:
        if server.platform is not Platform.WINDOWS:
            msg = f"{server.name} is not a Windows server; doctor asks those: dtam hosts list"
            raise click.UsageError(msg)
    return named or [one for one in desk.pipeline.store.servers() if one.platform is Platform.WINDOWS]


def _rows(desk: Desk, screen: Screen, server: Server) -> list[Row]:
    """Ask, and show what came of it before the next server is asked."""
    with ExitStack() as stack:

        def way(one: Server) -> Questions:
            questions = questions_of(one, desk.pipeline.credentials.password)
            stack.callback(questions.close)
            return questions

        rows = _by_area(examine(server, way, lambda one, domain: of_zone(one, domain, _access(desk, one, domain))))
    screen.say(f"{server.name}, {server.reached_at}")
    screen.table(
        ("area", "state", "assumption", "seen"), [(one.area, one.state, one.assumption, one.says) for one in rows]
    )
    for row in rows:
        if row.next and row.state != "proved":
            screen.say(f"{row.assumption}: {row.next}", MARKS[row.state])
    counts = Counter(row.state for row in rows)
    screen.say(
        f"{server.name}: {counts['proved']} proved, {counts['disproved']} disproved, {counts['unknown']} unknown"
    )
    return rows


def _by_area(rows: Iterable[Row]) -> list[Row]:
    """Rows of one area together, areas in the order in which they come first."""
    areas: dict[str, list[Row]] = {}
    for row in rows:
        areas.setdefault(row.area, []).append(row)
    return [row for area in areas.values() for row in area]


def _access(desk: Desk, server: Server, domain: str) -> DirectoryAccess | None:
    """How the directory is asked: as a protection of this server says it, else with the tickets by which dtam logs in there."""
    for protection in desk.pipeline.store.protections():
        if server.name in {protection.pair.source.name, protection.pair.target.name}:
            access = directory_access(protection.settings.failover)
            if access is not None:
                return access
    at = server.own_winrm
    if at.transport is not Transport.KERBEROS or at.account:
        return None
    return DirectoryAccess(domain, principal=at.principal, keytab=Path(at.keytab) if at.keytab else None)


def _write(report: Path, content: dict[str, object]) -> None:
    with os.fdopen(os.open(report, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(content, file, indent=1)
        file.write("\n")
