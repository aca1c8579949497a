"""Addresses on a real network: refused while somebody answers or across subnets, announced so that neighbours follow at once, given back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.domain import Lab
from tests.lab.hosts import LabHost
from tests.lab.identity_steps import step
from tests.lab.waiting import until

SIX = {"alpha": "fd53::10/64", "beta": "fd53::20/64"}


def document(*addresses: str, **more: Any) -> dict[str, Any]:
    """Addresses for beta's only network interface."""
    parts = [one.partition("/") for one in addresses]
    return {"addresses": [{"address": a, "prefix": int(p), "interface": "eth0"} for a, _, p in parts], **more}


def neighbour(host: LabHost, address: str) -> str:
    """The hardware address that a host remembers for an address."""
    words = host.run(["ip", "neighbour", "show", address]).stdout.split()
    return words[words.index("lladdr") + 1] if "lladdr" in words else ""


def hardware(host: LabHost) -> str:
    return host.run(["cat", "/sys/class/net/eth0/address"], check=False).stdout.strip() or _by_ip(host)


def _by_ip(host: LabHost) -> str:
    words = host.run(["ip", "-oneline", "link", "show", "eth0"]).stdout.split()
    return words[words.index("link/ether") + 1]


def addresses(host: LabHost) -> set[str]:
    shown = host.run(["ip", "-oneline", "address", "show", "eth0", "scope", "global"]).stdout.splitlines()
    return {line.split()[3] for line in shown}


def is_settled(host: LabHost, address: str) -> bool:
    return "tentative" not in host.run(["ip", "address", "show", "to", address]).stdout


@pytest.mark.covers("ENG-FO-04")
def test_an_address_is_taken_when_nobody_answers_for_it_and_neighbours_follow(lab: Lab) -> None:
    alpha, beta, client = (lab.host(one) for one in ("alpha", "beta", "client"))
    for host in (alpha, beta):
        host.run(["ip", "address", "add", SIX[host.name], "dev", "eth0"])
    for host in (alpha, beta):
        until("duplicate address detection is over", lambda host=host: is_settled(host, SIX[host.name]), 30)
    before, own = addresses(beta), hardware(beta)
    wanted = document(f"{alpha.address}/24", SIX["alpha"])
    try:
        for one in (wanted, document(SIX["alpha"])):
            said = step(beta, "addresses", "take", one)
            assert said.code == 118, said
            assert "still answers for it on eth0" in said.error
            assert addresses(beta) == before
        client.run(["ping", "-c1", "-W5", alpha.address])
        assert neighbour(client, alpha.address) == hardware(alpha)
        alpha.power_cut()
        said = step(beta, "addresses", "take", wanted)
        assert said.code == 0, said.error
        assert set(said.states.values()) == {"taken"}
        assert addresses(beta) == before | {f"{alpha.address}/24", SIX["alpha"]}
        until("the client follows without asking", lambda: neighbour(client, alpha.address) == own, 30)
        client.run(["ping", "-c1", "-W5", alpha.address])
        assert step(beta, "addresses", "show", wanted).code == 0
        assert set(step(beta, "addresses", "take", wanted).states.values()) == {"already"}
        assert step(beta, "addresses", "back", wanted).code == 0
        assert addresses(beta) == before
        assert step(beta, "addresses", "back", wanted).code == 0
    finally:
        beta.run(["ip", "address", "delete", SIX["beta"], "dev", "eth0"])
        alpha.boot()


@pytest.mark.covers("ID-01", "ENG-FO-04")
def test_across_subnets_it_is_refused_with_the_reasons(lab: Lab) -> None:
    beta = lab.host("beta")
    before = addresses(beta)
    said = step(beta, "addresses", "take", document("10.53.1.40/24"))
    assert said.code == 119
    assert "eth0 is in 10.53.0.0/24, another subnet" in said.error
    assert "Routers send packets for an address to its own subnet" in said.error
    assert "fail over by DNS instead" in said.document["error"]["hint"]
    assert addresses(beta) == before
