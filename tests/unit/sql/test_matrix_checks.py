"""The checks over the table of supported configurations: what was found becomes a pair, and the pair is judged."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from orchestrator.model.conditions import Stage
from orchestrator.model.domain import Account, DomainInventory
from orchestrator.model.findings import Severity
from orchestrator.model.inventory import Inventory, OtherProtection, SideInventory
from orchestrator.model.servers import ProtectionId, ServerName
from orchestrator.model.settings import Settings
from orchestrator.model.sql import SqlInstance, SqlSide
from orchestrator.model.windows import Windows
from orchestrator.sdk.checks import Check
from orchestrator.sdk.parts_of_host import parts_of
from plugins.sql.checks_matrix import cluster_by_hand, migration_one_way, supported_configuration
from plugins.sql.clusters import way_by_hand
from tests.faults.rehearsal import protection

VALUES = {"application": "sql", "source": "alpha", "target": "beta", "name": "sql.example.com"}
CLUSTER = {"source_group": "SQL", "target_group": "SQL", "resources": [{"name": "SQL Disk"}, {"name": "SQL Server"}]}


def side(name: str, version: str = "15.0.4322.2", **more: Any) -> SideInventory:
    sql = {key: more.pop(key) for key in ("clustered", "engine_edition", "host_platform") if key in more}
    found = SqlInstance(version=version, **{"engine_edition": 3} | sql)
    return SideInventory(ServerName(name), sql=SqlSide((found,)), **more)


def said(check: Check, source: SideInventory, target: SideInventory, mode: str = "instance", **more: Any):
    failover = {"sql": {"mode": mode}} | more.pop("failover", {})
    settings = Settings.model_validate(VALUES | {"failover": failover, "monitoring": more.pop("monitoring", {})})
    held = msgspec.structs.replace(
        protection(Stage.CONFIGURED), id=ProtectionId("sql_alpha_beta"), application="sql", settings=settings
    )
    found = check.run(Inventory(0.0, source, target, **more), held, 0.0)
    return [one.what for one in found if one.severity is not Severity.PASSED]


def part(name: str, role: str, source: str, target: str, application: str = "sql") -> OtherProtection:
    return OtherProtection(name, application, role, source, target)


@pytest.mark.covers("AM-19")
def test_a_sound_pair_passes_all_three() -> None:
    for check in (supported_configuration, migration_one_way, cluster_by_hand):
        assert said(check, side("alpha"), side("beta")) == []


@pytest.mark.covers("AM-19")
@pytest.mark.parametrize(
    ("ours", "theirs", "words"),
    [
        ((), (part("sql_gamma_beta", "target", "gamma", "beta"),), "many to one"),
        ((part("sql_alpha_gamma", "source", "alpha", "gamma"),), (), "one to many"),
        ((part("sql_gamma_alpha", "target", "gamma", "alpha"),), (), "cascaded"),
        ((), (part("sql_beta_gamma", "source", "beta", "gamma"),), "cascaded"),
    ],
)
def test_other_protections_of_both_hosts_make_the_topology(ours, theirs, words: str) -> None:
    found = said(supported_configuration, side("alpha", parts=ours), side("beta", parts=theirs))
    assert len(found) == 1
    assert words in found[0]


@pytest.mark.covers("AM-19")
def test_other_applications_and_this_pair_itself_make_no_topology() -> None:
    own = part("sql_alpha_beta", "source", "alpha", "beta")
    second = part("second", "source", "ALPHA", "beta")
    files = part("fileprint_alpha_gamma", "source", "alpha", "gamma", "fileprint")
    assert said(supported_configuration, side("alpha", parts=(own, second, files)), side("beta")) == []


@pytest.mark.covers("AM-19")
def test_members_of_two_forests_are_refused_unless_one_controller_knows_both() -> None:
    ours, theirs = (
        side(name, windows=Windows(domain=domain, role="member-server"))
        for name, domain in (("alpha", "lab.example"), ("beta", "other.test"))
    )
    assert "two forests" in said(supported_configuration, ours, theirs)[0]
    both = DomainInventory(source=Account("ALPHA$"), target=Account("BETA$"))
    assert said(supported_configuration, ours, theirs, domain=both) == []


@pytest.mark.covers("AM-19")
def test_a_newer_target_is_told_as_a_migration_in_database_mode() -> None:
    ours, theirs = side("alpha"), side("beta", "16.0.4085.2")
    assert said(supported_configuration, ours, theirs, "database") == []
    assert "newer than SQL Server 2019" in said(migration_one_way, ours, theirs, "database")[0]
    assert "SQL Server 2022" in said(supported_configuration, ours, theirs)[0]


def test_clusters_are_recognised_and_refused_with_the_way_by_hand() -> None:
    ours, theirs = side("alpha", clustered=True), side("beta", clustered=True)
    assert said(supported_configuration, ours, theirs) == []
    found = said(cluster_by_hand, ours, theirs)
    assert "does not bring online yet" in found[-1]
    assert "a group that moves to another node would count" in found[0]
    told = said(cluster_by_hand, ours, theirs, failover={"cluster": CLUSTER}, monitoring={"cushion_s": 90})
    assert len(told) == 1
    by_hand = way_by_hand(
        Settings.model_validate(
            VALUES | {"failover": {"cluster": CLUSTER, "sql": {}}, "monitoring": {"cushion_s": 90}}
        ),
        "a",
        "b",
    )
    assert "take SQL offline, in this order: SQL Server, SQL Disk" in by_hand[1]
    assert "bring SQL online, in this order: SQL Disk, SQL Server" in by_hand[3]
    assert "cluster to standalone" in said(supported_configuration, ours, side("beta"))[0]


class Host:
    """Two protections, one of which is kept without a document."""

    def protections(self) -> tuple[tuple[str, str], ...]:
        return (("sql_a_b", "target"), ("gone", "source"))

    def protection_document(self, protection: str) -> dict[str, Any] | None:
        known = {"application": "sql", "source": {"name": "a"}, "target": {"name": "b"}}
        return known if protection == "sql_a_b" else None


def test_what_a_host_has_a_part_in() -> None:
    found = parts_of(Host())  # type: ignore[arg-type]
    assert found == (
        OtherProtection("sql_a_b", "sql", "target", "a", "b"),
        OtherProtection("gone", "", "source", "", ""),
    )
