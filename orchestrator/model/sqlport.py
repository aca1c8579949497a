"""The port to SQL Server: facts, and deeds that look before they act.

Rules of the other ports hold: asking again for what is already so is no error, what may come right by waiting raises ``TryAgain``, what
will not a ``DtamError`` with a hint. A deed's ``document`` is JSON with ``instance`` and ``protection``, the rest is described with the deed
(``orchestrator.databases.deeds``); ``found`` is what ``look`` gave before the deed, JSON too: with it ``undo`` brings back what was.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from orchestrator.model.servers import Where
from orchestrator.model.sql import USUAL, SqlAsk, SqlBrowser, SqlInstance


class SqlTest(msgspec.Struct, frozen=True):
    """Whether an instance can be reached and logged in to, in words; ``hint`` what to do where not."""

    ok: bool
    says: str
    hint: str = ""


class SqlLook(msgspec.Struct, frozen=True):
    """How a deed stands: whether it is done, in words, and what ``undo`` needs."""

    done: bool
    says: str
    found: dict[str, Any] = {}


class SqlServers(Protocol):
    """The instances of both servers of a protection."""

    def facts(self, where: Where, instance: str, ask: SqlAsk = USUAL) -> SqlInstance:
        """All that an instance says of itself; one that does not answer is an instance with ``silence``, never an error."""
        ...

    def browse(self, where: Where) -> SqlBrowser:
        """What SQL Browser of that server says; silence is a fact."""
        ...

    def test(self, where: Where, instance: str) -> SqlTest:
        """Reach it, log in, and ask who we are there."""
        ...

    def kept_at_s(self, protection: str, instance: str) -> float | None:
        """When the log-ins that are kept here for the target were gathered; None where none are kept here."""
        ...

    def look(self, where: Where, deed: str, document: Mapping[str, Any]) -> SqlLook:
        """How a deed stands there."""
        ...

    def do(self, where: Where, deed: str, document: Mapping[str, Any], found: Mapping[str, Any]) -> None:
        """Do it; ``found`` is what ``look`` gave."""
        ...

    def undo(self, where: Where, deed: str, document: Mapping[str, Any], found: Mapping[str, Any]) -> None:
        """Bring back what ``found`` says was before; what others changed since stays."""
        ...
