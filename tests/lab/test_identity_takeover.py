"""The whole of it: alpha loses its power, beta's own script takes over who it was, and a client that knows only alpha goes on by Kerberos."""

from __future__ import annotations

import secrets

import pytest

from orchestrator.scripting import render
from orchestrator.sdk import steps
from tests.lab.domain import Lab
from tests.lab.hosts import LabHost
from tests.lab.identity_steps import spn_document
from tests.lab.test_identity_spns import accounts

SCRIPT = "/var/lib/dtam/test/post_failover"


def deliver(lab: Lab) -> None:
    """Beta's post_failover with the four steps, as an enable would leave it there."""
    at = steps.AtTarget("beta", "docs", "post_failover", 2, "alpha")
    share = {"name": "docs", "path": "/srv/docs", "comment": "of alpha", "options": {"read only": "no"}}
    plan = [
        steps.put_shares(at, {"shares": [{**share, "sddl": "D:(A;;FA;;;BA)(A;;0x1301bf;;;AU)"}]}),
        steps.take_names(at, {"netbios": ["ALPHA"], "dns": [f"alpha.{lab.domain}"]}),
        steps.take_addresses(
            at, {"addresses": [{"address": lab.host("alpha").address, "prefix": 24, "interface": "eth0"}]}
        ),
        steps.take_spns(at, spn_document(lab, await_s=0)),
    ]
    lab.host("beta").write(SCRIPT, render("post_failover", "docs", plan).text, 0o700)


def is_served(lab: Lab, name: str, words: str) -> str:
    """What a client that has nothing but a password and a name gets."""
    smb = ["smbclient", "--use-kerberos=required", "--option=name cache timeout=0", f"//{name}/docs", "-c", words]
    return lab.host("client").run(smb, env=lab.ticket("client", "writer")).stdout


def configuration(beta: LabHost) -> tuple[str, ...]:
    """Everything of beta that the takeover touches."""
    acl = beta.run(["sharesec", "docs", "--viewsddl"], check=False).stdout
    shown = (["cat", "/etc/samba/smb.conf"], ["net", "conf", "list"], ["ip", "-brief", "address"])
    return (*(beta.run(one).stdout for one in shown), acl)


@pytest.mark.covers("ID-01", "ID-02", "ID-03", "ENG-FO-04")
def test_a_kerberos_client_of_alpha_is_served_by_beta_and_by_alpha_again(lab: Lab) -> None:
    alpha, beta = lab.host("alpha"), lab.host("beta")
    for one in (["mkdir", "-p", "/srv/docs"], ["chgrp", "domain users", "/srv/docs"], ["chmod", "2770", "/srv/docs"]):
        beta.run(one)
    deliver(lab)
    before, held = configuration(beta), accounts(lab)
    assert beta.run([SCRIPT, "--dry-run"]).stdout.count("would-take") == 6
    assert configuration(beta) == before
    run = f"take{secrets.token_hex(4)}"
    alpha.power_cut()
    try:
        unsure = beta.run([SCRIPT, "--run", run], check=False)
        assert (unsure.returncode, configuration(beta)) == (77, before)
        assert "nothing was taken" in unsure.stderr
        beta.run([SCRIPT, "--force", "--run", run])
        for number, name in enumerate(("alpha", f"alpha.{lab.domain}")):
            is_served(lab, name, f"put /etc/hostname by_client{number}")
            assert beta.path(f"/srv/docs/by_client{number}").read_text() == "client\n"
    finally:
        beta.run([SCRIPT, "--run", run, "--undo"])
        alpha.boot()
    assert configuration(beta) == before
    assert accounts(lab) == held
    assert "NT_STATUS" not in is_served(lab, "alpha", "ls")
