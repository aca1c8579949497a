"""A target that is not there: takes everything, keeps nothing, and answers as a real one would. For simulated connections.

Source: the Linux guide, chapter 8. The source reads, compresses, paces and counts as it would for a real target; not one byte leaves
the process but into a pair of sockets.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

import msgspec

from orchestrator.engine.transfer.events import MirrorLink, Progress, ReplicaFacts
from orchestrator.engine.transfer.messages import DataState, Hello, ItemKind, MirrorBegin, MirrorItem, Operations, whole
from orchestrator.engine.transfer.rooms import Rooms
from orchestrator.engine.transfer.session import SessionLimits
from orchestrator.engine.transfer.target import TargetConnection, answers_nothing
from orchestrator.engine.transfer.tls import Channel, Peer

if TYPE_CHECKING:
    from orchestrator.engine.apply.ports import Listener
    from orchestrator.engine.apply.replica import Replica

NOBODY = Peer("null", "")
Answer = Callable[[bytes | memoryview], list[bytes]]


class PlainChannel(Channel):
    """A channel within this process: no encryption."""

    def __init__(self, sock: socket.socket) -> None:
        self.peer = NOBODY.name
        self._socket = sock
        self.rooms = Rooms()
        self.is_open = True
        self.sent_bytes = self.received_bytes = 0

    def send(self, parts: Sequence[bytes | memoryview]) -> None:
        """Send the parts one after the other. Raises OSError when the other end is closed."""
        for part in parts:
            self._socket.sendall(part)
            self.sent_bytes += len(part)

    def receive_into(self, view: memoryview) -> None:
        """Fill ``view``. Raises OSError when the other end is closed."""
        filled = 0
        while filled < len(view):
            count = self._socket.recv_into(view[filled:])
            if count == 0:
                raise ConnectionResetError(f"{self.peer} closed the connection")
            filled += count
            self.received_bytes += count


class NullTarget:
    """What a simulated connection talks to; one object through all its sessions."""

    def __init__(self, answer: Callable[[], Answer]) -> None:
        """``answer`` makes what answers the messages of a mirror, at each begin of one."""
        self._replica = NullReplica(answer)

    def dial(self) -> Channel:
        """A new session."""
        ours, theirs = socket.socketpair()
        session = TargetConnection(
            PlainChannel(theirs),
            NOBODY,
            self,
            SessionLimits(),
            lambda _key, _unwatched: None,
            answers=answers_nothing,
        )
        threading.Thread(target=session.run, name="null-target", daemon=True).start()
        return PlainChannel(ours)

    def find(self, hello: Hello, peer: Peer) -> Replica:  # noqa: ARG002 - as the session asks
        """There is one, whoever asks."""
        return cast("Replica", self._replica)


class NullReplica:
    """Stands for the replica; everything is done as soon as it comes."""

    def __init__(self, answer: Callable[[], Answer]) -> None:
        self.key = ""
        self.link = MirrorLink()
        self._make_answer = answer
        self._answer: Answer = lambda _payload: []
        self._log_id = ""
        self._applied = 0
        self._state = DataState.NOT_READY
        self._listener: Listener | None = None

    def facts(self) -> ReplicaFacts:
        """How it stands, for the session."""
        return ReplicaFacts(0, False, self._log_id, self._applied, self._applied, self._state, self.link)

    def progress(self) -> Progress:
        """How it stands, for the source."""
        return Progress(self._applied, self._state)

    def prepare_log(self, hello: Hello) -> int:
        """Begin a new base."""
        self._log_id, self._applied, self._state = hello.log_id, hello.committed, DataState.MIRROR_REQUIRED
        return hello.committed

    def accept_epoch(self, epoch: int) -> None:
        """Any."""

    def attach(self, listener: Listener) -> int:
        """A session opened."""
        self._listener = listener
        return self._applied

    def detach(self, listener: Listener) -> None:
        """The session is over."""
        if self._listener is listener:
            self._listener = None

    def append(self, operations: Operations) -> None:
        """Nothing is kept of them."""
        self._applied = operations.last
        if self._listener is not None:
            self._listener.stands(self.progress())
            self._listener.logged(operations.last)

    def put_item(self, item: MirrorItem) -> None:
        """Nothing is kept of it."""
        replies: list[bytes] = []
        if item.kind is ItemKind.BEGIN:
            begin = msgspec.msgpack.decode(whole(item.payload), type=MirrorBegin)
            self._answer = self._make_answer()
            self._state = DataState.MIRRORING if begin.changes_state else self._state
        elif item.kind is ItemKind.END:
            self._state = DataState.GOOD if self._state is DataState.MIRRORING else self._state
        else:
            replies = self._answer(whole(item.payload))
        made = self.link.done(item.index, replies)
        if self._listener is not None:
            self._listener.handled(made, len(item.payload))
            self._listener.stands(self.progress())
