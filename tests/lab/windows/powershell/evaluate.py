"""The interpreter: variables, preferences, errors and streams; statements, expressions, members and commands come from their own modules."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Protocol

from tests.lab.windows.powershell import tree as t
from tests.lab.windows.powershell.asking import not_interactive
from tests.lab.windows.powershell.commands import Call, Session
from tests.lab.windows.powershell.convert import to_bool, to_text, version
from tests.lab.windows.powershell.expressions import Expressions
from tests.lab.windows.powershell.frames import Frame, Scope, ScriptBlock, Variable
from tests.lab.windows.powershell.invoking import Invoking
from tests.lab.windows.powershell.members import Members
from tests.lab.windows.powershell.operators import runtime
from tests.lab.windows.powershell.reading import read_script
from tests.lab.windows.powershell.statements import Statements
from tests.lab.windows.powershell.values import (
    NOTHING,
    Cancelled,
    Computed,
    ErrorRecord,
    OutsideSubset,
    PsObject,
    Table,
    Terminating,
    custom,
    typed,
)

PIDS = itertools.count(4120, 4)
STREAM_PREFERENCES = {
    "warning": "WarningPreference",
    "verbose": "VerbosePreference",
    "debug": "DebugPreference",
    "information": "InformationPreference",
    "progress": "ProgressPreference",
}


class Host(Protocol):
    """Where a script's streams end: a console's text, or the streams of a remote runspace."""

    def out(self, text: str) -> None:
        """Text to standard output, as [Console]::Out writes it."""

    def err(self, text: str) -> None:
        """Text to standard error."""

    def emit(self, stream: str, value: Any) -> None:
        """A record of a stream (error, warning, verbose, debug, information, progress, host)."""

    def read_all(self) -> str:
        """All of standard input."""

    def read_line(self) -> str | None:
        """One line of standard input, None at its end."""


class Interpreter(Statements, Expressions, Members, Invoking):
    """Evaluates scripts on a machine, for a session."""

    def __init__(
        self, machine: Any, session: Session, host: Host, cancelled: Callable[[], bool] = lambda: False
    ) -> None:
        self.machine, self.session, self.host = machine, session, host
        self.cancelled = cancelled
        self.location = session.location
        self.pid = next(PIDS)
        self.environment: Table = Table(machine.computer.environment())
        self.sinks: dict[str, Callable[[Any], None]] = {}
        self.closing: list[Callable[[], None]] = []
        self.state: dict[str, Any] = {}
        self.trying = 0
        self.ok = True
        self.errors: list[Any] = []
        self.global_scope = Scope()
        for name, value in self._globals().items():
            self.global_scope.variables[name.casefold()] = Variable(name, value)
        empty = t.Source("", "", [""])
        self.top = Frame(self.global_scope, self.global_scope, empty)

    def _globals(self) -> dict[str, Any]:
        table = custom(
            {
                "PSVersion": version("5.1.20348.2400"),
                "PSEdition": "Desktop",
                "BuildVersion": version("10.0.20348.2400"),
                "CLRVersion": version("4.0.30319.42000"),
                "WSManStackVersion": version("3.0"),
                "PSRemotingProtocolVersion": version("2.3"),
                "SerializationVersion": version("1.1.0.1"),
            }
        )
        return {
            "ErrorActionPreference": "Continue", "WarningPreference": "Continue", "VerbosePreference": "SilentlyContinue", "DebugPreference": "SilentlyContinue",
            "InformationPreference": "SilentlyContinue", "ProgressPreference": "Continue", "ConfirmPreference": "High", "WhatIfPreference": False,
            "PSVersionTable": Table(table.properties.items()), "LASTEXITCODE": None, "Error": self.errors, "HOME": "C:\\Users\\" + self.session.user.split("\\")[-1], "PSHOME": "C:\\Windows\\System32\\WindowsPowerShell\\v1.0",
            "PID": self.pid, "ShellId": "Microsoft.PowerShell", "args": [], "input": [], "MaximumHistoryCount": 4096, "PSCulture": "en-US", "PSUICulture": "en-US", "NestedPromptLevel": 0, "PSDefaultParameterValues": Table(),
            "Host": typed("System.Management.Automation.Internal.Host.InternalHost", {"Name": "ConsoleHost", "Version": version("5.1.20348.2400"), "UI": None, "PrivateData": None}),
            "ExecutionContext": custom({"SessionState": custom({"LanguageMode": self.session.language_mode, "Path": custom({"CurrentLocation": Computed(lambda: custom({"Path": self.location}))})})}),
        }  # fmt: skip

    # Time and ends --------------------------------------------------------------

    def check_cancelled(self) -> None:
        """Stop here when the process was ended from outside."""
        if self.cancelled():
            raise Cancelled

    def sleep(self, seconds: float) -> None:
        """Let time pass in short steps: it may be another process in its own thread that a script waits for."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.check_cancelled()
            time.sleep(min(left, 0.05))

    def close(self) -> None:
        """Close what the script left open, as the end of a process does."""
        for close in self.closing:
            close()
        self.closing.clear()

    def set_environment(self, name: str, value: Any) -> None:
        """Set or remove a variable of the environment."""
        if value is None or to_text(value) == "":
            self.environment.pop(name, None)
        else:
            self.environment[name] = to_text(value)

    # Variables --------------------------------------------------------------------

    def variable(self, node: t.Var, frame: Frame) -> Any:
        """The value of a variable.

        Raises:
            Terminating: it is not set, and strict mode holds.
        """
        name, folded = node.name, node.name.casefold()
        if node.scope == "env":
            return self.environment.get(name)
        if node.scope == "function":
            found_function = frame.scope.function(name)
            return None if found_function is None else ScriptBlock(found_function.code, frame)
        if node.scope == "variable":
            found = frame.scope.find(name)
            return None if found is None else found.value
        automatic = self._automatic(folded, frame)
        if automatic is not None:
            return automatic[0]
        found = self.scope_of(node, frame).find(name) if node.scope != "local" else frame.scope.variables.get(folded)
        if found is not None:
            return found.value
        if frame.scope.strictness() >= 1 and folded not in (
            "input",
            "matches",
            "args",
            "psscriptroot",
            "pscommandpath",
            "pscmdlet",
        ):
            raise runtime(
                "VariableIsUndefined",
                f"The variable '${node.name}' cannot be retrieved because it has not been set.",
                "InvalidOperation",
                name,
            )
        return None

    def _automatic(self, folded: str, frame: Frame) -> tuple[Any] | None:
        if folded in ("_", "psitem"):
            return (frame.underscore,) if frame.has_underscore else (None,)
        if folded in ("true", "false", "null"):
            return ({"true": True, "false": False, "null": None}[folded],)
        if folded == "?":
            return (self.ok,)
        if folded == "pwd":
            return (
                typed(
                    "System.Management.Automation.PathInfo",
                    {"Path": self.location, "ProviderPath": self.location},
                    text=self.location,
                ),
            )
        if folded == "pscmdlet":
            return (self._inherited(frame),)
        if folded == "psscriptroot":
            return (frame.source.file.rpartition("\\")[0],)
        if folded == "pscommandpath":
            return (frame.source.file,)
        return (self._invocation(frame),) if folded == "myinvocation" else None

    def _inherited(self, frame: Frame) -> PsObject | None:
        return frame.cmdlet

    def _invocation(self, frame: Frame) -> PsObject:
        name = frame.name if not frame.name.startswith("<") else frame.source.file.rpartition("\\")[2] or ""
        command = custom(
            {
                "Name": name,
                "Path": frame.source.file,
                "Definition": frame.source.file or frame.source.text,
                "CommandType": "ExternalScript" if frame.source.file else "Script",
            }
        )
        line = frame.call_at.line if frame.call_at is not None else 0
        return custom(
            {
                "MyCommand": command,
                "ScriptName": frame.source.file,
                "ScriptLineNumber": line,
                "InvocationName": name,
                "PSCommandPath": frame.source.file,
                "PSScriptRoot": frame.source.file.rpartition("\\")[0],
                "BoundParameters": Table(),
                "UnboundArguments": [],
                "Line": "",
                "OffsetInLine": 0,
            }
        )

    def scope_of(self, node: t.Var, frame: Frame) -> Scope:
        """The scope a qualified name means."""
        if node.scope in ("", "local", "private"):
            return frame.scope
        if node.scope == "script":
            return frame.script_scope
        if node.scope == "global":
            return self.global_scope
        raise Terminating(
            ErrorRecord(
                "DriveNotFound",
                f"Cannot find drive. A drive with the name '{node.scope}' does not exist.",
                "ObjectNotFound",
                node.scope,
                "System.Management.Automation.DriveNotFoundException",
            )
        )

    def set_variable(self, node: t.Var, value: Any, frame: Frame) -> None:
        """Write a variable."""
        folded = node.name.casefold()
        if node.scope == "env":
            self.set_environment(node.name, None if value is NOTHING else value)
            return
        if node.scope == "function":
            raise OutsideSubset("$function: cannot be written in the subset")
        if folded in (
            "true",
            "false",
            "null",
            "?",
            "pid",
            "host",
            "home",
            "pshome",
            "executioncontext",
            "psversiontable",
            "shellid",
        ):
            if folded == "null":
                return
            raise Terminating(
                ErrorRecord(
                    "VariableNotWritable",
                    f"Cannot overwrite variable {node.name} because it is read-only or constant.",
                    "WriteError",
                    node.name,
                    "System.Management.Automation.SessionStateUnauthorizedAccessException",
                )
            )
        made = self.scope_of(node, frame).set(node.name, value)
        made.private = made.private or node.scope == "private"

    def preference(self, name: str, frame: Frame) -> str:
        """A preference variable as it holds here."""
        found = frame.scope.find(name)
        return to_text(found.value) if found is not None else ""

    # Streams ------------------------------------------------------------------------

    def emit(self, stream: str, value: Any) -> None:
        """Put a record into a stream, where it is redirected to or at the host."""
        sink = self.sinks.get(stream)
        if sink is None:
            self.host.emit(stream, value)
        else:
            sink(value)

    def say_at(self, stream: str, text: Any, frame: Frame) -> None:
        """A message to one of the streams that a preference governs."""
        preference = self.preference(STREAM_PREFERENCES[stream], frame).casefold()
        if preference == "stop":
            message = f'The running command stopped because the preference variable "{STREAM_PREFERENCES[stream]}" or common parameter is set to Stop: {to_text(text)}'
            raise Terminating(
                ErrorRecord(
                    "ActionPreferenceStop",
                    message,
                    "OperationStopped",
                    None,
                    "System.Management.Automation.ActionPreferenceStopException",
                ),
                everywhere=True,
            )
        if preference in ("continue", "inquire"):
            self.emit(stream, text)
        elif stream == "information":
            self.emit_quiet(text)

    def emit_quiet(self, text: Any) -> None:
        """A message that is not shown, but can be redirected."""
        sink = self.sinks.get("information")
        if sink is not None:
            sink(text)

    def locate(self, record: ErrorRecord, at: t.At, frame: Frame) -> None:
        """Say where an error is, once."""
        if record.position is None:
            record.position = replace(frame.position(at), command=record.activity)
            record.stack = frame.stack(at)

    def remember(self, record: ErrorRecord) -> None:
        """Put an error at the head of `$Error`."""
        if not self.errors or self.errors[0] is not record:
            self.errors.insert(0, record)

    # Calls from cmdlets ---------------------------------------------------------------

    def block_of(self, text: str) -> ScriptBlock:
        """A script block of a text."""
        return ScriptBlock(read_script(text), self.top)

    def invoke(self, block: Any, arguments: Any, item: Any) -> Iterator[Any]:
        """Run a script block for a cmdlet, in the scope it was written in."""
        return self.run_block(block, list(arguments), item)

    def say(self, stream: str, text: str) -> None:
        """A message of a cmdlet."""
        self.say_at(stream, text, self.top)

    def write_error(self, record: ErrorRecord, call: Call) -> None:
        """A non-terminating error of a cmdlet."""
        call.named(record)
        call.failed = True
        frame: Frame = call.frame
        at: t.At = call.at
        self.locate(record, at, frame)
        action = call.common.get("ErrorAction") or self.preference("ErrorActionPreference", frame)
        variable = call.common.get("ErrorVariable")
        if variable is not None:
            held = frame.scope.find(to_text(variable).removeprefix("+"))
            frame.scope.set(
                to_text(variable).removeprefix("+"),
                [*(held.value if held is not None and isinstance(held.value, list) else []), record],
            )
        if action == "Ignore":
            return
        if action == "Stop":
            raise Terminating(record, everywhere=True)
        if action == "Inquire":
            raise Terminating(not_interactive(), everywhere=True)
        self.remember(record)
        if action != "SilentlyContinue":
            self.emit("error", record)

    def ask(self, call: Call, target: str, action: str) -> bool:
        """ShouldProcess of a cmdlet."""
        common, frame = call.common, call.frame
        return self.should_process(common, call.spec.impact, target, action, frame, force=call.switch("Force"))

    def should_process(
        self, common: dict[str, Any], impact: str, target: str, action: str, frame: Frame, *, force: bool = False
    ) -> bool:
        """Whether to go on: False with -WhatIf, which says what would be done.

        Raises:
            Terminating: it would have to ask, and nobody is there.
        """
        found = frame.scope.find("WhatIfPreference")
        if common.get("WhatIf", to_bool(found.value) if found is not None else False):
            self.emit("host", f'What if: Performing the operation "{action}" on target "{target}".\r\n')
            return False
        levels = {"none": 0, "low": 1, "medium": 2, "high": 3}
        preference = levels.get(self.preference("ConfirmPreference", frame).casefold(), 3)
        wanted = common.get("Confirm")
        asks = (
            wanted if wanted is not None else (preference > 0 and levels[impact.casefold()] >= preference and not force)
        )
        if asks:
            raise Terminating(not_interactive())
        return True
