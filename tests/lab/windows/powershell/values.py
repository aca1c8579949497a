"""The values of the simulated PowerShell: Python's own where they fit, and these for the rest.

`$null` is None; `[bool]`, `[string]`, `[double]`, `[datetime]`, `[timespan]` are Python's; an array is a Python list; `[int]` is a Python int,
and the other integer types are subclasses of int. Names of properties and keys are compared without case, as PowerShell does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any


class Char(str):
    """A `[char]`: a text of one character."""

    __slots__ = ()


class Byte(int):
    """A `[byte]`."""


class SByte(int):
    """An `[sbyte]`."""


class Int16(int):
    """A `[int16]`."""


class UInt16(int):
    """A `[uint16]`."""


class UInt32(int):
    """A `[uint32]`."""


class Int64(int):
    """A `[long]`."""


class UInt64(int):
    """A `[uint64]`."""


INTEGER_RANGES: dict[type, tuple[int, int]] = {
    SByte: (-128, 127),
    Byte: (0, 255),
    Int16: (-(2**15), 2**15 - 1),
    UInt16: (0, 2**16 - 1),
    int: (-(2**31), 2**31 - 1),
    UInt32: (0, 2**32 - 1),
    Int64: (-(2**63), 2**63 - 1),
    UInt64: (0, 2**64 - 1),
}


def integer_kind(value: int) -> type:
    """The integer type of a value; a Python int that does not fit into 32 bits is a long."""
    kind = type(value)
    if kind is int and not -(2**31) <= value < 2**31:
        return Int64 if -(2**63) <= value < 2**63 else float
    return kind


class Table(MutableMapping[Any, Any]):
    """A `[hashtable]`, or with `ordered` an `[ordered]` one. Text keys are compared without case; order is kept in both."""

    def __init__(self, items: Mapping[Any, Any] | Iterable[tuple[Any, Any]] = (), *, ordered: bool = False) -> None:
        self.ordered = ordered
        self._items: dict[Any, tuple[Any, Any]] = {}
        for key, value in items.items() if isinstance(items, Mapping) else items:
            self[key] = value

    @staticmethod
    def _folded(key: Any) -> Any:
        return key.casefold() if isinstance(key, str) else key

    def __getitem__(self, key: Any) -> Any:
        return self._items[self._folded(key)][1]

    def __setitem__(self, key: Any, value: Any) -> None:
        folded = self._folded(key)
        named = self._items[folded][0] if folded in self._items else key
        self._items[folded] = (named, value)

    def __delitem__(self, key: Any) -> None:
        del self._items[self._folded(key)]

    def __iter__(self) -> Iterator[Any]:
        return iter([key for key, _ in self._items.values()])

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, key: Any) -> bool:
        return self._folded(key) in self._items

    def __repr__(self) -> str:
        return f"Table({dict(self.items())!r})"

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other


class Properties(Table):
    """Named values in their order, asked for without case."""


@dataclass(eq=False)
class PsObject:
    """An object with properties in order, the names of its types (most derived first), its methods and its text.

    A property may be a `Computed`: it is worked out at each reading. `methods` are called with the arguments alone.
    """

    properties: Properties = field(default_factory=Properties)
    type_names: tuple[str, ...] = ("System.Management.Automation.PSCustomObject", "System.Object")
    methods: dict[str, Callable[..., Any]] = field(default_factory=dict)
    text: str | None = None
    read_only: bool = False
    """Setting a property is refused (ReadOnly), as of most .NET objects."""

    def get(self, name: str, default: Any = None) -> Any:
        """The value of a property, or the default."""
        if name not in self.properties:
            return default
        value = self.properties[name]
        return value.work_out() if isinstance(value, Computed) else value

    def set(self, name: str, value: Any) -> None:
        """Set or add a property."""
        self.properties[name] = value


@dataclass(frozen=True)
class Computed:
    """A property that is worked out at each reading; `put` is called when it is set (None: read only)."""

    work_out: Callable[[], Any]
    put: Callable[[Any], None] | None = None


def custom(items: Mapping[str, Any] | Iterable[tuple[str, Any]] = (), **more: Any) -> PsObject:
    """A `[pscustomobject]` of these properties, in order."""
    return PsObject(Properties([*(items.items() if isinstance(items, Mapping) else items), *more.items()]))


def typed(
    type_name: str, items: Mapping[str, Any], *bases: str, text: str | None = None, read_only: bool = False
) -> PsObject:
    """An object of a named .NET or CIM type, such as `Microsoft.Management.Infrastructure.CimInstance#ROOT/Microsoft/Windows/SMB/MSFT_SmbShare`."""
    return PsObject(Properties(items), (type_name, *bases, "System.Object"), {}, text, read_only)


@dataclass(frozen=True)
class EnumValue:
    """A value of an enumeration: equal to its name without case and to its number; `ConvertTo-Json` writes the number."""

    type_name: str
    name: str
    number: int

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class TypeValue:
    """A type, such as `[string]`, by its full .NET name."""

    name: str


@dataclass(eq=False)
class Reference:
    """A `[ref]` to a variable."""

    read: Callable[[], Any]
    write: Callable[[Any], None]


@dataclass(eq=False)
class NetException:
    """A .NET exception as the scripts see it."""

    type_name: str
    message: str
    inner: NetException | None = None
    hresult: int = -2146233088
    properties: Properties = field(default_factory=Properties)


@dataclass(eq=False)
class ErrorRecord:
    """What went wrong, as PowerShell tells it.

    `error_id` is the first part of the FullyQualifiedErrorId; the command adds its own name or class after a comma when it raises it
    (`qualified` is the whole once that is done). `category` is a name of the ErrorCategory enumeration.
    """

    error_id: str
    message: str
    category: str = "NotSpecified"
    target: Any = None
    exception: NetException | str = "System.Management.Automation.RuntimeException"
    details: str | None = None
    activity: str = ""
    qualified: str = ""
    position: Position | None = None
    stack: tuple[str, ...] = ()
    reason: str = ""

    def thrown(self) -> NetException:
        """The exception within."""
        if isinstance(self.exception, str):
            self.exception = NetException(self.exception, self.message)
        return self.exception

    def whole_id(self) -> str:
        """The FullyQualifiedErrorId."""
        return self.qualified or self.error_id


@dataclass(frozen=True)
class Position:
    """Where in a script something stands: its file (empty: text given as a command), line and column from 1, and the text of the line."""

    file: str
    line: int
    column: int
    line_text: str
    text: str = ""
    command: str = ""


class Terminating(Exception):
    """A terminating error, which `catch` can take. `everywhere`: it ends the script (`throw`, ErrorAction Stop), not the statement alone."""

    def __init__(self, record: ErrorRecord, *, everywhere: bool = False) -> None:
        super().__init__(record.message)
        self.record = record
        self.everywhere = everywhere


class OutsideSubset(BaseException):
    """The script asks for something Windows could do and the simulation cannot. Nothing in the script can catch it."""


class Flow(Exception):
    """A statement that leaves its place: break, continue, return."""


class BreakFlow(Flow):
    """`break`."""


class ContinueFlow(Flow):
    """`continue`."""


class ReturnFlow(Flow):
    """`return`."""


class ExitFlow(Flow):
    """`exit`."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Cancelled(BaseException):
    """The process was ended from outside: nothing of the script runs any more."""


NOTHING = object()
"""What a pipeline that put out nothing gives: `$null` everywhere but in a pipeline, where it is no object."""


def as_list(value: Any) -> list[Any]:
    """A value as a list: None gives none, one gives one."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
