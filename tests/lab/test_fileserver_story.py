"""The stories of a Samba file server: its client writes with a Kerberos ticket, alpha loses power, beta goes on under alpha's name.

Told three times: with a change of DNS signed by Kerberos, with one of BIND signed with a TSIG key, and with alpha's address taken
over. The administrator's commands are used before and after, and nothing of his is needed in between. Two of them are told again with an
alpha that is only cut off, while the executor of the failover is killed in its midst. A watcher sees throughout that nothing ever has
two owners.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import pytest

from tests.lab.conftest import Told
from tests.lab.fileclients import PatientClient
from tests.lab.filestage import ID, KEYTAB, FileStage
from tests.lab.hosts import LabHost
from tests.lab.killing import STEPS, Killer, drawn
from tests.lab.leading_names import Names, by_address, by_kerberos, by_tsig, let_alpha_write
from tests.lab.pairstage import INTERVAL_S, MISSED, STATE
from tests.lab.parts import parts
from tests.lab.waiting import until
from tests.lab.watching_story import watching

NOWHERE = "no address"
SHOWN_S = 0.02
WINDOW_S = INTERVAL_S * MISSED
AT_MOST_S = WINDOW_S + 60
"""Until the client reads again, on a machine that has much else to do."""


@contextmanager
def watched(protected: Protected, told: Told) -> Iterator[None]:
    """Nothing has two owners from here to there, and in the end everything belongs to alpha."""
    stage = protected.stage
    with watching(stage.lab, lambda host: host is stage.alpha and stage.is_cut, protected.address, stage.name) as seen:
        yield
    assert seen[0].looks > 20
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
    client = PatientClient(stage)
    until("the client reads again", client.reads, 120)
    back_s = time.time() - lost_s
    client.stop()
    assert stage.read("writer", "before.txt") == "written on alpha"
    stage.write("writer", "meanwhile.txt", "written on beta")
    until("the failover is done", lambda: stage.status()["stage"] == "failed_over")
    told("after the power cut, s", stage.measured(lost_s) | {"client back": round(back_s, 2)})
    told("its parts", parts_of(stage, lost_s))
    in_history(stage)
    assert back_s < AT_MOST_S
    assert acl(stage.beta) == before
    refused = stage.smb("reader", "del before.txt", check=False)
    assert "NT_STATUS_ACCESS_DENIED" in refused.stdout + refused.stderr
    assert stage.read("reader", "before.txt") == "written on alpha"


def in_history(stage: FileStage) -> None:
    """What nobody asked for stands in the history as if somebody had: each step, the moment without service names, the time it took."""
    newest = json.loads(stage.dtam("history", "--protection", ID, "--json"))[0]
    assert newest["by"] == "beta by itself"
    assert newest["measured"]["rto_s"] > 0
    (spns,) = [one for one in newest["steps"] if one["step"] == "take-spns"]
    assert re.search(r"without owner: [0-9.]+ s", spns["says"])
    assert "without owner" in stage.dtam("history", newest["run"])


def parts_of(stage: FileStage, lost_s: float) -> dict[str, object]:
    """Until when each part of the target's failover lasted, and how long it took itself."""
    (found,) = json.loads(stage.engine(stage.beta, "protections", "list", "--json"))
    each = parts(stage.beta.path(STATE), ID, found["run_id"], lost_s)
    return {f"\n    {one}": "" for one in each if one.ended_s - one.began_s >= SHOWN_S}


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


def registered(host: LabHost) -> int:
    """How often its engine registered the moved names again; it never failed to."""
    events = host.path(f"{STATE}/events.jsonl").read_text()
    assert "could not be registered again" not in events
    return events.count("the moved names were registered again")


def is_waiting(host: LabHost) -> bool:
    """The share is there with its permissions, and closed."""
    return "available = no" in host.run(["net", "conf", "showshare", "docs"]).stdout


def serves(host: LabHost) -> bool:
    return ":445 " in host.run(["ss", "-Hltn"]).stdout


def go_home(stage: FileStage) -> None:
    """Everything is alpha's again, with what was written meanwhile, and protected."""
    stage.dtam("failback", "--protection", ID, "--yes")
    assert stage.read("writer", "meanwhile.txt") == "written on beta"
    stage.write("writer", "after.txt", "written on alpha again")
    assert stage.alpha.path("/srv/docs/after.txt").read_text() == "written on alpha again"
    assert not serves(stage.beta)
    assert is_waiting(stage.beta)
    status = stage.status()
    assert (status["condition"], status["stage"]) == ("healthy", "enabled")


@dataclass(frozen=True)
class Protected:
    """A stage that is protected: how its clients are led, and alpha's address where it is taken over."""

    stage: FileStage
    names: Names
    address: str
    held: list[str]


@pytest.fixture(scope="module")
def protected(stage: FileStage, request: pytest.FixtureRequest) -> Iterator[Protected]:
    """Protected in the way that is the parameter; in the end it is not, and DNS is as it was."""
    led: Callable[[FileStage], AbstractContextManager[Names]] = request.param
    with led(stage) as names:
        first = names.held()
        stage.protect(names.failover)
        yield Protected(stage, names, stage.alpha.address if led is by_address else NOWHERE, names.held())
        stage.dtam("disable", "--protection", ID, "--yes")
        assert names.held() == first
        assert "docs" not in stage.beta.run(["net", "conf", "listshares"]).stdout


@pytest.mark.slow
@pytest.mark.covers("FS-01", "AM-37")
def test_what_would_keep_beta_from_serving_is_found_first(stage: FileStage) -> None:
    hosts, keytab = stage.beta.path("/etc/hosts"), stage.beta.path(KEYTAB)
    before = hosts.read_text()
    (local,) = (line.split()[-1] for line in stage.alpha.run(["net", "getlocalsid"]).stdout.splitlines())
    stage.alpha.run(["net", "conf", "addshare", "old", "/srv/docs"])
    try:
        with by_tsig(stage) as names:
            let_alpha_write(stage, too=True)
            hosts.write_text(f"{before}{stage.alpha.address} {stage.name} alpha\n")
            keytab.chmod(0o644)
            stage.alpha.run(["sharesec", "old", "--setsddl", f"D:(A;;0x1301bf;;;{local}-1000)"])
            said = stage.planned(names.failover)
    finally:
        hosts.write_text(before)
        keytab.chmod(0o600)
        stage.alpha.run(["sharesec", "old", "--delete"])
        stage.alpha.run(["net", "conf", "delshare", "old"])
    errors = [line for line in said.splitlines() if line.startswith("error")]
    assert any("/etc/hosts on beta leads alpha, alpha.branch.example" in line for line in errors)
    assert any("can be read by others than root" in line for line in errors)
    assert any(f"{local}-1000, known to alpha alone" in line for line in errors)
    assert any("the key alpha-key" in line for line in errors)
    assert stage.dtam("status", "--json").strip() == "[]"


@pytest.mark.slow
@pytest.mark.covers("DNS-07")
def test_servers_of_names_are_listed_by_whose_they_are(stage: FileStage) -> None:
    """alpha asks dc1, beta a second one as well, a third is added by hand; the clients' one is chosen."""
    conf, ns2, third = stage.beta.path("/etc/resolv.conf"), stage.lab.host("ns2").address, stage.admin.address
    before, dc1 = conf.read_text(), stage.dc1.address
    conf.write_text(f"{before}nameserver {ns2}\n")
    try:
        proposed = stage.configured({})["settings"]["failover"]["dns"]["servers"]
        chosen = {"servers": [dc1, third], "client_server": dc1}
        stage.configured({"dns": chosen})
        found = json.loads(stage.dtam("discover", "--protection", ID, "--json"))["name_servers"]
    finally:
        conf.write_text(before)
    assert proposed == [dc1, ns2]
    assert {one["address"]: (one["of"], one["used"], one["first"]) for one in found} == {
        dc1: ("both", True, True), ns2: ("target", False, False), third: ("added", True, False),
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    "protected",
    [
        pytest.param(
            by_kerberos,
            marks=pytest.mark.covers("FS-01", "FS-02", "FS-03", "ID-02", "ID-03", "AM-09", "AM-11", "AM-36"),
        ),
        pytest.param(by_tsig, marks=pytest.mark.covers("FS-03", "ID-03", "DNS-02", "DNS-09")),
        pytest.param(by_address, marks=pytest.mark.covers("FS-02", "FS-03", "ID-01", "ID-02", "ID-03")),
    ],
    indirect=True,
)
def test_its_clients_go_on(protected: Protected, told: Told) -> None:
    stage, takes_address = protected.stage, protected.address != NOWHERE
    serving = stage.alpha.address if takes_address else stage.beta.address
    before = registered(stage.beta)
    shows_what_it_would_do(protected)
    mends_what_drifted(stage)
    if takes_address:
        follows_what_changes(stage)
    with watched(protected, told):
        lose_alpha(stage, told)
        assert not takes_address or "before.txt" in stage.smb("writer", "ls", share="plans").stdout
        assert stage.address() == serving
        assert holds(stage.beta, stage.alpha.address) == takes_address
        return_alpha(stage)
        assert holds(stage.alpha, stage.alpha.address) != takes_address
        cannot_take_its_record_back(protected)
        if takes_address:
            stage.dtam("restore", "--protection", ID, "--yes")
            assert stage.read("writer", "meanwhile.txt") == "written on beta"
        else:
            until("beta registers the names again", lambda: registered(stage.beta) > before)
        go_home(stage)
    if takes_address:
        follows_what_goes(stage)
    is_home(protected)


@pytest.mark.slow
@pytest.mark.parametrize(
    "protected",
    [
        pytest.param(by_kerberos, marks=pytest.mark.covers("ID-02")),
        pytest.param(by_address, marks=pytest.mark.covers("ID-01", "ID-02", "ENG-FO-04")),
    ],
    indirect=True,
)
def test_never_two_although_the_executor_is_killed(protected: Protected, told: Told) -> None:
    """alpha is not lost but cut off: it lives on, fences itself, and comes back while beta is still at work."""
    stage, kind = protected.stage, "dns" if protected.address == NOWHERE else "identity"
    for seed in drawn(kind):
        stage.write("writer", "kept.txt", f"written on alpha {seed}")
        stage.settled()
        with watched(protected, told):
            killed = fail_over(stage, Killer(stage, seed, STEPS[kind]))
            told(f"seed {seed}, killed", {"": "; ".join(killed)})
            assert stage.read("writer", "kept.txt") == f"written on alpha {seed}"
            stage.write("writer", "meanwhile.txt", "written on beta")
            go_home(stage)
        is_home(protected)


def fail_over(stage: FileStage, killer: Killer) -> list[str]:
    """alpha is heard again as soon as beta was killed once. What was killed, when the failover has ended by itself."""
    stage.cut()
    killed = []
    for one in killer.kill_all():
        killed.append(one)
        if stage.is_cut:
            stage.mend()
    until("the failover is done", lambda: stage.status()["stage"] == "failed_over", 180)
    return killed


def is_home(protected: Protected) -> None:
    """alpha alone has what is alpha's, and DNS is as it was while alpha served."""
    stage = protected.stage
    assert stage.address() == stage.alpha.address
    assert protected.names.held() == protected.held
    assert holds(stage.alpha, stage.alpha.address)
    assert not holds(stage.beta, stage.alpha.address)


def shows_what_it_would_do(protected: Protected) -> None:
    """The target's own script, by hand: it says what would come, and changes nothing."""
    stage, script = protected.stage, f"{STATE}/protections/{ID}/scripts/post_failover"
    environment = {"DTENGINE_STATE": STATE}
    before = stage.beta.run(["net", "conf", "list"]).stdout
    said = stage.beta.run(["bash", script, "--dry-run", "--run", "TRY"], env=environment).stdout
    assert "would-take  docs" in said
    assert stage.name in said
    assert protected.address != NOWHERE or f"A {stage.beta.address}" in said
    assert stage.beta.run(["net", "conf", "list"]).stdout == before
    assert stage.address() == stage.alpha.address


def mends_what_drifted(stage: FileStage) -> None:
    """Somebody led the waiting share elsewhere and let everybody read the target's key."""
    stage.beta.run(["net", "conf", "setparm", "docs", "path", "/srv"])
    stage.beta.path(KEYTAB).chmod(0o644)
    stage.dtam("--fileprint", "validate", "--protection", ID, "--fix", "--yes")
    assert "path = /srv/docs" in stage.beta.run(["net", "conf", "showshare", "docs"]).stdout
    assert is_waiting(stage.beta)
    assert stage.beta.path(KEYTAB).stat().st_mode & 0o777 == 0o600


def follows_what_changes(stage: FileStage) -> None:
    """A share that alpha has since yesterday, and words of another, wait on beta, too; no administrator had a part in it."""
    acl = stage.alpha.run(["sharesec", "docs", "--viewsddl"]).stdout.strip()
    stage.alpha.run(["net", "conf", "addshare", "plans", "/srv/docs", "writeable=y"])
    stage.alpha.run(["sharesec", "plans", "--setsddl", acl])
    stage.alpha.run(["net", "conf", "setparm", "docs", "comment", "read by all"])
    stage.engine(stage.beta, "protections", "act", ID, "renew_shares")
    assert "plans new; docs changed" in stage.engine(stage.beta, "events")
    assert "available = no" in stage.beta.run(["net", "conf", "showshare", "plans"]).stdout
    assert "read by all" in stage.beta.run(["net", "conf", "showshare", "docs"]).stdout
    assert is_waiting(stage.beta)
    stage.dtam("--fileprint", "validate", "--protection", ID)


def follows_what_goes(stage: FileStage) -> None:
    """A share that alpha has no more waits no more."""
    stage.alpha.run(["sharesec", "plans", "--delete"])
    stage.alpha.run(["net", "conf", "delshare", "plans"])
    stage.engine(stage.beta, "protections", "act", ID, "renew_shares")
    assert "plans" not in stage.beta.run(["net", "conf", "listshares"]).stdout
    assert is_waiting(stage.beta)


def cannot_take_its_record_back(protected: Protected) -> None:
    """Whatever alpha may sign with, its name goes on leading to beta."""
    before = protected.stage.address()
    for answer in protected.names.refusals():
        assert "SERVFAIL" in answer or "REFUSED" in answer
    assert protected.stage.address() == before


def holds(host: LabHost, address: str) -> bool:
    return f" {address}/" in host.run(["ip", "-4", "-o", "address"]).stdout
