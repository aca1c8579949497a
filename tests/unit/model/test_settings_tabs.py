"""The guide's options of chapters 3 and 5, tab by tab: their defaults, limits, and what depends on what."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from orchestrator.model.settings import Settings

BASE: dict[str, Any] = {"application": "sql", "source": "alpha", "target": "beta", "name": "sql.example.com"}
CLUSTER = {
    "source_group": "SQL",
    "target_group": "SQL",
    "resources": [{"name": "SQL Disk"}, {"name": "SQL Server"}],
}


def settings(**more: Any) -> Settings:
    return Settings.model_validate(BASE | more)


@pytest.mark.covers("AM-06")
def test_the_guides_defaults_of_the_sql_tabs() -> None:
    found = settings(failover={"sql": {}})
    assert found.failover.type == "dns"
    assert found.failover.dns.ttl_s is None, "the records' own TTL"
    assert (found.failover.sql.mode, found.failover.sql.tempdb) == ("instance", False)  # type: ignore[union-attr]
    assert not any(found.failover.fails_over(item) for item in ("name", "shares", "spns"))  # type: ignore[arg-type]
    assert found.monitoring.application is None
    assert found.monitoring.cushion_s == 0
    assert (found.snapshots.interval_s, found.snapshots.start_at) == (None, None)
    assert (found.connection.route, found.connection.mirror, found.connection.compression) == (None, "checksum", None)
    assert not found.advanced.override_generated_rules
    assert found.advanced.create.left_out == ()


@pytest.mark.covers("AM-06")
@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"snapshots": {"interval_s": 899}}, "900"),
        ({"snapshots": {"start_at": "2026-01-01T00:00:00Z"}}, "give interval_s, too"),
        ({"connection": {"compression": "utmost"}}, "maximum"),
        ({"connection": {"mirror": "newer"}}, "checksum"),
        ({"monitoring": {"cushion_s": -1}}, "greater than or equal to 0"),
        ({"failover": {"items": {"name": True}, "sql": {}}}, "needs? samba or windows"),
        ({"failover": {"items": {"spns": True}, "sql": {}}}, "needs directory"),
        ({"failover": {"type": "identity", "sql": {}}}, "needs identity.addresses"),
    ],
)
def test_limits_and_dependencies(more: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        settings(**more)


@pytest.mark.covers("AM-06", "AM-08")
def test_overriding_the_generated_rules_disables_the_selection_of_databases() -> None:
    chosen = {"databases": [{"name": "archive", "protect": False}]}
    override = {"override_generated_rules": True, "rules": [{"path": "data"}]}
    with pytest.raises(ValidationError, match="chooses nothing"):
        settings(failover={"sql": chosen}, advanced=override)
    assert settings(failover={"sql": chosen}).failover.sql is not None
    assert settings(failover={"sql": chosen | {"mode": "database"}}, advanced=override).advanced.rules, (
        "those are attached"
    )


@pytest.mark.covers("AM-22")
@pytest.mark.parametrize(
    ("application", "why"),
    [
        ({"interval_s": 0}, "greater than or equal to 1"),
        ({"errors": 0}, "greater than or equal to 1"),
        ({"points": "custom"}, "needs script"),
        ({"script": "/usr/local/bin/ask"}, "are for points: custom"),
        ({"engine": "powershell"}, "are for points: custom"),
        ({"points": "custom", "script": "/ask", "password_file": "/p"}, "give user, too"),
        ({"interval_s": 10, "timeout_s": 11}, "after the next question"),
    ],
)
def test_application_monitoring_is_whole(application: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        settings(monitoring={"application": application})


@pytest.mark.covers("AM-22")
def test_a_custom_script_is_run_by_its_engine_without_a_password_in_its_words() -> None:
    given = {"points": "custom", "engine": "powershell", "script": "C:\\ask.ps1", "arguments": ["-Deep"]}
    account = {"user": "lab\\ada", "password_file": "/etc/dtam/ada"}
    found = settings(monitoring={"application": given | account}).monitoring.application
    assert found is not None
    assert found.command[0] == "powershell.exe"
    assert found.command[-2:] == ("C:\\ask.ps1", "-Deep")
    assert found.environment == {"DTAM_USER": "lab\\ada", "DTAM_PASSWORD_FILE": "/etc/dtam/ada"}


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"failover": {"cluster": CLUSTER}}, "needs monitoring.cushion_s"),
        ({"failover": {"cluster": CLUSTER | {"resources": []}}}, "at least 1"),
        ({"failover": {"cluster": CLUSTER | {"resources": [{"name": "A"}, {"name": "a"}]}}}, "more than once"),
        (
            {"failover": {"cluster": CLUSTER, "services": [{"name": "sql", "unit": "MSSQLSERVER"}]}},
            "stand in for services",
        ),
        (
            {
                "failover": {
                    "cluster": CLUSTER,
                    "type": "identity",
                    "identity": {"addresses": [{"source": "10.0.0.1", "interface": "eth0"}]},
                }
            },
            "by DNS only",
        ),
        (
            {"failover": {"cluster": CLUSTER, "sql": {}}, "monitoring": {"cushion_s": 60, "application": {}}},
            "not available for a cluster",
        ),
    ],
)
def test_what_a_cluster_does_not_allow(more: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        settings(**more)


def test_the_cushion_of_a_cluster_is_waited_beyond_the_missed_replies() -> None:
    watch = settings(failover={"cluster": CLUSTER}, monitoring={"cushion_s": 61, "interval_s": 5}).monitoring
    assert watch.allowed() == (5, 5 + 13)
    assert settings().monitoring.allowed() == (5, 5)


@pytest.mark.covers("AM-10")
def test_each_thing_that_enabling_makes_can_be_left_out_alone() -> None:
    found = settings(advanced={"create": {"scripts": False, "monitor": False}}).advanced.create
    assert found.left_out == ("scripts", "monitor")
    assert found.connection
    assert found.replication_set
