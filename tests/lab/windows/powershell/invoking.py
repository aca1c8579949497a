"""Commands: which one a name means, how it is called, and pipelines of them."""

from __future__ import annotations

import ntpath
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.lab.windows.powershell import tree as t
from tests.lab.windows.powershell import vocabulary
from tests.lab.windows.powershell.binding import Binder, Bound, Given
from tests.lab.windows.powershell.commands import CMDLETS, PROGRAMS, Call, CmdletSpec
from tests.lab.windows.powershell.convert import to_text
from tests.lab.windows.powershell.frames import Frame, FunctionValue, ScriptBlock
from tests.lab.windows.powershell.functions import Functions
from tests.lab.windows.powershell.members import refusal
from tests.lab.windows.powershell.native_programs import NativePrograms
from tests.lab.windows.powershell.operators import runtime
from tests.lab.windows.powershell.redirecting import Redirecting
from tests.lab.windows.powershell.signature import Signature
from tests.lab.windows.powershell.statements import enumerate_value
from tests.lab.windows.powershell.values import (
    NOTHING,
    ErrorRecord,
    OutsideSubset,
    PsObject,
    Table,
    Terminating,
)

if TYPE_CHECKING:
    from tests.lab.windows.powershell.evaluate import Interpreter as Base
else:
    Base = object

LAUNCHERS = {"powershell", "powershell.exe", "cmd", "cmd.exe", "pwsh", "pwsh.exe"}


class Invoking(Functions, NativePrograms, Redirecting, Base):
    """The part of the interpreter that calls commands."""

    def pipeline(self, node: t.Pipeline, frame: Frame) -> Iterator[Any]:
        """Run a pipeline and put out what its last command does."""
        stream: Iterator[Any] | None = None
        for stage in node.stages:
            stream = self.stage(stage, frame, stream)
        assert stream is not None
        yield from stream

    def stage(self, node: t.Node, frame: Frame, stream: Iterator[Any] | None) -> Iterator[Any]:
        """One command of a pipeline, with its redirections."""
        if isinstance(node, t.Expression):
            if stream is not None:
                raise runtime(
                    "ExpressionsMustBeFirstInPipeline",
                    "Expressions are only allowed as the first element of a pipeline.",
                    "ParserError",
                )
            made = self._expression(node, frame)
        else:
            assert isinstance(node, t.Command)
            made = self.command(node, frame, stream)
        redirections = node.redirections
        return self.redirected(made, redirections, frame) if redirections else made

    def _expression(self, node: t.Expression, frame: Frame) -> Iterator[Any]:
        value = self.raw(node.value, frame)
        self.ok = True
        if (
            value is NOTHING
            or isinstance(node.value, t.Step)
            or (isinstance(node.value, t.Cast) and node.value.type_name.casefold() == "void")
        ):
            return
        if value is None and isinstance(node.value, t.Invoke):
            return
        yield from enumerate_value(value)

    # Names ------------------------------------------------------------------------

    def command(self, node: t.Command, frame: Frame, stream: Iterator[Any] | None) -> Iterator[Any]:
        """One command: found, its arguments worked out, and called when its output is asked for."""
        try:
            target = self.evaluate(node.name, frame)
            if isinstance(target, ScriptBlock):
                given = self.arguments(node, frame)
                yield from self.call_block(target, given, frame, stream, node)
                return
            if isinstance(target, FunctionValue):
                yield from self.call_function(target, self.arguments(node, frame), frame, stream, node)
                return
            if isinstance(target, PsObject) and "__command" in target.properties:
                target = target.get("__command")
            if target is None or (isinstance(target, str) and not target.strip()):
                raise runtime(
                    "BadExpression",
                    "The expression after '&' in a pipeline element produced an object that was not valid. It must result in a command name, a script block, or a CommandInfo object.",
                )
            yield from self.named_command(to_text(target), node, frame, stream)
        except Terminating as error:
            self.locate(error.record, node.at, frame)
            self.ok = False
            raise

    def named_command(self, name: str, node: t.Command, frame: Frame, stream: Iterator[Any] | None) -> Iterator[Any]:
        """A command by its name: alias, function, cmdlet, program or script."""
        name = self.resolve_alias(name, frame)
        plain = (
            name.rpartition("\\")[2]
            if "\\" in name and name.partition("\\")[0].casefold() in vocabulary.modules()
            else name
        )
        if (function := frame.scope.function(plain)) is not None:
            return self.call_function(function, self.arguments(node, frame), frame, stream, node)
        published = vocabulary.names().get(plain.casefold())
        if published is not None or plain.casefold() in CMDLETS:
            return self.call_cmdlet(published or CMDLETS[plain.casefold()].name, node, frame, stream)
        return self.external(name, node, frame, stream)

    def resolve_alias(self, name: str, frame: Frame) -> str:
        """The name behind an alias."""
        return frame.scope.alias(name) or vocabulary.aliases().get(name.casefold()) or name

    def external(self, name: str, node: t.Command, frame: Frame, stream: Iterator[Any] | None) -> Iterator[Any]:
        """A script file or a native program."""
        if name.casefold().endswith(".ps1") and ("\\" in name or "/" in name):
            return self.call_file(name, self.arguments(node, frame), frame, stream, node)
        base = ntpath.basename(name).casefold()
        for candidate in (base, base + ".exe", base + ".cmd"):
            if candidate in PROGRAMS and self._there(name):
                return self.call_program(candidate, node, frame, stream)
        if base in LAUNCHERS and self._there(name):
            return self.call_launcher(base, node, frame, stream)
        raise command_not_found(name)

    def _there(self, name: str) -> bool:
        folder = ntpath.dirname(name)
        return not folder or "windows" in folder.casefold() or self.machine.files.open_path(name).exists()

    # Arguments ----------------------------------------------------------------------

    def arguments(self, node: t.Command, frame: Frame) -> list[Given]:
        """The arguments of a command, splatted ones spread out."""
        given: list[Given] = []
        for one in node.arguments:
            if one.name is not None:
                has = one.value is not None
                given.append(
                    Given(
                        one.name,
                        self.argument(one.value, frame) if one.value is not None else None,
                        self._token(one.value),
                        has,
                    )
                )
                continue
            if isinstance(one.value, t.Var) and one.value.splat:
                given.extend(self._splatted(one.value, frame))
                continue
            assert one.value is not None
            given.append(Given(None, self.argument(one.value, frame), self._token(one.value)))
        return given

    def argument(self, node: t.Node, frame: Frame) -> Any:
        """The value of an argument."""
        return self.evaluate(node, frame)

    def _token(self, node: t.Node | None) -> str:
        return node.token if isinstance(node, t.Const) and not isinstance(node.value, str) else ""

    def _splatted(self, node: t.Var, frame: Frame) -> list[Given]:
        value = self.variable(replace(node, splat=False), frame)
        if isinstance(value, Table):
            return [Given(to_text(key), item, "", has_value=True) for key, item in value.items()]
        return [
            Given(None, item)
            for item in (value if isinstance(value, list) else [] if value is None or value is NOTHING else [value])
        ]

    # Cmdlets ------------------------------------------------------------------------

    def call_cmdlet(self, name: str, node: t.Command, frame: Frame, stream: Iterator[Any] | None) -> Iterator[Any]:
        """Bind a cmdlet and run it."""
        spec = CMDLETS.get(name.casefold())
        signature = vocabulary.signature(name) or Signature(name, {}, ())
        signature = replace(signature, error_class=error_class(signature, spec))
        self.check_module(signature, frame)
        binder = Binder(signature, name)
        bound = binder.bind(self.arguments(node, frame))
        coming = stream is not None
        binder.finish(bound, coming=coming)
        if spec is None:
            raise OutsideSubset(
                f"{name} is a cmdlet of Windows that the simulation does not have (line {node.at.line})"
            )
        runner = self._run_cmdlet(spec, binder, bound, node, frame, stream)
        return self._with_common(runner, bound, frame)

    def check_module(self, signature: Signature, frame: Frame) -> None:
        """A cmdlet whose module is not on the machine is not found."""
        modules = getattr(self.machine.computer, "modules", None)
        if (
            not signature.module
            or signature.module.startswith(("Microsoft.PowerShell.", "CimCmdlets", "Microsoft.WSMan"))
            or not callable(modules)
        ):
            return
        there = {one.casefold() for one in modules()}
        if there and signature.module.casefold() not in there:
            raise command_not_found(signature.name)

    def _call(
        self, spec: CmdletSpec, bound: Bound, stream: Iterator[Any], node: t.Command, frame: Frame, *, coming: bool
    ) -> Call:
        call = Call(
            spec.name,
            self.machine,
            self.session,
            bound.values,
            stream,
            _Caller(self, frame, bound.common),
            replace_class(spec, bound.signature),
            bound.set_name(),
            coming,
        )
        call.frame, call.at, call.common, call.shell = frame, node.at, bound.common, self
        return call

    def _run_cmdlet(
        self,
        spec: CmdletSpec,
        binder: Binder,
        bound: Bound,
        node: t.Command,
        frame: Frame,
        stream: Iterator[Any] | None,
    ) -> Iterator[Any]:
        failed = False
        self.ok = True
        if stream is None or spec.whole:
            call = self._call(spec, bound, stream or iter(()), node, frame, coming=stream is not None)
            yield from self._output(call)
            failed = call.failed
        else:
            for item in stream:
                one = binder.bind_object(bound, item) if binder.takes_input(bound) else None
                call = self._call(spec, one or bound, iter([item]), node, frame, coming=True)
                if one is None:
                    record = binder.not_taken(item)
                    self.write_error(record, call)
                else:
                    binder.finish(one, coming=False)
                    call.parameter_set = one.set_name()
                    yield from self._output(call)
                failed = failed or call.failed
        if failed:
            self.ok = False

    def _output(self, call: Call) -> Iterator[Any]:
        try:
            made = call.spec.function(call)
            for item in made or ():
                self.check_cancelled()
                yield item
        except Terminating as error:
            if not error.everywhere and error.record.position is None:
                call.named(error.record)
            raise
        except Exception as error:
            cause = refusal(error)
            if cause is None:
                raise
            record = ErrorRecord(
                getattr(error, "id", "") or cause.type_name,
                cause.message,
                getattr(error, "category", "NotSpecified"),
                getattr(error, "target", None),
                cause,
            )
            raise Terminating(call.named(record)) from error

    def _with_common(self, stream: Iterator[Any], bound: Bound, frame: Frame) -> Iterator[Any]:
        variable = bound.common.get("OutVariable")
        if variable is None:
            return stream
        return self._kept(stream, to_text(variable), frame)

    def _kept(self, stream: Iterator[Any], name: str, frame: Frame) -> Iterator[Any]:
        kept: list[Any] = []
        for item in stream:
            kept.append(item)
            yield item
        frame.scope.set(name.removeprefix("+"), kept)

    # Programs -------------------------------------------------------------------------


class _Caller:
    """What a call asks of the interpreter, with the frame it stands in."""

    def __init__(self, shell: Any, frame: Frame, common: dict[str, Any]) -> None:
        self.shell, self.frame, self.common = shell, frame, common

    def __getattr__(self, name: str) -> Any:
        return getattr(self.shell, name)

    def say(self, stream: str, text: str) -> None:
        """A message of the cmdlet, with -Verbose and -WarningAction in mind."""
        action = self.common.get("WarningAction") if stream == "warning" else None
        if stream == "verbose" and "Verbose" in self.common:
            action = "Continue" if self.common["Verbose"] else "SilentlyContinue"
        if action in ("SilentlyContinue", "Ignore"):
            return
        if action == "Continue":
            self.shell.emit(stream, text)
            return
        self.shell.say_at(stream, text, self.frame)


def error_class(signature: Signature, spec: CmdletSpec | None) -> str:
    """What stands after the comma in the error ids of a cmdlet."""
    if spec is not None and spec.error_class:
        return spec.error_class
    if signature.module.startswith("Microsoft.PowerShell."):
        return f"Microsoft.PowerShell.Commands.{signature.name.replace('-', '')}Command"
    return signature.name


def replace_class(spec: CmdletSpec, signature: Signature) -> CmdletSpec:
    """The spec with its error class filled in."""
    return replace(spec, error_class=error_class(signature, spec))


def command_not_found(name: str) -> Terminating:
    """CommandNotFoundException."""
    message = f"The term '{name}' is not recognized as the name of a cmdlet, function, script file, or operable program. Check the spelling of the name, or if a path was included, verify that the path is correct and try again."
    record = ErrorRecord(
        "CommandNotFoundException",
        message,
        "ObjectNotFound",
        name,
        "System.Management.Automation.CommandNotFoundException",
    )
    record.activity, record.qualified = "", "CommandNotFoundException"
    return Terminating(record)
