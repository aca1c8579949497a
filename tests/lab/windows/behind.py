"""What is behind the wire: the machine, its programs, and PowerShell, bound to one command of a remote shell."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.lab.places import PLACES
from tests.lab.windows.machine.machine import Machine
from tests.lab.windows.machine.settings import AddressSettings, Hooks, MachineSettings, VolumeSettings
from tests.lab.windows.machine.task_runs import policy
from tests.lab.windows.powershell import run
from tests.lab.windows.powershell.commands import PROGRAMS, ProgramCall, Session
from tests.lab.windows.powershell.convert import to_text
from tests.lab.windows.powershell.evaluate import Interpreter
from tests.lab.windows.powershell.frames import Frame
from tests.lab.windows.powershell.reading import read_script
from tests.lab.windows.powershell.values import Cancelled, ErrorRecord, ExitFlow, OutsideSubset, Terminating
from tests.lab.windows.sqlserver import SqlServers
from tests.lab.windows.wire.accounts import Identity
from tests.lab.windows.wire.consoles import words_of
from tests.lab.windows.wire.execution import STOPPED_BY_CTRL_C, Call

if TYPE_CHECKING:
    from tests.lab.windows.host import HostSettings
    from tests.lab.windows.wire.remoting import Pipeline

LOG = logging.getLogger(__name__)
REPLICA_PORT = 5445  # Storage Replica goes over SMB; the simulation's own words go over a port of their own
SHELLS = {"powershell", "powershell.exe"}
SYSTEM_VARIABLES = r"SYSTEM\CurrentControlSet\Control\Session Manager\Environment"


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
    for name in ("peers", "replica_port", "sql"):
        given.pop(name, None)
    return replace(base, **given)


def boot(settings: HostSettings, restart: Callable[[], None]) -> tuple[Machine, SqlServers]:
    """Power on; the machine, and its SQL Servers. In the lab (an own address is told) the machine has the card, the resolver and the domain of its host."""
    peers = {name: (address, int(port)) for name, (address, port) in settings.machine.get("peers", {}).items()}
    if settings.own_address:
        peers |= {one.name.upper(): (one.address, REPLICA_PORT) for one in PLACES.values() if one.role == "windows"}
    hooks = Hooks(peers=peers)
    if settings.own_address:
        from tests.lab.windows import lending

        lending.only(settings.own_address)
        hooks = lending.hooks(peers, settings.name, settings.domain)
    hooks.restart = lambda _: restart()
    machine = Machine(settings.state / "machine", machine_settings(settings), hooks)
    run.load_cmdlets()
    _know_local_accounts(machine, settings)
    servers = SqlServers(machine, settings)
    servers.install()
    machine.boot()
    if peers:
        machine.replica.listen(settings.address, int(settings.machine.get("replica_port", REPLICA_PORT)))
    return machine, servers


def _know_local_accounts(machine: Machine, settings: HostSettings) -> None:
    """Accounts of the host's own that may log on have SIDs of its own."""
    known = machine.accounts.data["known"]
    for name, one in json.loads(settings.accounts.read_text(encoding="utf-8")).get("local", {}).items():
        known.setdefault(
            f"{machine.computer.name}\\{name}", f"{machine.accounts.data['machine_sid']}-{one.get('rid', 1000)}"
        )
    machine.accounts.save()


def language_mode(machine: Machine) -> str:
    """Constrained where the system's variable __PSLockdownPolicy says so (bit 4): the published way to see what an enforced code integrity policy does to scripts."""
    said = str(machine.registry.value(SYSTEM_VARIABLES, "__PSLockdownPolicy", "0"))
    return "ConstrainedLanguage" if said.isdigit() and int(said) & 4 else "FullLanguage"


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
        language_mode=language_mode(machine),
        execution_policy=policy(machine),
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
    given = call.stdin.read().decode(call.encoding, "replace") if call.stdin.ended else ""
    done = found(ProgramCall(tuple(words[1:]), machine, session, given, dict(call.environment)))
    call.out(done.stdout.encode(call.encoding, "replace"))
    call.err(done.stderr.encode(call.encoding, "replace"))
    return done.exit_code


class _Console:
    """Standard input as PowerShell reads it, out of the code page of its console."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._lines = call.stdin.lines()

    def read(self) -> bytes:
        """All that is left."""
        return self._plain(b"".join(self._lines))

    def readline(self) -> bytes:
        """One line, empty at the end."""
        return self._plain(next(self._lines, b""))

    def _plain(self, data: bytes) -> bytes:
        return data.decode(self._call.encoding, "replace").encode()


def _powershell(machine: Machine, line: str, call: Call, session: Session) -> int:
    def written(data: bytes) -> bytes:
        return data.decode("utf-8", "replace").encode(call.encoding, "replace")

    process: Any = run.start(
        line,
        machine,
        session,
        lambda data: call.out(written(data)),
        lambda data: call.err(written(data)),
        _Console(call),
    )
    shell = process.running.shell
    shell.cancelled = call.stopped.is_set
    shell.environment.update(call.environment)
    try:
        return int(process()) & 0xFFFFFFFF
    except Cancelled:
        return STOPPED_BY_CTRL_C


class _Streams:
    """Where the streams of a pipeline of remoting end: at its caller. There is no console."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline

    def out(self, text: str) -> None:
        """[Console]::Out leads nowhere in a remote runspace."""

    def err(self, text: str) -> None:
        """Nor does [Console]::Error."""

    def emit(self, stream: str, value: Any) -> None:
        """A record."""
        if stream == "error":
            self.pipeline.error(value)
        elif stream in {"warning", "verbose", "debug"}:
            self.pipeline.say(stream, to_text(value))
        elif stream in {"information", "host"}:
            self.pipeline.say("information", to_text(value).rstrip("\r\n"))

    def read_all(self) -> str:
        """There is no standard input."""
        return ""

    def read_line(self) -> str | None:
        """None either."""
        return None


def pipeline(machine: Machine, asked: Pipeline) -> None:
    """One pipeline of PowerShell remoting. Variables and functions stay in its runspace."""
    run.load_cmdlets()
    session = session_of(asked.identity, machine, "")
    if asked.configuration.visible is not None:
        session = replace(session, language_mode=asked.configuration.language_mode)
    streams = _Streams(asked)
    shell = asked.runspace.get("shell")
    if shell is None:
        shell = asked.runspace["shell"] = Interpreter(machine, session, streams)
    shell.host, shell.cancelled = streams, asked.stopped.is_set
    code = read_script(asked.script)
    assert code.source is not None
    frame = Frame(shell.global_scope, shell.global_scope, code.source)
    try:
        shell.check_requirements(code, "")
        for value in shell._run_code(code, [], frame, asked.items(), frame):
            if isinstance(value, ErrorRecord):
                asked.error(value)
            else:
                asked.output(value)
    except ExitFlow:
        LOG.info("exit in a pipeline of remoting ends the pipeline")
    except OutsideSubset as refusal:
        raise Terminating(ErrorRecord("OutsideSubset", str(refusal), "NotImplemented")) from refusal
