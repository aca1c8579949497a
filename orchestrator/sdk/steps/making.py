"""How a step is made and changed: actions with JSON arguments, undos that are part of another, segments of scripts."""

from __future__ import annotations

from typing import Any

import msgspec

from orchestrator.model.steps import Action, CannotUndo, ScriptCall, Step

NOTHING = Action("nothing")
"""The undo of a step that only waits or looks."""


def act(verb: str, /, **arguments: Any) -> Action:
    """An action with JSON arguments: structs become mappings, tuples lists, exactly as a journal will give them back."""
    return Action(verb, msgspec.json.decode(msgspec.json.encode(arguments)))


def in_script(step: Step, call: ScriptCall) -> Step:
    """The same step as a segment of a host's script."""
    return msgspec.structs.replace(step, script=call)


def irreversible(step: Step, why: str) -> Step:
    """The same step, said to have no undo."""
    return msgspec.structs.replace(step, undo=CannotUndo(why))


def covered(step: Step) -> Step:
    """The same step, whose undo is part of what another step's undo does."""
    return msgspec.structs.replace(step, undo=NOTHING)
