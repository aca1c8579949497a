"""Functions, script files and script blocks: how they bind their parameters and run."""

from __future__ import annotations

import ntpath
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.lab.windows.powershell import tree as t
from tests.lab.windows.powershell.binding import Binder, Bound, Given
from tests.lab.windows.powershell.convert import INTEGERS, resolve_type, to_bool, to_text, type_not_found
from tests.lab.windows.powershell.frames import Frame, FunctionValue, Scope, ScriptBlock
from tests.lab.windows.powershell.netfiles import decoded
from tests.lab.windows.powershell.operators import compare, runtime
from tests.lab.windows.powershell.patterns import compile_pattern
from tests.lab.windows.powershell.reading import read_script
from tests.lab.windows.powershell.signature import ParameterSet, Signature, SignatureParameter
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
POLICY_HELP = "about_Execution_Policies at https:/go.microsoft.com/fwlink/?LinkID=135170."
READY = {
    "parameter",
    "alias",
    "validateset",
    "validatepattern",
    "validaterange",
    "validatelength",
    "validatecount",
    "validatenotnull",
    "validatenotnullorempty",
    "validatescript",
    "allownull",
    "allowemptystring",
    "allowemptycollection",
    "switch",
}
HEAD = {
    "cmdletbinding",
    "outputtype",
    "alias",
    "diagnostics.codeanalysis.suppressmessageattribute",
    "diagnostics.codeanalysis.suppressmessage",
    "suppressmessage",
    "suppressmessageattribute",
}


class Functions(Base):
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

    def load(self, path: str, name: str) -> t.Code:
        """Read a script file, if the execution policy lets it.

        Raises:
            Terminating: it is not there, may not run, or is not PowerShell.
        """
        file = self.machine.files.open_path(path)
        if not file.is_file():
            from tests.lab.windows.powershell.invoking import command_not_found

            raise command_not_found(name)
        data = file.read_bytes()
        text = (
            decoded(data)
            if data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"))
            else data.decode("cp1252", "replace")
        )
        self._check_policy(path, text)
        code = read_script(text, path)
        self.check_requirements(code, path)
        return code

    def _check_policy(self, path: str, text: str) -> None:
        policy = self.state.get("execution_policy", self.session.execution_policy).casefold()
        if policy in ("bypass", "unrestricted", "remotesigned"):
            return
        if policy in ("restricted", "default", "undefined"):
            message = f"File {path} cannot be loaded because running scripts is disabled on this system. For more information, see {POLICY_HELP}"
        elif "# SIG # Begin signature block" not in text:
            message = f"File {path} cannot be loaded. The file {path} is not digitally signed. You cannot run this script on the current system. For more information about running scripts and setting execution policy, see {POLICY_HELP}"
        elif (trusts := getattr(self.machine, "trusts_signature", None)) is not None and trusts(path, text):
            return
        else:
            message = f"File {path} cannot be loaded. A certificate chain processed, but terminated in a root certificate which is not trusted by the trust provider."
        raise Terminating(
            ErrorRecord(
                "UnauthorizedAccess", message, "SecurityError", None, "System.Management.Automation.PSSecurityException"
            )
        )

    def check_requirements(self, code: t.Code, path: str) -> None:
        """`#Requires`."""
        name = ntpath.basename(path)
        for line in code.requires:
            words = line.casefold().split()
            version = re.search(r"-version\s+([\d.]+)", line, re.IGNORECASE)
            if version is not None and [int(part) for part in version[1].split(".")] > [5, 1]:
                message = f"The script '{name}' cannot be run because it contained a \"#requires\" statement for Windows PowerShell {version[1]}. The version of Windows PowerShell that is required by the script does not match the currently running version of Windows PowerShell 5.1.20348.2400."
                raise _requires("ScriptRequiresUnmatchedPSVersion", message, name)
            if "-runasadministrator" in words and not self.session.elevated:
                message = f"The script '{name}' cannot be run because it contains a \"#requires\" statement for running as Administrator. The current Windows PowerShell session is not running as Administrator. Start Windows PowerShell by using the Run as Administrator option, and then try running the script again."
                raise _requires("ScriptRequiresElevation", message, name)
            modules = re.search(r"-modules?\s+(.+)", line, re.IGNORECASE)
            there = getattr(self.machine.computer, "modules", None)
            if modules is not None and callable(there):
                known = {one.casefold() for one in there()}
                missing = [one.strip() for one in modules[1].split(",") if one.strip().casefold() not in known]
                if missing and known:
                    message = f"The script '{name}' cannot be run because the following modules that are specified by the \"#requires\" statements of the script are missing: {', '.join(missing)}."
                    raise _requires("ScriptRequiresMissingModules", message, name)

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

    def signature_of(self, code: t.Code, name: str, frame: Frame) -> Signature:
        """How a piece of script binds."""
        binding = next((one for one in code.attributes if one.name.casefold() == "cmdletbinding"), None)
        for one in code.attributes:
            if one.name.casefold().removeprefix("system.") not in HEAD:
                raise OutsideSubset(f"the attribute [{one.name}] lies outside the subset")
        values = {key: self._flag(value, frame) for key, value in (binding.named.items() if binding else ())}
        positional = to_bool(values.get("positionalbinding", True))
        explicit = any(
            "position" in one.named for parameter in code.parameters for one in parameter.attribute("parameter")
        )
        parameters, sets, mandatory = [], {}, {}
        place = 0
        for parameter in code.parameters:
            made, own_sets, needed = self._parameter_of(parameter, frame)
            if made.position is None and positional and not explicit and not made.is_switch and not made.rest:
                made = replace(made, position=place)
                place += 1
            parameters.append(made)
            sets[made.name] = own_sets
            mandatory[made.name] = needed
        names = {one for own in sets.values() for one in own if one} or {""}
        default = to_text(values.get("defaultparametersetname", ""))
        if default and default not in names:
            names.add(default)
        listed = [
            ParameterSet(
                one or "__AllParameterSets",
                frozenset(
                    key
                    for key, own in sets.items()
                    if ("" in own or one in own) and (mandatory[key].get(one) or mandatory[key].get(""))
                ),
                tuple(key for key, own in sets.items() if "" in own or one in own),
                one == default or len(names) == 1,
            )
            for one in sorted(names, key=lambda found: found != default)
        ]
        return Signature(
            name,
            {one.name.casefold(): one for one in parameters},
            tuple(listed),
            to_bool(values.get("supportsshouldprocess", False)),
            advanced=code.advanced(),
            impact=to_text(values.get("confirmimpact", "Medium")),
        )

    def _flag(self, node: t.Node | None, frame: Frame) -> Any:
        return True if node is None else self.evaluate(node, frame)

    def _parameter_of(
        self, parameter: t.Parameter, frame: Frame
    ) -> tuple[SignatureParameter, set[str], dict[str, bool]]:
        name = resolve_type(parameter.type_name) if parameter.type_name else "System.Object"
        if name is None:
            raise type_not_found(parameter.type_name)
        for one in parameter.attributes:
            if one.name.casefold().removeprefix("system.management.automation.").removesuffix("attribute") not in READY:
                raise OutsideSubset(f"the attribute [{one.name}] lies outside the subset")
        made = SignatureParameter(
            parameter.name, name, attributes=tuple(parameter.attributes), default=parameter.default
        )
        aliases = tuple(
            to_text(self.evaluate(value, frame)) for one in parameter.attribute("alias") for value in one.positional
        )
        values = tuple(
            to_text(self.evaluate(value, frame))
            for one in parameter.attribute("validateset")
            for value in one.positional
        )
        sets: set[str] = set()
        needed: dict[str, bool] = {}
        for one in parameter.attribute("parameter"):
            fields = {key: self._flag(value, frame) for key, value in one.named.items()}
            group = to_text(fields.get("parametersetname", ""))
            group = "" if group == "__AllParameterSets" else group
            sets.add(group)
            needed[group] = to_bool(fields.get("mandatory", False))
            made = replace(
                made,
                position=fields.get("position", made.position),
                by_value=made.by_value or to_bool(fields.get("valuefrompipeline", False)),
                by_name=made.by_name or to_bool(fields.get("valuefrompipelinebypropertyname", False)),
                rest=made.rest or to_bool(fields.get("valuefromremainingarguments", False)),
            )
        return replace(made, aliases=aliases, values=values), sets or {""}, needed

    def check_value(self, binder: Binder, parameter: SignatureParameter, value: Any, frame: Frame) -> None:
        """The Validate attributes."""
        items = value if isinstance(value, list) else [value]
        for one in parameter.attributes:
            kind = one.name.casefold()
            wanted = [self.evaluate(node, frame) for node in one.positional] if kind != "validatescript" else []
            if kind == "validatenotnullorempty":
                if (
                    value is None
                    or (isinstance(value, str | list) and not value)
                    or any(item is None or item == "" for item in items)
                ):
                    what = "null" if value is None else "null or empty"
                    binder.refuse_value(
                        parameter,
                        f"The argument is {what}. Provide an argument that is not null or empty, and then try the command again.",
                    )
            elif kind == "validatenotnull" and (value is None or any(item is None for item in items)):
                binder.refuse_value(
                    parameter,
                    "The argument is null. Provide a valid value for the argument, and then try running the command again.",
                )
            elif kind == "validatepattern":
                for item in items:
                    if compile_pattern(to_text(wanted[0])).search(to_text(item)) is None:
                        binder.refuse_value(
                            parameter,
                            f'The argument "{to_text(item)}" does not match the "{to_text(wanted[0])}" pattern. Supply an argument that matches "{to_text(wanted[0])}" and try the command again.',
                        )
            elif kind == "validaterange":
                for item in items:
                    if compare(item, wanted[1]) > 0:
                        binder.refuse_value(
                            parameter,
                            f"The {to_text(item)} argument is greater than the maximum allowed range of {to_text(wanted[1])}. Supply an argument that is less than or equal to {to_text(wanted[1])} and then try the command again.",
                        )
                    if compare(item, wanted[0]) < 0:
                        binder.refuse_value(
                            parameter,
                            f"The {to_text(item)} argument is less than the minimum allowed range of {to_text(wanted[0])}. Supply an argument that is greater than or equal to {to_text(wanted[0])} and then try the command again.",
                        )
            elif kind == "validatelength":
                for item in items:
                    if not int(wanted[0]) <= len(to_text(item)) <= int(wanted[1]):
                        binder.refuse_value(
                            parameter,
                            f"The character length of the {len(to_text(item))} argument is not within {wanted[0]} and {wanted[1]}.",
                        )
            elif kind == "validatecount":
                if not int(wanted[0]) <= len(items) <= int(wanted[1]):
                    binder.refuse_value(
                        parameter,
                        f"The parameter requires at least {wanted[0]} value(s) and no more than {wanted[1]} value(s) - {len(items)} value(s) were provided.",
                    )
            elif kind == "validatescript":
                self._check_script(binder, parameter, one, items, frame)

    def _check_script(
        self, binder: Binder, parameter: SignatureParameter, attribute: t.Attribute, items: list[Any], frame: Frame
    ) -> None:
        block = self.evaluate(attribute.positional[0], frame)
        for item in items:
            made = list(self.run_block(block, [], item))
            if not to_bool(made[0] if len(made) == 1 else made or None):
                binder.refuse_value(
                    parameter,
                    f'The "{str(block).strip()}" validation script for the argument with value "{to_text(item)}" did not return a result of True. Determine why the validation script failed, and then try the command again.',
                )

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


def _requires(error_id: str, message: str, name: str) -> Terminating:
    return Terminating(
        ErrorRecord(
            error_id,
            message,
            "PermissionDenied" if "Elevation" in error_id else "ResourceUnavailable",
            name,
            "System.Management.Automation.ScriptRequiresException",
        ),
        everywhere=True,
    )


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
