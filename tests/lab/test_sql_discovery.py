"""Servers of a real domain found by the service names of their accounts, as an administrator asks for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from demo.stage import program
from tests.lab.domain import Lab

NAMES = {"BETA$": ("beta.{domain}:1433", "beta.{domain}"), "writer": ("gamma.{domain}:SALES", "gamma.{domain}:57137")}


@pytest.fixture(scope="module")
def domain(lab: Lab) -> Iterator[str]:
    lab.reset()
    domain = lab.host("dc1").fqdn.partition(".")[2]
    lab.keytab("writer")
    spns = [(f"MSSQLSvc/{one.format(domain=domain)}", account) for account, names in NAMES.items() for one in names]
    for spn, account in spns:
        lab.host("dc1").run(["samba-tool", "spn", "add", spn, account])
    yield domain
    for spn, account in spns:
        lab.host("dc1").run(["samba-tool", "spn", "delete", spn, account])


def discovered(lab: Lab, domain: str, *words: str) -> dict[str, Any]:
    """What the client's administrator sees, by server."""
    access = ("--domain", domain, "--principal", "writer", "--keytab", "/etc/lab/writer.keytab")
    command = [program("dtam"), "--sql", *words, "discover", *access, "--server", "127.0.0.1", "--json"]
    done = lab.host("client").run(command, env={"DTAM_HOME": "/var/lib/discovering"})
    return {one["host"]: one for one in json.loads(done.stdout)}


@pytest.mark.covers("SQL-05")
def test_service_names_of_the_domain_tell_servers(lab: Lab, domain: str) -> None:
    found = discovered(lab, domain)
    beta, gamma = found[f"beta.{domain}"], found[f"gamma.{domain}"]
    assert (beta["instances"], beta["ports"], beta["accounts"]) == (["MSSQLSERVER"], [1433], ["BETA$"])
    assert (gamma["instances"], gamma["ports"], gamma["accounts"]) == (["SALES"], [57137], ["writer"])
    assert found["127.0.0.1"]["by"] == ["hand"]
    assert "SQL Browser" in found["127.0.0.1"]["silence"]


@pytest.mark.covers("SQL-05")
def test_without_the_search_the_domain_is_not_asked(lab: Lab, domain: str) -> None:
    assert set(discovered(lab, domain, "--nosqlsearch")) == {"127.0.0.1"}
