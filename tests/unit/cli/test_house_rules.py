"""The house checks its own mouth: every error has its own code and a line, every command an example that can be parsed."""

from __future__ import annotations

import collections
import importlib.util
import shlex
import string
from pathlib import Path
from types import ModuleType

import click
import pytest

from orchestrator.cli.dtam import dtam
from orchestrator.cli.words import without_slashes
from orchestrator.errors import DtamError

ROOT = Path(__file__).parents[3]


def load_generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generator = load_generator()
ERRORS: tuple[type[DtamError], ...] = generator.error_classes()
COMMANDS = [(" ".join(words), command) for words, command in generator.walk(dtam, ("dtam",))]


def test_exit_codes_are_unique() -> None:
    codes = collections.Counter(kind.exit_code for kind in ERRORS if "exit_code" in vars(kind))
    shared = {code: [k.__name__ for k in ERRORS if k.exit_code == code] for code, count in codes.items() if count > 1}
    assert not shared


def placeholders(template: str) -> set[str]:
    return {field.split(".")[0].split("[")[0] for _, field, _, _ in string.Formatter().parse(template) if field}


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_error_has_a_code_a_line_and_a_hint_from_the_same_facts(kind: type[DtamError]) -> None:
    # a shell tells by 126 and 127 what it could not start, and by up to 192 which signal ended a program
    assert 1 <= kind.exit_code <= 125 or 193 <= kind.exit_code <= 254
    assert "\n" not in kind.template
    assert "\n" not in kind.hint_template
    assert kind.template != DtamError.template
    assert kind.hint_template or placeholders(kind.template), f"{kind.__name__} says nothing to run next"


@pytest.mark.parametrize(("words", "command"), COMMANDS, ids=[words for words, _ in COMMANDS])
def test_command_has_help_and_examples_that_parse(words: str, command: click.Command) -> None:
    assert command.help
    examples = generator.examples_of(command)
    assert examples, f"{words} shows no example"
    for example in examples:
        arguments = without_slashes(shlex.split(example)[1:])
        parse(dtam, arguments, example)


def parse(command: click.Command, arguments: list[str], example: str) -> None:
    context = command.make_context(command.name, list(arguments), resilient_parsing=False, obj=None)
    if isinstance(command, click.Group) and context._protected_args + context.args:
        name, below, rest = command.resolve_command(context, context._protected_args + context.args)
        assert below is not None, f"{example}: no command {name}"
        parse(below, rest, example)


@pytest.mark.parametrize(("words", "command"), COMMANDS, ids=[words for words, _ in COMMANDS])
def test_command_speaks_json_and_changing_ones_plan(words: str, command: click.Command) -> None:
    if isinstance(command, click.Group):
        return
    options = {name for one in command.params for name in one.opts}
    assert "--json" in options
    if words.rsplit(maxsplit=1)[-1] in {
        "enable",
        "disable",
        "failover",
        "failback",
        "restore",
        "setup",
        "configure",
        "validate",
    }:
        assert "--plan" in options


def test_generated_pages_are_new() -> None:
    assert (ROOT / "docs" / "reference" / "errors.md").read_text() == generator.errors_page()
    assert (ROOT / "docs" / "reference" / "commands.md").read_text() == generator.commands_page()
