"""Asks one Windows server after the other what dtam takes for granted. Nothing is changed anywhere, and nothing need lie on the server.

Each question is asked though the one before failed, where that makes sense; what could not be asked is a row of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import resources
from typing import Any, Protocol

import msgspec

from orchestrator.doctor import judging
from orchestrator.doctor.here import Here, of_names, of_ports
from orchestrator.doctor.rows import Row, State, holds, unknown
from orchestrator.errors import DtamError
from orchestrator.hosts import errors
from orchestrator.hosts.winrm_laying import Laid
from orchestrator.hosts.winrm_watched import Seen
from orchestrator.model.servers import Server, WinRmAddress

Line = Mapping[str, Any]
FILLER_BYTES = 300_000
LINE_CHARS = 8000
"""Of the longest command line that is tried: a little below what cmd.exe takes, and well above the longest of ours."""
BUDGET_S = 180.0
ALL_ELSE, NOT_BEFORE = "all else can be asked", "not before what is disproved above holds"


class Asked(Protocol):
    """The way to a server, as it is asked."""

    @property
    def seen(self) -> Seen:
        """What was seen of the way until now."""
        ...

    def send(
        self, name: str, request: Mapping[str, Any], budget_s: float = ..., line_chars: int = ...
    ) -> tuple[Line, ...]:
        """One of the texts that are sent."""
        ...

    def laid(self) -> tuple[Laid, ...]:
        """What lies there of our scripts."""
        ...

    def ask(self, script: str, arguments: Mapping[str, Any], budget_s: float = ...) -> tuple[Line, ...]:
        """One of the scripts that lie there."""
        ...


Modules = Mapping[str, Mapping[str, Sequence[str]]]


def used_commands() -> Modules:
    """Every command that scripts of dtam call on Windows, by module, with the parameters that they give; kept in step by a test."""
    text = resources.files("orchestrator.doctor").joinpath("used_commands.json").read_bytes()
    return msgspec.json.decode(text, type=dict[str, dict[str, list[str]]])


def examine(
    server: Server,
    way: Callable[[Server], Asked],
    zone: Callable[[Server, str], Row],
    *,
    here: Here | None = None,
    modules: Modules | None = None,
) -> Iterator[Row]:
    """All rows of one server. ``zone`` gives the row of its domain's zone.

    ``here`` and ``modules`` are for tests: how the network is looked at from here, and the commands that are asked for.
    """
    yield from of_names(server, here or Here())
    ports = list(of_ports(server, here or Here()))
    yield from ports
    if ports[0].state == "disproved":
        yield unknown(server.name, "answers", ALL_ELSE, NOT_BEFORE)
        return
    seen = Seen()
    try:
        asked = way(server)
        seen = asked.seen
        mode = asked.send("doctor_mode.ps1", {})
    except DtamError as error:
        yield from _refused(server, error, seen)
        return
    yield from _let_in(server, seen)
    yield from judging.of_mode(server.name, mode)
    if not judging.is_full(mode):
        yield unknown(server.name, "answers", ALL_ELSE, NOT_BEFORE)
        return
    yield from _asked(server, "limits", lambda: _echo(server, asked))
    session: list[Line] = []
    yield from _asked(server, "session", lambda: _session(server, asked, session))
    yield _sealing(server, asked.seen)
    state: list[Line] = []
    yield from _asked(server, "state", lambda: _state(server, asked, state))
    request = {"modules": modules or used_commands(), "settings": judging.SETTINGS}
    replica = judging.has_replica(state)

    def commands() -> Iterator[Row]:
        lines = asked.send("doctor_commands.ps1", request, BUDGET_S)
        return judging.of_commands(server.name, lines, replica=replica)

    yield from _asked(server, "commands", commands)
    yield from _asked(server, "scripts", lambda: _scripts(server, asked))
    domain = next((str(line["domain"]) for line in session if line["part"] == "computer" and line["member"]), "")
    if domain:
        yield zone(server, domain)


def _asked(server: Server, area: str, question: Callable[[], Iterator[Row]]) -> Iterator[Row]:
    try:
        yield from list(question())
    except DtamError as error:
        yield unknown(server.name, "answers", f"its {area} can be asked", str(error), error.hint)


# -- the way in


def _words(at: WinRmAddress) -> tuple[str, str]:
    sealed = "HTTPS, verified" if at.tls else "every message is sealed"
    return f"dtam logs in by {at.transport}", f"what is said is encrypted: {sealed}"


def _refused(server: Server, error: DtamError, seen: Seen) -> Iterator[Row]:
    """The one thing that does not hold; nothing more can be asked."""
    login, encrypted = _words(server.own_winrm)
    says, hint = str(error), error.hint
    state: State = "disproved"
    match error:
        case errors.WinRmLoginRefused():
            area, assumption = "WinRM", login
        case errors.WinRmCertificateRefused():
            area, assumption = "WinRM", encrypted
        case errors.WinRmClockOff():
            area, assumption = "clock", f"its clock is within {judging.CLOCK_LIMIT_S:g} s of ours"
        case errors.WinRmNotAuthorised() | errors.WinRmQuota():
            area, assumption = "WinRM", "the account may open a shell"
        case errors.ScriptsForbidden():
            area, assumption = "PowerShell", "commands run in full language"
        case _ if seen.unsealed:
            area, assumption = "WinRM", encrypted
        case _:
            area, assumption, state = "WinRM", login, "unknown"
    yield Row(server.name, area, assumption, state, says, hint)
    yield unknown(server.name, "answers", ALL_ELSE, NOT_BEFORE)


def _let_in(server: Server, seen: Seen) -> Iterator[Row]:
    login, _ = _words(server.own_winrm)
    by = seen.protocol or {"certificate": "its certificate", "basic-https": "name and password"}.get(
        server.own_winrm.transport, server.own_winrm.transport
    )
    expected = server.own_winrm.transport
    proof = not seen.protocol or seen.protocol == expected
    yield holds(
        proof, server.name, "WinRM", login, f"seen: {by}", f"{expected} was asked for: look at the host's WinRM"
    )
    yield holds(True, server.name, "WinRM", "the account may open a shell", "a command ran")


def _sealing(server: Server, seen: Seen) -> Row:
    _, encrypted = _words(server.own_winrm)
    if server.own_winrm.tls:
        return holds(bool(seen.tls), server.name, "WinRM", encrypted, f"{seen.tls}, the certificate verifies")
    says = f"{seen.sealed} answers came sealed, {seen.unsealed} did not"
    return holds(
        seen.sealed > 0 and not seen.unsealed, server.name, "WinRM", encrypted, says, "who is between here and it?"
    )


# -- questions


def _echo(server: Server, asked: Asked) -> Iterator[Row]:
    filler = "dtam." * (FILLER_BYTES // 5)
    assumption = f"{FILLER_BYTES // 1000} kB go in and out, by a command line of {LINE_CHARS} characters"
    try:
        lines = asked.send("doctor_echo.ps1", {"filler": filler}, BUDGET_S, LINE_CHARS)
    except DtamError as error:
        advice = "winrm get winrm/config: MaxEnvelopeSizekb, and whatever stands between here and it"
        yield holds(False, server.name, "WinRM", assumption, str(error), advice)
        return
    came = [line for line in lines if line["part"] == "echo"]
    whole = bool(came) and came[0]["filler"] == filler
    says = f"{came[0]['length'] if came else 0} bytes arrived, and came back {'whole' if whole else 'changed'}"
    yield holds(whole, server.name, "WinRM", assumption, says, "hand in the report")


def _session(server: Server, asked: Asked, kept: list[Line]) -> Iterator[Row]:
    before_s = time.time()
    kept += asked.send("doctor_session.ps1", {}, BUDGET_S)
    middle_s = (before_s + time.time()) / 2
    return judging.of_session(server.name, kept, middle_s, server.own_winrm.computer)


def _state(server: Server, asked: Asked, kept: list[Line]) -> Iterator[Row]:
    kept += asked.send("doctor_server.ps1", {}, BUDGET_S)
    return judging.of_server(server.name, kept)


def _scripts(server: Server, asked: Asked) -> Iterator[Row]:
    found = [one for one in asked.laid() if one.state != "strange"]
    wrong = [one for one in found if one.state != "same"]
    install = f"dtam hosts install {server.name}, then ask again"
    laid, runs = "the scripts lie there, as they were laid", "scripts that lie there run"
    if len(wrong) == len(found) and all(one.state == "missing" for one in found):
        yield unknown(server.name, "scripts", laid, "nothing is laid yet", install)
        yield unknown(server.name, "scripts", runs, "nothing is laid yet", install)
        return
    says = ", ".join(f"{one.name} is {one.state}" for one in wrong) or f"{len(found)} scripts, each with its SHA-256"
    yield holds(not wrong, server.name, "scripts", laid, says, install)
    if wrong:
        yield unknown(server.name, "scripts", runs, "not asked: they are not as they were laid", install)
        return
    try:
        asked.ask("host_facts", {})
    except errors.ScriptsForbidden as error:
        yield unknown(server.name, "scripts", runs, str(error), "see the rows of PowerShell")
    else:
        yield holds(True, server.name, "scripts", runs, "host_facts.ps1 was run and answered")
