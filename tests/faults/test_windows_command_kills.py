"""The real `dtam failover --force`, killed -9 again and again while it works over real WinRM, its source silent: gone on with to the same end.

The moments are drawn from a seed: some hundredths of a second after a step was begun. Before the grant the run is undone to where it began; after
it an undo is refused whole, and takes nothing away. A few always, more for as long as TORTURE_MINUTES says.
"""

from __future__ import annotations

import random
import signal
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from orchestrator.model.servers import Where
from orchestrator.store import journal
from tests.faults.fire import seeds
from tests.faults.windows_command import LONG_S, SHARES, WindowsCommand
from tests.faults.witness_process import eventually

FORCED = ("failover", "--force", "--yes")
RESUMED = ("failover", "--resume")
UNDONE = ("failover", "--undo")
STEPS = ("epoch-target", "lease-target", "promote", "put-shares", "take-names")
KILLS = 2
LATEST_S = 0.2


class Killed(WindowsCommand):
    """Its runs, and the moments at which they end."""

    def lines(self) -> list[tuple[str, str]]:
        """(step, event) of the newest failover's journal; none before there is one."""
        runs = sorted((self.home / "runs").glob("failover-*/journal"), key=lambda one: one.stat().st_mtime_ns)
        found = journal.read(self.home / "runs", runs[-1].parent.name)[1] if runs else ()
        return [(line.step, line.event) for line in found]

    def kill_at(self, step: str, after_s: float, *words: str) -> None:
        """Start dtam, and end it that long after it began a step, or one that comes later."""
        before = self.lines()
        later = {"grant", *STEPS} if step == "grant" else set(STEPS[STEPS.index(step) :])
        with self.start(*words) as process:

            def there() -> bool:
                lines = self.lines()
                new = lines[len(before) :] if lines[: len(before)] == before else lines
                return any(one in later and event == "about-to" for one, event in new) or process.poll() is not None

            eventually(there, f"{step} is begun", LONG_S)
            time.sleep(after_s)
            process.send_signal(signal.SIGKILL)
            said, _ = process.communicate()
            assert process.returncode == -signal.SIGKILL, (step, after_s, said)

    def target(self) -> tuple[list[str], bool]:
        """The shares on the target, and whether it answers by the source's name."""
        found = self.hosts[Where.TARGET].windows()
        return sorted(one.name for one in found.shares if one.name in SHARES), "ALPHA" in found.optional_names


def moments(drawn: random.Random) -> list[tuple[str, float]]:
    """At which steps, in their order, and how long after each began."""
    return [(STEPS[at], drawn.uniform(0, LATEST_S)) for at in sorted(drawn.sample(range(len(STEPS)), KILLS))]


def killed_again_and_again(stage: Killed, drawn: random.Random) -> None:
    """Before the grant and undone; then some times after it, and gone on with."""
    before = stage.target()
    assert before == ([], False)
    stage.kill_at("grant", drawn.uniform(0, LATEST_S), *FORCED)
    code, said = stage.dtam(*UNDONE)
    assert code == 0, said
    assert stage.target() == before, said
    chosen = moments(drawn)
    words = FORCED
    for step, after_s in chosen:
        stage.kill_at(step, after_s, *words)
        words = RESUMED
    shares, named = stage.target()
    code, said = stage.dtam(*UNDONE)
    assert code != 0, said
    assert "failback" in said
    now, still_named = stage.target()  # a script that was begun on the server may have gone on by itself
    assert (set(shares) <= set(now), named <= still_named) == (True, True), chosen
    code, said = stage.dtam(*RESUMED)
    assert code == 0, (chosen, said)
    assert stage.target() == (SHARES, True), (chosen, said)


@pytest.mark.covers("AM-15", "AM-27")
def test_killed_anywhere_it_is_gone_on_with_and_undone_only_before_the_grant(tmp_path: Path) -> None:
    for number, seed in enumerate((*seeds.ALWAYS, *seeds.fresh())):
        place = tmp_path / str(number)
        place.mkdir()
        with ExitStack() as stack:
            made = Killed(place, stack)
            made.lose_source()
            killed_again_and_again(made, random.Random(seed))
