"""An instance of the simulated SQL Server in this process, and somebody who asks it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.lab.sqlserver.engine.instance import Server, start
from tests.lab.sqlserver.engine.port import Columns, Done, Failure, Info, LoginRequest, Parameter, Row, Settings
from tests.lab.sqlserver.engine.session import Session

PASSWORD = "Str0ng!pass"


@dataclass
class Answer:
    """What a batch gave."""

    rows: list[tuple[Any, ...]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    errors: list[int] = field(default_factory=list)
    told: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    counts: list[int | None] = field(default_factory=list)


def ask(session: Session, sql: str, *parameters: Parameter) -> Answer:
    """Runs a batch to its end."""
    answer = Answer()
    for event in session.execute(sql, parameters):
        if isinstance(event, Columns):
            answer.names = [column.name for column in event.columns]
            answer.types = [column.type.name for column in event.columns]
        elif isinstance(event, Row):
            answer.rows.append(event.values)
        elif isinstance(event, Failure):
            answer.errors.append(event.number)
            answer.texts.append(event.message)
        elif isinstance(event, Info):
            answer.told.append(event.number)
            answer.texts.append(event.message)
        elif isinstance(event, Done):
            answer.counts.append(event.rows)
    return answer


def done(session: Session, sql: str, *parameters: Parameter) -> Answer:
    """The same, and nothing may fail."""
    answer = ask(session, sql, *parameters)
    assert not answer.errors, (sql, answer.texts)
    return answer


def sa(server: Server, database: str = "") -> Session:
    """The administrator."""
    return server.login(LoginRequest(user="sa", password=PASSWORD, database=database))


def new(root: Path, **settings: Any) -> Server:
    """An instance of a directory, new when that is empty."""
    return start(Settings(root=root, sa_password=PASSWORD, **settings))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One instance for the cases of a module."""
    server = new(tmp_path_factory.mktemp("instance"))
    yield server
    server.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """An instance of the test's own."""
    made = new(tmp_path / "one")
    yield made
    made.close()
