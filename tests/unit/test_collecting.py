"""A daemon's own objects are no work for the collector of cycles any more."""

from __future__ import annotations

import gc

from orchestrator.engine.cli.collecting import MADE_BEFORE_LOOKING, collect_rarely


def test_what_exists_is_left_alone_and_cycles_made_later_are_still_found():
    before = gc.get_threshold()
    try:
        collect_rarely()
        assert not [kept for kept in gc.get_objects() if kept is gc.callbacks or kept is before]
        assert gc.get_freeze_count() > 0
        assert gc.get_threshold()[0] == MADE_BEFORE_LOOKING
        later: list[object] = []
        later.append(later)
        del later
        assert gc.collect() > 0
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
