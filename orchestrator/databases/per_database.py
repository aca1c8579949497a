"""What lies in each database itself: features in use, users whose log-in is missing. Many databases are asked in one statement."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from orchestrator.databases import quoting
from orchestrator.databases.cells import hexed, text
from orchestrator.databases.errors import SqlError
from orchestrator.databases.session import Row, Session
from orchestrator.databases.statements import SQL_2008, SQL_2012
from orchestrator.model.outcomes import TryAgain
from orchestrator.model.sql import SqlDatabase

AT_ONCE = 50


def told_by_each(
    session: Session, databases: Iterable[SqlDatabase], wanted: Sequence[str], major: int, problems: list[str]
) -> dict[str, dict[str, Any]]:
    """Per database that is asked for and online: its ``features`` and ``orphans``."""
    asked_for = {one.lower() for one in wanted}
    online = [one.name for one in databases if one.name.lower() in asked_for and one.state == "ONLINE"]
    found: dict[str, dict[str, Any]] = {name: {} for name in online}
    if major >= SQL_2008:
        _put(found, "features", in_each(session, online, _features, problems), "feature_name")
    _put(found, "orphans", in_each(session, online, lambda one: orphans_of(one, major), problems), "user_name")
    return found


def _put(found: dict[str, dict[str, Any]], word: str, rows: tuple[set[str], list[Row]], column: str) -> None:
    answered, cells = rows
    told: defaultdict[str, list[str]] = defaultdict(list)
    for row in cells:
        told[text(row["in_database"])].append(text(row[column]))
    for name in answered:
        found[name][word] = tuple(sorted(told[name]))


def orphans(session: Session, databases: Sequence[str], major: int, problems: list[str]) -> list[tuple[str, str, str]]:
    """(database, user, SID) of users whose log-in the server lacks."""
    _, rows = in_each(session, databases, lambda one: orphans_of(one, major), problems)
    return [(text(row["in_database"]), text(row["user_name"]), hexed(row["user_sid"])) for row in rows]


def in_each(
    session: Session, databases: Sequence[str], statement: Any, problems: list[str]
) -> tuple[set[str], list[Row]]:
    """Which databases answered, and their rows. Where one spoils the statement of many, each of those is asked by itself."""
    answered: set[str] = set()
    rows: list[Row] = []
    for some in _chunks(databases):
        try:
            rows += session.rows(" UNION ALL ".join(statement(one) for one in some))
            answered.update(some)
        except (SqlError, TryAgain) as error:
            if len(some) == 1:
                problems.append(f"database {some[0]}: {error}")
                continue
            for one in some:
                more, lines = in_each(session, [one], statement, problems)
                answered |= more
                rows += lines
    return answered, rows


def _chunks(names: Sequence[str]) -> Iterator[list[str]]:
    rest = iter(names)
    while some := list(islice(rest, AT_ONCE)):
        yield some


def _features(database: str) -> str:
    return (
        f"SELECT {quoting.text(database)} AS in_database, feature_name "
        f"FROM {quoting.name(database)}.sys.dm_db_persisted_sku_features"
    )


def orphans_of(database: str, major: int) -> str:
    """Users of SQL Server's own log-ins that no log-in has the SID of; users without log-in and contained ones are none."""
    instance_only = " AND u.authentication_type_desc = 'INSTANCE'" if major >= SQL_2012 else " AND LEN(u.sid) <= 16"
    return (
        f"SELECT {quoting.text(database)} AS in_database, u.name AS user_name, u.sid AS user_sid "
        f"FROM {quoting.name(database)}.sys.database_principals u "
        "LEFT JOIN sys.server_principals s ON s.sid = u.sid "
        f"WHERE u.type = 'S' AND u.principal_id > 4 AND s.sid IS NULL{instance_only}"
    )
