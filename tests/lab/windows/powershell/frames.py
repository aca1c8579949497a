"""Scopes of variables and functions, and the frames of what is running."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.lab.windows.powershell import tree as t
from tests.lab.windows.powershell.convert import cast
from tests.lab.windows.powershell.values import ErrorRecord, Position, PsObject, Terminating


@dataclass(eq=False)
class Variable:
    """A variable: its value, the type it is bound to, and how it may be used."""

    name: str
    value: Any = None
    type_name: str = ""
    constant: bool = False
    private: bool = False
    checks: Any = None


@dataclass(eq=False)
class FunctionValue:
    """A function of a script."""

    name: str
    code: t.Code
    script_scope: Scope
    file: str
    type_name: str = "System.Management.Automation.FunctionInfo"


@dataclass(eq=False)
class ScriptBlock:
    """A script block with the frame it was written in."""

    code: t.Code
    frame: Frame
    type_name: str = "System.Management.Automation.ScriptBlock"

    def __str__(self) -> str:
        text = self.code.at.text
        return text[1:-1] if text.startswith("{") else text


@dataclass(eq=False)
class Scope:
    """Variables, functions and aliases; reading looks through the parents, writing stays here."""

    parent: Scope | None = None
    variables: dict[str, Variable] = field(default_factory=dict)
    functions: dict[str, FunctionValue] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    strict: float | None = None

    def find(self, name: str) -> Variable | None:
        """A variable as it is seen from here."""
        folded = name.casefold()
        scope: Scope | None = self
        while scope is not None:
            found = scope.variables.get(folded)
            if found is not None and not (found.private and scope is not self):
                return found
            scope = scope.parent
        return None

    def function(self, name: str) -> FunctionValue | None:
        """A function as it is seen from here."""
        scope: Scope | None = self
        while scope is not None:
            if (found := scope.functions.get(name.casefold())) is not None:
                return found
            scope = scope.parent
        return None

    def alias(self, name: str) -> str | None:
        """An alias that the script has set."""
        scope: Scope | None = self
        while scope is not None:
            if (found := scope.aliases.get(name.casefold())) is not None:
                return found
            scope = scope.parent
        return None

    def strictness(self) -> float:
        """The version of strict mode that holds here; 0 is off."""
        scope: Scope | None = self
        while scope is not None:
            if scope.strict is not None:
                return scope.strict
            scope = scope.parent
        return 0

    def set(self, name: str, value: Any) -> Variable:
        """Write a variable here; a type it is bound to converts the value.

        Raises:
            Terminating: it is read only or the value cannot be converted.
        """
        found = self.variables.get(name.casefold())
        if found is None:
            found = self.variables[name.casefold()] = Variable(name)
        if found.constant:
            message = f"Cannot overwrite variable {name} because it is read-only or constant."
            raise Terminating(
                ErrorRecord(
                    "VariableNotWritable",
                    message,
                    "WriteError",
                    name,
                    "System.Management.Automation.SessionStateUnauthorizedAccessException",
                )
            )
        if found.type_name:
            value = bound_value(value, found.type_name)
        found.value = value
        if found.checks is not None:
            found.checks(value)
        return found


def bound_value(value: Any, type_name: str) -> Any:
    """A value that goes into a variable of a type; what cannot be converted is a MetadataError."""
    try:
        return cast(value, type_name)
    except Terminating as error:
        error.record.error_id, error.record.category = "RuntimeException", "MetadataError"
        error.record.exception = "System.Management.Automation.ArgumentTransformationMetadataException"
        raise


@dataclass(eq=False)
class Frame:
    """What is running: its scope, the script it belongs to, and who called it."""

    scope: Scope
    script_scope: Scope
    source: t.Source
    name: str = "<ScriptBlock>"
    caller: Frame | None = None
    call_at: t.At | None = None
    underscore: Any = None
    has_underscore: bool = False
    cmdlet: PsObject | None = None
    caught: ErrorRecord | None = None
    input: Any = None

    def position(self, at: t.At) -> Position:
        """Where something of this frame stands."""
        lines = self.source.lines
        return Position(
            self.source.file, at.line, at.column, lines[at.line - 1] if 0 < at.line <= len(lines) else "", at.text
        )

    def stack(self, at: t.At) -> tuple[str, ...]:
        """The lines of ScriptStackTrace, innermost first."""
        lines = []
        frame: Frame | None = self
        here: t.At | None = at
        while frame is not None and here is not None:
            lines.append(f"at {frame.name}, {frame.source.file or '<No file>'}: line {here.line}")
            here, frame = frame.call_at, frame.caller
        return tuple(lines)
