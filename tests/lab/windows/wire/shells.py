"""Remote shells: [MS-WSMV] 3.1.4 (Create, Command, Send, Receive, Signal, Delete), with the quotas of winrm/config/winrs."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.lab.windows.wire import codes
from tests.lab.windows.wire.accounts import Identity
from tests.lab.windows.wire.codes import Fault
from tests.lab.windows.wire.configuration import Configuration
from tests.lab.windows.wire.execution import STOPPED_BY_CTRL_C, Call, Executes, Input, Output, start

CMD = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/cmd"
SIGNAL = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/signal/"
STATE = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell/CommandState/"
CODE_PAGES = (437, 850, 852, 1250, 1252, 65001)
POLL_S = 0.2  # how often a waiting Receive looks whether its caller is still there


@dataclass
class Heard:
    """What a Receive gives: pieces of streams, and the exit code once the command is done and all was heard."""

    parts: list[tuple[str, bytes]]
    exit_code: int | None = None


@dataclass
class Command:
    """One command of a shell."""

    id: str
    call: Call
    receiving: bool = False
    heard_out: bool = False

    def receive(self, streams: list[str], wait_s: float, limit_bytes: int, gone: Callable[[], bool]) -> Heard:
        """Wait for output or the end. Raises Fault: timed out, another Receive, or the command is over and was heard out."""
        output = self.call.output
        with output.changed:
            if self.receiving:
                raise Fault(codes.RECEIVE_IN_PROGRESS)
            if self.heard_out:
                raise Fault(codes.ABORTED)
            self.receiving = True
            try:
                return self._heard(streams, time.monotonic() + wait_s, limit_bytes, gone)
            finally:
                self.receiving = False

    def _heard(self, streams: list[str], deadline_s: float, limit_bytes: int, gone: Callable[[], bool]) -> Heard:
        output = self.call.output
        while not (any(output.parts[one] for one in streams) or output.exit_code is not None):
            left_s = deadline_s - time.monotonic()
            if left_s <= 0:
                raise Fault(codes.TIMED_OUT)
            output.changed.wait(min(left_s, POLL_S))
            if gone():
                raise Fault(codes.ABORTED)
        parts = []
        for one in streams:
            if output.parts[one] and limit_bytes > 0:
                piece = output.take(one, limit_bytes)
                limit_bytes -= len(piece)
                parts.append((one, piece))
        output.changed.notify_all()
        if output.exit_code is None or any(output.parts.values()):
            return Heard(parts)
        self.heard_out = True
        return Heard(parts, output.exit_code)

    def end(self, exit_code: int) -> None:
        """End it from outside."""
        self.call.stopped.set()
        self.call.output.end(exit_code)
        self.call.stdin.break_off()


@dataclass
class Shell:
    """One shell of one user."""

    id: str
    resource: str
    owner: Identity
    input_streams: tuple[str, ...]
    output_streams: tuple[str, ...]
    idle_timeout_s: float
    lifetime_s: float | None
    environment: dict[str, str]
    directory: str
    code_page: int
    profile: bool
    name: str
    born_s: float
    touched_s: float
    busy: int = 0
    commands: dict[str, Command] = field(default_factory=dict)

    def command(self, identifier: str) -> Command:
        """One of its commands. Raises Fault."""
        if identifier not in self.commands:
            message = f"The request for the Windows Remote Shell with CommandId {identifier} failed: there is no such command. "
            raise Fault(codes.INVALID_SELECTORS, message)
        return self.commands[identifier]

    def end(self) -> None:
        """End what runs in it."""
        for command in self.commands.values():
            command.end(STOPPED_BY_CTRL_C)


class Shells:
    """All shells of a host."""

    def __init__(
        self, configuration: Configuration, executes: Executes, told: Callable[[BaseException], None] = lambda _: None
    ) -> None:
        self.configuration = configuration
        self._executes = executes
        self._told = told
        self._lock = threading.RLock()
        self._shells: dict[str, Shell] = {}

    # -- the table -------------------------------------------------------------------------------------------------
    def reap(self) -> None:
        """End shells that were idle or lived for too long."""
        now_s = time.monotonic()
        with self._lock:
            for shell in list(self._shells.values()):
                idle = not shell.busy and now_s - shell.touched_s > shell.idle_timeout_s
                old = shell.lifetime_s is not None and now_s - shell.born_s > shell.lifetime_s
                if idle or old:
                    self._shells.pop(shell.id).end()

    def all(self) -> list[Shell]:
        """Every shell that is there."""
        self.reap()
        with self._lock:
            return list(self._shells.values())

    def find(self, identifier: str, caller: Identity) -> Shell:
        """A shell of this caller. Raises Fault."""
        self.reap()
        with self._lock:
            shell = self._shells.get(identifier.upper())
        if shell is None:
            raise Fault(
                codes.INVALID_SELECTORS,
                f"The request for the Windows Remote Shell with ShellId {identifier} failed because the shell was not found on the "
                "server. Possible causes are: the specified ShellId is incorrect or the shell no longer exists on the server. ",
            )
        if shell.owner.name.lower() != caller.name.lower():
            raise Fault(codes.OTHER_USER)
        shell.touched_s = time.monotonic()
        return shell

    def add(self, shell: Shell) -> Shell:
        """A new one, within the quotas. Raises Fault."""
        self.reap()
        settings = self.configuration
        with self._lock:
            owners = {one.owner.name.lower() for one in self._shells.values()}
            own = [one for one in self._shells.values() if one.owner.name.lower() == shell.owner.name.lower()]
            if len(own) >= settings.max_shells_per_user:
                raise Fault(codes.TOO_MANY_SHELLS)
            if shell.owner.name.lower() not in owners and len(owners) >= settings.max_concurrent_users:
                raise Fault(codes.TOO_MANY_USERS)
            if shell.id in self._shells:
                raise Fault(codes.SHELL_NAME_TAKEN)
            self._shells[shell.id] = shell
        return shell

    def delete(self, shell: Shell) -> None:
        """End a shell and all that runs in it."""
        with self._lock:
            self._shells.pop(shell.id, None)
        shell.end()

    def end_all(self) -> None:
        """The service stops: nothing of its shells is left."""
        with self._lock:
            shells, self._shells = list(self._shells.values()), {}
        for shell in shells:
            shell.end()

    # -- commands --------------------------------------------------------------------------------------------------
    def run(self, shell: Shell, line: str, through_cmd: bool, identifier: str) -> Command:
        """Start a command line in a shell. Raises Fault."""
        identifier = (identifier or str(uuid.uuid4())).upper()
        with self._lock:
            running = [one for one in shell.commands.values() if one.call.output.exit_code is None]
            if len(running) + 1 >= self.configuration.max_processes_per_shell:  # the shell's own process counts
                raise Fault(codes.TOO_MANY_COMMANDS)
            if identifier in shell.commands:
                raise Fault(codes.COMMAND_NAME_TAKEN)
            call = Call(
                line=line,
                through_cmd=through_cmd,
                identity=shell.owner,
                environment=dict(shell.environment),
                directory=shell.directory,
                code_page=shell.code_page,
                profile=shell.profile,
                stdin=Input(),
                output=Output(),
                stopped=threading.Event(),
            )
            shell.commands[identifier] = command = Command(identifier, call)
        start(self._executes, call, self._told)
        return command

    def signal(self, shell: Shell, command: Command, code: str) -> None:
        """terminate ends the command and forgets it; ctrl_c and ctrl_break end it. Raises Fault for another code."""
        code = code.lower()  # pypsrp writes Terminate, [MS-WSMV] terminate
        if code == SIGNAL + "terminate":
            command.end(STOPPED_BY_CTRL_C)
            shell.commands.pop(command.id, None)
        elif code in {SIGNAL + "ctrl_c", SIGNAL + "ctrl_break"}:
            command.end(STOPPED_BY_CTRL_C)
        else:
            raise Fault(codes.MALFORMED, f"{code} is no signal. ")
