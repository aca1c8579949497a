"""How a cmdlet or a native program is written for the simulation, and what it is given when it is called.

A cmdlet is a generator over what it puts out:

    @cmdlet("Get-SmbShare")
    def get_smb_share(call: Call) -> Iterator[Any]:
        for name in call.get("Name", []):
            ...

Binding is done before: `call.bound` holds the parameters as the vocabulary has them, converted to their types, under the names the vocabulary writes.
When objects come through the pipeline, the function is called once for each of them, with what the object binds (by value or by the names of its properties)
in `call.bound`; with `whole=True` it is called once and reads `call.input` itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, Protocol

from tests.lab.windows.powershell.values import ErrorRecord, Table, Terminating


class Files(Protocol):
    """The volumes of a machine."""

    def open_path(self, windows_path: str) -> Path:
        """The real path behind a full Windows path, names compared without case; need not exist."""


class Computer(Protocol):
    """What a machine is called."""

    name: str

    def environment(self) -> dict[str, str]:
        """The variables of the environment of a new process."""


class Machine(Protocol):
    """What the language itself needs of the machine that it runs on; cmdlets know the whole of it."""

    files: Files
    computer: Computer

    def now(self) -> float:
        """The machine's clock: seconds since 1970 UTC."""


@dataclass(frozen=True)
class Session:
    """Who runs the script and how: what Windows would look at before it allows something."""

    user: str = "LAB\\Administrator"
    elevated: bool = True
    is_network_logon: bool = True
    language_mode: str = "FullLanguage"
    execution_policy: str = "RemoteSigned"
    location: str = "C:\\Windows\\system32"
    user_sid: str = "S-1-5-21-0-0-0-500"


class Calling(Protocol):
    """What the evaluator does for a cmdlet while it runs."""

    def write_error(self, record: ErrorRecord, call: Call) -> None: ...

    def ask(self, call: Call, target: str, action: str) -> bool: ...

    def say(self, stream: str, text: str) -> None: ...

    def invoke(self, block: Any, arguments: Sequence[Any], item: Any) -> Iterator[Any]: ...

    def check_cancelled(self) -> None: ...


@dataclass
class Call:
    """One call of a cmdlet."""

    name: str
    machine: Any
    session: Session
    bound: Table
    input: Iterator[Any]
    evaluator: Calling
    spec: CmdletSpec
    parameter_set: str = ""
    has_input: bool = False
    frame: Any = None
    at: Any = None
    common: dict[str, Any] = field(default_factory=dict)
    failed: bool = False
    shell: Any = None

    def get(self, name: str, default: Any = None) -> Any:
        """A bound parameter, or the default."""
        return self.bound.get(name, default)

    def has(self, name: str) -> bool:
        """Whether a parameter was given."""
        return name in self.bound

    def switch(self, name: str) -> bool:
        """Whether a switch was given and is not `$false`."""
        return bool(self.bound[name]) if name in self.bound else False

    def error(self, record: ErrorRecord) -> None:
        """Write a non-terminating error. Raises it where the caller's ErrorAction says so."""
        self.evaluator.write_error(record, self)

    def terminate(self, record: ErrorRecord) -> NoReturn:
        """End the statement with this error."""
        raise Terminating(self.named(record))

    def named(self, record: ErrorRecord) -> ErrorRecord:
        """The record with the id and activity of this command."""
        record.activity = record.activity or self.name
        record.qualified = record.qualified or f"{record.error_id},{self.spec.error_class or self.name}"
        return record

    def should_process(self, target: str, action: str | None = None) -> bool:
        """Whether to go on: False with -WhatIf (which says what would be done); raises where a question would have to be asked."""
        return self.evaluator.ask(self, target, action or self.name)

    def warning(self, text: str) -> None:
        """Write a warning."""
        self.evaluator.say("warning", text)

    def verbose(self, text: str) -> None:
        """Write a line for -Verbose."""
        self.evaluator.say("verbose", text)

    def invoke(self, block: Any, *arguments: Any, item: Any = None) -> Iterator[Any]:
        """Run a script block with `$_` as given."""
        return self.evaluator.invoke(block, arguments, item)

    def wait(self, seconds: float) -> None:
        """Let time pass, in short steps: a cancelled script ends here."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.evaluator.check_cancelled()
            time.sleep(min(left, 0.05))


CmdletFunction = Callable[[Call], Iterable[Any] | None]


@dataclass(frozen=True)
class CmdletSpec:
    """A cmdlet that is simulated."""

    name: str
    function: CmdletFunction
    whole: bool = False
    impact: str = "Medium"
    error_class: str = ""


@dataclass(frozen=True)
class Done:
    """What a native program did."""

    exit_code: int = 0
    stdout: str = ""
    stderr: str = ""


@dataclass(frozen=True)
class ProgramCall:
    """One call of a native program; `argv` has no program name; `wait` lets time pass."""

    argv: tuple[str, ...]
    machine: Any
    session: Session
    stdin: str = ""
    environment: dict[str, str] = field(default_factory=dict)


ProgramFunction = Callable[[ProgramCall], Done]

CMDLETS: dict[str, CmdletSpec] = {}
PROGRAMS: dict[str, ProgramFunction] = {}


def cmdlet(
    *names: str, whole: bool = False, impact: str = "Medium", error_class: str = ""
) -> Callable[[CmdletFunction], CmdletFunction]:
    """Register a simulated cmdlet under its published name.

    `whole`: called once for the whole pipeline. `impact` is its ConfirmImpact (High asks, and so is refused without a console, unless -Confirm:$false or -Force).
    `error_class` stands at the end of its error ids (`Microsoft.PowerShell.Commands.GetServiceCommand`); without it the name of the cmdlet does, as of CIM cmdlets.
    """

    def register(function: CmdletFunction) -> CmdletFunction:
        for name in names:
            CMDLETS[name.casefold()] = CmdletSpec(name, function, whole, impact, error_class)
        return function

    return register


def program(*names: str) -> Callable[[ProgramFunction], ProgramFunction]:
    """Register a simulated native program, by the name of its file (`setspn.exe`)."""

    def register(function: ProgramFunction) -> ProgramFunction:
        for name in names:
            PROGRAMS[name.casefold()] = function
        return function

    return register
