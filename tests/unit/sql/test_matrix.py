"""The table of supported configurations, row by row, and the words of its refusals."""

from __future__ import annotations

import dataclasses

import pytest

from plugins.sql.forests import related
from plugins.sql.matrix import COLUMNS, NUMBERS, Allowed, Column, Configuration, Forest, Installed, Topology
from plugins.sql.matrix_rules import is_migration, may_return, refusals

V2016, V2019, V2022 = "13.0.6300.2", "15.0.4322.2", "16.0.4085.2"


def pair(
    mode="instance",
    ours=V2019,
    theirs=V2019,
    *,
    source=None,
    target=None,
    topology=Topology.ONE_TO_ONE,
    forest=Forest.UNKNOWN,
) -> Configuration:
    alpha, beta = Installed("alpha", ours, **source or {}), Installed("beta", theirs, **target or {})
    return Configuration(mode, alpha, beta, topology, forest)


def rows(found: Configuration) -> list[str]:
    return [one.row for one in refusals(found)]


GUIDE = {
    "2000": "yes|database mode only|no|no|no|no|no|yes|yes|yes|no|yes|yes",
    "2005": "yes|database mode only|no|no|yes|no|no|yes|standalone only|yes|no|yes|yes",
    "2008": "yes|database mode only|no|no|yes|no|no|yes|standalone only|yes|no|yes|yes",
    "Express": "yes|database mode only|no|no|no|no|no|yes|yes|yes|no|yes|yes",
}
"""Chapter 1's columns, read from the top: topology, clusters, application configurations, domain topology."""


@pytest.mark.covers("AM-19")
@pytest.mark.parametrize("name", GUIDE)
def test_the_columns_of_the_guide(name: str) -> None:
    fields = [field.name for field in dataclasses.fields(Column)]
    assert "|".join(str(getattr(COLUMNS[name], field)) for field in fields) == GUIDE[name]


@pytest.mark.covers("AM-19")
def test_every_version_of_today_has_a_column_and_goes_on_as_2008() -> None:
    assert set(NUMBERS.values()) <= set(COLUMNS)
    assert all(COLUMNS[name] == COLUMNS["2008"] for name in ("2012", "2014", "2016", "2017", "2019", "2022", "2025"))


@pytest.mark.covers("AM-19")
@pytest.mark.parametrize("mode", ["instance", "database"])
@pytest.mark.parametrize("version", ["11.0", "12.0", "13.0", "14.0", "15.0", "16.0", "17.0"])
def test_two_equal_standalone_servers_are_supported(version: str, mode: str) -> None:
    assert rows(pair(mode, f"{version}.1.1", f"{version}.9.1")) == []


@pytest.mark.covers("AM-19")
@pytest.mark.parametrize("version", ["8.0.2039", "9.0.5000.0", "10.0.6000.29", "10.50.6000.34"])
def test_what_is_too_old_for_the_driver_is_recognised_and_refused(version: str) -> None:
    said = refusals(pair("instance", version, version))
    assert [one.row for one in said] == ["version", "version"]
    assert "too old for the driver" in said[0].what
    assert "SQL Server 20" in said[0].what


@pytest.mark.covers("AM-19")
@pytest.mark.parametrize("version", ["18.0.1.1", "", "15.x"])
def test_a_version_that_nobody_knows_is_refused(version: str) -> None:
    assert "version" in rows(pair("instance", version))


@pytest.mark.covers("AM-19")
@pytest.mark.parametrize(
    ("topology", "mode", "refused"),
    [
        (Topology.MANY_TO_ONE, "instance", True),
        (Topology.MANY_TO_ONE, "database", False),
        (Topology.ONE_TO_MANY, "instance", True),
        (Topology.ONE_TO_MANY, "database", True),
        (Topology.CASCADED, "database", True),
    ],
)
def test_topologies(topology: Topology, mode: str, *, refused: bool) -> None:
    assert rows(pair(mode, topology=topology)) == ([str(topology)] if refused else [])


CLUSTERED = {"clustered": True}
EXPRESS = {"edition": 4}


@pytest.mark.covers("AM-19")
@pytest.mark.parametrize(
    ("sides", "mode", "refused"),
    [
        ({"source": CLUSTERED, "target": CLUSTERED}, "instance", []),
        ({"source": CLUSTERED, "target": CLUSTERED}, "database", ["database_only"]),
        ({"source": CLUSTERED}, "instance", ["cluster_to_standalone"]),
        ({"target": CLUSTERED}, "instance", ["standalone_to_cluster"]),
        ({"source": CLUSTERED | EXPRESS, "target": CLUSTERED | EXPRESS}, "instance", ["cluster_to_cluster"]),
    ],
)
def test_clusters(sides: dict[str, dict[str, object]], mode: str, refused: list[str]) -> None:
    assert rows(pair(mode, **sides)) == refused


@pytest.mark.covers("AM-19")
def test_linux_has_no_named_instances_and_no_clusters() -> None:
    linux = {"platform": "linux"}
    assert rows(pair(source=linux, target=linux)) == []
    named = linux | {"named": True}
    assert rows(pair(source=named, target=named)) == ["named_instance", "named_instance"]
    clustered = linux | CLUSTERED
    assert rows(pair(source=clustered, target=clustered)) == ["cluster_to_cluster"]
    assert rows(pair("instance", V2016, V2016, source=linux, target=linux)) == ["version", "version"]
    assert rows(pair(target=linux)) == ["platform"]


@pytest.mark.covers("AM-19")
def test_a_cloud_database_is_no_server() -> None:
    assert rows(pair(target={"edition": 5})) == ["edition"]


@pytest.mark.covers("AM-19")
def test_a_newer_target_is_a_migration_in_database_mode_one_way() -> None:
    newer = pair("database", V2019, V2022)
    assert rows(newer) == []
    assert is_migration(newer)
    assert not may_return(newer)
    assert rows(pair("database", V2022, V2019)) == ["version"]
    assert rows(pair("instance", V2019, V2022)) == ["version"]
    assert may_return(pair("database", V2019, "15.0.2000.5"))


@pytest.mark.covers("AM-19")
@pytest.mark.parametrize(
    ("domains", "forest", "refused"),
    [
        (("lab.example", "LAB.example."), Forest.SAME_DOMAIN, []),
        (("lab.example", "sales.lab.example"), Forest.PARENT_CHILD, []),
        (("north.lab.example", "south.lab.example"), Forest.CHILD_CHILD, []),
        (("lab.example", "other.test"), Forest.APART, ["multiple_forest"]),
        (("lab.example", "lab.test"), Forest.APART, ["multiple_forest"]),
        (("lab.example", ""), Forest.UNKNOWN, []),
    ],
)
def test_domains(domains: tuple[str, str], forest: Forest, refused: list[str]) -> None:
    assert related(*domains) is forest
    assert rows(pair(forest=forest)) == refused


def test_two_trees_of_one_directory_are_one_forest() -> None:
    assert related("lab.example", "other.test", one_directory=True) is Forest.UNKNOWN


def test_every_refusal_says_what_why_and_what_to_do() -> None:
    wrong = pair("instance", V2019, V2022, topology=Topology.CASCADED, forest=Forest.APART, source=CLUSTERED)
    for one in refusals(wrong):
        assert all((one.row, one.what, one.why, one.remedy)), one
    assert COLUMNS["2019"].cascaded is Allowed.NO
