"""Bugs that the simulation must find: each a way in which somebody could really get it wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from orchestrator.engine.monitor import phases
from orchestrator.engine.transfer.messages import ItemKind, MirrorItem
from orchestrator.engine.transfer.source_session import SourceSession
from orchestrator.engine.witness import rules
from orchestrator.engine.witness.errors import WitnessUnreachable
from orchestrator.engine.witness.lease import LeaseCore, LeaseSettings
from orchestrator.engine.witness.rules import GrantAnswer, Grip, LeaseAnswer, Record, Ruling
from orchestrator.engine.witness.store import Store
from tests.simulation import luck
from tests.simulation.applying import Applying
from tests.simulation.luck import LEASE_S
from tests.simulation.schedule import Bug


@contextmanager
def _counts_from_the_answer() -> Iterator[None]:
    """The holder counts its lease from the answer, not from before the question (and forgets the drift)."""
    right = LeaseCore.on_answer

    def wrong(self: LeaseCore, asked_ns: int, answer: LeaseAnswer) -> None:
        right(self, asked_ns + 800_000_000, answer)

    with patch.object(LeaseCore, "on_answer", wrong):
        yield


@contextmanager
def _forgets_on_restart() -> Iterator[None]:
    """A restarted witness believes that no lease runs."""

    def wrong(record: Record, now_s: float) -> Grip:
        return Grip(record, now_s)

    with patch.object(rules, "wake", wrong):
        yield


@contextmanager
def _answers_before_storing() -> Iterator[None]:
    """The witness answers, and stores only at the next request."""
    right = Store.save

    def wrong(self: Store, records: dict[str, Record]) -> None:
        owed = getattr(self, "_owed", None)
        self._owed = records  # type: ignore[attr-defined]
        if owed is not None:
            right(self, owed)
        else:
            right(self, records)

    with patch.object(Store, "save", wrong):
        yield


@contextmanager
def _grants_under_a_lease() -> Iterator[None]:
    """The witness looks at the epoch alone."""
    with patch.object(Grip, "remaining_s", lambda self, now_s: 0.0):
        yield


@contextmanager
def _silence_is_consent() -> Iterator[None]:
    """A witness that cannot be reached is taken for a yes."""
    right = phases.ask_for_grant

    def wrong(*given: Any) -> GrantAnswer:
        try:
            return right(*given)
        except WitnessUnreachable:
            return GrantAnswer(True, given[2].from_epoch + 1)

    with patch.object(phases, "ask_for_grant", wrong):
        yield


@contextmanager
def _never_fences() -> Iterator[None]:
    """The keeper believes that its lease goes on."""
    right = LeaseSettings.deadline_ns

    def wrong(self: LeaseSettings, asked_ns: int, given_s: float) -> int:
        return right(self, asked_ns, given_s * 10)

    with patch.object(LeaseSettings, "deadline_ns", wrong):
        yield


@contextmanager
def _any_target_will_do() -> Iterator[None]:
    """The witness does not care whose promises the source counts upon."""
    right = rules.grant

    def wrong(grip: Grip | None, **given: Any) -> Ruling[GrantAnswer]:
        return right(replace(grip, record=replace(grip.record, target="")) if grip else None, **given)

    with patch.object(rules, "grant", wrong):
        yield


@contextmanager
def _looks_once_before_settling() -> Iterator[None]:
    """What the queue made of good data is not looked at."""
    with patch.object(phases, "_settled_good", lambda with_, how: with_.replica.settle(how)):
        yield


@contextmanager
def _counts_upon_doomed_data() -> Iterator[None]:
    """Flushes go on being answered when the target has them, while a mirror is about to overwrite its good data."""
    with patch.object(SourceSession, "overwrites", lambda _self, _word: False):
        yield


@contextmanager
def _keeps_the_state_too_late() -> Iterator[None]:
    """The snapshot before a remirror is taken when the mirror has written already."""
    right = Applying._item

    def wrong(self: Applying, item: MirrorItem) -> None:
        right(self, item)
        if item.kind is ItemKind.MESSAGE and self.replica.kept is not None:
            self.replica.kept = list(self.replica.files)

    with patch.object(Applying, "_item", wrong):
        yield


BUGS: dict[str, Bug] = {
    "fence-later-than-the-lease": Bug(lease=LeaseSettings(LEASE_S, drift=-0.2)),
    "never-fences": Bug(patch=_never_fences),
    "counts-from-the-answer": Bug(patch=_counts_from_the_answer),
    "witness-forgets-on-restart": Bug(patch=_forgets_on_restart),
    "witness-answers-before-storing": Bug(patch=_answers_before_storing),
    "witness-grants-under-a-lease": Bug(patch=_grants_under_a_lease),
    "silence-is-consent": Bug(patch=_silence_is_consent),
    "target-breaks-its-promise": Bug(target={"promises": False}),
    "acknowledged-before-fsync": Bug(target={"ack_before_fsync": True}),
    "old-master-is-still-heard": Bug(target={"refuses_old": False}),
    "witness-grants-to-any-target": Bug(patch=_any_target_will_do),
    "promises-count-before-the-witness-knows": Bug(source={"counts_at_once": True}),
    "looks-once-before-settling": Bug(
        target={"hurries": False}, patch=_looks_once_before_settling, happens=luck.doomed_mirrors
    ),
    "flushes-count-upon-doomed-data": Bug(patch=_counts_upon_doomed_data),
    "state-is-kept-too-late": Bug(patch=_keeps_the_state_too_late),
}
