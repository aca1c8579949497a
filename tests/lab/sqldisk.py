"""The disk of a simulated Windows machine as its SQL Server sees it: whoever writes says so, and ends when the machine's power goes.

Storage Replica copies a volume as of one moment. Real blocks have an order; the simulation has this instead: a writer enters, writes what belongs
together, and leaves, and the copy is made while nobody is inside. Leaving waits until a synchronous partner has what was written. One line asks,
one line answers: ``w`` (may I) and ``d`` (done), answered ``y``, or ``n`` and why not.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

POWER_LOST = 137  # the exit code of a process whose machine lost its power


class Disk:
    """The writers' end. Each thread that writes has a connection of its own; ``watch`` ends the process with the machine."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._own = threading.local()
        self._wires: list[socket.socket] = []

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Nobody copies the volume in between; on the way out a synchronous partner has it.

        Raises:
            OSError: the volume is out of use (a destination of replication), or the machine has no power.
        """
        self._ask("w")
        try:
            yield
        finally:
            self._ask("d")

    def _ask(self, word: str) -> None:
        lines = getattr(self._own, "lines", None)
        if lines is None:
            lines = self._own.lines = self._connected().makefile("rw", encoding="utf-8", newline="\n")
        lines.write(f"{word}\n")
        lines.flush()
        said = lines.readline().strip()
        if said != "y":
            raise OSError(said[2:] or "the machine has no power")

    def watch(self) -> None:
        """From now on this process ends, as by a power cut, when the machine's does."""
        held = self._connected()

        def wait() -> None:
            with contextlib.suppress(OSError):
                held.recv(1)
            os._exit(POWER_LOST)

        threading.Thread(target=wait, daemon=True).start()

    def _connected(self) -> socket.socket:
        wire = socket.socket(socket.AF_UNIX)
        self._wires.append(wire)
        wire.connect(str(self._path))
        return wire

    def close(self) -> None:
        """Nothing is written any more."""
        for wire in self._wires:
            wire.shutdown(socket.SHUT_RDWR)
            wire.close()
