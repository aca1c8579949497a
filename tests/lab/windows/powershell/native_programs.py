"""Native programs: their arguments, text, errors and exit code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tests.lab.windows.powershell import tree as t
from tests.lab.windows.powershell.commands import PROGRAMS, ProgramCall
from tests.lab.windows.powershell.convert import to_text
from tests.lab.windows.powershell.frames import Frame
from tests.lab.windows.powershell.values import (
    ErrorRecord,
    Terminating,
)

if TYPE_CHECKING:
    from tests.lab.windows.powershell.evaluate import Interpreter as Base
else:
    Base = object


class NativePrograms(Base):
    """Native programs: their arguments, text, errors and exit code."""

    def native_arguments(self, node: t.Command, frame: Frame) -> tuple[str, ...]:
        """The arguments of a native program as it gets them."""
        words: list[str] = []
        for one in node.arguments:
            if one.name is not None:
                text = one.text if one.value is None else f"-{one.name}:{to_text(self.evaluate(one.value, frame))}"
                words.append(text)
            elif isinstance(one.value, t.Var) and one.value.splat:
                words.extend(to_text(item.value) for item in self._splatted(one.value, frame))
            elif isinstance(one.value, t.Const):
                words.append(
                    one.value.token
                    if one.value.token and not isinstance(one.value.value, str)
                    else to_text(one.value.value)
                )
            elif (
                isinstance(one.value, t.ArrayLiteral)
                and all(isinstance(item, t.Const) for item in one.value.items)
                and not one.text.startswith(("'", '"'))
            ):
                words.append(one.text)
            else:
                assert one.value is not None
                value = self.evaluate(one.value, frame)
                words.extend(
                    to_text(item) for item in (value if isinstance(value, list) else [value]) if item is not None
                )
        return tuple(words)

    def call_program(self, name: str, node: t.Command, frame: Frame, stream: Iterator[Any] | None) -> Iterator[Any]:
        """Run a native program: its text comes as lines, its code goes into `$LASTEXITCODE`."""
        stdin = "".join(to_text(item) + "\r\n" for item in stream) if stream is not None else ""
        call = ProgramCall(
            self.native_arguments(node, frame),
            self.machine,
            self.session,
            stdin,
            {to_text(k): to_text(v) for k, v in self.environment.items()},
        )
        done = PROGRAMS[name](call)
        self.global_scope.set("LASTEXITCODE", done.exit_code)
        yield from done.stdout.replace("\r\n", "\n").removesuffix("\n").split("\n") if done.stdout else ()
        if done.stderr:
            self._program_errors(name, done.stderr, node, frame)
        self.ok = done.exit_code == 0

    def _program_errors(self, name: str, text: str, node: t.Command, frame: Frame) -> None:
        if "error" not in self.sinks:
            self.host.err(text if text.endswith("\n") else text + "\r\n")
            return
        for place, line in enumerate(text.replace("\r\n", "\n").removesuffix("\n").split("\n")):
            record = ErrorRecord(
                "NativeCommandError" if place == 0 else "NativeCommandErrorMessage",
                line,
                "NotSpecified",
                line,
                "System.Management.Automation.RemoteException",
            )
            record.qualified, record.activity = record.error_id, name if place == 0 else ""
            self.locate(record, node.at, frame)
            if self.preference("ErrorActionPreference", frame) == "Stop":
                raise Terminating(record, everywhere=True)
            self.remember(record)
            self.emit("error", record)

    def call_launcher(self, name: str, node: t.Command, frame: Frame, stream: Iterator[Any] | None) -> Iterator[Any]:
        """powershell.exe or cmd.exe started by a script."""
        from tests.lab.windows.powershell.invoking import command_not_found
        from tests.lab.windows.powershell.run import run_command_line

        if name.startswith("pwsh"):
            raise command_not_found(name)
        stdin = "".join(to_text(item) + "\r\n" for item in stream) if stream is not None else ""
        ran = run_command_line([name, *self.native_arguments(node, frame)], self.machine, self.session, stdin.encode())
        self.global_scope.set("LASTEXITCODE", ran.exit_code)
        text = ran.stdout.decode(errors="replace")
        yield from text.replace("\r\n", "\n").removesuffix("\n").split("\n") if text else ()
        if ran.stderr:
            self._program_errors(name, ran.stderr.decode(errors="replace"), node, frame)
        self.ok = ran.exit_code == 0
