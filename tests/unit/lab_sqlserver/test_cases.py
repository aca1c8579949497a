"""Hundreds of expressions and refusals as data: each a fact of SQL Server's published documentation."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.sqlserver.engine.instance import Server
from tests.lab.sqlserver.engine.session import Session
from tests.unit.lab_sqlserver.conftest import ask, done, sa

HERE = Path(__file__).parent
FUNCTIONS: list[list[Any]] = yaml.safe_load((HERE / "cases_functions.yaml").read_text())
REFUSALS: list[list[Any]] = yaml.safe_load((HERE / "cases_refusals.yaml").read_text())
SCENE = """
CREATE TABLE things (id int IDENTITY PRIMARY KEY, name nvarchar(50) NOT NULL, amount decimal(9, 2), made datetime);
INSERT INTO things (name, amount, made) VALUES ('One', 1.25, '2026-01-01'), ('two', 2.5, '2026-01-02 10:00'), ('three', 3, '2026-01-03');
CREATE TABLE keyed (id int PRIMARY KEY, name varchar(20));
CREATE UNIQUE INDEX keyed_name ON keyed (name);
INSERT INTO keyed VALUES (1, 'one');
CREATE TABLE child (id int PRIMARY KEY, parent int NOT NULL REFERENCES keyed (id));
INSERT INTO child VALUES (7, 1);
CREATE TABLE checked (n int CHECK (n > 0));
CREATE LOGIN app WITH PASSWORD = 'Passw0rd!x', SID = 0x11223344556677889900AABBCCDDEEFF;
CREATE LOGIN owner WITH PASSWORD = 'Passw0rd!x';
CREATE DATABASE owned;
ALTER AUTHORIZATION ON DATABASE::owned TO owner;
CREATE USER app FOR LOGIN app;
CREATE USER lone WITHOUT LOGIN;
EXEC sp_addlinkedserver 'LINKED', 'SQL Server';
"""


@pytest.fixture(scope="module")
def scene(shared: Server) -> Iterator[Session]:
    session = sa(shared)
    done(session, "CREATE DATABASE cases")
    done(session, "USE cases")
    for line in SCENE.strip().splitlines():
        done(session, line)
    shared.lab({"do": "change", "kind": "linked", "name": "LINKED", "fields": {"logins": ["reader"]}})
    yield session
    session.close()


@pytest.mark.parametrize(("expression", "value"), FUNCTIONS, ids=[case[0] for case in FUNCTIONS])
def test_an_expression_has_its_value(scene: Session, expression: str, value: Any) -> None:
    got = done(scene, f"SELECT {expression}").rows[0][0]
    if isinstance(got, Decimal | float) and value is not None:
        assert float(got) == pytest.approx(float(value))
    else:
        assert got == value


@pytest.mark.parametrize(("batch", "numbers"), REFUSALS, ids=[case[0] for case in REFUSALS])
def test_a_batch_is_refused_with_its_number(scene: Session, batch: str, numbers: list[int]) -> None:
    assert ask(scene, batch).errors == numbers
    assert scene.trancount == 0
    assert scene.database == "cases"
