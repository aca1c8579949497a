"""Mirrors through two real engines over TLS, beside rsync (a daemon, plain and through stunnel) and cp."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.engines import Link, two_engines
from tests.benchmarks.measure import Comparison, Taken, compare, timed
from tests.benchmarks.rsync import Daemon, empty, put_away, rsync, rsync_daemon, tls_around
from tests.benchmarks.setting import (
    SMALL_BYTES,
    TINY_BYTES,
    Setting,
    big_file,
    change_pages,
    settle_disk,
    small_files,
    warm_memory,
)


@dataclass(frozen=True, slots=True)
class Course:
    """One source, a target for everybody, and the rivals ready to start; ``store`` is for what is not deleted yet."""

    source: Path
    target: Path
    replica: Path
    store: Path
    link: Link
    plain: Daemon
    encrypted: Daemon

    def rsync(self, daemon: Daemon, *options: str, synced: bool = False) -> Taken:
        """An rsync; ``synced``: with the time until its files are on the disk, as a mirror's."""

        def deed() -> None:
            rsync(self.source, daemon.url, *options)
            if synced:
                subprocess.run(["sync", "-f", str(self.target)], check=True)

        return timed(deed, daemon.pids)

    def copy(self) -> Taken:
        """Cp, which here must copy."""
        return timed(
            lambda: subprocess.run(["cp", "-a", "--reflink=never", f"{self.source}/.", str(self.target)], check=True)
        )


@contextlib.contextmanager
def _course(setting: Setting, name: str, fill: Callable[[Path], None]) -> Iterator[Course]:
    with setting.room(name) as room, two_engines(room) as two:
        bare, source, target, replica, store = (
            room / name for name in ("bare", "source", "target", "replica", "store")
        )
        fill(source)
        shutil.copytree(source, bare)  # the rivals read what is not captured
        target.mkdir()
        store.mkdir()
        settle_disk()
        two.capture(source, setting.capture)
        link = two.connect(source, replica)
        with rsync_daemon(room, target) as plain, tls_around(room, plain) as encrypted:
            yield Course(bare, target, replica, store, link, plain, encrypted)


def full(setting: Setting, name: str, size: int, fill: Callable[[Path], None], *, deletes: bool) -> list[Comparison]:
    """A full mirror into an empty target; ``deletes``: what the turn before left there is deleted, not kept until the end."""
    with _course(setting, "full", fill) as course:

        def emptied(turn: Callable[[], Taken]) -> Callable[[], Taken]:
            def run() -> Taken:
                for place in (course.target, course.replica):
                    empty(place) if deletes else put_away(place, course.store)
                warm_memory(3 * size)
                return turn()

            return run

        rivals = {
            "rsync, plain": lambda: course.rsync(course.plain, "-W"),
            "rsync, plain, then synced": lambda: course.rsync(course.plain, "-W", synced=True),
            "rsync over TLS": lambda: course.rsync(course.encrypted, "-W"),
            "cp": course.copy,
            "dtam over TLS, synced": lambda: course.link.mirror(kind="full"),
        }
        turns = {rival: emptied(turn) for rival, turn in rivals.items()}
        return [compare(name, "s", turns, setting.rounds)]


def big(setting: Setting) -> list[Comparison]:
    """One big file."""
    name = f"full mirror, one file of {setting.big_bytes >> 20} MiB"
    return full(
        setting, name, setting.big_bytes, lambda source: big_file(source / "file", setting.big_bytes), deletes=True
    )


def small(setting: Setting) -> list[Comparison]:
    """Many small files."""
    name = f"full mirror, {setting.small_files} files of 10 KiB"
    size = setting.small_files * SMALL_BYTES
    return full(setting, name, size, lambda source: small_files(source, setting.small_files), deletes=False)


def checksum(setting: Setting) -> list[Comparison]:
    """A big file of which some pages differ."""
    name = f"checksum mirror, {setting.big_bytes >> 20} MiB with {setting.changed_pages} changed pages of 8 KiB"
    with _course(setting, "checksum", lambda source: big_file(source / "file", setting.big_bytes)) as course:
        shutil.copy2(course.source / "file", course.target / "file")

        def changed(root: Path, turn: Callable[[], Taken]) -> Callable[[], Taken]:
            def run() -> Taken:
                change_pages(root / "file", setting.changed_pages)
                return turn()

            return run

        delta = ("--inplace", "--no-whole-file")
        turns = {
            "rsync, plain": changed(course.target, lambda: course.rsync(course.plain, *delta)),
            "rsync, plain, then synced": changed(
                course.target, lambda: course.rsync(course.plain, *delta, synced=True)
            ),
            "rsync over TLS": changed(course.target, lambda: course.rsync(course.encrypted, *delta)),
            "dtam over TLS, synced": changed(
                course.replica, lambda: course.link.mirror(kind="difference", checksum=True)
            ),
        }
        return [compare(name, "s", turns, setting.rounds)]


def unchanged(setting: Setting) -> list[Comparison]:
    """Very many files of which none has changed."""
    name = f"difference mirror, {setting.many_files} files of which none has changed"
    with _course(setting, "unchanged", lambda source: small_files(source, setting.many_files, TINY_BYTES)) as course:
        course.rsync(course.plain)
        settle_disk()
        turns = {
            "rsync, plain": lambda: course.rsync(course.plain),
            "rsync over TLS": lambda: course.rsync(course.encrypted),
            "dtam over TLS, synced": lambda: course.link.mirror(kind="difference"),
        }
        return [compare(name, "s", turns, setting.rounds)]
