"""What ``dtam --sql discover`` asks and shows: which servers have SQL Server, and whether an instance can be reached (Test SQL)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import click
import msgspec

from orchestrator import configure
from orchestrator.cli.desk import Desk
from orchestrator.cli.screen import Screen
from orchestrator.cli.settings_options import given
from orchestrator.databases.connecting import connect
from orchestrator.databases.finding import FoundSql, by_broadcast, by_browsers, by_spn, together
from orchestrator.databases.testing import tested
from orchestrator.directory.errors import DirectoryError
from orchestrator.directory.locating import default_domain
from orchestrator.directory.opening import open_directory
from orchestrator.directory.port import DirectoryAccess
from orchestrator.discover import Discovered
from orchestrator.model.provenance import Layer
from orchestrator.model.servers import Server
from orchestrator.model.settings_sql import SqlSettings
from orchestrator.model.sql import DEFAULT_PORT, is_default, server_and_instance
from orchestrator.model.sqlaccess import SqlAccess
from orchestrator.model.sqlport import SqlTest

ADVICE = "dtam hosts add NAME makes a server known to dtam; setup takes known servers only"


@dataclass(frozen=True, slots=True)
class Search:
    """Where servers are looked for. ``hosts`` were named by hand; ``access`` None: no domain is asked; ``wide``: the network is, too."""

    hosts: tuple[str, ...] = ()
    access: DirectoryAccess | None = None
    wide: bool = True


def access_of(domain: str | None, fields: dict[str, Any]) -> DirectoryAccess | None:
    """The domain that is searched: the one that was named, else this machine's; None where it has none."""
    name = domain or default_domain()
    return DirectoryAccess(domain=name, **fields) if name else None


def found(desk: Desk, search: Search) -> tuple[list[FoundSql], tuple[Discovered, ...], list[str]]:
    """Hosts with SQL Server, the servers that dtam knows, and what could not be asked."""
    known, problems = desk.pipeline.discover(), []
    by_name: list[FoundSql] = []
    if search.access is not None:
        try:
            with open_directory(search.access) as directory:
                by_name = by_spn(directory)
        except DirectoryError as error:
            problems.append(f"the domain {search.access.domain} could not be searched: {error}. {error.hint}")
    network = by_broadcast() if search.wide else []
    asked = by_browsers((one.server.address for one in known), "known") if search.wide else []
    named = [msgspec.structs.replace(one, host=each.server.name) for one, each in zip(asked, known, strict=False)]
    by_hand = by_browsers(search.hosts, "hand")
    return together(by_name, network, named, by_hand), known, problems


def show(desk: Desk, screen: Screen, search: Search) -> None:
    """The table; protected ones are marked."""
    hosts, known, problems = found(desk, search)
    roles = {one.server.name.lower(): one.says for one in known}
    rows = [
        (
            one.host,
            ", ".join(one.instances) or "-",
            ", ".join(map(str, one.ports)) or "-",
            ", ".join(one.accounts) or "-",
            ", ".join(one.by),
            roles.get(one.short_name.lower(), "not known to dtam"),
        )
        for one in hosts
    ]
    if rows:
        screen.table(("server", "instances", "ports", "accounts", "found by", "is"), rows)
    else:
        screen.say("no SQL Server was found")
    for problem in (*problems, *(f"{one.host}: {one.silence}" for one in hosts if one.silence)):
        screen.say(problem, "warning")
    if not hosts or any(one.short_name.lower() not in roles for one in hosts):
        screen.say(ADVICE)
    screen.document(
        [
            msgspec.to_builtins(one)
            | {"says": roles.get(one.short_name.lower(), ""), "known": one.short_name.lower() in roles}
            for one in hosts
        ]
    )


def test(
    desk: Desk, screen: Screen, text: str, sets: Sequence[str], access: DirectoryAccess | None, *, is_named: bool
) -> None:
    """Test SQL: reach it, log in, say why not; ends with 1 where it cannot be used.

    ``is_named``: somebody said that the server is in the domain of ``access``; else that one counts only where tickets of a domain are needed.
    """
    server, instance = server_and_instance(text)
    sql = _settings(sets)
    way = _way(_known(desk, server), server, instance, sql, access if is_named or not sql.login.user else None)
    answer: SqlTest = tested(way, lambda one: connect(one, desk.pipeline.credentials.password))
    screen.say(answer.says, "passed" if answer.ok else "error")
    if answer.hint:
        screen.say(f"hint: {answer.hint}")
    screen.document(msgspec.to_builtins(answer) | {"server": server, "instance": instance})
    if not answer.ok:
        raise click.exceptions.Exit(1)


def _known(desk: Desk, name: str) -> Server | None:
    return next((one for one in desk.pipeline.store.servers() if one.name.lower() == name.lower()), None)


def _settings(sets: Sequence[str]) -> SqlSettings:
    """What ``--set failover.sql...`` says, with the limits that settings have."""
    least = {"application": "sql", "source": "this", "target": "that", "name": "asked.by.dtam", "failover": {"sql": {}}}
    settings, _ = configure.configure([configure.layer(least, Layer.DEFAULT), *given(None, {}, sets=sets).layers])
    return settings.failover.sql or SqlSettings()


def _way(known: Server | None, name: str, instance: str, sql: SqlSettings, access: DirectoryAccess | None) -> SqlAccess:
    one = sql.instance(instance)
    plain = SqlAccess(
        server=known.name if known else name,
        host=known.address if known else name,
        instance=instance,
        full_name=".".join(filter(None, (known.name.lower(), access.domain if access else ""))) if known else "",
        port=one.source_port if one and one.source_port else DEFAULT_PORT if is_default(instance) else None,
        user=sql.login.user,
        password_file=sql.login.password_file,
        principal=sql.login.principal,
        keytab=sql.login.keytab_file,
        encrypt=sql.login.encrypt,
        trust_server_certificate=sql.login.trust_server_certificate,
        ca_file=sql.login.ca_file,
        driver=sql.login.driver,
        timeout_s=sql.login.timeout_s,
    )
    if sql.login.user or access is None:
        return plain
    ours = replace(access, principal=sql.login.principal or access.principal)
    keytab = sql.login.keytab_file or (str(ours.keytab) if ours.keytab else None)
    password_file = str(ours.password_file) if ours.password_file and not keytab else None
    return msgspec.structs.replace(
        plain,
        principal=ours.principal,
        keytab=keytab,
        password_file=password_file,
        domain=ours.domain,
        controllers=ours.controllers,
        dns_servers=ours.dns_servers,
    )
