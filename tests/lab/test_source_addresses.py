"""A source takes its addresses up again only where nobody else answers for them, and says once why it cannot."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.engine.control.addresses import Addresses
from orchestrator.engine.control.holding import Holding
from tests.lab.domain import Lab

ADDRESS, BOOK = "10.53.0.99", Path("/run/addresses.book")
DOCUMENT: Any = SimpleNamespace(takeover={"addresses": {"addresses": [{"address": ADDRESS}]}})


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def has_it() -> bool:
    return (
        f" {ADDRESS}/"
        in subprocess.run(["ip", "-4", "-o", "address"], capture_output=True, text=True, check=True).stdout
    )


def goes_and_comes(answered: bool, renamed: bool) -> tuple[list[str], bool]:
    """On alpha: the address is known, let go, and taken up three times, ten seconds apart as its clock says."""
    BOOK.unlink(missing_ok=True)
    ip("address", "replace", f"{ADDRESS}/24", "dev", "eth0")
    said: list[str] = []
    times = iter(range(0, 1000, 20))
    addresses = Addresses(BOOK)
    addresses.hold(DOCUMENT)  # it is here: its place is written down
    holding = Holding(
        addresses, lambda: DOCUMENT, lambda says, **_: said.append(says), lambda: True, lambda: next(times)
    )
    holding.let_go()
    assert not has_it()
    if answered:
        return said, False
    if renamed:
        _rename("eth0", "lan7")
    for _ in range(3):
        holding.take_up()
    here = has_it()
    if renamed:
        _rename("lan7", "eth0")
    return said, here


def again_while_answered() -> tuple[list[str], bool]:
    """On alpha, once another host has it: taken up three times."""
    said: list[str] = []
    times = iter(range(0, 1000, 20))
    holding = Holding(
        Addresses(BOOK), lambda: DOCUMENT, lambda says, **_: said.append(says), lambda: True, lambda: next(times)
    )
    for _ in range(3):
        holding.take_up()
    return said, has_it()


def _rename(old: str, new: str) -> None:
    for words in (("down",), ("name", new)):
        ip("link", "set", old, *words)
    ip("link", "set", new, "up")


@pytest.mark.slow
@pytest.mark.covers("ID-01", "ENG-FO-04")
def test_what_somebody_else_answers_for_is_not_taken_up(lab: Lab) -> None:
    alpha, beta = lab.host("alpha"), lab.host("beta")
    try:
        alpha.call(goes_and_comes, True, False)
        beta.run(["ip", "address", "add", f"{ADDRESS}/24", "dev", "eth0"])
        said, here = alpha.call(again_while_answered)
        assert not here
        assert len(said) == 1
        assert said[0].startswith(f"{ADDRESS} stays off this host: ")
        assert said[0].endswith(" answers for it on eth0")
        beta.run(["ip", "address", "delete", f"{ADDRESS}/24", "dev", "eth0"])
        said, here = alpha.call(again_while_answered)
        assert here
        assert said == [f"{ADDRESS} is on this host again"]
    finally:
        beta.run(["ip", "address", "delete", f"{ADDRESS}/24", "dev", "eth0"], check=False)
        lab.reset()


@pytest.mark.slow
@pytest.mark.covers("ID-01")
def test_an_interface_that_is_gone_is_said_once(lab: Lab) -> None:
    try:
        said, here = lab.host("alpha").call(goes_and_comes, False, True)
        assert not here
        assert said[0] == f"{ADDRESS} is off this host while it is fenced"
        assert said[1:] == [
            (
                f"{ADDRESS} stays off this host: there is no interface eth0 any more; "
                "add it by hand where it belongs now (ip address add)"
            )
        ]
    finally:
        lab.reset()
