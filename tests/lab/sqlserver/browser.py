"""SQL Browser as a socket on UDP 1434, and as a service of its own for all instances of a machine.

    python -m tests.lab.sqlserver.browser --address A --entries DIRECTORY

Each running instance that was started with ``--browser-entry FILE`` has its entry there as JSON. Windows has this service, Linux has not.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.lab.sqlserver.browsing import Entry, answer

PORT = 1434
LOOK_S = 0.5


class Browser:
    """Answers until it is closed. ``entries`` is asked at each request."""

    def __init__(self, address: str, entries: Callable[[], Sequence[Entry]], port: int = PORT) -> None:
        self._entries = entries
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.bind((address, port))
        self._thread = threading.Thread(target=self._serve, daemon=True, name="browser")
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                request, caller = self._socket.recvfrom(2048)
            except OSError:
                return
            if not caller:  # it was shut down
                return
            said = answer(request, self._entries())
            if said is not None:
                with contextlib.suppress(OSError):
                    self._socket.sendto(said, caller)

    def close(self) -> None:
        """Stop."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


def write_entry(file: Path, entry: Entry) -> None:
    """For a browser in a process of its own."""
    new = file.with_name(file.name + ".new")
    new.write_text(json.dumps({"said": dict(entry.said), "hidden": entry.hidden, "dac": entry.dac}))
    new.replace(file)


def read_entries(directory: Path) -> list[Entry]:
    """Those of all instances that run, by the names of their files."""
    found = []
    for file in sorted(directory.glob("*.json")):
        with contextlib.suppress(FileNotFoundError):
            found.append(Entry(**json.loads(file.read_text())))
    return found


def main() -> None:
    """From the command line."""
    parser = argparse.ArgumentParser(description="A simulated SQL Browser. Nothing of SQL Server runs here.")
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--entries", type=Path, required=True, help="directory with the entries of running instances")
    given = parser.parse_args()
    over = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    browser = Browser(given.address, lambda: read_entries(given.entries), given.port)
    sys.stdout.write(json.dumps({"ready": True, "simulation": True, "port": given.port}) + "\n")
    sys.stdout.flush()
    while not over.wait(LOOK_S) and not _unheard():
        pass
    browser.close()


def _unheard() -> bool:
    """Whether standard output is a pipe that nobody holds any more: the machine that this service runs on has lost its power."""
    looking = select.poll()
    looking.register(sys.stdout.fileno(), select.POLLERR)
    return any(found & select.POLLERR for _, found in looking.poll(0))


if __name__ == "__main__":
    main()
