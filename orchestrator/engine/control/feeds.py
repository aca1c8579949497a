"""The mirror as the session carries it: messages and replies as bytes, at both ends."""

from __future__ import annotations

import contextlib
import threading
import weakref
from pathlib import Path

from orchestrator.engine.capture.dirty import Dirty
from orchestrator.engine.control import schema
from orchestrator.engine.mirror import messages, options
from orchestrator.engine.mirror.set_aside import SetAside
from orchestrator.engine.mirror.source import MirrorSource
from orchestrator.engine.mirror.target import MirrorTarget
from orchestrator.engine.oplog.format import Operation
from orchestrator.engine.transfer.messages import Apart


class SourceFeed:
    """A mirror's source side. The session's thread drives it; ``look_again`` may be called from any thread.

    Attributes:
        over: set when the mirror has ended, however.
    """

    def __init__(self, source: MirrorSource) -> None:
        self.source = source
        self.over = threading.Event()
        self._lock = threading.Lock()
        self._again: list[Dirty] = []
        self._enough = False

    def enough(self) -> None:
        """Look for no more orphans."""
        self._enough = True

    @property
    def finished(self) -> bool:
        """Whether nothing more is to be sent and every answer came."""
        return self.source.finished and not self._again

    def look_again(self, found: list[Dirty]) -> None:
        """A watcher saw changes."""
        with self._lock:
            self._again.extend(found)

    def next_messages(self, budget_bytes: int) -> list[bytes | Apart]:
        """The next messages."""
        with self._lock:
            again, self._again = self._again, []
        if self._enough:
            self.source.enough()
        for one in again:
            self.source.again(one.path, deep=one.subtree)
        return [_payload(message) for message in self.source.next_messages(budget_bytes)]

    def on_reply(self, payload: bytes) -> None:
        """An answer of the target."""
        self.source.on_reply(messages.decode_reply(payload))

    def note_operation(self, operation: Operation) -> None:
        """An operation that was shipped."""
        self.source.note_operation(operation)

    def close(self) -> None:
        """The mirror is over, however it ended."""
        self.over.set()
        with contextlib.suppress(OSError):
            self.source.stop()


def _payload(message: messages.MirrorMessage) -> bytes | Apart:
    apart = messages.encode_apart(message)
    return messages.encode(message) if apart is None else Apart(*apart)


class TargetFeed:
    """A mirror's target side."""

    def __init__(self, root: Path, keeper: SetAside | None) -> None:
        self._target = MirrorTarget(root, keeper)
        self._keeper = keeper
        weakref.finalize(self, self._target.close)  # the replica just lets go of it

    def handle(self, payload: bytes | memoryview) -> list[bytes]:
        """Do one message; the replies. At the end, copies of what turned out to be the same are dropped."""
        message = messages.decode_message(payload)
        replies = [messages.encode(reply) for reply in self._target.handle(message)]
        if isinstance(message, messages.End) and self._keeper is not None:
            self._keeper.drop_identical()
            self._keeper.close()
            self._keeper = None
        return replies


def mirror_options(
    wanted: schema.MirrorOptions,
    *,
    report_only: bool = False,
    thorough: bool = False,
    keeps_deleted: bool = False,
) -> options.MirrorOptions:
    """The mirror's own form of the options; ``thorough``: every file is compared by content, for times prove little."""
    return options.MirrorOptions(
        kind=options.MirrorKind(wanted.kind),
        checksum=wanted.checksum,
        checksum_all=(thorough or wanted.checksum_all) and wanted.checksum and not wanted.only_newer,
        only_newer=wanted.only_newer,
        only_missing=not wanted.overwrite,
        report_only=report_only,
        orphans=orphan_policy(wanted.orphans),
        keeps_deleted=keeps_deleted,
    )


def orphan_options(wanted: schema.Orphans) -> options.MirrorOptions:
    """A mirror that deals with orphans alone; what operations make doubtful meanwhile is compared by content."""
    return options.MirrorOptions(
        kind=options.MirrorKind.DIFFERENCE,
        checksum=True,
        checksum_all=True,
        orphans=orphan_policy(wanted),
        orphans_only=True,
    )


def orphan_policy(wanted: schema.Orphans) -> options.OrphanPolicy:
    """The mirror's own form of what becomes of orphans."""
    return options.OrphanPolicy(options.OrphanAction(wanted.action), wanted.older_than_s, wanted.move_to or "")
