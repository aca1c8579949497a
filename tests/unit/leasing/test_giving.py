"""A renewal: what a host says of itself decides which lease may be counted on."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from orchestrator.leasing.giving import renew
from orchestrator.leasing.ledger import Ledger
from orchestrator.leasing.rules import Now
from orchestrator.model.host import ProtectionView
from orchestrator.model.outcomes import GiveUp

SEEN = ProtectionView("p", "source", 1, False, False, boot="b", ticks_s=5.0, guard_s=0.5)


@dataclass
class Source:
    """A host that takes a lease as scripts/windows/act.ps1 does: a higher number, of one giver."""

    name: str = "alpha"
    view: ProtectionView = SEEN
    until_s: list[float | None] = field(default_factory=list)

    def protection(self, _protection: str) -> ProtectionView:
        return self.view

    def act(self, _protection: str, _action: str, settings: Any) -> None:
        if self.view.lease_giver not in {"", settings["giver"]} or settings["n"] <= self.view.lease_n:
            raise GiveUp("refused")
        self.until_s.append(settings["until_s"])
        self.view = msgspec.structs.replace(self.view, lease_n=settings["n"], lease_giver=settings["giver"])


def ledger(place: Path, now: list[Now] | None = None) -> Ledger:
    place.mkdir(exist_ok=True)
    clock = now or [Now(100.0, "here")]
    return Ledger.at(place, lambda: clock[0])


@pytest.mark.parametrize("guard_s", [None, 15.5, 4000.0])
@pytest.mark.covers("AM-27")
def test_a_host_whose_guard_does_not_look_is_never_counted_on_to_stop(tmp_path: Path, guard_s: float | None) -> None:
    own, host = ledger(tmp_path), Source()
    assert renew(own, host, "p", 1, 60.0).taken  # type: ignore[arg-type]
    assert own.sure_in_s("p", 30.0) < math.inf
    host.view = msgspec.structs.replace(host.view, guard_s=guard_s)
    renewed = renew(own, host, "p", 1, 60.0)  # type: ignore[arg-type]
    assert "its guard does not look" in renewed.says
    assert host.until_s == [65.0, None]
    assert own.sure_in_s("p", 30.0) == math.inf


@pytest.mark.covers("AM-27")
def test_a_second_state_directory_renews_nothing_and_the_one_that_lost_its_host_waits_for_a_person(
    tmp_path: Path,
) -> None:
    first, second, host = ledger(tmp_path / "one"), ledger(tmp_path / "two"), Source()
    assert renew(first, host, "p", 1, 60.0).taken  # type: ignore[arg-type]
    for _ in range(5):
        assert not renew(second, host, "p", 1, 60.0).taken  # type: ignore[arg-type]
    assert second.sure_in_s("p", 30.0) == math.inf
    assert renew(first, host, "p", 1, 60.0).taken  # type: ignore[arg-type]
    host.view = msgspec.structs.replace(host.view, lease_giver="")  # an epoch was taken there
    assert renew(second, host, "p", 1, 60.0).taken  # type: ignore[arg-type]
    assert not renew(first, host, "p", 1, 60.0).taken  # type: ignore[arg-type]
    assert first.sure_in_s("p", 30.0) == math.inf


def test_a_new_ledger_goes_on_with_the_hosts_numbers(tmp_path: Path) -> None:
    host = Source(view=msgspec.structs.replace(SEEN, lease_n=500))
    assert renew(ledger(tmp_path), host, "p", 1, 60.0).taken  # type: ignore[arg-type]
    assert host.view.lease_n == 501


@pytest.mark.covers("AM-27")
def test_after_a_boot_of_the_executor_the_wait_for_a_dead_source_ends(tmp_path: Path) -> None:
    now = [Now(5000.0, "here")]
    own = ledger(tmp_path, now)
    assert renew(own, Source(), "p", 1, 60.0).taken  # type: ignore[arg-type]
    now[0] = Now(10.0, "another boot")
    assert own.sure_in_s("p", 30.0) == pytest.approx(91.2)
    now[0] = Now(60.0, "another boot")
    assert own.sure_in_s("p", 30.0) == pytest.approx(41.2)
    assert own.remaining_s("p") == pytest.approx(11.2)
    now[0] = Now(102.0, "another boot")
    assert own.sure_in_s("p", 30.0) == 0.0
