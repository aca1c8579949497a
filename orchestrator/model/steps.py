"""A step: one change, as a value that can be printed, stored, executed by another process, and undone.

An **action** is a verb with arguments; ``orchestrator.sdk.verbs`` says what each verb does. So a step holds no code, and a run
that was cut off goes on from its journal alone. ``look`` gives a ``Seen``: whether the step is already done, and what was
found; what was found is journaled before the deed and handed to the undo.
"""

from __future__ import annotations

from typing import Any

import msgspec

from orchestrator.model.servers import Where


class Action(msgspec.Struct, frozen=True, tag="action"):
    """A verb and its arguments, JSON values only and never a secret."""

    verb: str
    arguments: dict[str, Any] = {}


class CannotUndo(msgspec.Struct, frozen=True, tag="cannot-undo"):
    """Why a step has no undo."""

    why: str


class ScriptCall(msgspec.Struct, frozen=True):
    """The step as a segment of a host's script.

    ``script`` is post_failover, pre_failback, post_restore, post_failback or pre_failover; ``template`` a file below
    scripts/templates without its ending (``common/start_service``); ``variables`` what the template needs.
    """

    script: str
    template: str
    variables: dict[str, Any] = {}


class Seen(msgspec.Struct, frozen=True):
    """What a look saw. ``found`` is what an undo will need; JSON values only."""

    done: bool
    says: str = ""
    found: dict[str, Any] = {}


class Step(msgspec.Struct, frozen=True):
    """One change. ``id`` is stable and unique within its plan; ``sentence`` is an order: "start service files on beta".

    ``before`` and ``after`` are lines of the diff. ``script`` says that the step runs as a segment of a script on its host.
    ``downtime`` marks the steps during which clients have no service.
    """

    id: str
    where: Where
    sentence: str
    look: Action
    do: Action
    undo: Action | CannotUndo
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    script: ScriptCall | None = None
    downtime: bool = False
    budget_s: float | None = None
    needs: tuple[str, ...] = ()

    def lines(self) -> tuple[str, ...]:
        """The step as a person reads it."""
        how = "" if isinstance(self.undo, Action) else f"  (cannot be undone: {self.undo.why})"
        head = f"{self.where:>12}  {self.id}: {self.sentence}{how}"
        return (head, *(f"{'':>14}- {line}" for line in self.before), *(f"{'':>14}+ {line}" for line in self.after))
