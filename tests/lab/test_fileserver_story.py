"""The stories of a Samba file server: its client writes with a Kerberos ticket, alpha loses power, beta goes on under alpha's name.

Told three times: with a change of DNS signed by Kerberos, with one of BIND signed with a TSIG key, and with alpha's address taken
over. The administrator's commands are used before and after, and nothing of his is needed in between. A watcher sees throughout that
nothing ever has two owners.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from tests.lab.domain import Lab
from tests.lab.filestage import ID, INTERVAL_S, KEYTAB, LEASE_S, MISSED, STATE, FileStage
from tests.lab.hosts import LabHost
from tests.lab.leading_names import Names, by_kerberos, by_tsig, let_alpha_write
from tests.lab.waiting import until
from tests.lab.watching_story import watching

BESIDE = "10.53.0.11"
WINDOW_S = INTERVAL_S * MISSED
AT_MOST_S = WINDOW_S + 60
"""Until the client reads again, on a machine that has much else to do."""
Told = Callable[[str, dict[str, object]], None]


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[FileStage]:
    lab.reset()
    made = FileStage(lab, BESIDE)
    made.begin()
    yield made
    made.end()


@pytest.fixture
def told(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Told:
    """Says what was measured, on the screen and in the report."""

    def tell(what: str, figures: dict[str, object]) -> None:
        request.node.user_properties.extend((f"{what}: {name}", value) for name, value in figures.items())
        with capsys.disabled():
            sys.stdout.write(f"\n  {what}: {', '.join(f'{name} {value}' for name, value in figures.items())}\n")

    return tell


@contextmanager
def watched(stage: FileStage, address: str, told: Told) -> Iterator[None]:
    """Nothing has two owners from here to there, and in the end everything belongs to alpha."""
    with watching(stage.lab, lambda host: host is stage.alpha and stage.is_cut, address, stage.name) as seen:
        yield
    assert seen[0].twice == []
    assert ["BETA$"] in seen[0].owners
    assert seen[0].owners[-1] == ["ALPHA$"]
    told("service names without an owner, as seen", {"s": seen[0].without_s})


def acl(host: LabHost) -> str:
    """Everything about who may do what: of the share, of its directory and of a file."""
    files = host.run(["getfattr", "-d", "-m", r"security.NTACL|system.posix_acl", "/srv/docs/before.txt"]).stdout
    modes = host.run(["stat", "-c", "%a %U %G %n", "/srv/docs", "/srv/docs/before.txt"]).stdout
    return host.run(["sharesec", "docs", "--viewsddl"]).stdout + files + modes


def lose_alpha(stage: FileStage, told: Told) -> None:
    """The same client, the same name, single sign-on: it reads what it wrote, writes on, and may do what it might before."""
    stage.write("writer", "before.txt", "written on alpha")
    until("beta has it", lambda: stage.beta.path("/srv/docs/before.txt").exists())
    stage.settled()
    before = acl(stage.alpha)
    stage.alpha.power_cut()
    lost_s = time.time()
    until("the client reads again", lambda: not stage.smb("writer", "ls", check=False).returncode, 120)
    back_s = time.time() - lost_s
    assert stage.read("writer", "before.txt") == "written on alpha"
    stage.write("writer", "meanwhile.txt", "written on beta")
    until("the failover is done", lambda: stage.status()["stage"] == "failed_over")
    told("after the power cut, s", measured(stage, lost_s) | {"client back": round(back_s, 2)})
    assert back_s < AT_MOST_S
    assert acl(stage.beta) == before
    refused = stage.smb("reader", "del before.txt", check=False)
    assert "NT_STATUS_ACCESS_DENIED" in refused.stdout + refused.stderr
    assert stage.read("reader", "before.txt") == "written on alpha"


def measured(stage: FileStage, lost_s: float) -> dict[str, object]:
    """What the target remembers of its failover, in seconds."""
    (found,) = json.loads(stage.engine(stage.beta, "protections", "list", "--json"))
    runs = stage.beta.path(f"{STATE}/runs").glob(f"{found['run_id']}.post_failover.run")
    without = re.findall(r"without owner: ([0-9.]+) s", "".join(one.read_text() for one in runs))
    return {
        "window": WINDOW_S,
        "lease": LEASE_S,
        "detected": round(found["detected_ns"] / 1e9 - lost_s, 2),
        "failed over": round(found["finished_ns"] / 1e9 - lost_s, 2),
        "without service names": [float(one) for one in without],
    }


def return_alpha(stage: FileStage) -> None:
    """It boots with its wire cut, and stays fenced; then its wire is mended, and it still is."""
    stage.cut()
    stage.alpha.boot()
    until("alpha is fenced", lambda: "fenced" in stage.engine(stage.alpha, "protections", "list"))
    assert not serves(stage.alpha)
    stage.mend()
    until("alpha is back, and fenced", lambda: stage.status()["source"].get("fenced"))
    assert not serves(stage.alpha)
    assert stage.read("writer", "meanwhile.txt") == "written on beta"


def serves(host: LabHost) -> bool:
    return ":445 " in host.run(["ss", "-Hltn"]).stdout


def go_home(stage: FileStage) -> None:
    """Everything is alpha's again, with what was written meanwhile, and protected."""
    stage.dtam("failback", "--protection", "fileprint_alpha_beta", "--yes")
    assert stage.read("writer", "meanwhile.txt") == "written on beta"
    stage.write("writer", "after.txt", "written on alpha again")
    assert stage.alpha.path("/srv/docs/after.txt").read_text() == "written on alpha again"
    assert not serves(stage.beta)
    assert "docs" not in stage.beta.run(["net", "conf", "listshares"]).stdout
    status = stage.status()
    assert (status["condition"], status["stage"]) == ("healthy", "enabled")


@pytest.mark.slow
@pytest.mark.covers("FS-01", "AM-37")
def test_what_would_keep_beta_from_serving_is_found_first(stage: FileStage) -> None:
    hosts, keytab = stage.beta.path("/etc/hosts"), stage.beta.path(KEYTAB)
    before = hosts.read_text()
    (local,) = (line.split()[-1] for line in stage.alpha.run(["net", "getlocalsid"]).stdout.splitlines())
    stage.alpha.run(["net", "conf", "addshare", "old", "/srv/docs"])
    try:
        hosts.write_text(f"{before}{stage.alpha.address} {stage.alpha.fqdn} alpha\n")
        keytab.chmod(0o644)
        stage.alpha.run(["sharesec", "old", "--setsddl", f"D:(A;;0x1301bf;;;{local}-1000)"])
        with by_kerberos(stage) as names:
            said = stage.planned({"dns": names.dns})
    finally:
        hosts.write_text(before)
        keytab.chmod(0o600)
        stage.alpha.run(["sharesec", "old", "--delete"])
        stage.alpha.run(["net", "conf", "delshare", "old"])
    errors = [line for line in said.splitlines() if line.startswith("error")]
    assert any("/etc/hosts on beta leads alpha, alpha.lab.example" in line for line in errors)
    assert any("can be read by others than root" in line for line in errors)
    assert any(f"{local}-1000, known to alpha alone" in line for line in errors)
    assert stage.dtam("status", "--json").strip() == "[]"


@pytest.mark.slow
@pytest.mark.parametrize(
    "led",
    [
        pytest.param(
            by_kerberos, marks=pytest.mark.covers("FS-01", "FS-02", "FS-03", "ID-02", "ID-03", "AM-09", "DNS-02")
        ),
        pytest.param(by_tsig, marks=pytest.mark.covers("FS-03", "ID-03", "DNS-01", "DNS-02", "DNS-04", "DNS-09")),
    ],
)
def test_by_a_change_of_dns(
    stage: FileStage, led: Callable[[FileStage], AbstractContextManager[Names]], told: Told
) -> None:
    with led(stage) as names:
        if led is by_tsig:
            is_refused_while_alpha_may_write(stage, names)
        first = names.held()
        stage.protect({"dns": names.dns})
        protected = names.held()
        shows_what_it_would_do(stage)
        with watched(stage, "no address", told):
            lose_alpha(stage, told)
            assert stage.address() == stage.beta.address
            return_alpha(stage)
            cannot_take_its_record_back(stage, names)
            go_home(stage)
        assert stage.address() == stage.alpha.address
        assert names.held() == protected
        stage.dtam("disable", "--protection", "fileprint_alpha_beta", "--yes")
        assert names.held() == first


def is_refused_while_alpha_may_write(stage: FileStage, names: Names) -> None:
    """A key that alpha has must not be one that may write its name."""
    let_alpha_write(stage, too=True)
    said = stage.planned({"dns": names.dns})
    assert any("the key alpha-key" in line for line in said.splitlines() if line.startswith("error"))
    let_alpha_write(stage, too=False)


def shows_what_it_would_do(stage: FileStage) -> None:
    """The target's own script, by hand: it says what would come, and changes nothing."""
    script = f"{STATE}/protections/{ID}/scripts/post_failover"
    environment = {"DTENGINE_STATE": STATE}
    said = stage.beta.run(["bash", script, "--dry-run", "--run", "TRY"], env=environment).stdout
    assert "would-take  docs" in said
    assert stage.name in said
    assert f"A {stage.beta.address}" in said
    assert "docs" not in stage.beta.run(["net", "conf", "listshares"]).stdout
    assert stage.address() == stage.alpha.address


def cannot_take_its_record_back(stage: FileStage, names: Names) -> None:
    """Whatever alpha may sign with, its name goes on leading to beta."""
    for answer in names.refusals():
        assert "SERVFAIL" in answer or "REFUSED" in answer
    assert stage.address() == stage.beta.address


@pytest.mark.slow
@pytest.mark.covers("FS-02", "FS-03", "ID-01", "ID-02", "ID-03")
def test_by_taking_its_identity(stage: FileStage, told: Told) -> None:
    stage.protect({"type": "identity", "dns": {"servers": [stage.dc1.address]}})
    with watched(stage, stage.alpha.address, told):
        lose_alpha(stage, told)
        assert stage.address() == stage.alpha.address
        assert holds(stage.beta, stage.alpha.address)
        return_alpha(stage)
        assert not holds(stage.alpha, stage.alpha.address)
        stage.dtam("restore", "--protection", "fileprint_alpha_beta", "--yes")
        assert stage.read("writer", "meanwhile.txt") == "written on beta"
        go_home(stage)
    assert holds(stage.alpha, stage.alpha.address)
    assert not holds(stage.beta, stage.alpha.address)
    stage.dtam("disable", "--protection", "fileprint_alpha_beta", "--yes")


def holds(host: LabHost, address: str) -> bool:
    return f" {address}/" in host.run(["ip", "-4", "-o", "address"]).stdout
