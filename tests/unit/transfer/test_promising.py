"""The questions for a promise and for shares over the data port: pinned keys, one answer, never longer than its budget."""

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
from orchestrator.engine.transfer.listening import TargetListener
from orchestrator.engine.transfer.messages import (
    Answer,
    Hello,
    PromiseAnswer,
    PromiseAsk,
    PromiseVerb,
    Question,
    Refusal,
    SharesAnswer,
    SharesAsk,
)
from orchestrator.engine.transfer.ports import Route
from orchestrator.engine.transfer.session import SessionLimits
from orchestrator.engine.transfer.tls import Identity, Peer

ASK = PromiseAsk(PromiseVerb.RENEW, "shop", 1, "alpha", 5.0)


class NoReplicas:
    def find(self, hello: Hello, peer: Peer) -> Replica | Denied:  # noqa: ARG002
        return Denied(Refusal.NOT_READY, "none")


class Target:
    """A listener that writes down who asked what."""

    def __init__(self, directory: Path, limits: SessionLimits | None = None, slow_s: float = 0.0) -> None:
        self._slow_s = slow_s
        self.source = Identity.load_or_create(directory / "alpha", "alpha")
        self.stranger = Identity.load_or_create(directory / "eve", "eve")
        own = Identity.load_or_create(directory / "beta", "beta")
        self.asked: list[tuple[str, Question]] = []
        peers = [Peer("alpha", self.source.certificate_pem)]
        self.listener = TargetListener(own, lambda: peers, NoReplicas(), answers=self._answer, limits=limits)
        self.listener.start()
        self.route = Route("127.0.0.1", self.listener.port, Peer("beta", own.certificate_pem))

    def _answer(self, peer: Peer, question: Question) -> Answer:
        self.asked.append((peer.name, question))
        time.sleep(self._slow_s)  # what is asked of the target takes that long
        if isinstance(question, SharesAsk):
            return SharesAnswer(given=True, shares=[{"name": "docs"}])
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


def test_it_is_told_of_shares_the_same_way(target: Target) -> None:
    answer = promising.ask_for_shares(target.route, target.source, SharesAsk("shop"), 3.0)
    assert answer == SharesAnswer(given=True, shares=[{"name": "docs"}])
    assert target.asked == [("alpha", SharesAsk("shop"))]


def test_an_answer_may_take_longer_than_silence_is_borne_in_a_session(tmp_path: Path) -> None:
    patient = Target(tmp_path, SessionLimits(beat_s=0.02, silence_s=0.1), slow_s=0.6)
    try:
        assert promising.ask_for_shares(patient.route, patient.source, SharesAsk("shop"), 60.0).given
    finally:
        patient.listener.stop()


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
