"""Starting capture over a directory: the capturing file system under its supervisor, found again where it outlived the daemon.

``best_kind`` says what this host can have and why not better.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from orchestrator.engine.capture.build import ensure_built
from orchestrator.engine.capture.errors import BuildFailed, CaptureSilent
from orchestrator.engine.capture.mount import CaptureLimits, CapturePlaces, Mount
from orchestrator.engine.capture.state import UNLIMITED, StatePage, Wish
from orchestrator.engine.capture.supervisor import Death, Supervisor
from orchestrator.engine.control.edges import Capture, CaptureKind
from orchestrator.engine.control.schema import MountRequest
from orchestrator.engine.control.watching import WatchCapture

Lost = Callable[[str, bool, str], None]
"""Told (path, whether the log may be resumed, why) when a capture died or began anew."""


def best_kind() -> tuple[CaptureKind, str]:
    """What capture this host can have, and one sentence about it."""
    device = Path("/dev/fuse")
    if not device.exists():
        return "watcher", "there is no /dev/fuse here: files are watched, weaker: no write order"
    if not os.access(device, os.R_OK | os.W_OK):
        return "watcher", "this user may not open /dev/fuse: files are watched, weaker: no write order"
    try:
        ensure_built()
    except BuildFailed as error:
        return "watcher", f"{error}: files are watched, weaker: no write order"
    return "fuse", "every write is captured in order"


class FuseCapture:
    """The capturing file system over one directory, kept alive by its supervisor."""

    kind: CaptureKind = "fuse"

    def __init__(self, request: MountRequest, places: CapturePlaces, lost: Lost) -> None:
        """Start capture, or find the program again that an earlier daemon left.

        Raises:
            MountRefused, MountFailed, BuildFailed: as ``Mount.start`` says.
        """
        self.path = Path(request.path)
        self.places = places
        self.restarts = 0
        self.says = "every write is captured in order"
        self._limits = limits_of(request)
        self._lost = lost
        mount = self._attached() or self._started()
        self._page = StatePage(places.log_dir / "state")
        self._page.wishes = Wish.ACCESS_TIMES if request.access_times else 0
        self._supervisor = Supervisor(mount, self._started, self._died)
        self._supervisor.start()

    def _attached(self) -> Mount | None:
        try:
            return Mount.attach(self.path, self.places.log_dir, self.places.mem_dir, self.places.disk_dir)
        except CaptureSilent:
            return None

    def _started(self) -> Mount:
        """A log of which operations may be missing is never continued."""
        places = self.places
        mount = Mount.start(self.path, places.log_dir, places.mem_dir, places.disk_dir, self._limits)
        if not mount.status().previous_clean:
            mount.restart_log()
        return mount

    def _died(self, death: Death) -> None:
        self.restarts += 1
        if not death.captured_again:
            self.says = f"not captured: {death.why_bare}"
        why = f"the capture program ended {'in order' if death.clean else 'without its clean mark'}"
        self._lost(str(self.path), death.clean and death.captured_again, why)

    @property
    def _mount(self) -> Mount:
        return self._supervisor.mount

    @property
    def state(self) -> StatePage:
        """The log's state page, in a mapping of our own: it outlives the program and its successors."""
        return self._page

    @property
    def alive(self) -> bool:
        """Whether the program runs; not in the moment between its death and its successor."""
        try:
            return self._mount.alive
        except ValueError:
            return False

    @property
    def pid(self) -> int | None:
        """The program."""
        return self._mount.process.pid

    @property
    def lower_path(self) -> Path:
        """The directory below the mount."""
        return self._mount.lower_path

    def fence(self, *, on: bool) -> None:
        """Refuse every change, or allow them again."""
        self._mount.fence(on=on)

    def mark(self) -> int:
        """Behind times of directories, too, which are logged a moment after their names changed; a dead capture logs no more."""
        try:
            return self._mount.mark("settle")
        except (CaptureSilent, ValueError):
            return self._page.committed_sequence

    def restart_log(self) -> None:
        """Drop the log and begin another."""
        self._mount.restart_log()

    def stop(self) -> None:
        """Unmount in order. Raises MountBusy when files are open; capture goes on."""
        self._supervisor.stop()
        try:
            self._mount.stop()
        except BaseException:
            self._supervisor = Supervisor(self._mount, self._started, self._died)
            self._supervisor.start()
            raise

    def let_go(self) -> None:
        """The daemon ends; the program goes on."""
        self._supervisor.stop()
        self._mount.close()


def limits_of(request: MountRequest) -> CaptureLimits:
    """The limits of a log as the capture takes them."""
    disk = UNLIMITED if request.disk_limit_bytes is None else request.disk_limit_bytes
    return CaptureLimits(request.memory_limit_bytes, disk, request.minimum_free_bytes)


def start_capture(request: MountRequest, kind: CaptureKind, places: CapturePlaces, lost: Lost) -> Capture:
    """Capture a directory by the means chosen."""
    if kind == "fuse":
        return FuseCapture(request, places, lost)
    return WatchCapture(request, places)
