"""Speaking with a running capture program over its control socket: one JSON object a line, one answer a line.

The words of the protocol are in ``c/control.h``.
"""

from __future__ import annotations

import json
import os
import socket
import uuid
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.engine.capture.errors import CaptureSilent

ANSWER_TIMEOUT_S = 30.0


class CaptureStatus(msgspec.Struct, frozen=True):
    """What the capture program says of itself."""

    pid: int
    root_fd: int
    log_id: str
    committed_sequence: int
    released_sequence: int
    out_of_step: bool
    out_of_step_sequence: int
    fenced: bool
    refuses_changes: bool
    previous_clean: bool
    """The run before this one ended in order; when false, only a mirror brings replicas back in step."""
    continued: bool
    """The log of the run before goes on, with its sequences."""
    nodes: int
    """Files and directories the kernel holds in its caches."""
    open_files: int
    memory_bytes: int
    disk_bytes: int
    flushes_waiting: int = 0
    """Flushes that are made here and wait for the targets of synchronous connections."""


class ControlClient:
    """Asks the capture program of one log directory. Every question is a connection of its own, so threads may share it."""

    def __init__(self, log_dir: Path, timeout_s: float = ANSWER_TIMEOUT_S) -> None:
        self._log_dir = log_dir
        self._timeout_s = timeout_s

    def status(self) -> CaptureStatus:
        """How it stands; cheap."""
        return msgspec.convert(self._ask(do="status"), CaptureStatus)

    def mark(self, name: str) -> int:
        """Put a barrier into the log: everything that was answered before has a smaller sequence than the one returned."""
        return int(self._ask(do="mark", name=name)["sequence"])

    def fence(self, *, on: bool) -> None:
        """Refuse (or allow again) every change; when this returns, no change is under way."""
        self._ask(do="fence", on=on)

    def restart(self) -> uuid.UUID:
        """Drop the log and start a new one; its id is returned."""
        return uuid.UUID(self._ask(do="restart")["log_id"])

    def stop(self) -> bool:
        """Ask for an orderly unmount; false while files are open."""
        answer = self._exchange({"do": "stop"})
        if answer.get("error") == "busy":
            return False
        self._require_ok(answer)
        return True

    def _ask(self, **request: object) -> dict[str, Any]:
        return self._require_ok(self._exchange(request))

    def _require_ok(self, answer: dict[str, Any]) -> dict[str, Any]:
        if not answer.get("ok"):
            raise CaptureSilent(log_dir=self._log_dir, why=answer.get("error", "it refused"))
        return answer

    def _exchange(self, request: dict[str, object]) -> dict[str, Any]:
        try:
            with connect(self._log_dir, self._timeout_s) as connection, connection.makefile("rwb") as stream:
                stream.write(json.dumps(request).encode() + b"\n")
                stream.flush()
                answer: dict[str, Any] = json.loads(stream.readline() or b"{}")
                return answer
        except OSError as error:
            raise CaptureSilent(log_dir=self._log_dir, why=error.strerror or str(error)) from error


def connect(log_dir: Path, timeout_s: float = ANSWER_TIMEOUT_S) -> socket.socket:
    """A connection to the capture program of a log directory.

    Raises:
        OSError: nobody listens there.
    """
    # by descriptor, since socket paths end at 107 bytes
    directory = os.open(log_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout_s)
    try:
        connection.connect(f"/proc/self/fd/{directory}/control")
    except OSError:
        connection.close()
        raise
    finally:
        os.close(directory)
    return connection
