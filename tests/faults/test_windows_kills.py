"""A delivered script of a Windows server, cut off in the midst of it over the real wire: it is gone on with to the same end, and undone to where it began.

At the moment when it makes a share the power goes, the server starts anew, or every connection breaks. The points are drawn from a seed:
a few always, more for as long as TORTURE_MINUTES says.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

import pytest

from orchestrator.hosts.winrm import WinRmHost
from orchestrator.hosts.winrm_reach import winrm_host
from orchestrator.model.host import ScriptRun
from orchestrator.model.servers import Platform
from orchestrator.model.steps import Step
from orchestrator.scripting import render
from orchestrator.sdk import steps
from orchestrator.sdk.steps import AtTarget
from tests.conformance.pairs import laid_on, patiently
from tests.faults.fire import seeds
from tests.lab.windows.starting import WindowsHost, windows_host

SCRIPT = "post_failover"
SDDL = "O:BAG:BAD:(A;;FA;;;WD)"
DEEDS = ("die", "reboot", "cut")
ALWAYS = (("die", True), ("reboot", False), ("cut", True))
SHARES = [f"share{number}" for number in range(3)]


class Server:
    """One server that holds epoch 1 of a protection p, and the script that makes three shares there."""

    def __init__(self, served: WindowsHost, host: WinRmHost) -> None:
        self.served, self.host = served, host
        for name in SHARES:
            host.make_directory(f"C:\\Data\\{name}")
        host.put_protection({"id": "p", "role": "target", "epoch": 1, "services": []})
        host.act("p", "set_epoch", {"epoch": 1})
        host.deliver_script("p", SCRIPT, render(SCRIPT, "p", [putting()], "", Platform.WINDOWS).text)

    def run(self, run: str, *, undo: bool = False) -> ScriptRun:
        """Start the run, or go on with it, until it is at an end of any kind."""
        patiently(lambda: self.started(run, undo=undo), "the run is begun")
        found: list[ScriptRun] = []

        def ended() -> bool:
            told = self.host.script_run(run, SCRIPT)
            found[:] = [told] if told is not None and told.state != "running" else []
            return bool(found)

        patiently(ended, "the run is at an end")
        return found[0]

    def started(self, run: str, *, undo: bool) -> bool:
        self.host.run_script("p", SCRIPT, run, ["put-shares"], undo=undo, epoch=1)
        return True

    def strike(self, deed: str, nth: int, *, after: bool) -> None:
        """At the nth share something happens, once."""
        self.served.control.ask("at", command="New-SmbShare", deed=deed, after=after, times=nth)

    def up_again(self, deed: str) -> None:
        """It is up when this returns."""
        if deed == "die":
            self.served.gone()
            self.served.power_cut()
            self.served.boot()
        elif deed == "reboot":
            self.served.wait_ready()

    def struck(self) -> list[int]:
        """How many connections each cut has broken so far, of this start of the server."""
        found: list[int] = self.served.control.ask("dropped")
        return found

    def shares(self) -> list[str]:
        found = self.host.windows().shares
        return sorted(one.name for one in found if one.name in SHARES)


def putting() -> Step:
    plain = {"description": "", "folder_enumeration": "Unrestricted", "caching": "Manual", "user_limit": 0}
    shares = [{"name": name, "path": f"C:\\Data\\{name}", "sddl": SDDL, "encrypt": False, **plain} for name in SHARES]
    return steps.put_shares(AtTarget("beta", "p", SCRIPT, 1, "alpha"), {"shares": shares})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with windows_host(tmp_path_factory.mktemp("kills"), name="BETA") as served, ExitStack() as stack:
        yield Server(served, winrm_host(*laid_on(served, stack)))


def points() -> Iterator[tuple[int, str, bool, int]]:
    """Seed, deed, before or after, and at which share."""
    for seed, (deed, after) in enumerate(ALWAYS):
        yield seed, deed, after, 2
    for seed in seeds.fresh():
        drawn = random.Random(seed)
        yield seed, drawn.choice(DEEDS), drawn.random() < 0.5, drawn.randint(1, len(SHARES))


@pytest.mark.covers("AM-15")
def test_cut_off_in_the_midst_it_is_gone_on_with_and_undone_exactly(server: Server) -> None:
    for seed, deed, after, nth in points():
        said = f"seed {seed}: {deed} {'after' if after else 'before'} share {nth}"
        run, struck = f"run{seed}", len(server.struck())
        server.strike(deed, nth, after=after)
        patiently(partial(server.started, run, undo=False), said)
        server.up_again(deed)
        ended = server.run(run)
        if deed == "cut":
            cuts = server.struck()[struck:]
            assert (len(cuts), min(cuts, default=0) > 0) == (1, True), f"{said}: {cuts}"
        assert ended.state == "done", f"{said}: {ended}"
        assert server.shares() == SHARES, said
        undone = server.run(run, undo=True)
        assert undone.state == "done", f"{said}: {undone}"
        assert server.shares() == [], said
