"""Shares that wait on a target: made beforehand and closed, opened by a takeover, closed again after it, gone in the end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.domain import Lab
from tests.lab.hosts import LabHost
from tests.lab.identity_steps import UNDO, Said, step

ACL = "D:(A;;0x001f01ff;;;BA)(A;;0x001301bf;;;AU)"
KEPT = ("--undo", f"{UNDO}/test.kept-shares.json")


def share(name: str = "plans", path: str = "/srv/plans", **more: Any) -> dict[str, Any]:
    return {"name": name, "path": path, "comment": "of alpha", "options": {"read only": "no"}, "sddl": ACL, **more}


@pytest.fixture(params=["registry", "file"])
def beta(lab: Lab, request: pytest.FixtureRequest) -> Iterator[LabHost]:
    """A target whose shares are in the registry, or in a smb.conf that is a symbolic link."""
    host, conf = lab.host("beta"), "/etc/samba/smb.conf"
    before = host.path(conf).read_text()
    if request.param == "file":
        host.write("/etc/samba/versioned.conf", before.replace("registry shares = yes", "registry shares = no"))
        host.run(["ln", "-sf", "versioned.conf", conf])
    for name in ("plans", "more"):
        host.run(["install", "-d", "-m", "2770", "-g", "domain users", f"/srv/{name}"])
    listed = host.run(["testparm", "-s"]).stdout
    yield host
    assert host.run(["testparm", "-s"]).stdout == listed
    if request.param == "file":
        assert host.run(["readlink", conf]).stdout.strip() == "versioned.conf"
        host.run(["rm", conf, "/etc/samba/versioned.conf"])
        host.write(conf, before)
        host.run(["smbcontrol", "all", "reload-config"])


def keep(host: LabHost, deed: str, *shares: dict[str, Any]) -> Said:
    return step(host, "shares", deed, {"shares": shares}, *KEPT)


def asked(lab: Lab, words: str = "ls") -> str:
    """What a client of the domain gets from the share at beta."""
    smb = ["smbclient", "--use-kerberos=required", f"//beta.{lab.domain}/plans", "-c", words]
    done = lab.host("client").run(smb, env=lab.ticket("client", "writer"), check=False)
    return done.stdout + done.stderr


@pytest.mark.covers("FS-02", "FS-03")
def test_a_share_waits_closed_with_its_permissions_and_a_takeover_opens_it(lab: Lab, beta: LabHost) -> None:
    assert keep(beta, "keep", share()).states == {"plans": "kept"}
    assert "NT_STATUS_" in asked(lab)
    assert beta.run(["sharesec", "plans", "--viewsddl"]).stdout.count("0x001301bf") == 1
    assert keep(beta, "keep", share()).states == {"plans": "already"}
    document = {"shares": [share()]}
    assert step(beta, "shares", "take", document).states == {"plans": "taken"}
    assert "NT_STATUS" not in asked(lab, "put /etc/hostname by_client")
    assert keep(beta, "keep", share()).states == {"plans": "open"}
    assert "is open here" in str(keep(beta, "drop", share()).document["remarks"])
    assert "NT_STATUS" not in asked(lab)
    assert step(beta, "shares", "back", document).states == {"plans": "given-back"}
    assert "NT_STATUS_" in asked(lab)
    assert keep(beta, "drop", share()).states == {"plans": "dropped"}


@pytest.mark.covers("FS-02")
def test_what_changed_at_the_source_is_kept_anew(lab: Lab, beta: LabHost) -> None:
    keep(beta, "keep", share(), share("more", "/srv/more"))
    other = ACL.replace("0x001301bf", "0x001200a9")
    said = keep(beta, "keep", share(path="/srv/more", sddl=other))
    assert said.states == {"plans": "kept", "more": "dropped"}
    assert "0x001200a9" in beta.run(["sharesec", "plans", "--viewsddl"]).stdout
    assert "path = /srv/more" in beta.run(["testparm", "-s"]).stdout
    keep(beta, "drop")
