"""The protected service of the demo: files over HTTP, one directory, nothing else.

``PUT /name`` stores a file whole (written beside, then renamed), ``POST /name`` appends to it, ``GET``, ``HEAD`` and
``DELETE`` do what they say, ``GET /`` lists, ``GET /-/health`` answers 200 when the directory can really be written.
An answer is given only after the operating system took the write, so whatever was answered is in the captured log.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import ClassVar

NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,200}")
BODY_LIMIT_BYTES = 16 * 1024 * 1024


class FileRequest(BaseHTTPRequestHandler):
    """One request. The root directory and the side's name are set on the class by ``serve``."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    root: ClassVar[Path]
    side: ClassVar[str]
    numbers: ClassVar[count[int]] = count()

    def do_GET(self) -> None:
        """Answer a file, the listing or the health."""
        if self.path == "/-/health":
            self._health()
        elif self.path == "/":
            names = sorted(entry.name for entry in os.scandir(self.root) if NAME.fullmatch(entry.name))
            self._answer(HTTPStatus.OK, "\n".join(names).encode())
        elif path := self._file():
            self._guarded(lambda: self._answer(HTTPStatus.OK, path.read_bytes()))

    do_HEAD = do_GET  # noqa: N815 - http.server finds handlers by this name

    def do_PUT(self) -> None:
        """Store a whole file: readers see the old one or the new one, never a part."""
        if path := self._file():
            self._guarded(lambda: self._store(path, self._body()))

    def do_POST(self) -> None:
        """Append to a file."""
        if path := self._file():
            self._guarded(lambda: self._append(path, self._body()))

    def do_DELETE(self) -> None:
        """Remove a file."""
        if path := self._file():
            self._guarded(lambda: self._remove(path))

    def _remove(self, path: Path) -> None:
        path.unlink()
        self._answer(HTTPStatus.NO_CONTENT, b"")

    def _store(self, path: Path, body: bytes) -> None:
        beside = path.with_name(f".{path.name}.{next(self.numbers)}")
        beside.write_bytes(body)
        beside.replace(path)
        self._answer(HTTPStatus.CREATED, b"")

    def _append(self, path: Path, body: bytes) -> None:
        with path.open("ab", buffering=0) as file:
            file.write(body)
        self._answer(HTTPStatus.OK, b"")

    def _health(self) -> None:
        probe = self.root / f".health.{os.getpid()}.{threading.get_ident()}"

        def prove() -> None:
            probe.write_bytes(b"alive")
            probe.unlink()
            self._answer(HTTPStatus.OK, f"{self.side}\n".encode())

        self._guarded(prove)

    def _guarded(self, deed: Callable[[], object]) -> None:
        try:
            deed()
        except FileNotFoundError:
            self._answer(HTTPStatus.NOT_FOUND, b"no such file\n")
        except OSError as error:
            self._answer(HTTPStatus.SERVICE_UNAVAILABLE, f"{error.strerror}\n".encode())

    def _file(self) -> Path | None:
        name = self.path.removeprefix("/")
        if NAME.fullmatch(name):
            return self.root / name
        self._answer(HTTPStatus.BAD_REQUEST, b"names are letters, digits, dot, dash and underscore\n")
        return None

    def _body(self) -> bytes:
        length = int(self.headers.get("Content-Length", "0"))
        if length > BODY_LIMIT_BYTES:
            message = "file too large"
            raise OSError(27, message)
        return self.rfile.read(length)

    def _answer(self, status: HTTPStatus, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Served-By", self.side)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep quiet: at hundreds of requests a second a log line each is noise."""


class FileServer(ThreadingHTTPServer):
    """A thread a connection; a client that goes away in mid-sentence is no event."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """A broken connection ends that connection and nothing else."""


def serve(root: Path, address: str, port: int, side: str) -> None:
    """Serve ``root`` until the process is told to stop."""
    FileRequest.root = root
    FileRequest.side = side
    FileServer((address, port), FileRequest).serve_forever()


def main() -> None:
    """Parse the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--address", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--side", required=True, help="told in the header X-Served-By")
    words = parser.parse_args()
    try:
        serve(words.root, words.address, words.port, words.side)
    except OSError as error:
        sys.exit(f"fileservice: {words.address}:{words.port}: {error.strerror}")


if __name__ == "__main__":
    main()
