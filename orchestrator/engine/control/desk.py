"""The mirrors of one connection: made when they are asked for, followed, and told about when they end.

A verification compares every file and writes what differs to STATE/verify/SET DTVerify.log, on the source; the log tells the state before
anything was sent.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.engine.capture.dirty import Dirty
from orchestrator.engine.control import schema
from orchestrator.engine.control.connections import ConnectionRecord
from orchestrator.engine.control.edges import Capture
from orchestrator.engine.control.events import Events
from orchestrator.engine.control.feeds import SourceFeed, mirror_options, orphan_options
from orchestrator.engine.control.schema_verify import VerifySettings
from orchestrator.engine.control.troubles import Troubles
from orchestrator.engine.mirror.mapping import RemapLink
from orchestrator.engine.mirror.options import MirrorOptions
from orchestrator.engine.mirror.progress import Progress
from orchestrator.engine.mirror.rules import RuleSet
from orchestrator.engine.mirror.size import calculate_size_unless
from orchestrator.engine.mirror.source import MirrorSource
from orchestrator.engine.mirror.verify import VerificationLog, VerifyOptions, log_path
from orchestrator.engine.transfer.ports import MirrorJob

SIZE_AFTER_S = 10.0
"""A mirror that is over sooner needs no measure of how far it has come, which costs about as much as comparing the files by their times."""
LOOK_AGAIN = schema.MirrorOptions(kind="difference", checksum=True, orphans=schema.Orphans(action="delete"))


class LogPosition:
    """Where log and stream stand, for the mirror's order rule."""

    def __init__(self, capture: Callable[[], Capture], shipped: Callable[[], int]) -> None:
        self._capture = capture
        self._shipped = shipped

    def end(self) -> int:
        """The last complete record."""
        return self._capture().state.committed_sequence

    def shipped(self) -> int:
        """All operations up to this one were sent or left out."""
        return self._shipped()


@dataclass(frozen=True, slots=True)
class VerifyLogs:
    """Where verifications of this engine are written."""

    folder: Path
    settings: VerifySettings

    def open(self, set_name: str) -> VerificationLog:
        """The log of a set, for one more verification."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        path = log_path(self.folder, set_name, self.settings.file_name)
        return VerificationLog(path, maximum_bytes=self.settings.maximum_bytes, append=self.settings.append)


class MirrorDesk:
    """Makes mirror jobs. Used from the link's threads; a job at a time is the connection's rule."""

    def __init__(
        self,
        record: ConnectionRecord,
        rules: RuleSet,
        capture: Callable[[], Capture],
        shipped: Callable[[], int],
        *,
        remap: RemapLink | None,
        events: Events,
        logs: VerifyLogs,
    ) -> None:
        self.record = record
        self._rules = rules
        self._remap = remap
        self._capture = capture
        self._log = LogPosition(capture, shipped)
        self._events = events
        self._logs = logs
        self._doing = ""
        self._coming: dict[bytes, SourceFeed | None] = {}
        self._start: Callable[[MirrorJob], object] | None = None
        self.feed: SourceFeed | None = None
        self.progress = Progress()
        self.paused = False

    def mirror(self, wanted: schema.MirrorOptions, *, thorough: bool = False) -> MirrorJob:
        """A mirror of the whole set. After a loss, and in a restore, sizes and times prove nothing: ``thorough``."""
        restoring = self.record.request.purpose == "restore"
        keeps = self.record.request.ignore_deletes
        options = mirror_options(wanted, thorough=thorough or restoring, keeps_deleted=keeps)
        return self._job("Restoring" if restoring else "Mirroring", options, wanted.kind)

    def verification(self, wanted: schema.MirrorOptions, *, remirror: bool = False) -> MirrorJob:
        """A comparison; it changes nothing unless it is to mirror what differs."""
        name, target = self.record.request.replication_set, self.record.request.target
        book = self._logs.open(name)
        book.begin(name, target, VerifyOptions(remirror, wanted.only_newer, wanted.checksum))
        options = mirror_options(wanted, report_only=not remirror, thorough=True)
        return self._job("Verifying", options, "verification", book)

    def orphans(self, wanted: schema.Orphans) -> MirrorJob:
        """Deal with what only the target has, and nothing else; the target stays good meanwhile."""
        return self._job("Removing Orphans", orphan_options(wanted), f"orphans ({wanted.action})")

    def enough(self) -> bool:
        """Look for no more orphans; whether any were looked for."""
        feed = self.feed
        if feed is None or self._doing != "Removing Orphans":
            return False
        feed.enough()
        return True

    def bring(self, path: bytes, start: Callable[[MirrorJob], object]) -> None:
        """Send what came into the set, while the rest stays as good as it is; kept in mind until it is there."""
        self._start = start
        self._coming[path] = None
        if self.feed is None:
            self._bring_on()
        elif self._doing != "Verifying":
            self._coming[path] = self.feed
            self.feed.look_again([Dirty(path, subtree=True)])

    def bring_nothing(self) -> None:
        """Somebody stopped the mirror: the target needs one of everything."""
        self._coming.clear()

    @property
    def brings(self) -> bool:
        """Whether something that came into the set is not at the target yet."""
        return bool(self._coming)

    def _bring_on(self) -> None:
        if self._coming and self._start is not None:
            job = self.look_again([Dirty(path, subtree=True) for path in self._coming], lambda _: None)
            self._coming = dict.fromkeys(self._coming, self.feed)
            self._start(job)

    def _is_over(self, feed: SourceFeed, *, complete: bool) -> None:
        """A mirror ended: what it brought is there, and what had to wait is brought. After one that broke off comes one of everything."""
        if complete:
            self._coming = {path: by for path, by in self._coming.items() if by is not feed}
        if self.feed is feed:
            self.feed, self._doing = None, ""
            if complete:
                self._bring_on()

    def look_again(self, found: list[Dirty], done: Callable[[bool], None]) -> MirrorJob:
        """A mirror of what a watcher found."""
        source = MirrorSource(
            self._capture().lower_path,
            self._rules,
            mirror_options(LOOK_AGAIN, keeps_deleted=self.record.request.ignore_deletes),
            self._log,
            remap=self._remap,
            walk=False,
        )
        feed = SourceFeed(source)
        feed.look_again(found)

        def ended(complete: bool, says: str) -> None:  # noqa: ARG001, FBT001  # the job's signature
            feed.close()
            self._is_over(feed, complete=complete)
            done(complete)

        self.feed = feed
        return MirrorJob(feed, "look again", changes_state=False, done=ended)

    def _job(self, doing: str, options: MirrorOptions, kind: str, book: VerificationLog | None = None) -> MirrorJob:
        troubles = Troubles(self._events, self.record.request.replication_set, book)
        source = MirrorSource(
            self._capture().lower_path, self._rules, options, self._log, remap=self._remap, observer=troubles
        )
        feed = SourceFeed(source)
        progress = feed.source.progress
        if self.record.request.calculate_size:
            threading.Thread(target=self._measure, args=(feed,), name="mirror-size", daemon=True).start()

        def ended(complete: bool, says: str) -> None:  # noqa: FBT001  # the job's signature
            feed.close()
            if complete and self.record.request.calculate_size:
                progress.complete()
            if book is not None:
                book.end()
            troubles.end()
            self._tell(kind, complete, says, progress, troubles)
            self._is_over(feed, complete=complete)

        self.feed, self.progress, self._doing, self.paused = feed, progress, doing, False
        return MirrorJob(feed, kind, changes_state=not (options.report_only or options.orphans_only), done=ended)

    def _measure(self, feed: SourceFeed) -> None:
        """How much there is, found out beside a mirror that takes longer, so that its progress can be told."""
        if feed.over.wait(SIZE_AFTER_S):
            return
        with contextlib.suppress(OSError):
            size = calculate_size_unless(feed.over.is_set, self._capture().lower_path, self._rules)
            if size is not None:
                feed.source.progress.total_files, feed.source.progress.total_bytes = size

    def _tell(self, kind: str, complete: bool, says: str, progress: Progress, troubles: Troubles) -> None:  # noqa: FBT001
        how = "is complete" if complete else f"was not completed: {says}"
        self._events.tell(
            "mirror",
            f"the {kind} mirror of {self.record.request.replication_set} {how}",
            key=self.record.key,
            files_compared=progress.files_compared,
            files_different=progress.files_different,
            sent_bytes=progress.sent_bytes,
            orphan_files=progress.orphan_files,
            orphan_directories=progress.orphan_directories,
            orphan_bytes=progress.orphan_bytes,
            orphans=troubles.orphans,
            left_out=troubles.count,
            complete=complete,
        )

    def state(self) -> str:
        """The guide's word for what the mirror does."""
        if not self._doing:
            return "Idle"
        if self.paused:
            return "Paused"
        percent = self.progress.percent
        return self._doing if percent is None or self._doing != "Mirroring" else f"{percent:.0f} %"

    def end(self) -> None:
        """The connection ends."""
        self.bring_nothing()
        feed, self.feed = self.feed, None
        if feed is not None:
            feed.close()
