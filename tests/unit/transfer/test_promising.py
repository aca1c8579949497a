"""The question for a promise over the data port: pinned keys, one answer, never longer than its budget."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.engine.apply.replica import Replica
from orchestrator.engine.transfer import promising
from orchestrator.engine.transfer.errors import PeerUnknown
from orchestrator.engine.transfer.events import Denied
from orchestrator.engine.transfer.messages import Hello, PromiseAnswer, PromiseAsk, PromiseVerb, Refusal
from orchestrator.engine.transfer.ports import Route
from orchestrator.engine.transfer.target import TargetListener
from orchestrator.engine.transfer.tls import Identity, Peer

ASK = PromiseAsk(PromiseVerb.RENEW, "shop", 1, "alpha", 5.0)


class NoReplicas:
    def find(self, hello: Hello, peer: Peer) -> Replica | Denied:  # noqa: ARG002
        return Denied(Refusal.NOT_READY, "none")


class Target:
    """A listener that writes down who asked what."""

    def __init__(self, directory: Path) -> None:
        self.source = Identity.load_or_create(directory / "alpha", "alpha")
        self.stranger = Identity.load_or_create(directory / "eve", "eve")
        own = Identity.load_or_create(directory / "beta", "beta")
        self.asked: list[tuple[str, PromiseAsk]] = []
        peers = [Peer("alpha", self.source.certificate_pem)]
        self.listener = TargetListener(own, lambda: peers, NoReplicas(), promises=self._answer)
        self.listener.start()
        self.route = Route("127.0.0.1", self.listener.port, Peer("beta", own.certificate_pem))

    def _answer(self, peer: Peer, question: PromiseAsk) -> PromiseAnswer:
        self.asked.append((peer.name, question))
        return PromiseAnswer(granted=True, epoch=question.epoch, expires_in_s=question.lease_s)


@pytest.fixture
def target(tmp_path: Path) -> Iterator[Target]:
    made = Target(tmp_path)
    yield made
    made.listener.stop()


def test_a_pinned_source_is_answered_once_a_connection(target: Target) -> None:
    for _ in range(3):
        assert promising.ask(target.route, target.source, ASK, 3.0) == PromiseAnswer(True, 1, 5.0)
    assert target.asked == [("alpha", ASK)] * 3


def test_a_stranger_gets_no_word(target: Target) -> None:
    with pytest.raises((PeerUnknown, OSError)):
        promising.ask(target.route, target.stranger, ASK, 3.0)
    assert target.asked == []


def test_a_target_with_another_key_is_not_asked(target: Target) -> None:
    wrong = Route(target.route.address, target.route.port, Peer("beta", target.stranger.certificate_pem))
    with pytest.raises(PeerUnknown):
        promising.ask(wrong, target.source, ASK, 3.0)
    assert target.asked == []


def test_who_takes_the_connection_and_says_nothing_costs_the_budget_alone(target: Target) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        route = Route("127.0.0.1", mute.getsockname()[1], target.route.peer)
        began_s = time.monotonic()
        with pytest.raises(OSError, match="closed"):
            promising.ask(route, target.source, ASK, 0.4)
        assert 0.3 < time.monotonic() - began_s < 3.0
