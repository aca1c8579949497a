"""Settings of the ways to replicate, paths of both platforms, and which settings a way cannot fulfil."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from orchestrator.model.capabilities import WORDS, capabilities, lacking
from orchestrator.model.fields import data_path
from orchestrator.model.paths import inside, moved, outermost
from orchestrator.model.settings import ConnectionTab, Settings

REPLICA = {"replication": "storage_replica", "storage_replica": {"source_log_volume": "L:"}}
EXTERNAL = {"replication": "external", "external": {"ask": ["/bin/ask"]}}


def settings(connection: dict[str, Any], **more: Any) -> Settings:
    given = {"application": "fileprint", "source": "alpha", "target": "beta", "name": "files.lab.example"}
    return Settings.model_validate(given | {"connection": connection} | more)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("e:/data//x/", "E:\\data\\x"),
        ("E:\\", "E:\\"),
        ("E:\\a\\.\\b", "E:\\a\\b"),
        ("/srv//files/", "/srv/files"),
    ],
)
def test_paths_are_cleaned_by_their_platform(given: str, path: str) -> None:
    assert data_path(given) == path


@pytest.mark.parametrize("given", ["data", "E:data", "\\\\alpha\\data", "E:\\a\\..\\b", "E:\\a|b", "E:\\a:b"])
def test_what_is_no_path_of_data(given: str) -> None:
    with pytest.raises(ValueError, match="must"):
        data_path(given)


def test_windows_knows_no_case_and_no_path_of_the_other_platform() -> None:
    assert inside("E:\\DATA\\x", "e:\\data")
    assert not inside("E:\\data2", "E:\\data")
    assert not inside("/srv/E:", "E:\\")
    assert moved("E:\\data", "E:\\data", "F:\\") == "F:\\"
    assert moved("E:\\x\\y", "E:\\", "F:\\z") == "F:\\z\\x\\y"
    assert outermost(["E:\\b", "E:\\a\\c", "e:\\A"]) == ["e:\\A", "E:\\b"]


def test_directories_inside_each_other_are_refused_on_windows_too() -> None:
    with pytest.raises(ValidationError, match="lies inside"):
        ConnectionTab.model_validate({"roots": [{"source_path": "E:\\data"}, {"source_path": "e:\\DATA\\x"}]})


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"replication": "storage_replica"}, "needs its options: connection.storage_replica"),
        ({"storage_replica": {"source_log_volume": "L:"}}, "replication is native"),
        (EXTERNAL | {"external": {"ask": []}}, "needs ask"),
        (EXTERNAL | {"external": {"ask": ["/bin/ask"], "pause": ["/bin/p"]}}, "both pause and resume"),
        (REPLICA | {"storage_replica": {"source_log_volume": "E:", "volumes": [{"source": "e:"}]}}, "of its own"),
        (REPLICA | {"storage_replica": {"source_log_volume": "L"}}, "pattern"),
    ],
)
def test_options_that_do_not_fit(given: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        ConnectionTab.model_validate(given)


@pytest.mark.covers("AM-38")
@pytest.mark.parametrize("way", [{}, REPLICA, EXTERNAL])
def test_settings_that_a_way_cannot_fulfil_are_named(way: dict[str, Any]) -> None:
    asked = {
        "orphans": {"action": "delete"},
        "ignore_deletes": True,
        "route": {"address": "10.0.0.2"},
        "bandwidth": {"bytes_per_s": 1_000_000},
    }
    rules = {"override_generated_rules": True, "rules": [{"path": "tmp", "include": False}]}
    told = dict(lacking(settings(way | asked, advanced=rules)))
    wanted = {f"connection.{name}" for name in asked} | {"advanced.rules"}
    assert set(told) == (wanted if way else set())
    assert set(told.values()) <= set(WORDS)
    assert not dict(lacking(settings(way)))


def test_a_tool_of_ones_own_can_what_commands_were_given_for() -> None:
    given = EXTERNAL | {"external": {"ask": ["/bin/ask"], "promote": ["/bin/p"]}}
    assert capabilities(ConnectionTab.model_validate(given)) == {"age", "promote"}
    told = dict(lacking(settings(REPLICA | {"mode": "synchronous", "compression": "medium"})))
    assert told == {}
