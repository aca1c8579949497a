"""Scripts for Windows: each template with each combination of what it may be given parses and uses only what there is."""

from __future__ import annotations

import itertools
import json
import os
import re
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.model.servers import Platform
from orchestrator.scripting import (
    OWN_BEGIN,
    TemplateUnusable,
    regenerate,
    render,
    template_facts,
    template_names,
    with_own,
)
from orchestrator.scripting.powershell import literal
from tests.lab.scripts import step
from tests.unit.scripting.powershell_rules import _all, _root, problems
from tests.unit.scripting.windows_cases import ADDRESS, ODD, SHARE, combinations

CASES = list(combinations())
GOLDEN = Path(__file__).parent / "golden"
MARK = "\ufeff"


def windows(steps, name="post_failover", own=""):
    return render(name, "files on alpha", steps, own, Platform.WINDOWS).text


@pytest.mark.parametrize("template", template_names(Platform.WINDOWS))
def test_every_combination_uses_only_what_there_is(template):
    """All combinations of a template as the steps of one script, so that what they share is checked once."""
    steps = [
        step(f"{ODD} {number}", name, ODD, **variables)
        for number, (name, variables) in enumerate(CASES)
        if name == template
    ]
    assert steps
    assert problems(windows(steps)) == []


def test_all_deeds_in_one_script():
    steps = [step(name, name, **variables) for name, variables in dict(CASES).items()]
    assert problems(windows(steps)) == []
    assert problems(windows([])) == []


def test_a_script_is_read_as_utf_8():
    """5.1 reads a file without a byte order mark in the server's own code page."""
    text = windows([step("here", "fileserver/data_present", path="C:\\Büro")])
    assert text.startswith(MARK)
    assert text.count(MARK) == 1
    assert text.encode().startswith(b"\xef\xbb\xbf")


def test_golden_file():
    """A whole takeover. After a wanted change: DTAM_GOLDEN=write pytest tests/unit/scripting."""
    text = windows(
        [
            step(
                "start-server",
                "common/start_service",
                "start service server on beta",
                service={"name": "server", "unit": "LanmanServer"},
            ),
            step("put-shares", "common/put_shares", "put 1 share of alpha on beta", document={"shares": [SHARE]}),
            step(
                "take-names",
                "common/take_names",
                "let beta answer as alpha",
                document={"netbios": ["ALPHA"], "dns": ["alpha.lab.example"]},
            ),
            step("take-addresses", "common/take_addresses", "take 192.0.2.10 over", document={"addresses": [ADDRESS]}),
            step("stay-here", "common/stay_here", "leave with beta for good what was taken"),
        ]
    )
    for shared in ("runtime", "services", "shares", "names", "addresses"):
        whole = (resources.files("scripts") / f"templates/common/{shared}.ps1").read_text().rstrip("\n")
        assert text.count(whole) == 1
        text = text.replace(whole, f"# ... {shared}.ps1 ...")
    text = re.sub(r"(?<=sha256 )[0-9a-f]{64}$", "...", text, flags=re.MULTILINE)
    path = GOLDEN / "post_failover.ps1"
    if os.environ.get("DTAM_GOLDEN") == "write":
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_what_has_no_form_for_windows_is_refused_in_words():
    with pytest.raises(TemplateUnusable, match="a form for linux only"):
        windows([step("unit", "common/start_unit", unit="x")])


@pytest.mark.parametrize(
    ("template", "variables", "why"),
    [
        ("common/set_start_type", {"service": "a", "start_type": "sometimes"}, "sometimes"),
        ("common/put_shares", {"document": {"shares": [{"name": "x"}]}}, "path"),
        ("common/put_shares", {"document": {"shares": [{**SHARE, "caching": "always"}]}}, "always"),
        ("common/take_addresses", {"document": {"addresses": [{**ADDRESS, "address": "x"}]}}, "x/24"),
        ("common/take_names", {"document": {"way": "rename"}}, "rename"),
        ("fileserver/data_present", {"path": "a\0b"}, "NUL"),
    ],
)
def test_a_document_that_cannot_be_used_is_refused(template, variables, why):
    with pytest.raises(TemplateUnusable, match=why):
        windows([step("x", template, **variables)])


def test_every_template_tells_its_deed_and_its_undo():
    for name in template_names(Platform.WINDOWS):
        facts = template_facts(name, Platform.WINDOWS)
        assert facts.does
        assert facts.undo


VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**31), 2**31),
        st.text(st.characters(exclude_characters="\0"), max_size=20),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc'\u2018\u2019"), inner, max_size=3)
    ),
    max_leaves=6,
)
QUOTES = "'\u2018\u2019\u201a\u201b"


@settings(max_examples=150, deadline=None)
@given(VALUES)
def test_nothing_that_a_value_holds_is_code(value):
    """The parsed literal has no command but the reading of JSON, no variable but the constants, and gives the value back."""
    text = f"$x = {literal(value)}\n"
    root = _root(text.encode("utf-8", "surrogatepass").decode("utf-8"))
    nodes = list(_all(root))
    assert not [one for one in nodes if one.is_error or one.is_missing]
    assert {one.text.decode() for one in nodes if one.type == "command_name"} <= {"ConvertFrom-Json"}
    assert {one.text.decode() for one in nodes if one.type == "variable"} <= {"$x", "$null", "$true", "$false"}
    assert not [one for one in nodes if one.type in {"sub_expression", "expandable_string_literal", "script_block"}]
    assert [read(one.text.decode()) for one in nodes if one.type == "string_literal"] == list(strings(value))


def read(quoted):
    """A single-quoted literal's text, by the published rule: two quotes in a row, of whatever kind, are the first of them."""
    inner, found = quoted[1:-1], ""
    while inner:
        assert inner[0] not in QUOTES or inner[1:2] in tuple(QUOTES), quoted
        found, inner = found + inner[0], inner[2 if inner[0] in QUOTES else 1 :]
    return found


def strings(value: Any):
    """The texts of a value in the order in which they are written; what cannot be seen is written as JSON."""
    match value:
        case str():
            yield value if value.isprintable() else json.dumps(value)
        case dict():
            yield from itertools.chain.from_iterable((*strings(key), *strings(one)) for key, one in value.items())
        case list():
            yield from itertools.chain.from_iterable(map(strings, value))


def test_keys_that_powershell_takes_for_one_are_refused():
    with pytest.raises(ValueError, match="letters' case"):
        literal({"a": 1, "A": 2})


def test_numbers_are_numbers():
    assert [literal(one) for one in (0, -1, 1.5, 2**40)] == ["0", "(-1)", "1.5", "1099511627776"]
    with pytest.raises(ValueError, match="not a number"):
        literal(float("nan"))


OWN = "    Write-Output 'Büro'\n"


@pytest.mark.covers("AM-09")
@pytest.mark.parametrize(
    "told", [lambda text: text, lambda text: text.replace("\n", "\r\n"), lambda text: text.removeprefix(MARK)]
)
def test_own_commands_survive_editors_of_windows(told):
    steps = [step("wait", "common/wait", seconds=1)]
    delivered = with_own("post_failover", windows(steps), OWN)
    assert delivered.startswith(MARK)
    again = regenerate("post_failover", "files on alpha", steps, told(delivered), Platform.WINDOWS)
    assert again.edited is None
    assert f"{OWN_BEGIN}\n{OWN}" in again.script.text


def test_a_signed_script_is_no_changed_one():
    signed = (
        windows([]).replace("\n", "\r\n")
        + "\r\n# SIG # Begin signature block\r\n# MIIabc\r\n# SIG # End signature block\r\n"
    )
    assert regenerate("post_failover", "files on alpha", [], signed, Platform.WINDOWS).edited is None


def test_a_change_elsewhere_is_noticed():
    changed = windows([]).replace("Set-StrictMode -Version Latest", "Set-StrictMode -Off")
    assert regenerate("post_failover", "files on alpha", [], changed, Platform.WINDOWS).edited == changed


def test_the_page_about_scripts_names_every_template_and_variable_of_windows():
    page = (
        (Path(__file__).parents[3] / "docs/explanation/scripts.md")
        .read_text(encoding="utf-8")
        .split("## On Windows")[1]
    )
    for name in template_names(Platform.WINDOWS):
        facts = template_facts(name, Platform.WINDOWS)
        lines = [line for line in page.splitlines() if line.startswith("|") and f"`{name}`" in line]
        assert len(lines) == 1, name
        assert not [one for one in (*facts.needs, *facts.optional) if one not in lines[0]], name
