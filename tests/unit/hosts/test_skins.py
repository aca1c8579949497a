"""Skins of a host: same shape, one difference each."""

from __future__ import annotations

import inspect
import logging

import pytest

from orchestrator.hosts.agent import AgentHost
from orchestrator.hosts.dry_run import DryRunHost
from orchestrator.hosts.logged import LoggedHost
from orchestrator.hosts.retry import RetryHost
from orchestrator.hosts.skin import HostSkin
from orchestrator.model.host import Host, HostFacts
from orchestrator.model.outcomes import GiveUp, TryAgain


class Silent:
    """A host that is silent so many times before it answers; it remembers what was done."""

    name = "alpha"

    def __init__(self, silences: int = 0, error: Exception | None = None) -> None:
        self.silences = silences
        self.error = error
        self.done: list[str] = []

    def _answer(self) -> None:
        if self.error is not None:
            raise self.error
        if self.silences:
            self.silences -= 1
            raise TryAgain("engine alpha cannot be reached")

    def facts(self, paths=()):  # noqa: ARG002
        self._answer()
        return HostFacts("alpha", (), (), ())

    def make_directory(self, path, mode=0o755):  # noqa: ARG002
        self._answer()
        self.done.append(path)

    def deliver_script(self, protection, name, text):  # noqa: ARG002
        self._answer()
        self.done.append(text)


def methods(kind: type) -> dict[str, inspect.Signature]:
    found = inspect.getmembers(kind, inspect.isfunction)
    return {name: inspect.signature(one) for name, one in found if not name.startswith("_")}


@pytest.mark.parametrize("kind", [HostSkin, AgentHost])
def test_everything_of_the_port_is_there_with_the_same_arguments(kind: type) -> None:
    wanted, made = methods(Host), methods(kind)
    assert {name: list(one.parameters) for name, one in wanted.items()} == {
        name: list(made[name].parameters) for name in wanted
    }


def test_dry_run_asks_and_does_nothing() -> None:
    inner = Silent()
    dry = DryRunHost(inner)
    dry.make_directory("/srv", 0o750)
    assert dry.facts().hostname == "alpha"
    assert inner.done == []
    assert dry.would == ["make the directory /srv with mode 0750"]


def test_retry_survives_a_moments_silence() -> None:
    inner, waits = Silent(silences=2), []
    RetryHost(inner, budget_s=5, sleep=waits.append).make_directory("/srv")
    assert inner.done == ["/srv"]
    assert len(waits) == 2


def test_retry_hands_a_long_silence_on() -> None:
    with pytest.raises(TryAgain, match="cannot be reached"):
        RetryHost(Silent(silences=10_000), budget_s=0.02).facts()


def test_retry_lets_a_refusal_through_at_once() -> None:
    waits: list[float] = []
    with pytest.raises(GiveUp):
        RetryHost(Silent(error=GiveUp("no")), sleep=waits.append).facts()
    assert waits == []


def test_logged_names_the_deed_never_its_content(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("dtam").propagate = True
    with caplog.at_level(logging.INFO, "dtam.hosts"):
        LoggedHost(Silent()).deliver_script("p", "post_failover", "a secret text")
        with pytest.raises(GiveUp):
            LoggedHost(Silent(error=GiveUp("refused"))).make_directory("/srv")
    assert "alpha: deliver script post_failover of p (13 characters): done" in caplog.text
    assert "make the directory /srv with mode 0755: failed: refused" in caplog.text
    assert "secret" not in caplog.text
