"""Where the programs on a simulated machine say that they write, and what copies a volume waits until nobody does; see tests/lab/sqldisk.py."""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path


class Writers:
    """Many may write at once; a copy waits until they have left, and nobody enters while it is made. Who had to wait is let in before the next copy."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._inside = self._waiting = 0
        self._is_copying = False

    def enter(self) -> None:
        """Begin to write; waits while a copy is made or waited for."""
        with self._change:
            self._waiting += 1
            self._change.wait_for(lambda: not self._is_copying)
            self._waiting -= 1
            self._inside += 1
            self._change.notify_all()

    def leave(self) -> None:
        """What was written is whole."""
        with self._change:
            self._inside -= 1
            self._change.notify_all()

    @contextlib.contextmanager
    def quiet(self) -> Iterator[None]:
        """Nobody writes in between."""
        with self._change:
            self._change.wait_for(lambda: not self._is_copying and not self._waiting)
            self._is_copying = True
            self._change.wait_for(lambda: not self._inside)
        try:
            yield
        finally:
            with self._change:
                self._is_copying = False
                self._change.notify_all()


class Rounds:
    """A deed that is done again and again: who asks waits for one that began after it was asked for, and does it where nobody else does."""

    def __init__(self) -> None:
        self._change = threading.Condition()
        self._begun = self._ended = 0
        self._is_running = False

    def wait(self, deed: Callable[[], None]) -> None:
        """Until it was done from beginning to end."""
        with self._change:
            wanted = self._begun + 1
            while True:
                self._change.wait_for(lambda: self._ended >= wanted or not self._is_running)
                if self._ended >= wanted:
                    return
                self._is_running = True
                self._begun += 1
                number = self._begun
                self._change.release()
                try:
                    deed()
                finally:
                    self._change.acquire()
                    self._is_running, self._ended = False, number
                    self._change.notify_all()


class DiskServer:
    """Answers the writers of one program. ``ready`` raises OSError where the volume is out of use; ``carried`` waits until its partner has it."""

    def __init__(self, path: Path, writers: Writers, ready: Callable[[], None], carried: Callable[[], None]) -> None:
        self.path = path
        path.unlink(missing_ok=True)

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                is_inside = False
                try:
                    for line in self.rfile:
                        is_inside = self._obey(line.strip(), is_inside=is_inside)
                finally:
                    if is_inside:
                        writers.leave()

            def _obey(self, word: bytes, *, is_inside: bool) -> bool:
                if word == b"d" and is_inside:
                    writers.leave()
                    carried()
                    self.wfile.write(b"y\n")
                    return False
                writers.enter()
                try:
                    ready()
                except OSError as why:
                    writers.leave()
                    self.wfile.write(f"n {why}\n".encode())
                    return False
                self.wfile.write(b"y\n")
                return True

        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, request: object, client_address: object) -> None:
                """A program that ended is no error."""

        self._server = Server(str(path), Handler)
        path.chmod(0o600)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """The program has ended."""
        self._server.shutdown()
        self._server.server_close()
        self.path.unlink(missing_ok=True)
