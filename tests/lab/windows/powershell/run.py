"""Run scripts: powershell.exe command lines, a whole run at once, and one that is fed and read as it goes."""

from __future__ import annotations

import importlib
import importlib.util
import io
import shlex
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tests.lab.windows.powershell import tree as t
from tests.lab.windows.powershell.clixml import error_stream
from tests.lab.windows.powershell.command_line import CommandLine, base_name, parse_command_line, prepare
from tests.lab.windows.powershell.commands import PROGRAMS, ProgramCall, Session
from tests.lab.windows.powershell.convert import to_text
from tests.lab.windows.powershell.evaluate import Interpreter
from tests.lab.windows.powershell.formatting import error_text, lines_of
from tests.lab.windows.powershell.frames import Frame, Scope
from tests.lab.windows.powershell.reading import read_script
from tests.lab.windows.powershell.strings import number_of
from tests.lab.windows.powershell.values import (
    Cancelled,
    ErrorRecord,
    ExitFlow,
    Flow,
    OutsideSubset,
    ReturnFlow,
    Terminating,
)

OUTSIDE_EXIT = 70


@dataclass(frozen=True)
class Ran:
    """What a process left behind."""

    exit_code: int
    stdout: bytes
    stderr: bytes


class PipeHost:
    """A console whose three pipes lead elsewhere."""

    def __init__(self, out: Callable[[bytes], None], err: Callable[[bytes], None], stdin: Any, *, clixml: bool) -> None:
        self._out, self._err, self._stdin, self.clixml = out, err, stdin, clixml
        self._records: list[tuple[str, Any]] = []

    def out(self, text: str) -> None:
        """Text to standard output, in UTF-8."""
        self._piped(self._out, text.encode())

    def err(self, text: str) -> None:
        """Text to standard error."""
        self._piped(self._err, text.encode())

    def _piped(self, work: Callable[..., Any], *given: Any) -> Any:
        """Use a pipe; one that is broken ends the process at once, without any `finally` of the script."""
        try:
            return work(*given)
        except Exception as error:
            raise Cancelled from error

    def emit(self, stream: str, value: Any) -> None:
        """A record: errors to standard error, the rest to standard output as the console shows it; all as CLIXML where that is asked for."""
        if stream == "host":
            self.out(to_text(value))
        elif self.clixml:
            self._records.append((stream, value))
        elif stream == "error":
            self.err(error_text(value) + "\r\n")
        elif stream in ("warning", "verbose", "debug"):
            self.out(f"{stream.upper()}: {to_text(value)}\r\n")
        elif stream == "information":
            self.out(to_text(value) + "\r\n")

    def flush(self) -> None:
        """Write the CLIXML that has gathered."""
        if self._records:
            self._err(error_stream(self._records))
            self._records.clear()

    def read_all(self) -> str:
        """All of standard input, a byte order mark taken off."""
        return str(self._piped(self._stdin.read).decode("utf-8", "replace")).removeprefix("\ufeff")

    def read_line(self) -> str | None:
        """One line of standard input."""
        line = self._piped(self._stdin.readline)
        return line.decode("utf-8", "replace").rstrip("\r\n") if line else None


def load_cmdlets() -> None:
    """Import what registers cmdlets and programs."""
    sys.setrecursionlimit(max(sys.getrecursionlimit(), 12000))
    importlib.import_module("tests.lab.windows.powershell.core.all")
    for name in ("tests.lab.windows.cmdlets.all", "tests.lab.windows.cmdlets"):
        if importlib.util.find_spec(name) is not None:
            importlib.import_module(name)
            return


class Running:
    """A process that was started: it is fed, read and ended from outside."""

    def __init__(
        self,
        line: CommandLine,
        machine: Any,
        session: Session,
        out: Callable[[bytes], None],
        err: Callable[[bytes], None],
        stdin: Any,
    ) -> None:
        self.exit_code: int | None = None
        self._cancelled = threading.Event()
        policy = line.execution_policy or session.execution_policy
        self.host = PipeHost(out, err, stdin, clixml=line.clixml)
        self.line = line
        self.shell = Interpreter(machine, replace(session, execution_policy=policy), self.host, self._cancelled.is_set)

    def cancel(self) -> None:
        """End the process: nothing of it runs any more, no `finally` either."""
        self._cancelled.set()

    def run(self) -> int:
        """Run to the end; the exit code.

        Raises:
            Cancelled: it was ended from outside.
            Exception: what a broken pipe raised; it ended the process, too.
        """
        load_cmdlets()
        try:
            code = self._run()
            self.host.flush()
        except Cancelled as ended:
            if isinstance(ended.__cause__, Exception):
                raise ended.__cause__ from None
            raise
        finally:
            self.shell.close()
        self.exit_code = code
        return code

    def _run(self) -> int:
        line = self.line
        if line.refusal:
            self.host.err(line.refusal + "\r\n")
            return -196608 if line.file is not None else 1
        try:
            return self._script(line)
        except ExitFlow as flow:
            return flow.code
        except Terminating as error:
            self.shell.emit("error", error.record)
            return 1
        except OutsideSubset as refusal:
            self.host.err(f"OutsideSubset: {refusal}\r\n")
            return OUTSIDE_EXIT
        except RecursionError:
            message = "The script failed due to call depth overflow."
            self.shell.emit(
                "error",
                ErrorRecord(
                    "CallDepthOverflow",
                    message,
                    "InvalidOperation",
                    None,
                    "System.Management.Automation.ScriptCallDepthException",
                ),
            )
            return 1
        except Exception:
            self.host.err("OutsideSubset: the simulation failed\r\n" + traceback.format_exc())
            return OUTSIDE_EXIT

    def _script(self, line: CommandLine) -> int:
        shell = self.shell
        if line.file is not None and not line.from_stdin:
            return self._file(line)
        text = self.host.read_all() if line.from_stdin else line.text or ""
        code = read_script(text)
        assert code.source is not None
        frame = Frame(shell.global_scope, shell.global_scope, code.source)
        shell.check_requirements(code, "")
        self._show(
            shell._run_code(code, [], frame, None, frame)
            if code.parameters or code.process
            else self._plain(code, frame)
        )
        return 0 if shell.ok else 1

    def _plain(self, code: t.Code, frame: Frame) -> Any:
        try:
            for part in (code.begin, code.end):
                yield from self.shell.statements(part, frame)
        except ReturnFlow:
            return
        except Flow as flow:
            if isinstance(flow, ExitFlow):
                raise
            return

    def _file(self, line: CommandLine) -> int:
        assert line.file is not None
        name = line.file if line.file.casefold().endswith(".ps1") else line.file + ".ps1"
        shell = self.shell
        import ntpath

        path = ntpath.normpath(ntpath.join(shell.location, name))
        if not shell.machine.files.open_path(path).is_file():
            self.host.err(
                f"The argument '{line.file}' to the -File parameter does not exist. Provide the path to an existing '.ps1' file as an argument to the -File parameter.\r\n"
            )
            return -196608
        code = shell.load(path, name)
        assert code.source is not None
        frame = Frame(scope := Scope(shell.global_scope), scope, code.source)
        self._show(shell._run_code(code, line.arguments, frame, None, frame, name))
        return 0

    def _show(self, values: Any) -> None:
        waiting: list[Any] = []
        try:
            for value in values:
                if isinstance(value, str) or not hasattr(value, "properties"):
                    self._write(waiting)
                    waiting = []
                    self._write([value])
                else:
                    waiting.append(value)
        finally:
            self._write(waiting)

    def _write(self, values: list[Any]) -> None:
        for value in [one for one in values if isinstance(one, ErrorRecord)]:
            self.shell.emit("error", value)
        text = "".join(line + "\r\n" for line in lines_of([one for one in values if not isinstance(one, ErrorRecord)]))
        if text:
            self.host.out(text)


def start(
    command: str | list[str],
    machine: Any,
    session: Session,
    out: Callable[[bytes], None],
    err: Callable[[bytes], None],
    stdin: Any,
    *,
    by_cmd: bool = False,
) -> Callable[[], int]:
    """Make ready a process of a command line; call what comes back to run it, and its `cancel` to end it.

    `stdin` has `read()` and `readline()` of bytes, which wait for more.
    """
    words, failed = prepare(command, by_cmd=by_cmd)
    if failed is not None:
        return _Fixed(failed.exit_code, failed.stderr, err)
    name = base_name(words[0]) if words else ""
    if name == "powershell.exe":
        return _Process(Running(parse_command_line(words), machine, session, out, err, stdin))
    load_cmdlets()
    if name in PROGRAMS:
        return _Program(name, tuple(words[1:]), machine, session, out, err)
    if name == "exit.exe":
        return _Fixed(int(number_of(words[1]) or 0) if len(words) > 1 else 0, "", err)
    if name in ("echo.exe", "hostname.exe", "whoami.exe", "ver.exe"):
        text = {
            "echo.exe": " ".join(words[1:]),
            "hostname.exe": machine.computer.name,
            "whoami.exe": session.user.lower(),
            "ver.exe": "\r\nMicrosoft Windows [Version 10.0.20348.2400]",
        }[name]
        out((text + "\r\n").encode())
        return _Fixed(0, "", err)
    return _Fixed(
        1,
        f"'{words[0] if words else ''}' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n",
        err,
    )


class _Fixed:
    def __init__(self, code: int, text: str, err: Callable[[bytes], None]) -> None:
        self.code, self.text, self.err = code, text, err

    def __call__(self) -> int:
        if self.text:
            self.err(self.text.encode())
        return self.code

    def cancel(self) -> None:
        """Nothing runs."""


class _Process:
    def __init__(self, running: Running) -> None:
        self.running = running

    def __call__(self) -> int:
        return self.running.run()

    def cancel(self) -> None:
        """End it."""
        self.running.cancel()


class _Program:
    def __init__(
        self,
        name: str,
        argv: tuple[str, ...],
        machine: Any,
        session: Session,
        out: Callable[[bytes], None],
        err: Callable[[bytes], None],
    ) -> None:
        self.name, self.call, self.out, self.err = (
            name,
            ProgramCall(argv, machine, session, "", dict(machine.computer.environment())),
            out,
            err,
        )

    def __call__(self) -> int:
        done = PROGRAMS[self.name](self.call)
        self.out(done.stdout.encode())
        self.err(done.stderr.encode())
        return done.exit_code

    def cancel(self) -> None:
        """A program of the simulation is over before anybody could end it."""


def run_command_line(
    command: str | list[str], machine: Any, session: Session, stdin: bytes = b"", *, by_cmd: bool = False
) -> Ran:
    """Run a command line to its end."""
    out, err = bytearray(), bytearray()
    try:
        code = start(command, machine, session, out.extend, err.extend, io.BytesIO(stdin), by_cmd=by_cmd)()
    except Cancelled:
        code = 0xC000013A
    return Ran(code, bytes(out), bytes(err))


def run(text: str, machine: Any, session: Session | None = None, stdin: bytes = b"") -> Ran:
    """Run a script given as text, as `powershell.exe -NonInteractive -Command` does."""
    out, err = bytearray(), bytearray()
    running = Running(CommandLine(text=text), machine, session or Session(), out.extend, err.extend, io.BytesIO(stdin))
    return Ran(running.run(), bytes(out), bytes(err))


def run_file(
    path: str, machine: Any, session: Session | None = None, stdin: bytes = b"", arguments: tuple[str, ...] = ()
) -> Ran:
    """Run a script file by its Windows path, as `powershell.exe -NonInteractive -File` does."""
    return run_command_line(
        ["powershell.exe", "-NonInteractive", "-File", path, *arguments], machine, session or Session(), stdin
    )


__all__ = ["Ran", "Running", "parse_command_line", "run", "run_command_line", "run_file", "shlex", "start"]
