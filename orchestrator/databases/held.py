"""The databases that an instance holds at this moment, as deeds need to know them."""

from __future__ import annotations

from orchestrator.databases.facts import itself_and_databases
from orchestrator.databases.session import Session
from orchestrator.model.sql import SqlDatabase, SqlInstance


def held(session: Session) -> tuple[SqlInstance, dict[str, SqlDatabase]]:
    """Who the instance is, and its databases by name in lower case.

    Raises:
        SqlError, TryAgain: it does not answer.
    """
    itself, databases = itself_and_databases(session)
    return itself, {one.name.lower(): one for one in databases}


def same_path(left: str, right: str) -> bool:
    r"""Whether two paths are one file, as Windows sees it, or with the slashes of Linux, where small letters are not capital ones.

    >>> same_path("E:\\Data\\x.mdf", "e:/data/X.mdf")
    True
    >>> same_path("/data/x.mdf", "/data/X.mdf")
    False
    """
    if left.startswith("/") and right.startswith("/"):
        return left.rstrip("/") == right.rstrip("/")
    return left.replace("\\", "/").rstrip("/").lower() == right.replace("\\", "/").rstrip("/").lower()
