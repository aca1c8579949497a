"""Kills the executor of a failover, beta's engine, in the midst of it, and with it the script that it runs; then starts the engine again.

Where is drawn from a seed: one of the executor's own deeds and one of the script's, a moment after it began. A watcher that runs beside must see nothing
with two owners, and the failover must end by itself.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

from tests.faults.fire import seeds
from tests.lab.filestage import ID, FileStage
from tests.lab.pairstage import STATE, start_engine
from tests.lab.waiting import until

PHASES = ("grant", "refuse_source", "settle", "promote", "mount")
STEPS = {
    "dns": ("put-shares", "take-names", "start-smbd-target", "take-spns", "names-to-target", "clients-served"),
    "identity": ("put-shares", "take-names", "start-smbd-target", "take-spns", "take-addresses", "clients-served"),
}
LATEST_S = 0.8
FIXED = {"dns": 6, "identity": 1}
"""The first: at promote and take-spns, children and all. The other: at settle and take-addresses, whose command goes on."""
KILL = """
pkill -9 -f '[d]tengine run'
for one in {state}/runs/*.post_failover.process; do
  read -r leader rest <"$one" || continue
  grep -qs post_failover "/proc/$leader/cmdline" && {kill}
done
true
"""
SCRIPT_ALONE, WITH_CHILDREN = "pkill -9 -s $leader -f post_failover", "pkill -9 -s $leader"
"""A script that is killed alone leaves what it has just started at work."""


def drawn(kind: str) -> Iterator[int]:
    """The seeds to play: a fixed one for each kind, and new ones for as long as TORTURE_MINUTES says."""
    yield FIXED[kind]
    yield from seeds.seeds_of(f"fileserver-{kind}")[len(seeds.ALWAYS) :]
    yield from seeds.fresh()


class Killer:
    """Kills drawn from one seed, in one failover of beta."""

    def __init__(self, stage: FileStage, seed: int, steps: tuple[str, ...]) -> None:
        self._beta = stage.beta
        self._random = random.Random(f"{steps} {seed}")
        self._points = (self._random.choice(PHASES), self._random.choice(steps))
        self._journal_was = len(self._journal())
        self._runs_were = set(self._runs())

    def kill_all(self) -> Iterator[str]:
        """Kill at one point after the other; gives what was killed when the engine runs again."""
        for name in self._points:
            until(f"{name} begins", lambda name=name: self._has_begun(name), 120, 0.01)
            time.sleep(wait_s := self._random.uniform(0, LATEST_S))
            whole = self._random.random() < 0.5
            kill = WITH_CHILDREN if whole else SCRIPT_ALONE
            self._beta.run(["sh", "-c", KILL.format(state=STATE, kill=kill)])
            start_engine(self._beta)
            yield f"{wait_s:.2f} s after {name} began{', with its children' if whole else ''}"

    def _has_begun(self, name: str) -> bool:
        """Begun, or done already: a failover does not wait for who watches it."""
        if name in PHASES:
            said = self._journal()[self._journal_was :]
            return any('"about_to"' in line and f'"phase":"{name}"' in line for line in said.splitlines())
        runs = set(self._runs()) - self._runs_were
        return any(f'"step": "{name}"' in self._beta.path(run).read_text() for run in runs)

    def _journal(self) -> str:
        path = self._beta.path(f"{STATE}/protections/{ID}/failover.journal")
        return path.read_text(errors="replace") if path.exists() else ""

    def _runs(self) -> list[str]:
        folder = self._beta.path(f"{STATE}/runs")
        return [f"{STATE}/runs/{one.name}" for one in folder.glob("*.post_failover.run")]
