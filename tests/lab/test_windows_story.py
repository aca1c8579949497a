"""The stories of a Windows file server: its client writes with a Kerberos ticket, winalpha loses power, winbeta goes on under winalpha's name.

Told twice: `dtam serve` fails over by itself when the source's lease has run out; and a person asks it to, and it is killed in the midst. The
servers are simulations; what their clients, the domain, DNS and dtam do is real. A watcher sees throughout that nothing ever has two owners.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.lab.conftest import Told
from tests.lab.domain import Lab
from tests.lab.fileclients import PatientClient
from tests.lab.waiting import until
from tests.lab.watching_story import watched
from tests.lab.windowspairstage import FILE, GRACE_S, HOME, LEASE_S
from tests.lab.windowstage import ID, WindowsStage, sddl

LONG_S = 180.0


@dataclass(frozen=True)
class Found:
    """What validation said of two servers as they are installed, one of them with another option, and how it was mended."""

    stage: WindowsStage
    said: str
    then: str


@pytest.fixture(scope="module")
def found(lab: Lab) -> Iterator[Found]:
    """Both servers are known; what `dtam rights` prints is done, and what can be mended is mended."""
    stage = WindowsStage(lab)
    stage.begin()
    stage.dtam("--fileprint", "configure", "--file", FILE)
    stage.beta.control.ask("machine", call="shares.configure", named={"RequireSecuritySignature": True})
    said = stage.dtam("--fileprint", "validate", "--protection", ID, code=1)
    stage.permit()
    stage.dtam("--fileprint", "validate", "--protection", ID, "--fix", "--yes")
    yield Found(stage, said, stage.dtam("--fileprint", "validate", "--protection", ID))
    stage.end()


@pytest.fixture(scope="module")
def stage(found: Found) -> WindowsStage:
    """Protected, and watched by `dtam serve`."""
    begun = found.stage
    begun.dtam("--fileprint", "setup", "--file", FILE, "--yes")
    begun.serve()
    until("the source has a lease that ends", lambda: begun.said(f"winalpha has a lease of {LEASE_S:g} s"))
    return begun


@contextmanager
def alone(stage: WindowsStage, told: Told) -> Iterator[None]:
    """Nothing has two owners from here to there, and in the end everything belongs to winalpha."""
    with watched(stage.lab, stage.owners, "WINALPHA", stage.name) as seen:
        yield
    assert seen[0].looks > 20
    assert seen[0].twice == []
    assert ["WINBETA$"] in seen[0].owners
    assert seen[0].owners[-1] == ["WINALPHA$"]
    told("service names without an owner, as seen", {"s": seen[0].without_s})


def lose_alpha(stage: WindowsStage, meanwhile: Callable[[], None], told: Told) -> None:
    """The same client, the same name, single sign-on: it reads what it wrote, writes on, and may do what it might before."""
    stage.write("writer", "before.txt", "written on winalpha")
    until("winbeta has it", lambda: stage.arrived("before.txt"))
    before = sddl(stage.alpha)
    stage.alpha.host.power_cut()
    lost_s = time.time()
    client = PatientClient(stage)
    meanwhile()
    until("the client reads again", client.reads, LONG_S)
    back_s = time.time() - lost_s
    client.stop()
    until("the failover is done", lambda: stage.status()["stage"] == "failed_over", LONG_S)
    told("after the power cut, s", measured(stage, lost_s) | {"client back": round(back_s, 1)})
    assert sddl(stage.beta) == before
    assert stage.read("writer", "before.txt") == "written on winalpha"
    stage.write("writer", "meanwhile.txt", "written on winbeta")
    refused = stage.smb("reader", "del before.txt", check=False)
    assert "NT_STATUS_ACCESS_DENIED" in refused.stdout + refused.stderr
    assert stage.read("reader", "before.txt") == "written on winalpha"


def measured(stage: WindowsStage, lost_s: float) -> dict[str, object]:
    """What the history keeps of the newest run, and when `dtam serve` noticed, in seconds after the loss."""
    run = json.loads(stage.dtam("history", "--protection", ID, "--json"))[0]
    assert run["measured"]["rto_s"] > 0
    steps = {one["step"] for one in run["steps"]}
    assert {"grant", "promote", "put-shares", "take-names", "take-spns", "names-to-target", "clients-served"} <= steps
    noticed = stage.said("failover waits") or stage.said("grant: about-to")
    found = {"lease and grace": LEASE_S + GRACE_S, "rto": round(run["measured"]["rto_s"], 1)}
    return found | ({"detected": round(noticed - lost_s, 1)} if noticed else {})


def return_alpha(stage: WindowsStage) -> None:
    """It boots, is fenced, and offers nothing."""
    stage.alpha.host.boot()
    until("winalpha is back, and fenced", lambda: stage.status()["source"].get("fenced"))
    assert not stage.serves(stage.alpha)
    assert stage.read("writer", "meanwhile.txt") == "written on winbeta"


def go_home(stage: WindowsStage) -> None:
    """Everything is winalpha's again, with what was written meanwhile, and protected."""
    stage.dtam("failback", "--protection", ID, "--yes")
    assert stage.read("writer", "meanwhile.txt") == "written on winbeta"
    stage.write("writer", "after.txt", "written on winalpha again")
    until("winbeta has it", lambda: stage.arrived("after.txt"))
    assert not stage.serves(stage.beta)
    status = stage.status()
    assert (status["condition"], status["stage"]) == ("healthy", "enabled")
    assert stage.alpha.control.ask("failures") == stage.beta.control.ask("failures") == []


@pytest.mark.slow
@pytest.mark.covers("AM-11", "AM-36")
def test_what_would_keep_winbeta_from_serving_is_found_and_mended(found: Found) -> None:
    assert "does not know this machine yet" in found.said
    assert "winbeta checks names strictly" in found.said
    assert "RequireSecuritySignature is False there and True here" in found.said
    assert "0 errors" in found.then
    options = found.stage.beta.control.ask("machine", call="shares.configuration")
    assert options["RequireSecuritySignature"] is options["EnableStrictNameChecking"] is False


@pytest.mark.slow
@pytest.mark.covers("FS-01", "FS-02", "ID-02", "ID-03", "AM-15", "AM-27", "AM-30")
def test_its_clients_go_on(stage: WindowsStage, told: Told) -> None:
    with alone(stage, told):
        lose_alpha(stage, lambda: None, told)
        return_alpha(stage)
        stage.dtam("restore", "--protection", ID, "--yes")
        assert stage.read("writer", "meanwhile.txt") == "written on winbeta"
        go_home(stage)
    kinds = [one["kind"] for one in json.loads(stage.dtam("history", "--protection", ID, "--json"))]
    assert kinds[:3] == ["failback", "restore", "failover"]


@pytest.mark.slow
@pytest.mark.covers("AM-15", "AM-27", "ID-02")
def test_by_hand_and_serve_is_killed_in_the_midst(stage: WindowsStage, told: Told) -> None:
    def asked_for() -> None:
        words = ["dtam", "failover", "--protection", ID, "--force"]
        quiet = subprocess.DEVNULL
        asks = stage.admin.popen(words, env={"DTAM_HOME": HOME}, stdin=quiet, stdout=quiet, stderr=quiet)
        until("shares are put", lambda: stage.said("put-shares: about-to"), LONG_S)
        stage.kill_serve()
        assert asks.wait(LONG_S) != 0
        assert not stage.serves(stage.alpha)
        stage.serve()

    with alone(stage, told):
        stage.stop_serving()
        stage.serve()
        lose_alpha(stage, asked_for, told)
        return_alpha(stage)
        go_home(stage)
