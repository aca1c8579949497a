"""``dtam domain``: what dtam sees of a domain, as whom, and whether the clocks agree. Nothing is changed.

dtam domain show --domain corp.example.com --principal DTAM$ --keytab /etc/dtam/dtam.keytab
"""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any

import click

from orchestrator.cli.directory_options import directory_options
from orchestrator.cli.examples import Group
from orchestrator.cli.options import json_option
from orchestrator.cli.screen import Screen
from orchestrator.directory.errors import ClockOff
from orchestrator.directory.filters import filter_text
from orchestrator.directory.opening import apart, open_directory
from orchestrator.directory.port import DirectoryAccess, DomainFacts, Entry

CLOCK_TOLERANCE_S = 300.0  # Kerberos' own
_COMPUTERS = "(objectCategory=computer)"
_WORDS = ("sAMAccountName", "dNSHostName", "operatingSystem")


@click.group("domain", cls=Group, examples=("dtam domain show", "dtam domain computers --json"))
def command() -> None:
    """The domain: its controllers, its clock, its computers."""


@command.command(
    "show",
    examples=(
        "dtam domain show",
        "dtam domain show --domain corp.example.com --principal DTAM$ --keytab /etc/dtam/dtam.keytab",
        "dtam domain show --domain corp.example.com --principal CORP\\admin --password-file admin.password --ca-file ca.pem --json",
    ),
)
@directory_options
@json_option
def show(*, access: DirectoryAccess, as_json: bool) -> None:
    """Show the domain, its forest and its controllers; fail where this machine's clock is too far off."""
    screen = Screen(as_json)
    with open_directory(access) as directory:
        facts, controllers = directory.facts(), directory.controllers()
    ahead_s = facts.clock_ahead_s(time.time_ns())
    screen.say(f"domain {facts.domain} ({facts.netbios}), forest {facts.forest_root}, site {facts.site}")
    screen.say(f"asked {facts.controller}; clock: {apart(ahead_s)}")
    rows = [
        (one.name, one.address or "does not resolve", one.site, "yes" if one.is_gc else "no") for one in controllers
    ]
    screen.table(("controller", "address", "site", "global catalogue"), rows)
    screen.document(_document(facts, ahead_s) | {"controllers": [asdict(one) for one in controllers]})
    if abs(ahead_s) > CLOCK_TOLERANCE_S:
        raise ClockOff(domain=facts.domain, reason=apart(ahead_s))


@command.command("computers", examples=("dtam domain computers", "dtam domain computers --filter 'files*' --json"))
@click.option(
    "--filter", "pattern", default="*", metavar="NAME", help="Only names like this; a star stands for anything."
)
@directory_options
@json_option
def computers(*, access: DirectoryAccess, pattern: str, as_json: bool) -> None:
    """List the computers as they come, one a line; however many there are."""
    screen = Screen(as_json)
    with open_directory(access) as directory:
        for one in directory.find(directory.facts().base_dn, _like(pattern), _WORDS):
            screen.say(f"{one.first('sAMAccountName')}  {one.first('dNSHostName') or '-'}")
            screen.line(_computer(one))


def _like(pattern: str) -> str:
    name = "*".join(filter_text(part) for part in pattern.split("*"))
    return f"(&{_COMPUTERS}(cn={name}))"


def _computer(entry: Entry) -> dict[str, Any]:
    account, host, system = (entry.first(word) for word in _WORDS)
    return {"account": account, "host": host, "system": system, "dn": entry.dn}


def _document(facts: DomainFacts, ahead_s: float) -> dict[str, Any]:
    return {
        "domain": facts.domain,
        "netbios": facts.netbios,
        "forest": facts.forest_root,
        "base_dn": facts.base_dn,
        "site": facts.site,
        "asked": facts.controller,
        "clock_ahead_s": round(ahead_s, 3),
    }
