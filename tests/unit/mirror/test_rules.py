"""Rules as chapter 4 has them: cases in tests/cases/mirror/rules.yaml."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml

from orchestrator.engine.mirror.errors import RulePathRefused
from orchestrator.engine.mirror.rules import Rule, RuleSet

CASES = yaml.safe_load((Path(__file__).parents[2] / "cases/mirror/rules.yaml").read_text())


def rule(path: str, how: str) -> Rule:
    return Rule(path, include=how[0] == "+", recursive="r" in how)


@pytest.mark.covers("ENG-RS-01", "ENG-RS-02")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_selection(case):
    rules = RuleSet(rule(*line) for line in case["rules"])
    assert [path for path in case["selected"] if not rules.selects(path.encode())] == []
    assert [path for path in case["left_out"] if rules.selects(path.encode())] == []
    assert [swallowed.path for swallowed in rules.swallowed] == case.get("swallowed", [])


@pytest.mark.covers("ENG-RS-03")
def test_a_rule_path_has_at_most_259_characters():
    Rule("x" * 259)
    with pytest.raises(RulePathRefused, match="260 characters"):
        Rule("x" * 260)


def test_a_rule_cannot_climb():
    with pytest.raises(RulePathRefused, match=r"'\.\.'"):
        Rule("../elsewhere")


def test_directories_on_the_way_are_carried():
    rules = RuleSet([Rule("a/b/c.db", recursive=False)])
    assert rules.carries(b"a")
    assert rules.carries(b"a/b")
    assert not rules.selects(b"a")
    assert not rules.carries(b"a/x")
    assert not rules.carries(b"b")


def test_an_excluded_directory_is_not_entered():
    rules = RuleSet([Rule(), Rule("cache", include=False)])
    assert not rules.descends(b"cache")
    assert rules.descends(b"data")


@pytest.mark.covers("ENG-MIR-04")
def test_what_only_a_wildcard_leaves_out_counts_as_an_orphan():
    rules = RuleSet([Rule(), Rule("*.tmp", include=False), Rule("private", include=False)])
    assert rules.owns(b"x")
    assert rules.owns(b"d/y.tmp")
    assert not rules.owns(b"private")
    assert not rules.owns(b"private/z")


def test_names_that_are_not_utf8_are_bytes_like_others():
    rules = RuleSet([Rule(b"d\xff/*".decode("utf-8", "surrogateescape"))])
    assert rules.selects(b"d\xff/x")
    assert not rules.selects(b"d/x")


def test_answers_come_from_the_cache_of_a_directory():
    rules = RuleSet([Rule(), *(Rule(f"d{number}/*.tmp", include=False) for number in range(50))])
    paths = [b"d%d/f%d" % (number % 50, number) for number in range(20_000)]
    began = time.perf_counter()
    assert all(map(rules.selects, paths))
    assert time.perf_counter() - began < 1.0
