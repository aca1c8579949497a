"""A protection file is plain YAML, and every value knows its line and column."""

from __future__ import annotations

import pytest

from orchestrator.model.errors import FileUnreadable
from orchestrator.model.located import load


def test_values_and_places() -> None:
    found = load("source: alpha\nfailover:\n  services:\n    - name: files\n      grace_s: 5\n", "p.yaml")
    assert found.values == {"source": "alpha", "failover": {"services": [{"name": "files", "grace_s": 5}]}}
    assert str(found.origins["failover.services.0.grace_s"]) == "p.yaml:5:7"
    assert str(found.origins["source"]) == "p.yaml:1:1"


def test_an_empty_file_says_nothing() -> None:
    assert load("# only a comment\n", "p.yaml").values == {}


@pytest.mark.parametrize("text", ["2026-11-21", "22:30", "0x10", "1_000"])
def test_text_that_old_yaml_would_turn_into_something_else_stays_text(text: str) -> None:
    assert load(f"name: {text}", "p.yaml").values["name"] == text


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("a: [1,\nb: 2", ":2:5", "expected"),
        ("a: 1\nb: 2\na: 3", ":3:1", "twice"),
        ("- a\n- b", ":1:1", "mapping"),
        ("a: &x 1\nb: *x", ":2:4", "aliases"),
        ("a: !!python/name:os.system ''", ":1:4", "could not determine a constructor"),
        ("a: !mine 1", ":1:4", "tag !mine"),
        ("a: 'open", ":1:9", "unexpected end of stream"),
        ("\tb: 1", ":1:1", "cannot start any token"),
        ("? {a: 1}\n: 2", ":1:3", "plain text"),
        ("a: " + "[" * 30 + "]" * 30, ":1:23", "nested too deeply"),
        ("a: 1\nb: b\0c", ":2:5", "special characters"),
        ("a: " + "[" * 5000, ":1:23", "nested too deeply"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, place: str, why: str) -> None:
    with pytest.raises(FileUnreadable) as caught:
        load(text, "p.yaml")
    assert caught.value.facts["place"] == place
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_too_large_is_refused() -> None:
    with pytest.raises(FileUnreadable, match="larger than"):
        load("a: " + "x" * 2**20, "p.yaml")
