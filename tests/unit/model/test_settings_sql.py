"""Settings of SQL Server: what may be chosen, what follows from it, and the way to each instance."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from orchestrator.model.servers import EngineAddress, Pair, Server, ServerName, Where
from orchestrator.model.settings import Settings
from orchestrator.model.settings_sql import SqlSettings
from orchestrator.model.sql import SqlInstance, server_and_instance
from orchestrator.model.sqlaccess import access_of

NAMES = ("master", "model", "msdb", "tempdb", "Sales", "Ops")


@pytest.mark.covers("SQL-01", "SQL-02")
@pytest.mark.parametrize(
    ("given", "protected"),
    [
        ({}, {"master", "model", "msdb", "sales", "ops"}),
        ({"tempdb": True}, {"master", "model", "msdb", "tempdb", "sales", "ops"}),
        ({"databases": [{"name": "ops", "protect": False}]}, {"master", "model", "msdb", "sales"}),
        ({"mode": "database"}, {"sales", "ops"}),
        ({"mode": "database", "databases": [{"name": "SALES"}]}, {"sales"}),
        ({"mode": "database", "databases": [{"name": "sales", "protect": False}]}, {"ops"}),
    ],
)
def test_the_tree_says_what_is_protected(given: dict[str, Any], protected: set[str]) -> None:
    sql = SqlSettings.model_validate(given)
    assert sql.protected_of("mssqlserver", NAMES) == protected
    assert sql.protects("MSSQLSERVER", "Sales") == ("sales" in protected)


@pytest.mark.covers("SQL-01", "SQL-02")
@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"databases": [{"name": "msdb", "protect": False}]}, "without it the instance does not start"),
        ({"mode": "database", "databases": [{"name": "master"}]}, "whole instance only"),
        ({"databases": [{"name": "tempdb", "protect": False}]}, "failover.sql.tempdb"),
        ({"databases": [{"name": "a", "target_data_path": "/data"}]}, "same paths on both"),
        ({"databases": [{"name": "a"}, {"name": "A"}]}, "more than once"),
        ({"databases": [{"name": "a", "instance": "OTHER"}]}, "not among instances"),
        ({"instances": [{"name": "A"}, {"name": "a"}]}, "more than once"),
        ({"instances": [{"name": "WAYTOOLONGINSTANCE"}]}, "pattern"),
        ({"login": {"password_file": "/x"}}, "give user"),
        ({"login": {"ca_file": "/x", "trust_server_certificate": True}}, "looks at no certificate"),
        ({"probe": {"write": True}}, "probe.database"),
        ({"logins": {"refresh_interval_s": 5}}, "60"),
    ],
)
def test_what_cannot_be_is_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        SqlSettings.model_validate(given)


def settings(sql: dict[str, Any], **failover: Any) -> Settings:
    told = {"application": "sql", "source": "ALPHA", "target": "BETA", "name": "sql.corp.example.com"}
    return Settings.model_validate(told | {"failover": {"sql": sql} | failover})


def test_a_file_server_and_sql_server_are_two_protections() -> None:
    with pytest.raises(ValidationError, match="two applications"):
        settings({}, samba={})


def server(name: str, address: str) -> Server:
    return Server(ServerName(name), (address,), EngineAddress(address))


PAIR = Pair(server("ALPHA", "10.0.0.1"), server("BETA", "10.0.0.2"))
DIRECTORY = {"directory": {"domain": "corp.example.com", "principal": "dtam@CORP", "keytab_file": "/k"}}


@pytest.mark.covers("SQL-05")
def test_the_way_to_an_instance_follows_from_the_settings() -> None:
    named = {"instances": [{"name": "SALES", "target_port": 1500, "source_host": "sql.corp.example.com"}]}
    told = settings(named, **DIRECTORY)
    here = access_of(PAIR, told, Where.SOURCE, "sales")
    assert (here.host, here.port, here.full_name) == ("sql.corp.example.com", None, "sql.corp.example.com")
    assert (here.principal, here.keytab, here.label) == ("dtam@CORP", "/k", "ALPHA\\SALES")
    there = access_of(PAIR, told, Where.TARGET, "SALES", by_target=True)
    assert (there.host, there.port, there.full_name) == ("10.0.0.2", 1500, "beta.corp.example.com")
    assert (there.principal, there.keytab) == ("BETA$", "/etc/krb5.keytab")


def test_a_log_in_of_sql_server_has_its_password_elsewhere() -> None:
    told = settings({"login": {"user": "dtam", "target_password_file": "/etc/dtam/sql.password"}})
    assert access_of(PAIR, told, Where.SOURCE, "MSSQLSERVER").port == 1433
    assert access_of(PAIR, told, Where.SOURCE, "MSSQLSERVER").password_file is None
    there = access_of(PAIR, told, Where.SOURCE, "MSSQLSERVER", by_target=True)
    assert (there.user, there.password_file) == ("dtam", "/etc/dtam/sql.password")


def test_names_of_instances() -> None:
    assert server_and_instance("ALPHA") == ("ALPHA", "MSSQLSERVER")
    assert server_and_instance("ALPHA\\Sales") == ("ALPHA", "Sales")
    assert SqlInstance("SALES", machine="BETA").full_name == "BETA\\SALES"
    assert SqlInstance(version="15.0.4322.2").release == (15, 0, 4322, 2)
    assert SqlInstance().major == 0
