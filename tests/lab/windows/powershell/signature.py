"""What a command takes: its parameters and parameter sets."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.lab.windows.powershell import tree as t


@dataclass(frozen=True)
class SignatureParameter:
    """One parameter; `known` says that its type is one the language converts to."""

    name: str
    type_name: str = "System.Object"
    position: int | None = None
    by_value: bool = False
    by_name: bool = False
    aliases: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    enumeration: bool = False
    known: bool = True
    rest: bool = False
    attributes: tuple[t.Attribute, ...] = ()
    default: t.Node | None = None

    @property
    def is_switch(self) -> bool:
        """Whether it takes no value."""
        return self.type_name == "System.Management.Automation.SwitchParameter"


@dataclass(frozen=True)
class ParameterSet:
    """One set: which parameters it has, and which must be there."""

    name: str
    mandatory: frozenset[str]
    members: tuple[str, ...]
    default: bool = False


@dataclass(frozen=True)
class Signature:
    """A whole command. `compiled`: a cmdlet of an assembly, which words some errors otherwise than functions and CIM cmdlets do."""

    name: str
    parameters: dict[str, SignatureParameter]
    sets: tuple[ParameterSet, ...]
    should_process: bool = False
    compiled: bool = False
    module: str = ""
    advanced: bool = True
    positional_binding: bool = True
    impact: str = "Medium"
    error_class: str = ""
    aliases: dict[str, str] = field(default_factory=dict)

    def default_set(self) -> str:
        """The name of the default set, or nothing."""
        return next((one.name for one in self.sets if one.default), "")
