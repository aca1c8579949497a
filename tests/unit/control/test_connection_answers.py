"""What the link of a connection says arrives in the answer, every word and figure of it."""

from __future__ import annotations

from dataclasses import fields
from types import SimpleNamespace
from typing import Any

from orchestrator.engine.capture.synchronous import SynchronousState
from orchestrator.engine.control import schema
from orchestrator.engine.control.answers_connections import ConnectionStatus
from orchestrator.engine.control.connection_answers import as_answer
from orchestrator.engine.control.edges import LinkNow

NOT_ALIKE = {"since_ns", "synchrony", "accepted_epoch"}
REQUEST = schema.ConnectionRequest(replication_set="data", target="beta", mode="synchronous")


class Nobody:
    """No peers, and lines without settings."""

    def find(self, _name: str) -> None:
        return None

    def get(self, _address: str) -> Any:
        return SimpleNamespace(compression="off", bandwidth=None)


def told(now: LinkNow) -> ConnectionStatus:
    held: Any = SimpleNamespace(number=1, problem="", record=SimpleNamespace(key="k", request=REQUEST))
    nobody: Any = Nobody()
    return as_answer(held, now, nobody, nobody)


def test_every_word_and_figure_of_the_link_is_told() -> None:
    figures: dict[str, Any] = {"state": "Started"}
    for number, one in enumerate(each for each in fields(LinkNow) if each.name not in {*NOT_ALIKE, "state"}):
        usual = one.default
        figures[one.name] = (
            True if usual is False else f"word {number}" if isinstance(usual, str) else type(usual or 0)(number + 1)
        )
    answer = told(LinkNow(**figures))
    assert {name: getattr(answer, name) for name in figures} == figures


def test_how_a_synchronous_connection_stands_is_told() -> None:
    now = SynchronousState("waiting", "the target is slow", 10**18, flushes=4, waited_ns=6_000_000, waiting=2)
    found = told(LinkNow(synchrony=now)).synchrony
    assert found is not None
    assert (found.state, found.why, found.flushes, found.mean_wait_ms, found.waiting) == (
        "waiting",
        "the target is slow",
        4,
        1.5,
        2,
    )
