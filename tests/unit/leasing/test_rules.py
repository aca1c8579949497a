"""The rules of the Windows lease, one at a time; tests/simulation plays them together."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import pytest

from orchestrator.leasing import rules
from orchestrator.leasing.errors import LedgerUnusable
from orchestrator.leasing.ledger import Ledger
from orchestrator.leasing.rules import HolderClock, Now, Promised

NOW = Now(100.0, "here")
CLOCK = HolderClock("there", 5000.0, 100.0)


def timed() -> Promised:
    promised, renewal = rules.give(Promised(), CLOCK, NOW, epoch=1, lease_s=60.0)
    return rules.taken(promised, renewal)


def test_a_lease_is_told_in_the_holders_clock_and_counted_longer_here() -> None:
    promised, renewal = rules.give(Promised(), CLOCK, NOW, epoch=1, lease_s=60.0)
    assert (renewal.boot, renewal.until_s, renewal.n) == ("there", 5060.0, 1)
    assert promised.ends_s == pytest.approx(100.0 + 60.0 * 1.02)


def test_whoever_never_said_that_he_took_a_timed_one_may_serve_for_ever() -> None:
    sent, _ = rules.give(Promised(), CLOCK, NOW, epoch=1, lease_s=60.0)
    assert rules.sure_in_s(Promised(), NOW, 30.0) == math.inf
    assert rules.sure_in_s(sent, NOW, 30.0) == math.inf
    assert rules.sure_in_s(timed(), NOW, 30.0) == pytest.approx(91.2)


def test_an_endless_one_is_over_only_when_a_later_timed_one_was_taken() -> None:
    endless, first = rules.give(timed(), CLOCK, NOW, epoch=1, lease_s=None)
    assert rules.remaining_s(rules.taken(endless, first), NOW) == math.inf
    later, second = rules.give(endless, CLOCK, NOW, epoch=1, lease_s=60.0)
    assert rules.remaining_s(later, NOW) == math.inf
    assert rules.remaining_s(rules.taken(later, second), NOW) < math.inf


def test_after_a_boot_of_this_machine_the_longest_lease_runs_in_full() -> None:
    assert rules.remaining_s(timed(), Now(3.0, "another boot")) == pytest.approx(61.2)
    assert rules.remaining_s(timed(), Now(100.0 + 62.0, "here")) == 0.0


def test_a_grant_promises_nothing_about_the_new_epoch_and_never_falls() -> None:
    after = rules.granted(msgspec.structs.replace(timed(), asking=True), 2)
    assert (after.granted, after.asking, after.n) == (2, False, 1)
    assert rules.sure_in_s(after, NOW, 30.0) == math.inf
    assert rules.granted(after, 1).granted == 2


def test_while_it_asks_and_for_an_older_epoch_nothing_is_given(tmp_path: Path) -> None:
    ledger = Ledger.at(tmp_path, lambda: NOW)
    assert ledger.give("p", CLOCK, 1, 60.0) is not None
    ledger.stop_giving("p")
    assert ledger.give("p", CLOCK, 1, 60.0) is None
    ledger.note_granted("p", 2)
    assert ledger.give("p", CLOCK, 1, 60.0) is None
    assert ledger.give("p", CLOCK, 2, None) is not None


def test_a_damaged_ledger_is_refused_and_not_begun_anew(tmp_path: Path) -> None:
    ledger = Ledger.at(tmp_path, lambda: NOW)
    ledger.stop_giving("p")
    (tmp_path / "p").write_bytes(b"nonsense")
    with pytest.raises(LedgerUnusable):
        ledger.look("p")
