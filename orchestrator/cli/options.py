"""Options that many commands share, each with one meaning everywhere."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, TypeVar

import click

from orchestrator.cli.carrying import How

Command = TypeVar("Command", bound=Callable[..., Any])
HOW_FIELDS = tuple(field.name for field in dataclasses.fields(How))


def json_option(command: Command) -> Command:
    """``--json``: one JSON document on standard output instead of sentences."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON document instead of sentences.")(command)


def plan_option(command: Command) -> Command:
    """``--plan``: print exactly what would change, change nothing."""
    text = "Print exactly what would change, with its id; change nothing."
    return click.option("--plan", "only_plan", is_flag=True, help=text)(command)


def plan_id_option(command: Command) -> Command:
    """``--plan-id``: execute only the plan that was read."""
    text = "Go on only if the plan is still the one with this id."
    return click.option("--plan-id", metavar="ID", help=text)(command)


def yes_option(command: Command) -> Command:
    """``--yes``: nobody is asked."""
    return click.option("--yes", is_flag=True, help="Do not ask, go on.")(command)


def protection_option(command: Command) -> Command:
    """``--protection``: which one, where there are several."""
    text = "Which protection; not needed while there is only one."
    return click.option("--protection", "name", metavar="NAME", help=text)(command)


def changing_options(command: Command) -> Command:
    """The options of a changing command, gathered into one ``how``; and ``--json``."""

    @functools.wraps(command)
    def gathered(*words: Any, **given: Any) -> Any:
        how = How(**{field: given.pop(field) for field in HOW_FIELDS})
        return command(*words, how=how, **given)

    for add in reversed(
        (plan_option, plan_id_option, yes_option, _resume_option, _undo_option, _anew_option, json_option)
    ):
        gathered = add(gathered)
    return gathered  # type: ignore[return-value]  # wraps keeps the shape


def _resume_option(command: Command) -> Command:
    return click.option("--resume", is_flag=True, help="Go on with the run that was cut off.")(command)


def _undo_option(command: Command) -> Command:
    return click.option("--undo", is_flag=True, help="Undo the run that was cut off, newest step first.")(command)


def _anew_option(command: Command) -> Command:
    text = "Leave a run that was cut off as it is, and begin a new one."
    return click.option("--anew", is_flag=True, help=text)(command)
