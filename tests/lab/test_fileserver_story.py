"""The stories of a Samba file server: its client writes with a Kerberos ticket, alpha loses power, beta goes on under alpha's name.

Told twice, once with a change of DNS signed by Kerberos, once with alpha's address taken over. The administrator's commands are used
before and after, and nothing of his is needed in between. A watcher sees throughout that nothing ever has two owners.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.lab.domain import Lab
from tests.lab.filestage import ID, KEYTAB, STATE, FileStage
from tests.lab.hosts import LabHost
from tests.lab.waiting import until
from tests.lab.watching_story import Watcher

BESIDE = "10.53.0.11"
TAKEN_BACK = "server {dc}\nupdate delete {name} A\nupdate add {name} 3600 A {address}\nsend\n"


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[FileStage]:
    lab.reset()
    made = FileStage(lab, BESIDE)
    made.begin()
    yield made
    made.end()


@contextmanager
def watched(stage: FileStage, address: str) -> Iterator[None]:
    """Nothing has two owners from here to there, and in the end everything belongs to alpha."""
    watcher = Watcher(stage.lab, lambda host: host is stage.alpha and stage.is_cut, address)
    watcher.start("ALPHA", stage.alpha.fqdn)
    failed = True
    try:
        yield
        failed = False
    finally:
        twice, owners = watcher.stop()
        if not failed:
            assert twice == []
            assert ["BETA$"] in owners
            assert owners[-1] == ["ALPHA$"]


def acl(host: LabHost) -> str:
    """Everything about who may do what: of the share, of its directory and of a file."""
    files = host.run(["getfattr", "-d", "-m", r"security.NTACL|system.posix_acl", "/srv/docs/before.txt"]).stdout
    modes = host.run(["stat", "-c", "%a %U %G %n", "/srv/docs", "/srv/docs/before.txt"]).stdout
    return host.run(["sharesec", "docs", "--viewsddl"]).stdout + files + modes


def lose_alpha(stage: FileStage) -> None:
    """The same client, the same name, single sign-on: it reads what it wrote, writes on, and may do what it might before."""
    stage.write("writer", "before.txt", "written on alpha")
    until("beta has it", lambda: stage.beta.path("/srv/docs/before.txt").exists())
    stage.settled()
    before = acl(stage.alpha)
    stage.alpha.power_cut()
    until("the client reads again", lambda: not stage.smb("writer", "ls", check=False).returncode, 120)
    assert stage.read("writer", "before.txt") == "written on alpha"
    stage.write("writer", "meanwhile.txt", "written on beta")
    until("the failover is done", lambda: stage.status()["stage"] == "failed_over")
    assert acl(stage.beta) == before
    refused = stage.smb("reader", "del before.txt", check=False)
    assert "NT_STATUS_ACCESS_DENIED" in refused.stdout + refused.stderr
    assert stage.read("reader", "before.txt") == "written on alpha"


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


def by_dns(stage: FileStage) -> dict[str, Any]:
    """Records of alpha lead to beta; the directory that holds them is told with Kerberos."""
    return {
        "dns": {
            "servers": [stage.dc1.address],
            "security": "kerberos",
            "addresses": [{"source": stage.alpha.address, "target": stage.beta.address}],
            "zones": [stage.lab.domain, stage.lab.reverse_zones[0]],
            "ttl_s": 30,
        }
    }


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
        said = stage.planned(by_dns(stage))
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
@pytest.mark.covers("FS-01", "FS-02", "FS-03", "ID-02", "ID-03", "AM-09")
def test_by_a_change_of_dns(stage: FileStage) -> None:
    stage.protect(by_dns(stage))
    shows_what_it_would_do(stage)
    with watched(stage, "no address"):
        lose_alpha(stage)
        assert stage.address() == stage.beta.address
        return_alpha(stage)
        cannot_take_its_record_back(stage)
        go_home(stage)
    assert stage.address() == stage.alpha.address
    stage.dtam("disable", "--protection", "fileprint_alpha_beta", "--yes")


def shows_what_it_would_do(stage: FileStage) -> None:
    """The target's own script, by hand: it says what would come, and changes nothing."""
    script = f"{STATE}/protections/{ID}/scripts/post_failover"
    environment = {"DTENGINE_STATE": STATE}
    said = stage.beta.run(["bash", script, "--dry-run", "--run", "TRY"], env=environment).stdout
    assert "would-take  docs" in said
    assert f"{stage.alpha.fqdn}" in said
    assert f"A {stage.beta.address}" in said
    assert "docs" not in stage.beta.run(["net", "conf", "listshares"]).stdout
    assert stage.address() == stage.alpha.address


def cannot_take_its_record_back(stage: FileStage) -> None:
    """alpha's own account wrote that record once and owns it; now the directory refuses it."""
    cache = {"KRB5CCNAME": "FILE:/run/returned.cc"}
    stage.alpha.run(["kinit", "-k", f"ALPHA$@{stage.lab.realm}"], env=cache)
    text = TAKEN_BACK.format(dc=stage.dc1.address, name=stage.alpha.fqdn, address=stage.alpha.address)
    refused = stage.alpha.run(["nsupdate", "-g"], input=text, env=cache, check=False)
    assert "SERVFAIL" in refused.stderr
    assert stage.address() == stage.beta.address


@pytest.mark.slow
@pytest.mark.covers("FS-02", "FS-03", "ID-01", "ID-02", "ID-03")
def test_by_taking_its_identity(stage: FileStage) -> None:
    stage.protect({"type": "identity", "dns": {"servers": [stage.dc1.address]}})
    with watched(stage, stage.alpha.address):
        lose_alpha(stage)
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
