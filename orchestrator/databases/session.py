"""A connection to one instance: rows as mappings, statements, and the driver's errors in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol, Self, TypeAlias

from orchestrator.databases.failures import explained

Row: TypeAlias = Mapping[str, Any]
STATEMENT_TIMEOUT_S = 60
RECOVERY_TIMEOUT_S = 14_400
"""For what waits for recovery, for a rollback or for a checkpoint: cut off, it would begin again from nothing, and never end."""


class Session(Protocol):
    """What deeds and facts ask. Not for several threads at once."""

    @property
    def label(self) -> str:
        """The instance as people call it."""
        ...

    def rows(self, statement: str, *values: object) -> list[Row]:
        """Ask; columns by their names in lower case.

        Raises:
            SqlError, TryAgain: see ``failures``.
        """
        ...

    def run(self, statement: str, *values: object, timeout_s: int = STATEMENT_TIMEOUT_S) -> None:
        """Do; every result is read, so that the last error is seen, too."""
        ...


class OdbcSession:
    """A session over a pyodbc connection, which it closes. Outside of transactions: CREATE and ALTER DATABASE want that."""

    def __init__(self, connection: Any, label: str, who: str) -> None:
        self._connection = connection
        self.label = label
        self._who = who

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it; an end that fails is one, too."""
        import pyodbc  # noqa: PLC0415  only who has a session needs it

        try:
            self._connection.close()
        except pyodbc.Error:
            return

    def rows(self, statement: str, *values: object) -> list[Row]:
        """The first result of a statement."""
        return self._asked(statement, values, STATEMENT_TIMEOUT_S)

    def run(self, statement: str, *values: object, timeout_s: int = STATEMENT_TIMEOUT_S) -> None:
        """Do it, to its end."""
        self._asked(statement, values, timeout_s)

    def _asked(self, statement: str, values: Sequence[object], timeout_s: int) -> list[Row]:
        import pyodbc  # noqa: PLC0415  only who has a session needs it

        try:
            self._connection.timeout = timeout_s
            cursor = self._connection.cursor()
            try:
                cursor.execute(statement, *values)
                found = _first(cursor)
                while cursor.nextset():
                    found = found if found is not None else _first(cursor)
            finally:
                cursor.close()
        except pyodbc.Error as error:
            raise explained(error, self.label, self._who) from error
        return found or []


def _first(cursor: Any) -> list[Row] | None:
    """The rows of the present result; None where it has no columns."""
    if cursor.description is None:
        return None
    names = [column[0].lower() for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
