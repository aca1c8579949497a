"""The other end of the socket: a command asks the running `dtam serve`."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import msgspec

from orchestrator.failover import kept
from orchestrator.service.errors import ServeRefuses, ServeSilent
from orchestrator.service.wire import Reply, Request

CONNECT_BUDGET_S = 5.0


def ask(
    home: Path, request: Request, hear: Callable[[Reply], None] = lambda _: None, *, patience_s: float = 30.0
) -> Reply:
    """Ask, and hear every reply until the last, which is given. ``patience_s`` between two lines.

    Raises:
        ServeSilent: nobody answers there, or it went away in the middle.
        ServeRefuses: it says no, with the reason.
    """
    try:
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(CONNECT_BUDGET_S)
            door.connect(str(kept.place(home) / "socket"))
            door.settimeout(patience_s)
            door.sendall(msgspec.json.encode(request) + b"\n")
            with door.makefile("rb") as lines:
                for line in lines:
                    reply = msgspec.json.decode(line, type=Reply)
                    if reply.refused:
                        raise ServeRefuses(reply.says, reply.hint)
                    hear(reply)
                    if reply.last:
                        return reply
    except OSError as error:
        raise ServeSilent(why=error.strerror or str(error)) from error
    raise ServeSilent(why="it went away before it was done")
