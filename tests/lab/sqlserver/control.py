"""The control socket of a simulated SQL Server: how a test plants state. One JSON object a line, one JSON answer.

{"do": "failures"}    what in the simulation's wire broke
{"do": ...}           everything else is the engine's: see Instance.lab
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.lab.sqlserver.service import Service


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name for the socket that is never too long for an address."""
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)


def obey(service: Service, wish: dict[str, Any]) -> Any:
    """Do what is asked for; what the answer says. Raises whatever the deed raises."""
    if wish.get("do") == "failures":
        return service.failures
    return service.instance.lab(wish)


def _serve_one(service: Service, connection: socket.socket) -> None:
    with connection, connection.makefile("rw", encoding="utf-8") as lines, contextlib.suppress(OSError, ValueError):
        for line in lines:
            try:
                answer = {"answer": obey(service, json.loads(line))}
            except Exception as error:  # noqa: BLE001 - it is told to the one who asked
                answer = {"error": f"{type(error).__name__}: {error}"}
            lines.write(json.dumps(answer, default=str) + "\n")
            lines.flush()


def serve(service: Service, path: Path) -> Callable[[], None]:
    """Listen on the socket, for this user only; gives what stops it."""
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        with _short(path) as name:
            listening.bind(name)
    finally:
        os.umask(before)
    listening.listen()

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                threading.Thread(target=_serve_one, args=(service, connection), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()

    def stop() -> None:
        path.unlink(missing_ok=True)
        listening.close()

    return stop


def ask(path: Path, wish: dict[str, Any]) -> Any:
    """The other end, for tests. Raises AssertionError with what it said."""
    with socket.socket(socket.AF_UNIX) as connection:
        with _short(path) as name:
            connection.connect(name)
        connection.sendall((json.dumps(wish) + "\n").encode())
        with connection.makefile(encoding="utf-8") as lines:
            answer = json.loads(lines.readline())
    assert "error" not in answer, answer["error"]
    return answer["answer"]
