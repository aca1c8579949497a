"""How the flushes at a connection's source are answered: by the source alone, or when the target holds them.

The second is a synchronous connection. The capture program keeps its terms; here is who attaches it, hands on what the target
holds, and tells the events of each switch.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from orchestrator.engine.capture.synchronous import SynchronousFeed, SynchronousState, SynchronousTerms
from orchestrator.engine.control import schema
from orchestrator.engine.control.edges import Capture
from orchestrator.engine.control.errors import Conflict
from orchestrator.engine.control.events import Events

if TYPE_CHECKING:
    from orchestrator.engine.control.connections import ConnectionRecord

SAYS = {
    "synchronous": "synchronous: a flush is answered when the target holds it",
    "asynchronous": "asynchronous: flushes are answered without the target",
    "waiting": "waiting: the application stands still until the target holds its flush",
}


class Flushing:
    """The flushes of one connection. Callable from any thread."""

    def __init__(self, capture: Capture, record: ConnectionRecord, events: Events) -> None:
        """By the source alone until ``by`` says otherwise."""
        self._capture = capture
        self._connection = record.key
        self._way = f"{record.request.replication_set} to {record.request.target}"
        self._events = events
        self._lock = threading.Lock()
        self._feed: SynchronousFeed | None = None

    def by(self, request: schema.ConnectionRequest) -> None:
        """Answer flushes as a connection's request says."""
        with self._lock:
            if request.mode == "synchronous":
                self._attach(SynchronousTerms(request.synchronous_wait_s, request.when_late == "wait"))
            elif self._feed is not None:
                self._feed.end()
                self._feed = None

    def _attach(self, terms: SynchronousTerms) -> None:
        """Under the lock; the program keeps what it knows when only the terms change."""
        if self._feed is not None:
            self._feed.stop()
        self._feed = SynchronousFeed(self._capture.places.log_dir, self._connection, terms, self._changed)
        self._feed.start()

    def heard(self, log_id: str, acknowledged: int, *, good: bool) -> None:
        """The target holds the log up to here."""
        feed = self._feed
        if feed is not None:
            feed.heard(log_id, acknowledged, good=good)

    def stop(self) -> None:
        """The daemon ends; the program keeps to the terms."""
        with self._lock:
            if self._feed is not None:
                self._feed.stop()

    def end(self) -> None:
        """The connection ends: nothing waits for it any more."""
        with self._lock:
            if self._feed is not None:
                self._feed.end()
                self._feed = None

    @property
    def now(self) -> SynchronousState | None:
        """How a synchronous connection stands; None for the others."""
        feed = self._feed
        return feed.now if feed is not None else None

    def _changed(self, state: SynchronousState) -> None:
        sentence = f"{self._way} is {SAYS[state.state]} ({state.why})"
        if state.state == "synchronous":
            self._events.tell("synchrony", sentence, key=self._connection)
        else:
            self._events.alert("synchrony", sentence)


def flushing_of(request: schema.ConnectionRequest) -> tuple[object, ...]:
    """What says how flushes are answered."""
    return request.mode, request.synchronous_wait_s, request.when_late


def refuse_unordered(request: schema.ConnectionRequest, capture: Capture) -> None:
    """A watcher sees changes after their writers were answered.

    Raises:
        Conflict: the connection is to be synchronous, and this capture cannot do it.
    """
    if request.mode == "synchronous" and capture.kind != "fuse":
        raise Conflict(
            what=f"a synchronous connection of {request.replication_set}",
            why=f"{capture.path} is only watched: its changes are seen after they were answered",
            hint="capture it by the file system (capture: fuse), or connect asynchronously",
        )
