"""The collections of .NET that scripts make."""

from __future__ import annotations

from typing import Any

from tests.lab.windows.powershell.convert import cast, to_text
from tests.lab.windows.powershell.values import ErrorRecord, NetException, Table, Terminating


class NetList(list[Any]):
    """ArrayList, List[T], HashSet[T], Queue[T] or Stack[T]: what goes in is turned to the type of its elements."""

    def __init__(self, type_name: str, element: str = "System.Object") -> None:
        super().__init__()
        self.type_name = type_name
        self.element = element

    def converted(self, value: Any) -> Any:
        """A value as an element."""
        return value if self.element == "System.Object" else cast(value, self.element)

    __hash__ = object.__hash__


class NetDictionary(Table):
    """Dictionary[K,V]: keys are compared with case, and a key that is not there is an error when it is asked for."""

    def __init__(self, type_name: str, key: str, value: str, *, folded: bool = False) -> None:
        super().__init__()
        self.type_name, self.key, self.value, self.is_folded = type_name, key, value, folded

    def _folded(self, key: Any) -> Any:  # type: ignore[override]
        return key.casefold() if self.__dict__.get("is_folded") and isinstance(key, str) else key

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(cast(key, self.key), cast(value, self.value))

    def lookup(self, key: Any) -> Any:
        """The value of a key, as the indexer gives it."""
        if key in self:
            return self[key]
        message = "The given key was not present in the dictionary."
        raise Terminating(
            ErrorRecord(
                "System.Collections.Generic.KeyNotFoundException",
                message,
                "OperationStopped",
                to_text(key),
                NetException("System.Collections.Generic.KeyNotFoundException", message),
            )
        )
