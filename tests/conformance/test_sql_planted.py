"""Misconfigurations planted in a pair of running SQL Servers, one at a time and two at once: each is found with its id, and mended where it can be.

Nothing is touched by looking, and nothing by --fix but what --fix --plan showed. What was mended is so afterwards, and an undo puts it back.
"""

from __future__ import annotations

import itertools
import logging
import os
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conformance.planted_pair import PlantedPair, PlantedReach, alone, differing, mended, planted, wrong
from tests.lab.sqlserver.process import SqlServer

CASES = yaml.safe_load((Path(__file__).parents[1] / "cases/sql/planted.yaml").read_text())
MINUTES = float(os.environ.get("TORTURE_MINUTES", "0"))
Case = Mapping[str, Any]
log = logging.getLogger("planted")


def covering(cases: Sequence[Case]) -> list[tuple[Case, Case]]:
    """Each case beside one other: the next one that is still alone, of one mode and with nothing that both of them touch, else any."""
    free = [one for one in cases if not one.get("alone")]
    every, pairs = list(free), []
    while free:
        one = free.pop(0)
        other = next((each for each in (*free, *every) if each is not one and fits(one, each)), None)
        assert other is not None, f"{one['name']} fits nothing"
        free = [each for each in free if each is not other]
        pairs.append((one, other))
    return pairs


def fits(one: Case, other: Case) -> bool:
    """Whether both can be at once: they touch other things, and neither hides what the other is found by."""
    same_mode = one.get("mode", "database") == other.get("mode", "database")
    return same_mode and not set(one.get("touches", ())) & set(other.get("touches", ()))


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlantedPair]:
    place = tmp_path_factory.mktemp("planted")
    both = []
    try:
        for side, machine in (("source", "ALPHA"), ("target", "BETA")):
            (place / side / "volume/secrets").mkdir(parents=True)
            (place / side / "volume/secrets/machine-key").write_bytes(bytes(44))
            options = ("--volume", f"/var/opt/mssql={place / side / 'volume'}")
            both.append(SqlServer(place / side, machine=machine, options=options))
            both[-1].start()
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
    assert len(CASES) >= 30


@pytest.mark.covers("SQL-04", "SQL-03", "AM-12")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"].replace(" ", "-"))
def test_planted(pair: PlantedPair, case: Case) -> None:
    alone(pair, case)


@pytest.mark.covers("AM-12")
@pytest.mark.parametrize("two", covering(CASES), ids=lambda two: f"{two[0]['check']}+{two[1]['check']}")
def test_two_at_once(pair: PlantedPair, two: tuple[Case, Case]) -> None:
    both_at_once(pair, two)


def both_at_once(pair: PlantedPair, two: tuple[Case, Case]) -> None:
    with planted(pair, two):
        before = pair.bytes_of()
        found = wrong(pair.validated())
        assert {one["check"] for one in two} <= set(found), found
        assert differing(before, pair.bytes_of()) == [], "looking touches nothing"
        mended(pair, two)


@pytest.mark.skipif(not MINUTES, reason="all pairs are played for as long as TORTURE_MINUTES says")
@pytest.mark.timeout(0)
def test_all_pairs(pair: PlantedPair) -> None:
    free = [one for one in CASES if not one.get("alone")]
    every = [two for two in itertools.combinations(free, 2) if fits(*two)]
    random.shuffle(every)
    until = time.monotonic() + MINUTES * 60
    for two in every:
        if time.monotonic() > until:
            break
        log.info("%s + %s", two[0]["name"], two[1]["name"])
        both_at_once(pair, two)
