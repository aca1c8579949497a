"""The target's promise to the source."""

from __future__ import annotations

from pathlib import Path

from orchestrator.engine.monitor.promise import Promise
from orchestrator.engine.witness.book import Book
from orchestrator.engine.witness.store import DirectoryShelf, Store


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def promise(path: Path, clock: Clock, epoch: int = 1) -> Promise:
    made = Promise("shop", Book(Store(DirectoryShelf(path)), clock), epoch)
    assert not made.confirm(epoch, "alpha", 5).granted, "none before the executor has spoken"
    made.give_again()
    return made


def test_it_promises_and_knows_how_long(tmp_path: Path) -> None:
    clock = Clock()
    made = promise(tmp_path, clock)
    assert made.remaining_s() == 0
    assert made.confirm(1, "alpha", 5).granted
    clock.now_s += 3
    assert made.confirm(1, "alpha", 5).expires_in_s == 5
    assert made.remaining_s() == 5
    clock.now_s += 5
    assert made.remaining_s() == 0


def test_it_stops_at_once_and_says_why(tmp_path: Path) -> None:
    made = promise(tmp_path, Clock())
    made.stop_giving("a failover has begun here")
    refused = made.confirm(1, "alpha", 5)
    assert (refused.granted, refused.epoch, refused.reason) == (False, 1, "a failover has begun here")


def test_only_the_present_epoch_is_promised_and_the_old_one_learns_that_it_is_over(tmp_path: Path) -> None:
    made = promise(tmp_path, Clock())
    made.confirm(1, "alpha", 5)
    made.set_epoch(3)
    assert made.confirm(1, "alpha", 5).epoch == 3
    assert made.confirm(3, "gamma", 2).granted
    assert made.remaining_s() == 5, "what was promised before is kept"


def test_a_restarted_target_keeps_what_it_may_have_promised(tmp_path: Path) -> None:
    clock = Clock()
    promise(tmp_path, clock).confirm(1, "alpha", 5)
    clock.now_s += 1000
    assert promise(tmp_path, clock).remaining_s() == 5


def test_what_was_given_back_is_promised_again_only_when_taken_up(tmp_path: Path) -> None:
    made = promise(tmp_path, Clock())
    made.confirm(1, "alpha", 5)
    assert made.release(1, "alpha").granted
    assert made.remaining_s() == 0
    assert not made.confirm(1, "alpha", 5).granted
    assert made.remaining_s() == 0
    assert made.confirm(1, "alpha", 5, take_up=True).granted
    assert made.remaining_s() == 5


def test_nobody_else_gives_the_holders_promise_back(tmp_path: Path) -> None:
    made = promise(tmp_path, Clock())
    made.confirm(1, "alpha", 5)
    assert not made.release(1, "gamma").granted
    assert made.remaining_s() == 5


def test_a_retired_one_never_promises_again_and_its_promises_are_kept_by_the_next(tmp_path: Path) -> None:
    clock = Clock()
    book = Book(Store(DirectoryShelf(tmp_path)), clock)
    old = Promise("shop", book, 1)
    old.give_again()
    assert old.confirm(1, "alpha", 5).granted
    old.retire()
    old.give_again()
    assert not old.confirm(1, "alpha", 5).granted
    assert Promise("shop", book, 1).remaining_s() == 5
