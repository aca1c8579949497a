"""Log-ins that this machine keeps are gathered when they are too old, and nobody is asked before."""

# ruff: noqa: ARG002 - the port's signatures
from __future__ import annotations

from types import SimpleNamespace

import pytest

from orchestrator.model.sqlport import SqlLook
from orchestrator.service import gathering
from tests.faults.sql_rehearsal import SqlPair

NOW_S = 10_000.0


class Servers:
    """The port; ``ages_s`` of what is kept, None: nothing."""

    def __init__(self, age_s) -> None:
        self.age_s = age_s
        self.asked = []

    def kept_at_s(self, protection, instance):
        return None if self.age_s is None else NOW_S - self.age_s

    def look(self, where, deed, document):
        self.asked.append(f"look {deed} at {where}")
        return SqlLook(done=False, says="old")

    def do(self, where, deed, document, found):
        self.asked.append(f"{deed} for {where}, {document['max_age_s']:g} s, without {document['exclude']}")


@pytest.mark.covers("SQL-02", "AM-35")
@pytest.mark.parametrize(("age_s", "gathered"), [(None, True), (100.0, False), (601.0, True), (-50.0, True)])
def test_gathered_when_they_are_too_old(age_s, gathered):
    servers = Servers(age_s)
    ports = SimpleNamespace(sql=servers, now=lambda: NOW_S)
    pipeline = SimpleNamespace(reach=SimpleNamespace(ports=lambda *_: ports))
    of = SqlPair("windows", "database")
    settings = of.settings(logins={"refresh_interval_s": 600, "exclude": ["old"]})
    protection = SimpleNamespace(id="sql_alpha_beta", pair=of.pair(), settings=settings)
    gathering.gather(pipeline, protection)
    wanted = ["look keep-logins at target", "keep-logins for target, 600 s, without ['old']"]
    assert servers.asked == (wanted if gathered else [])


def test_only_where_databases_alone_are_protected():
    for mode, wanted in (("database", True), ("instance", False)):
        assert gathering.is_wanted(SqlPair("windows", mode).protection()) is wanted
