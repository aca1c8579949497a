"""One question and one answer over a TLS connection of their own to the data port.

A source asks for its target's promise, a target for its source's shares.

A connection of its own, so that neither a full queue nor a mirror delays the answer; pinned keys on both sides as for a session.
Invariant: ``ask`` returns or raises within its budget, name resolution apart.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time

from orchestrator.engine.transfer.errors import BadFrame
from orchestrator.engine.transfer.framing import encode_frame
from orchestrator.engine.transfer.messages import Message, PromiseAnswer, PromiseAsk, Question, SharesAnswer, SharesAsk
from orchestrator.engine.transfer.ports import Route
from orchestrator.engine.transfer.target import receive
from orchestrator.engine.transfer.tls import Channel, Identity, client_context


def ask(route: Route, identity: Identity, question: PromiseAsk, budget_s: float) -> PromiseAnswer:
    """Ask the target once; connection, handshake and answer together take ``budget_s`` seconds at most.

    Raises:
        PeerUnknown: one of the two does not know the other's key.
        BadFrame: what came is no answer.
        OSError: there was none in time.
    """
    answer = _answer(route, identity, question, budget_s)
    if not isinstance(answer, PromiseAnswer):
        raise BadFrame(peer=route.peer.name, why="it does not answer the question for a promise")
    return answer


def ask_for_shares(route: Route, identity: Identity, question: SharesAsk, budget_s: float) -> SharesAnswer:
    """Ask the source once, in ``budget_s`` seconds at most.

    Raises:
        PeerUnknown, BadFrame, OSError: as ``ask``.
    """
    answer = _answer(route, identity, question, budget_s)
    if not isinstance(answer, SharesAnswer):
        raise BadFrame(peer=route.peer.name, why="it does not answer the question for its shares")
    return answer


def _answer(route: Route, identity: Identity, question: Question, budget_s: float) -> Message:
    until_s = time.monotonic() + budget_s
    sock = socket.create_connection((route.address, route.port), timeout=budget_s)
    cut = threading.Timer(max(0.0, until_s - time.monotonic()), _cut, (sock,))
    cut.daemon = True
    cut.start()
    try:
        return _ask(sock, route, identity, question)
    finally:
        cut.cancel()
        sock.close()


def _ask(sock: socket.socket, route: Route, identity: Identity, question: Question) -> Message:
    channel = Channel(sock, client_context(identity, route.peer), server=False, peer=route.peer.name)
    if channel.peer_fingerprint != route.peer.fingerprint:
        raise BadFrame(peer=route.peer.name, why="its certificate is not the pinned one")
    channel.send(encode_frame(question))
    return receive(channel, control_only=lambda: True)


def _cut(sock: socket.socket) -> None:
    """Whoever waits on the connection gets an error."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
