"""The page that compares dtam with the guide names nothing that is not there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from orchestrator.cli.commands.options import command as options
from orchestrator.cli.dtam import COMMANDS
from orchestrator.model.settings import Settings
from plugins.fileserver.application import FileServer
from plugins.sql.application import SqlServer

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "explanation" / "differences.md").read_text(encoding="utf-8")
QUOTED = sorted(set(re.findall(r"`([^`]+)`", TEXT)))
TABS = {"failover", "monitoring", "connection", "snapshots", "advanced"}
SETTINGS = [one for one in QUOTED if one.partition(".")[0] in TABS and "." in one]
NAMED = [one.removeprefix("dtam --sql ").removeprefix("dtam ").split() for one in QUOTED if one.startswith("dtam ")]


def inside(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (inside(one) for one in getattr(annotation, "__args__", ()))
    return next((one for one in found if one is not None), None)


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_setting_is_one(setting: str) -> None:
    model: type[BaseModel] | None = Settings
    for part in setting.partition(":")[0].split("."):
        assert model is not None, setting
        assert part in model.model_fields, setting
        model = inside(model.model_fields[part].annotation)


def test_every_command_is_one() -> None:
    words = {words[0] for words in NAMED if words and not words[0].startswith(("/", "-"))}
    assert words - set(COMMANDS) == set()
    assert len(words) > 15


def test_every_option_of_the_tool_is_in_the_table() -> None:
    told = {name for option in options.params for name in (*option.opts, *option.secondary_opts)}
    spared = {"--yes", "--json", "--defaults"} | {one for one in told if one.startswith("--no-")}
    assert {one for one in told - spared if f"`{one}`" not in TEXT} == set()


def test_every_check_that_is_named_is_one() -> None:
    known = {one.id for one in (*SqlServer().checks(), *FileServer().checks())}
    named = set(re.findall(r"checks? `([a-z-]+)`", TEXT))
    assert named
    assert named <= known


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        assert (ROOT / "docs" / "explanation" / target).resolve().exists(), target
