"""Functions, script files and script blocks: how they bind their parameters and run."""

from __future__ import annotations

import ntpath
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.lab.windows.powershell import tree as t
from tests.lab.windows.powershell.binding import Binder, Bound, Given
from tests.lab.windows.powershell.convert import INTEGERS, to_bool, to_text
from tests.lab.windows.powershell.frames import Frame, FunctionValue, Scope, ScriptBlock
from tests.lab.windows.powershell.function_signatures import Signatures
from tests.lab.windows.powershell.operators import runtime
from tests.lab.windows.powershell.script_files import ScriptFiles
from tests.lab.windows.powershell.signature import Signature, SignatureParameter
from tests.lab.windows.powershell.values import (
    ErrorRecord,
    ExitFlow,
    OutsideSubset,
    PsObject,
    ReturnFlow,
    Table,
    Terminating,
    typed,
)

if TYPE_CHECKING:
    from tests.lab.windows.powershell.evaluate import Interpreter as Base
else:
    Base = object

DEEPEST = 200  # calls within calls; Windows PowerShell's own limit lies higher, at the end of its stack


class Functions(Signatures, ScriptFiles, Base):
    """The part of the interpreter that calls what scripts define."""

    # Blocks -------------------------------------------------------------------------

    def run_block(self, block: ScriptBlock, arguments: list[Any], item: Any) -> Iterator[Any]:
        """Run a block in the scope it was written in, as ForEach-Object does."""
        frame = replace(block.frame, underscore=item, has_underscore=True)
        code = block.code
        if code.parameters:
            yield from self._run_code(
                code,
                [Given(None, one) for one in arguments],
                frame,
                None,
                Frame(
                    Scope(frame.scope),
                    frame.script_scope,
                    code.source or frame.source,
                    "<ScriptBlock>",
                    frame,
                    code.at,
                    item,
                    has_underscore=True,
                    cmdlet=frame.cmdlet,
                ),
            )
            return
        if arguments:
            frame.scope.set("args", arguments)
        try:
            for part in (code.begin, code.process or [], code.end):
                yield from self.statements(part, frame)
        except ReturnFlow:
            return

    def call_block(
        self, block: ScriptBlock, given: list[Given], frame: Frame, stream: Iterator[Any] | None, node: t.Command
    ) -> Iterator[Any]:
        """`& { }` and `. { }`."""
        scope = frame.scope if node.operator == "." else Scope(frame.scope)
        inner = Frame(
            scope,
            block.frame.script_scope,
            block.code.source or frame.source,
            "<ScriptBlock>",
            frame,
            node.at,
            frame.underscore,
            frame.has_underscore,
            frame.cmdlet,
            frame.caught,
        )
        yield from self._run_code(block.code, given, frame, stream, inner)

    def call_function(
        self, function: FunctionValue, given: list[Given], frame: Frame, stream: Iterator[Any] | None, node: t.Command
    ) -> Iterator[Any]:
        """Call a function by its name."""
        scope = frame.scope if node.operator == "." else Scope(frame.scope)
        inner = Frame(
            scope,
            function.script_scope,
            function.code.source or frame.source,
            function.name,
            frame,
            node.at,
            frame.underscore,
            frame.has_underscore,
            frame.cmdlet,
        )
        yield from self._run_code(function.code, given, frame, stream, inner, function.name)
        self.ok = self.state.pop("function_ok", True)

    # Files --------------------------------------------------------------------------

    def call_file(
        self, name: str, given: list[Given], frame: Frame, stream: Iterator[Any] | None, node: t.Command
    ) -> Iterator[Any]:
        """Run a script file; `exit` ends it and sets `$LASTEXITCODE`."""
        path = ntpath.normpath(ntpath.join(self.location, name))
        code = self.load(path, name)
        scope = frame.scope if node.operator == "." else Scope(frame.scope)
        assert code.source is not None
        inner = Frame(
            scope, frame.script_scope if node.operator == "." else scope, code.source, "<ScriptBlock>", frame, node.at
        )
        if node.operator != ".":
            scope.strict = None
        self.ok = True
        try:
            yield from self._run_code(code, given, frame, stream, inner, ntpath.basename(path))
        except ExitFlow as flow:
            self.global_scope.set("LASTEXITCODE", flow.code)
            self.ok = flow.code == 0

    # Running ------------------------------------------------------------------------

    def _run_code(
        self,
        code: t.Code,
        given: list[Given],
        caller: Frame,
        stream: Iterator[Any] | None,
        frame: Frame,
        name: str = "",
    ) -> Iterator[Any]:
        signature = self.signature_of(code, name or "<ScriptBlock>", caller)
        binder = Binder(signature, signature.name)
        bound = binder.bind(given, lambda binding, parameter, value: self.check_value(binding, parameter, value, frame))
        binder.finish(bound, coming=stream is not None)
        self._prepare(code, bound, signature, frame)
        depth = self.state["depth"] = self.state.get("depth", 0) + 1
        if depth > DEEPEST:
            message = "The script failed due to call depth overflow."
            raise Terminating(
                ErrorRecord(
                    "CallDepthOverflow",
                    message,
                    "InvalidOperation",
                    depth,
                    "System.Management.Automation.ScriptCallDepthException",
                )
            )
        try:
            yield from self._blocks(code, binder, bound, frame, stream)
        except ReturnFlow:
            return
        finally:
            self.state["depth"] -= 1

    def _prepare(self, code: t.Code, bound: Bound, signature: Signature, frame: Frame) -> None:
        scope = frame.scope
        for parameter in signature.parameters.values():
            scope.variables.pop(parameter.name.casefold(), None)
        scope.set("PSBoundParameters", Table(bound.values.items()))
        if not signature.advanced:
            scope.set("args", bound.rest)
        else:
            frame.cmdlet = self._cmdlet(bound, signature, frame)
            self._apply_common(bound, scope)
        for parameter in signature.parameters.values():
            if parameter.name in bound.values:
                value = bound.values[parameter.name]
            elif parameter.default is not None:
                value = self._default(parameter, frame)
            else:
                value = initial(parameter.type_name)
            variable = scope.set(parameter.name, value)
            variable.type_name = (
                parameter.type_name
                if parameter.type_name not in ("System.Object", "System.Management.Automation.SwitchParameter")
                else ""
            )

    def _default(self, parameter: SignatureParameter, frame: Frame) -> Any:
        assert parameter.default is not None
        value = self.evaluate(parameter.default, frame)
        return value if parameter.type_name == "System.Object" else self.cast_value(value, parameter.type_name)

    def _apply_common(self, bound: Bound, scope: Scope) -> None:
        common = bound.common
        for name, variable in (
            ("ErrorAction", "ErrorActionPreference"),
            ("WarningAction", "WarningPreference"),
            ("InformationAction", "InformationPreference"),
        ):
            if name in common:
                scope.set(variable, common[name])
        for name, variable in (("Verbose", "VerbosePreference"), ("Debug", "DebugPreference")):
            if name in common:
                scope.set(variable, "Continue" if common[name] else "SilentlyContinue")
        if "WhatIf" in common:
            scope.set("WhatIfPreference", common["WhatIf"])
        if "Confirm" in common:
            scope.set("ConfirmPreference", "Low" if common["Confirm"] else "None")

    def _blocks(
        self, code: t.Code, binder: Binder, bound: Bound, frame: Frame, stream: Iterator[Any] | None
    ) -> Iterator[Any]:
        yield from self.statements(code.begin, frame)
        if code.process is not None:
            for item in stream if stream is not None else [None]:
                if stream is not None:
                    self._bind_item(binder, bound, item, frame)
                inner = replace(frame, underscore=item, has_underscore=True) if stream is not None else frame
                inner.scope.set("input", [item] if stream is not None else [])
                yield from self.statements(code.process, inner)
        elif stream is not None:
            items = list(stream)
            if any(one.by_value or one.by_name for one in bound.signature.parameters.values()) and items:
                self._bind_item(binder, bound, items[-1], frame)
            frame.scope.set("input", items)
        yield from self.statements(code.end, frame)

    def _bind_item(self, binder: Binder, bound: Bound, item: Any, frame: Frame) -> None:
        if not binder.signature.advanced:
            return
        made = binder.bind_object(bound, item)
        if made is None:
            if any(one.by_value or one.by_name for one in binder.signature.parameters.values()):
                raise Terminating(binder.not_taken(item))
            return
        binder.finish(made, coming=False)
        for name, value in made.values.items():
            if name not in bound.values:
                self.check_value(binder, binder.signature.parameters[name.casefold()], value, frame)
                frame.scope.set(name, value)

    # Signatures -----------------------------------------------------------------------

    # $PSCmdlet --------------------------------------------------------------------------

    def _cmdlet(self, bound: Bound, signature: Signature, frame: Frame) -> PsObject:
        made = typed(
            "System.Management.Automation.PSScriptCmdlet",
            {"ParameterSetName": bound.set_name(), "MyInvocation": self._invocation(frame)},
            "System.Management.Automation.PSCmdlet",
        )

        def named(record: ErrorRecord) -> ErrorRecord:
            record.activity = record.activity or signature.name
            record.qualified = record.qualified or f"{record.error_id},{signature.name}"
            if frame.call_at is not None and frame.caller is not None:
                self.locate(record, frame.call_at, frame.caller)
            return record

        def should(target: Any, action: Any = None, caption: Any = None) -> bool:
            if not signature.should_process:
                return True
            if caption is not None:
                found = frame.scope.find("WhatIfPreference")
                if found is not None and to_bool(found.value):
                    self.emit("host", f"What if: {to_text(target)}\r\n")
                    return False
            return self.should_process(
                bound.common,
                signature.impact,
                to_text(target),
                to_text(action) if action is not None else signature.name,
                frame,
            )

        def throw(record: Any) -> None:
            raise Terminating(named(record))

        def write(record: Any) -> None:
            preference = self.preference("ErrorActionPreference", frame)
            self.state["function_ok"] = False
            if preference == "Stop":
                raise Terminating(named(record), everywhere=True)
            self.remember(named(record))
            if preference not in ("SilentlyContinue", "Ignore"):
                self.emit("error", record)

        def ask(*_: Any) -> bool:
            from tests.lab.windows.powershell.evaluate import not_interactive

            raise Terminating(not_interactive())

        made.methods = {
            "ShouldProcess": should,
            "ShouldContinue": ask,
            "ThrowTerminatingError": throw,
            "WriteError": write,
            "WriteVerbose": lambda text: self.say_at("verbose", text, frame),
            "WriteWarning": lambda text: self.say_at("warning", text, frame),
            "WriteDebug": lambda text: self.say_at("debug", text, frame),
            "WriteObject": lambda *_: _outside("$PSCmdlet.WriteObject"),
            "GetVariableValue": lambda name: getattr(frame.scope.find(to_text(name)), "value", None),
        }
        return made


def _outside(what: str) -> None:
    raise OutsideSubset(f"{what} lies outside the subset")


def initial(type_name: str) -> Any:
    """What a parameter holds that was not given and has no default."""
    if type_name in INTEGERS:
        return INTEGERS[type_name](0)
    return {
        "System.String": "",
        "System.Boolean": False,
        "System.Management.Automation.SwitchParameter": False,
        "System.Double": 0.0,
    }.get(type_name)


__all__ = ["Functions", "runtime"]
