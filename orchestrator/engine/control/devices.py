"""Loop devices over files in captured directories: what is written to such a block device is captured as writes to its file.

Remembered, attached with the daemon's start (after the captures, before systemd hears that the engine is ready), found again where
they are attached already. Direct I/O: a flush of the device is one of the file, and no write waits in a second cache.

When a capture program dies, the devices over its files answer with errors for good: such a *stale* device is told by the number that
was remembered, taken away once nobody uses it, and another is attached.

Lock: one for the table.
"""

from __future__ import annotations

import hashlib
import json
import logging
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from orchestrator.engine.control import store
from orchestrator.engine.control.answers import DeviceStatus
from orchestrator.engine.control.errors import Conflict, Unknown
from orchestrator.engine.control.events import Events
from orchestrator.engine.control.fields import Request
from orchestrator.engine.control.layout import Layout
from orchestrator.engine.control.schema import DeviceRequest

log = logging.getLogger(__name__)
LOSETUP = "losetup"
BUDGET_S = 60.0
NEXT = "see 'losetup --list' and 'findmnt' on that host"


class DeviceRecord(Request):
    """The stored form: what was asked for, and the device that it became."""

    request: DeviceRequest
    attached: str


class Devices:
    """The loop devices by the path of their file. Callable from any thread.

    Args:
        layout: where they are remembered.
        events: the journal.
        covering: the captured directory that a path lies in, or None.
    """

    def __init__(self, layout: Layout, events: Events, covering: Callable[[str], str | None]) -> None:
        self._directory = layout.devices
        self._events = events
        self._covering = covering
        self._lock = threading.Lock()
        self._problems: dict[str, str] = {}
        records = store.load_all(self._directory, DeviceRecord)
        self._records = {record.request.file: record for record in records}

    def start(self) -> None:
        """Attach all that are not; what cannot be is told and shown. Also to be called when a capture began anew."""
        with self._lock:
            for request in [record.request for record in self._records.values()]:
                try:
                    self._attach(request)
                except Conflict as error:
                    self._problems[request.file] = str(error)
                    self._events.tell("device", str(error))

    def add(self, request: DeviceRequest) -> DeviceStatus:
        """Attach a device to a file, now and at every start; the same again changes nothing.

        Raises:
            Conflict: the file is not in a captured directory, is known with other settings, or losetup refused.
        """
        with self._lock:
            known = self._records.get(request.file)
            if known is not None and known.request != request:
                hint = f"take it away first: dtengine devices remove {request.file}"
                raise Conflict(what=f"attaching {request.file}", why="it is known with other settings", hint=hint)
            self._attach(request)
            status = self._status(request)
        self._events.tell("device", f"{status.device} is attached to {request.file}")
        return status

    def remove(self, file: str) -> None:
        """Detach it and forget it; the file stays.

        Raises:
            Unknown: no such file is attached.
            Conflict: the device is in use.
        """
        with self._lock:
            if file not in self._records:
                raise Unknown(kind="loop device over", name=file, listing="devices list")
            self._detach_stale(file)
            device = attached_to(file)
            if device:
                detach(file, device)
            store.remove(self._path(file))
            del self._records[file]
            self._problems.pop(file, None)
        self._events.tell("device", f"no device is attached to {file} any more")

    def listed(self) -> list[DeviceStatus]:
        """All that are remembered."""
        with self._lock:
            return [self._status(record.request) for record in self._records.values()]

    # -- under the lock

    def _attach(self, request: DeviceRequest) -> None:
        if self._covering(request.file) is None:
            hint = f"capture it first: dtengine mounts add {Path(request.file).parent}"
            raise Conflict(what=f"attaching {request.file}", why="it is not in a captured directory", hint=hint)
        self._detach_stale(request.file)
        if not attached_to(request.file):
            where = [request.device] if request.device else ["--find"]
            offset = f"--offset={request.offset_bytes}"
            _losetup("attaching", request.file, "--direct-io=on", offset, *where, request.file)
        self._problems.pop(request.file, None)
        record = DeviceRecord(request=request, attached=attached_to(request.file))
        if self._records.get(request.file) != record:
            store.save(self._path(request.file), record)
            self._records[request.file] = record

    def _detach_stale(self, file: str) -> None:
        record = self._records.get(file)
        if record is not None and is_stale(record.attached, file):
            detach(file, record.attached)

    def _path(self, file: str) -> Path:
        return self._directory / f"{hashlib.sha256(file.encode()).hexdigest()[:16]}.json"

    def _status(self, request: DeviceRequest) -> DeviceStatus:
        device = attached_to(request.file)
        captured = self._covering(request.file)
        says = f"what is written to it is captured with {captured}"
        if not (device and captured):
            says = self._problems.get(request.file, "it is not attached" if captured else "its file is not captured")
        return DeviceStatus(
            file=request.file,
            device=device,
            state="attached" if device and captured else "detached",
            says=says,
            offset_bytes=request.offset_bytes,
        )


def is_stale(device: str, file: str) -> bool:
    """Whether a device is over what was this file before its capture died; its name is all that is left of it."""
    backing = Path(f"/sys/class/block/{Path(device).name}/loop/backing_file")
    try:
        shown = backing.read_text(encoding="utf-8", errors="surrogateescape").strip()
    except OSError:
        return False
    return file.endswith(shown) and attached_to(file) != device


def detach(file: str, device: str) -> None:
    """Take a device away from its file.

    Raises:
        Conflict: it is in use, or losetup refused.
    """
    user = used_by(device)
    if user:
        hint = "unmount it, or stop what has it open, and try again"
        raise Conflict(what=f"detaching {device} from {file}", why=f"it is in use: {user}", hint=hint)
    _losetup("detaching", file, "--detach", device)


def attached_to(file: str) -> str:
    """The loop device over this very file, or nothing."""
    try:
        said = _losetup("looking at", file, "--json", "--output=NAME", f"--associated={file}")
    except Conflict:
        return ""
    found = json.loads(said or "{}").get("loopdevices", [])
    return str(found[0]["name"]) if found else ""


def used_by(device: str) -> str:
    """Who uses a block device, in a few words; nothing where nobody does."""
    number = Path(f"/sys/class/block/{Path(device).name}/dev")
    wanted = number.read_text(encoding="ascii").strip() if number.exists() else ""
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        fields = line.split()
        if fields[2] == wanted:
            return f"it is mounted on {fields[4]}"
    holders = Path(f"/sys/class/block/{Path(device).name}/holders")
    names = [one.name for one in holders.iterdir()] if holders.is_dir() else []
    return f"held by {', '.join(names)}" if names else ""


def _losetup(doing: str, file: str, *words: str) -> str:
    try:
        done = subprocess.run([LOSETUP, *words], capture_output=True, text=True, timeout=BUDGET_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Conflict(what=f"{doing} {file}", why=f"{LOSETUP}: {error}", hint=NEXT) from error
    if done.returncode != 0:
        why = (done.stderr.strip().splitlines() or [f"{LOSETUP} ended with {done.returncode}"])[-1]
        raise Conflict(what=f"{doing} {file}", why=why, hint=NEXT)
    return done.stdout
