"""What is behind the wire: the machine, its programs, and PowerShell, bound to one command of a remote shell."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab.places import PLACES
from tests.lab.windows.machine.machine import Machine
from tests.lab.windows.machine.settings import AddressSettings, Hooks, MachineSettings, VolumeSettings
from tests.lab.windows.powershell.commands import PROGRAMS, ProgramCall, Session
from tests.lab.windows.wire.accounts import Identity
from tests.lab.windows.wire.consoles import words_of
from tests.lab.windows.wire.execution import Call

if TYPE_CHECKING:
    from tests.lab.windows.host import HostSettings
    from tests.lab.windows.wire.remoting import Pipeline

LOG = logging.getLogger(__name__)
REPLICA_PORT = 5445  # Storage Replica goes over SMB; the simulation's own words go over a port of their own
SHELLS = {"powershell", "powershell.exe"}


def machine_settings(settings: HostSettings) -> MachineSettings:
    """The machine as it is installed."""
    given = dict(settings.machine)
    if "volumes" in given:
        given["volumes"] = tuple(
            VolumeSettings(**{**one, **({"directory": Path(one["directory"])} if one.get("directory") else {})})
            for one in given["volumes"]
        )
    if "addresses" in given:
        given["addresses"] = tuple(AddressSettings(**one) for one in given["addresses"])
    own = settings.own_address or settings.address
    base = MachineSettings(name=settings.name, domain=settings.domain or None, addresses=(AddressSettings(own),))
    for name in ("peers", "replica_port"):
        given.pop(name, None)
    return replace(base, **given)


def boot(settings: HostSettings, restart: Callable[[], None]) -> Machine:
    """Power on. In the lab (an own address is told) the machine has the card, the resolver and the domain of its host."""
    peers = {name: (address, int(port)) for name, (address, port) in settings.machine.get("peers", {}).items()}
    if settings.own_address:
        peers |= {one.name.upper(): (one.address, REPLICA_PORT) for one in PLACES.values() if one.role == "windows"}
    hooks = Hooks(peers=peers)
    if settings.own_address:
        from tests.lab.windows import lending

        lending.only(settings.own_address)
        hooks = lending.hooks(peers)
    hooks.restart = lambda _: restart()
    machine = Machine(settings.state / "machine", machine_settings(settings), hooks)
    register_cmdlets()
    machine.boot()
    if peers:
        machine.replica.listen(settings.address, int(settings.machine.get("replica_port", REPLICA_PORT)))
    return machine


def register_cmdlets() -> None:
    """Load what registers cmdlets and programs."""
    for module in ("tests.lab.windows.cmdlets.all", "tests.lab.windows.powershell.run"):
        try:
            importlib.import_module(module)
        except ImportError as error:
            LOG.warning("not all of the simulation is there: %s", error)


def session_of(identity: Identity, machine: Machine, directory: str) -> Session:
    """What the evaluator is told of a caller."""
    short = identity.name.rpartition("\\")[2]
    try:
        sid = machine.accounts.sid(identity.name)
    except Exception:  # noqa: BLE001 - an account that the model does not know still has a SID of its own
        sid = f"S-1-5-21-0-0-0-{1000 + sum(short.encode()) % 9000}"
    return Session(
        user=identity.name,
        elevated=identity.elevated,
        is_network_logon=True,
        location=directory or f"C:\\Users\\{short}",
        user_sid=sid,
    )


def program(machine: Machine, line: str, call: Call) -> int | None:
    """Run a program's command line; None when there is no such program."""
    words = words_of(line)
    if not words:
        return None
    name = words[0].lower().rpartition("\\")[2]
    session = session_of(call.identity, machine, call.directory)
    if name in SHELLS:
        return _powershell(machine, line, call, session)
    found = PROGRAMS.get(name) or PROGRAMS.get(f"{name}.exe") or PROGRAMS.get(f"{name}.com")
    if found is None:
        return None
    given = call.stdin.read().decode("utf-8", "replace") if call.stdin.ended else ""
    done = found(ProgramCall(tuple(words[1:]), machine, session, given, dict(call.environment)))
    call.out(done.stdout.encode(_page(call), "replace"))
    call.err(done.stderr.encode(_page(call), "replace"))
    return done.exit_code


def _page(call: Call) -> str:
    return "utf-8" if call.code_page == 65001 else f"cp{call.code_page}"


def _powershell(machine: Machine, line: str, call: Call, session: Session) -> int | None:
    raise NotImplementedError


def pipeline(machine: Machine, run: Pipeline) -> None:
    """One pipeline of PowerShell remoting."""
    raise NotImplementedError
