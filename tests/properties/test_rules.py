"""The compiled rules answer as a plain reading of the rules does."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as some

from orchestrator.engine.mirror.rules import Rule, RuleSet

NAMES = some.sampled_from(["a", "b", "ab", "c.x", "d.x"])
PARTS = some.sampled_from(["a", "b", "ab", "*", "*.x", "a*", "?"])
RULE_PATHS = some.lists(PARTS, max_size=3).map("/".join)
RULES = some.lists(some.builds(Rule, RULE_PATHS, some.booleans(), some.booleans()), max_size=6)
PATHS = some.lists(NAMES, min_size=1, max_size=4)


def plainly(rules: RuleSet, path: list[str]) -> bool:
    """Every rule against the path and each directory above it, the strongest claim decides."""
    claims = [
        (depth, not rule.wild, not rule.include)
        for rule in rules.rules
        for depth in range(len(path) + 1)
        if names(rule, path[:depth]) and reaches(rule, depth, len(path))
    ]
    return bool(claims) and not max(claims)[2]


def names(rule: Rule, path: list[str]) -> bool:
    parts = rule.parts
    if not parts or not path:
        return not parts and not path
    floats = rule.wild and rule.recursive
    if len(path) != len(parts) and not (floats and len(path) > len(parts)):
        return False
    above = all(fnmatchcase(name, part) for name, part in zip(path[:-1], parts[:-1], strict=False))
    return above and fnmatchcase(path[-1], parts[-1])


def reaches(rule: Rule, depth: int, whole: int) -> bool:
    return depth == whole or rule.recursive or (depth == whole - 1 and not rule.wild)


@pytest.mark.covers("ENG-RS-02")
@given(RULES, some.lists(PATHS, min_size=1, max_size=8))
def test_compiled_and_plain_agree(rules, paths):
    compiled = RuleSet(rules)
    for path in paths:
        assert compiled.selects("/".join(path).encode()) == plainly(compiled, path), (compiled.rules, path)


@given(RULES, PATHS)
def test_every_directory_on_the_way_to_what_is_selected_is_carried(rules, path):
    compiled = RuleSet(rules)
    if compiled.selects("/".join(path).encode()):
        for depth in range(1, len(path)):
            assert compiled.carries("/".join(path[:depth]).encode())


@given(RULES)
def test_a_swallowed_rule_had_another_of_its_type_above(rules):
    compiled = RuleSet(rules)
    for swallowed in compiled.swallowed:
        assert any(other.include == swallowed.include and other.covers(swallowed) for other in compiled.rules)
