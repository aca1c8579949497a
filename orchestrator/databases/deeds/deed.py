"""What every deed has: a document, a session, a desk, and three questions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from orchestrator.databases.errors import DeedInvalid
from orchestrator.databases.session import Session
from orchestrator.model.sql import DEFAULT_INSTANCE
from orchestrator.model.sqlport import SqlLook
from orchestrator.model.sqlway import SqlAccess


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What every document says: the instance, whose protection it is, and in a script's the way to it.

    ``within_s``: how long a script's step tries again what may come right by waiting; an executor has budgets of its own.
    """

    instance: str = DEFAULT_INSTANCE
    protection: str = ""
    access: SqlAccess | None = None
    within_s: float = 0.0

    @property
    def way(self) -> SqlAccess | None:
        """The way to the instance that the deed's session is with."""
        return self.access


Asked = TypeVar("Asked", bound=Document)


@dataclass(frozen=True, slots=True)
class Desk:
    """What a deed may touch besides its session: the directory of the protection (0700), the clock in seconds since the epoch.

    ``other`` opens a session with the instance of the same name on the other server; None where that way is not known.
    """

    folder: Path
    now_s: Callable[[], float]
    other: Callable[[], AbstractContextManager[Session]] | None = None


class Deed(Generic[Asked]):
    """One change of an instance. Each of its methods may be called again; ``found`` is what ``look`` gave.

    ``at_other``: its session is one with the other server's instance, for the good of the server that it is for.
    """

    at_other: ClassVar[bool] = False
    name: ClassVar[str]
    document: ClassVar[type[Document]]

    def __init__(self, session: Session, asked: Asked, desk: Desk) -> None:
        self.session = session
        self.asked = asked
        self.desk = desk

    def look(self) -> SqlLook:
        """How it stands."""
        raise NotImplementedError

    def do(self, found: Mapping[str, Any]) -> None:
        """Do it."""
        raise NotImplementedError

    def undo(self, found: Mapping[str, Any]) -> None:
        """Bring back what was; here nothing, for deeds that change nothing."""


def read(deed: type[Deed[Any]], document: Mapping[str, Any]) -> Any:
    """A deed's document out of JSON values.

    Raises:
        DeedInvalid: it says what that deed does not know.
    """
    try:
        return msgspec.convert(dict(document), deed.document)
    except msgspec.ValidationError as error:
        raise DeedInvalid(deed=deed.name, reason=str(error)) from error
