"""Which mirror of a connection runs when several are asked for."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.engine.transfer.mirroring import Mirroring
from orchestrator.engine.transfer.ports import MirrorJob, SourceHooks


class Ended:
    """Jobs that say how they ended."""

    def __init__(self) -> None:
        self.words: list[tuple[str, str]] = []

    def job(self, kind: str, *, changes_state: bool) -> MirrorJob:
        feed: Any = object()  # nothing is read of a mirror that was not begun
        return MirrorJob(feed, kind, changes_state, lambda _complete, says: self.words.append((kind, says)))


@pytest.fixture
def ended() -> Ended:
    return Ended()


def mirroring(due: MirrorJob) -> Mirroring:
    core: Any = object()  # nothing is asked of it before a mirror begins
    return Mirroring(core, lambda _event: None, SourceHooks(mirror_due=lambda _says: due))


def test_what_a_watcher_found_takes_no_place_of_a_mirror_that_became_due_meanwhile(ended: Ended) -> None:
    due = ended.job("difference", changes_state=True)
    mirrors = mirroring(due)
    assert mirrors.due("the target's queue continues another log of the source")
    mirrors.take(ended.job("look again", changes_state=False))
    assert mirrors.job is due
    assert ended.words == [("look again", "a mirror of everything is under way")]


def test_a_mirror_of_everything_takes_the_place_of_any_other(ended: Ended) -> None:
    mirrors = mirroring(ended.job("difference", changes_state=True))
    mirrors.take(ended.job("look again", changes_state=False))
    assert mirrors.due("the target requires a mirror")
    full = ended.job("full", changes_state=True)
    mirrors.take(full)
    assert mirrors.job is full
    assert [kind for kind, _ in ended.words] == ["look again", "difference"]
