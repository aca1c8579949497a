"""Asks one Windows server after the other: name, port, log-in and encryption, scripts, facts, commands and limits. Nothing is changed anywhere.

Each question is asked though the one before failed, where that makes sense: the report is to be whole.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from importlib import resources
from typing import Any, Protocol

import msgspec

from orchestrator.doctor.judging import LEAST, Row, State, of_facts, of_state
from orchestrator.errors import DtamError
from orchestrator.model.outcomes import TryAgain
from orchestrator.model.servers import Server, Transport
from orchestrator.model.windows import USUAL, Windows, WindowsAsk

PORT_BUDGET_S = 5.0


class Asked(Protocol):
    """The part of a host that is asked."""

    def windows(self, ask: WindowsAsk = USUAL) -> Windows:
        """What it says about itself."""
        ...

    def call(self, script: str, arguments: dict[str, Any], *, deed: bool = True) -> tuple[Any, ...]:
        """One of the installed scripts."""
        ...


def used_commands() -> dict[str, list[str]]:
    """Every command that scripts of dtam call on Windows, with the parameters that they give; kept in step by a test."""
    text = resources.files("orchestrator.doctor").joinpath("used_commands.json").read_bytes()
    return msgspec.json.decode(text, type=dict[str, list[str]])


def examine(
    server: Server, greet: Callable[[Server], tuple[str, str]], host: Callable[[Server], Asked]
) -> Iterator[Row]:
    """All rows of one server. ``greet`` gives ``ok`` or ``failed`` and what was seen of the way to it and of its scripts."""
    address = server.own_winrm
    yield _resolved(server)
    yield _port(server)
    sealed = address.tls or address.transport in {Transport.KERBEROS, Transport.NTLM}
    how = f"{address.transport}, {'HTTPS' if address.tls else 'messages sealed'}, port {address.port}"
    state, says = greet(server)
    answers = state == "ok" or says.startswith("WinRM answers")
    yield Row(server.name, "WinRM", "dtam logs in, encrypted", "proved" if answers and sealed else "disproved", how if answers else says,
              "" if answers else f"dtam hosts test {server.name}")  # fmt: skip
    laid: State = "proved" if state == "ok" else "disproved" if answers else "unknown"
    yield Row(server.name, "scripts", "the scripts are laid, and unchanged", laid, says,
              "" if laid == "proved" else f"dtam hosts install {server.name}, then ask again")  # fmt: skip
    yield from _asked(server, "facts", lambda: list(of_facts(server.name, host(server).windows())))
    arguments = {"commands": used_commands(), "settings": list(LEAST)}
    yield from _asked(
        server,
        "commands",
        lambda: list(of_state(server.name, host(server).call("doctor_state", arguments, deed=False))),
    )


def _asked(server: Server, area: str, question: Callable[[], list[Row]]) -> Iterator[Row]:
    try:
        yield from question()
    except (DtamError, TryAgain) as error:
        yield Row(server.name, area, f"its {area} can be asked", "unknown", str(error), getattr(error, "hint", ""))


def _resolved(server: Server) -> Row:
    name = server.own_winrm.address
    try:
        found = sorted(
            {str(one[4][0]) for one in socket.getaddrinfo(name, server.own_winrm.port, type=socket.SOCK_STREAM)}
        )
    except OSError as error:
        return Row(
            server.name, "DNS", f"{name} is resolved", "disproved", str(error), "look at this machine's DNS servers"
        )
    return Row(server.name, "DNS", f"{name} is resolved", "proved", ", ".join(found))


def _port(server: Server) -> Row:
    address = server.own_winrm
    assumption = f"port {address.port} takes connections from here"
    try:
        socket.create_connection((address.address, address.port), PORT_BUDGET_S).close()
    except OSError as error:
        advice = "on it: Enable-PSRemoting, and the firewall rules of Windows Remote Management"
        return Row(server.name, "WinRM", assumption, "disproved", error.strerror or str(error), advice)
    return Row(server.name, "WinRM", assumption, "proved", "connected")
