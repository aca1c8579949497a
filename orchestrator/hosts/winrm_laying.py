"""Laying the scripts on a Windows host, seeing what lies there, taking them away: by the installer, which is sent and never laid.

Each script is named with its SHA-256 before anything is done, so that an administrator can compare, or sign them and let dtam know.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.hosts import winrm_scripts as laid
from orchestrator.hosts.errors import WinRmUnreachable
from orchestrator.hosts.winrm_calls import Caller
from orchestrator.model.servers import Server

PLACE = r"C:\Program Files\dtam\bin"


@dataclass(frozen=True, slots=True)
class Laid:
    """One script: ``state`` is missing, changed, same, or strange (not one of ours); ``sha256`` is that of ours, or of what lies there."""

    name: str
    state: str
    sha256: str


def looked(caller: Caller) -> tuple[Laid, ...]:
    """What lies on the host, against what belongs there.

    Raises:
        DtamError: the host cannot be asked.
    """
    found = {str(one["name"]): str(one["sha256"]).lower() for one in caller.install("look", ()) if "name" in one}
    return tuple(_compared(found))


def computer_of(caller: Caller) -> str:
    """The name that the computer gives itself.

    Raises:
        DtamError: the host cannot be asked.
    """
    return next(str(one["computer"]) for one in caller.install("look", ()) if "computer" in one)


def _compared(found: dict[str, str]) -> Iterator[Laid]:
    for name in laid.scripts():
        wanted = laid.sha256_of(name)
        yield Laid(name, _state(found.get(name), wanted), wanted)
    for name in sorted(found.keys() - laid.scripts().keys()):
        yield Laid(name, "strange", found[name])


def _state(found: str | None, wanted: str) -> str:
    return "missing" if found is None else "same" if found == wanted else "changed"


def lay(caller: Caller) -> tuple[str, ...]:
    """Lay what is missing or changed, and start the guard of leases; the names of what was laid.

    Raises:
        DtamError: the host refused; what was laid until then stays, and the same call goes on.
    """
    wanted = tuple(one.name for one in looked(caller) if one.state in {"missing", "changed"})
    if wanted:
        caller.install("lay", wanted)
    caller.do("set_guard", {"Wanted": True})
    return wanted


def take_away(caller: Caller) -> None:
    """Stop the guard and remove the scripts; what protections keep below ProgramData stays.

    Raises:
        DtamError: the host refused.
    """
    if all(one.state == "same" for one in looked(caller) if one.state != "strange"):
        caller.do("set_guard", {"Wanted": False})
    caller.install("remove", ())


def greet(server: Server, caller: Caller) -> tuple[str, str]:
    """``ok`` or ``failed``, and what was seen of the way to a host and its scripts."""
    states = [one.state for one in looked(caller)]
    wrong = [f"{states.count(state)} {state}" for state in ("missing", "changed") if state in states]
    if wrong:
        return "failed", f"WinRM answers; of its scripts {', '.join(wrong)}: dtam hosts install {server.name}"
    return "ok", f"WinRM answers, {states.count('same')} scripts as they were laid"


def addresses_of(server: Server, caller: Caller) -> tuple[str, ...]:
    """The addresses of a host, the one it is reached at first: by itself, or by name where its scripts are not laid yet.

    Raises:
        WinRmUnreachable: its name leads nowhere.
    """
    reached = _resolved(server)
    if any(one.state == "missing" for one in looked(caller)):
        return (reached,)
    said = caller.ask("host_facts", {})[0]["addresses"]
    others = (str(address).partition("%")[0] for address, _ in said)
    return tuple(dict.fromkeys((reached, *(one for one in others if not ipaddress.ip_address(one).is_link_local))))


def _resolved(server: Server) -> str:
    address, port = server.own_winrm.address, server.own_winrm.port
    try:
        found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise WinRmUnreachable(server=server.name, where=server.own_winrm.url, why=error.strerror) from error
    return str(found[0][4][0])
