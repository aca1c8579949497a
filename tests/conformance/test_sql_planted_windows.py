"""Misconfigurations planted in a running pair of SQL Servers as on Windows: what a Linux pair does not have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conformance.planted_pair import PlantedPair, PlantedReach, alone, planted, wrong
from tests.lab.sqlserver.process import SqlServer

CASES = yaml.safe_load((Path(__file__).parents[1] / "cases/sql/planted_windows.yaml").read_text())
SERVICES = {"do": "machine", "values": {"services": {"engine": {"account": "LAB\\sql"}}}}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlantedPair]:
    place = tmp_path_factory.mktemp("planted")
    both = []
    try:
        for side, machine in (("source", "ALPHA"), ("target", "BETA")):
            volumes = []
            for letter in "CE":
                volumes += ["--volume", f"{letter}:={place / side / 'volume' / letter}"]
                (place / side / "volume" / letter).mkdir(parents=True)
            paths = ["--data-path", "E:\\MSSQL\\DATA", "--log-path", "E:\\MSSQL\\DATA"]
            server = SqlServer(place / side, machine=machine, platform="windows", options=(*volumes, *paths))
            both.append(server)
            server.start()
            server.lab(SERVICES)
        yield PlantedPair(place, *both)
    finally:
        for server in both:
            server.stop()


@pytest.fixture
def pair(servers: PlantedPair, monkeypatch: pytest.MonkeyPatch) -> PlantedPair:
    monkeypatch.setattr(PlantedReach, "pair", servers, raising=False)
    monkeypatch.setattr("orchestrator.pipeline.Reach", PlantedReach)
    return servers


def test_a_sound_pair_has_nothing_of_these(pair: PlantedPair) -> None:
    for mode in ("database", "instance"):
        with planted(pair, [{"mode": mode}]):
            assert {check: one["what"] for check, one in wrong(pair.validated()).items()} == {}


@pytest.mark.covers("SQL-04", "AM-12")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"].replace(" ", "-"))
def test_planted(pair: PlantedPair, case: Mapping[str, Any]) -> None:
    alone(pair, case)
