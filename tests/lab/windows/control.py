"""The control socket of a simulated Windows host: how a test asks for faults. One JSON object a line, one JSON answer.

{"do": "trouble", "kind": "reset", "verb": "Receive", "times": 1, "after_bytes": 100}
{"do": "trouble", "kind": "slow", "verb": "Command", "seconds": 30}      deny, unavailable: likewise
{"do": "heal"}  {"do": "reboot"}  {"do": "clock", "offset_s": 600}  {"do": "shells"}  {"do": "failures"}  {"do": "delete-shells"}
{"do": "at", "command": "New-SmbShare", "deed": "die", "after": true, "times": 1}     cut, reboot: likewise; see moments.py
{"do": "dropped"}     how many connections each cut has reset
{"do": "share", "name": "Docs", "path": "E:/Docs", "sddl": "O:BAG:BAD:(A;;FA;;;WD)"}     a share that is there before a test
{"do": "machine", "call": "faults.denied.add", "arguments": ["get-smbshare"]}     any call of the machine's own objects
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.lab.windows import moments
from tests.lab.windows.machine.descriptors import parse
from tests.lab.windows.wire.trouble import Wanted

if TYPE_CHECKING:
    from tests.lab.windows.host import Host

EVERYONE = "O:BAG:BAD:(A;;FA;;;WD)"  # full access for everyone


def _call(machine: Any, path: str, arguments: list[Any], named: dict[str, Any]) -> Any:
    found = machine
    for word in path.split("."):
        found = found[word] if isinstance(found, dict) else getattr(found, word)
    return found(*arguments, **named) if callable(found) else found


def obey(host: Host, wish: dict[str, Any]) -> Any:
    """Do what is asked for; what the answer says. Raises whatever the deed raises."""
    match wish.pop("do"):
        case "trouble":
            host.trouble.want(Wanted(**wish))
        case "heal":
            host.trouble.heal()
        case "reboot":
            host.restart()
        case "end":
            host.end()
        case "clock":
            host.back.machine.computer.set_clock_offset(float(wish["offset_s"]))
        case "shells":
            return [{"id": one.id, "owner": one.owner.name, "commands": len(one.commands)} for one in host.shells.all()]
        case "delete-shells":
            host.shells.end_all()
        case "failures" | "dropped" as what:
            return getattr(host, what)
        case "machine":
            return _call(host.back.machine, wish["call"], wish.get("arguments", []), wish.get("named", {}))
        case "at":
            moments.at(host, wish["command"], wish["deed"], after=wish.get("after", True), times=wish.get("times", 1))
        case "share":
            descriptor = parse(wish.get("sddl", EVERYONE), wish.get("domain_sid"))
            return host.back.machine.shares.create(wish["name"], wish["path"], descriptor)
        case other:
            raise ValueError(other)
    return None


def _serve_one(host: Host, connection: socket.socket) -> None:
    with connection, connection.makefile("rw", encoding="utf-8") as lines:
        for line in lines:
            try:
                answer = {"answer": obey(host, json.loads(line))}
            except Exception as error:  # noqa: BLE001 - it is told to the one who asked
                answer = {"error": f"{type(error).__name__}: {error}"}
            lines.write(json.dumps(answer, default=str) + "\n")
            lines.flush()


def serve(host: Host, path: Path) -> Callable[[], None]:
    """Listen on the socket, for this user only; gives what stops it."""
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        listening.bind(str(path))
    finally:
        os.umask(before)
    listening.listen()

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                threading.Thread(target=_serve_one, args=(host, connection), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()

    def stop() -> None:
        path.unlink(missing_ok=True)
        listening.close()

    return stop


class Control:
    """The other end, for tests."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def ask(self, do: str, **more: Any) -> Any:
        """Ask for something; the answer. Raises AssertionError with what it said."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self._path))
            connection.sendall((json.dumps({"do": do, **more}) + "\n").encode())
            with connection.makefile(encoding="utf-8") as lines:
                answer = json.loads(lines.readline())
        assert "error" not in answer, answer["error"]
        return answer["answer"]

    def trouble(self, kind: str, **more: Any) -> None:
        """A fault on the wire: slow (seconds), reset (after_bytes), deny, unavailable; verb and times narrow it."""
        self.ask("trouble", kind=kind, **more)
