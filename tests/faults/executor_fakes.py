"""Collaborators of the executor that leave their marks on a real disk, and die where they are told to.

A mark is a file: the deed looked before it acted, so that doing it twice leaves one. ``diary`` has every call, in order.
"""

# ruff: noqa: ARG002 - the signatures are those of monitor/ports.py

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from orchestrator.engine.monitor.journal import Entry, Journal, RealAppendFile, _lines, _parse
from orchestrator.engine.monitor.ports import (
    Collaborators,
    Done,
    GrantAnswer,
    Outcome,
    Pending,
    ReplicaStatus,
    Settle,
)
from orchestrator.engine.witness.book import Book
from orchestrator.engine.witness.store import DirectoryShelf, Store
from orchestrator.engine.witness.wire import GrantRequest, ProtectionView, RegisterRequest, ReleaseRequest

PROTECTION = "shop"


def die() -> None:
    """As the kernel would: nothing is flushed, nothing is told."""
    os.kill(os.getpid(), signal.SIGKILL)


class RealClock:
    """The machine's clocks."""

    def boottime_ns(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def realtime_ns(self) -> int:
        return time.time_ns()


class DeadlyFile(RealAppendFile):
    """A journal file that kills right after an entry is on the disk."""

    def __init__(self, path: Path, kill_after: tuple[str, str] | None) -> None:
        super().__init__(path)
        self._kill_after = kill_after

    def append_at(self, offset: int, data: bytes) -> None:
        super().append_at(offset, data)
        entry = _parse(_lines(data)[0])
        if entry is not None and (entry.event, entry.phase) == self._kill_after:
            die()


class Host:
    """Replica, mounts, scripts, services, source and events of one target, as marks in a directory."""

    def __init__(self, directory: Path, *, die_inside: str = "", scripts: tuple[str, ...] = ()) -> None:
        self.directory = directory
        directory.mkdir(exist_ok=True)
        self.data_state = "good"
        self.falls_back = False
        self.said: list[tuple[str, str]] = []
        self._die_inside = die_inside
        self._scripts = scripts
        self.script_takes: Callable[[], bool] = lambda: True

    def has(self, mark: str) -> bool:
        return (self.directory / mark).exists()

    def diary(self) -> list[str]:
        path = self.directory / "diary"
        return path.read_text().splitlines() if path.exists() else []

    def _note(self, text: str) -> None:
        with (self.directory / "diary").open("a") as file:
            file.write(text + "\n")

    def _set(self, deed: str, mark: str, value: str = "") -> Outcome:
        if not self.has(mark):
            (self.directory / mark).write_text(value)
            self._note(deed)
        if self._die_inside == deed:
            die()
        return Done()

    def _clear(self, deed: str, mark: str) -> Outcome:
        if self.has(mark):
            (self.directory / mark).unlink()
            self._note(deed)
        return Done()

    def say(self, sentence: str, *, level: str = "info", **facts: object) -> None:
        self.said.append((level, sentence))

    def status(self) -> ReplicaStatus:
        return ReplicaStatus(self.data_state, falls_back=self.falls_back)

    def refuse_older(self, epoch: int) -> Outcome:
        return self._set("refuse_source", "refusing", str(epoch))

    def settle(self, how: Settle) -> Outcome:
        return self._set("settle", f"settled-{how}")

    def fall_back(self, snapshot: str) -> Outcome:
        return self._set("fall_back", f"at-{snapshot or 'the last good state'}")

    def promote(self, epoch: int) -> Outcome:
        return self._set("promote", "promoted", str(epoch))

    def demote(self, epoch: int) -> Outcome:
        return self._clear("demote", "promoted")

    def mount(self, epoch: int) -> Outcome:
        return self._set("mount", "mounted")

    def unmount(self, epoch: int) -> Outcome:
        return self._clear("unmount", "mounted")

    def exists(self, name: str) -> bool:
        return name in self._scripts

    def run(self, name: str, *, run_id: str, epoch: int, wait: bool, undo: bool = False) -> Outcome:
        if undo:
            return self._clear(f"undo {name}", name)
        outcome = self._set("pre_script" if name == "pre_failover" else "start", name, f"{run_id} {epoch}")
        return outcome if self.script_takes() or not wait else Pending("the script runs", 0.01)

    def start(self, epoch: int) -> Outcome:
        return self._set("start", "serving", str(epoch))

    def stop_services(self, run_id: str) -> Outcome:
        return self._set("stop_source", "source-stopped")

    def settled(self, run_id: str) -> Outcome:
        return self._set("settle_source", "source-settled")

    def release_lease(self, run_id: str, epoch: int) -> Outcome:
        with_book(self.directory).release(PROTECTION, ReleaseRequest(epoch, "alpha"))
        return self._set("release_lease", "lease-released")

    def resume_services(self, run_id: str) -> Outcome:
        with_book(self.directory).register(PROTECTION, RegisterRequest(1, "alpha", 0.5))
        return self._clear("resume_source", "source-stopped")


def with_book(directory: Path) -> Book:
    """The witness of these tests: the real book on a real disk, opened anew like a restarted one."""
    return Book(Store(DirectoryShelf(directory / "witness")))


class BookGranter:
    """Asks the book directly; may be away, and may kill after the grant was made and before it was heard."""

    def __init__(self, book: Book, *, die_inside: bool = False) -> None:
        self.book = book
        self._die_inside = die_inside

    def look(self, protection: str) -> ProtectionView | None:
        return self.book.look(protection)

    def grant(
        self,
        protection: str,
        from_epoch: int,
        candidate: str,
        *,
        lease_s: float | None = None,
        forced: bool = False,
        by: str = "",
    ) -> GrantAnswer:
        answer = self.book.grant(protection, GrantRequest(from_epoch, candidate, lease_s, forced, by))
        if self._die_inside and answer.granted:
            die()
        return answer

    def release(self, protection: str, epoch: int, holder: str) -> bool:
        return self.book.release(protection, ReleaseRequest(epoch, holder)).granted


def collaborators(host: Host, granter: BookGranter | None) -> Collaborators:
    """One host in all roles."""
    return Collaborators(
        replica=host,
        mounts=host,
        scripts=host,
        services=host,
        source=host,
        granter=granter,
        events=host,
        clock=RealClock(),
    )


def journal(directory: Path, kill_after: tuple[str, str] | None = None) -> Journal:
    """The journal on the disk."""
    return Journal(DeadlyFile(directory / "failover.journal", kill_after))


def events_of(directory: Path) -> list[Entry]:
    """What the journal says, read anew."""
    return list(journal(directory).entries)
