"""Two controllers: one is written, the other is awaited, and either is found when the other is silent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchestrator.directory.opening import open_directory
from orchestrator.directory.port import Replace
from tests.lab.test_directory_port import access_of
from tests.lab.waiting import until

SHOWN = ("a word for both",)


@pytest.fixture
def both(lab):
    servers = tuple(lab.host(name).address for name in ("dc1", "dc2"))
    return access_of(lab, controllers=("dc1", "dc2"), dns_servers=servers, timeout_s=5.0)


def write_and_await(access):
    """Write on one controller until all show it, and put it back; the controllers, those that would not be asked to pull."""
    with open_directory(access) as directory:
        found = directory.computer("beta")
        directory.change(found.dn, [Replace("description", SHOWN)])
        refused = directory.replicate(found.dn)
        until(
            "both show it", lambda: all(shown for _, shown in directory.shown_by(found.dn, "description", SHOWN)), 120
        )
        directory.change(found.dn, [Replace("description", found.values("description"))])
        return directory.server, [one.name for one in directory.controllers()], refused


def test_what_one_was_told_the_other_shows(lab, both):
    asked, known, refused = lab.host("client").call(write_and_await, replace(both, controllers=("dc1",)))
    assert asked == "dc1.lab.example"
    assert known == ["dc1.lab.example", "dc2.lab.example"]
    assert all(one.controller == "dc2.lab.example" and one.reason for one in refused)


def server_and_what_is_shown(access):
    """Who answered, and what each controller shows of an account."""
    with open_directory(access) as directory:
        account = directory.computer("beta")
        return directory.server, directory.shown_by(account.dn, "sAMAccountName", account.values("sAMAccountName"))


def test_a_silent_controller_is_passed_over_and_named(lab, both):
    lab.link("dc1").cut()
    try:
        server, shown = lab.host("client").call(server_and_what_is_shown, both)
    finally:
        lab.link("dc1").mend()
    assert server == "dc2.lab.example"
    assert dict(shown) == {"dc1.lab.example": False, "dc2.lab.example": True}
