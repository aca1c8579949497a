"""Samba's own tools are asked what is shared: registry, users and smb.conf, each with its access list. Real Samba, private directories."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.engine.control import sharefacts
from orchestrator.engine.control.answers import SambaFacts
from orchestrator.engine.control.hostnaming import hosts_entries

USERSHARE = "#VERSION 2\npath={path}\ncomment=of a user\nusershare_acl=S-1-1-0:R,S-1-5-21-1-2-3-1104:F,\nguest_ok=y\nsharename=Mine\n"
CONF = """[global]
 workgroup = LAB
 netbios name = ALPHA
 state directory = {base}/state
 private dir = {base}/private
 lock directory = {base}/lock
 cache directory = {base}/cache
 pid directory = {base}/run
 registry shares = yes
 usershare path = {base}/usershares
 usershare max shares = 10
[docs]
 path = {base}/srv/docs
 read only = no
 comment = letters = and more
[netlogon]
 path = /tmp
[C$]
 path = /
[printers]
 printable = yes
 path = /tmp
"""


@pytest.fixture
def conf(tmp_path: Path, needs: Callable[..., None]) -> Path:
    needs("samba")
    for name in ("state", "private", "lock", "cache", "run", "usershares", "srv/docs"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "usershares/mine").write_text(USERSHARE.format(path=tmp_path / "srv"))
    written = tmp_path / "smb.conf"
    written.write_text(CONF.format(base=tmp_path))
    tool(
        written, "net", "conf", "addshare", "reg", str(tmp_path / "srv"), "writeable=y", "guest_ok=n", "of the registry"
    )
    tool(written, "net", "conf", "setparm", "reg", "vfs objects", "acl_xattr")
    return written


def tool(conf: Path, name: str, *words: str) -> None:
    subprocess.run([name, "-s", str(conf), *words], check=True, capture_output=True)


@pytest.mark.covers("FS-01", "FS-03")
def test_shares_of_all_three_kinds_with_their_permissions(conf: Path) -> None:
    tool(conf, "sharesec", "docs", "--setsddl", "D:(A;;GA;;;BA)(A;;0x1301bf;;;S-1-5-21-1-2-3-513)(D;;FR;;;S-1-1-0)")
    found = sharefacts.gather(conf)
    ours = {one.name: one for one in found.shares if not one.administrative}
    assert {name: one.origin for name, one in ours.items()} == {
        "docs": "smb.conf", "reg": "registry", "Mine": "usershare",
    }  # fmt: skip
    assert ours["docs"].path == str(conf.parent / "srv/docs")
    assert ours["docs"].comment == "letters = and more"
    assert ours["reg"].options["vfs objects"] == "acl_xattr"
    assert "(A;;0x001301bf;;;S-1-5-21-1-2-3-513)" in ours["docs"].sddl
    assert "(D;;0x00120089;;;WD)" in ours["docs"].sddl
    assert ours["Mine"].sddl == "D:(A;;0x001200a9;;;S-1-1-0)(A;;0x001f01ff;;;S-1-5-21-1-2-3-1104)"
    assert ours["Mine"].options["guest ok"] == "yes"
    assert found.problems == []


@pytest.mark.covers("FS-01")
@pytest.mark.parametrize("acl", ["S-1-1-0", "Everyone:F", "S-1-1-0:R,S-1-5-21-1-2-3-1104:X", "F"])
def test_permissions_that_cannot_be_read_are_never_everyones(conf: Path, acl: str) -> None:
    path = conf.parent / "usershares/mine"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(f"usershare_acl={acl}" if one.startswith("usershare_acl") else one for one in lines))
    (mine,) = (one for one in sharefacts.gather(conf).shares if one.name == "Mine")
    assert (mine.sddl, bool(mine.acl_problem)) == ("", True)


@pytest.mark.covers("FS-01")
def test_what_belongs_to_the_machine_or_the_domain_is_marked(conf: Path) -> None:
    found = sharefacts.gather(conf)
    assert {one.name.lower() for one in found.shares if one.administrative} == {"netlogon", "c$"}


def test_every_mask_becomes_a_number_that_samba_reads_as_it_was(conf: Path) -> None:
    for mask in ("0x001f01ff", "0x001301bf", "0x001200a9", "0x00120089", "0x000001ff"):
        sddl = f"D:(A;;{mask};;;S-1-5-21-1-2-3-1104)"
        tool(conf, "sharesec", "docs", "--setsddl", sddl)
        assert shares(sharefacts.gather(conf))["docs"] == sddl


def shares(found: SambaFacts) -> dict[str, str]:
    return {one.name: one.sddl for one in found.shares}


def test_a_host_without_samba_says_so(tmp_path: Path) -> None:
    found = sharefacts.gather(tmp_path / "smb.conf", [str(tmp_path / "keytab")])
    assert not found.installed
    assert found.problems
    assert not found.keytabs[0].exists


def test_hosts_file_lines() -> None:
    found = hosts_entries("# none\n127.0.0.1 localhost\n10.0.0.1 Alpha.lab.example alpha # old\n10.0.0.2\n")
    assert [(one.address, one.names) for one in found] == [
        ("127.0.0.1", ["localhost"]), ("10.0.0.1", ["alpha.lab.example", "alpha"]),
    ]  # fmt: skip
