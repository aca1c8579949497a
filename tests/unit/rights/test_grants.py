"""Which rights are printed: each object once for each account, no container where an object will do, no secret."""

from __future__ import annotations

import shlex
from pathlib import Path

import msgspec
import pytest

from orchestrator.cli.rights_lookup import wanted_of
from orchestrator.model.names import NameChange, NameChanges, NameRecords
from orchestrator.model.protections import Protection
from orchestrator.model.servers import (
    EngineAccount,
    EngineAddress,
    Pair,
    ProtectionId,
    Server,
    ServerName,
    WinRmAddress,
)
from orchestrator.model.settings import Settings
from orchestrator.rights.grants import TOOLS, grants
from orchestrator.rights.values import Grant

SECRET = "c2VjcmV0LW9mLXRoZS1rZXk="


def protection(failover: dict[str, object], names: NameChanges | None = None) -> Protection:
    servers = [
        Server(ServerName(name), (address,), EngineAddress(address, account=EngineAccount(user="LAB\\ada")))
        for name, address in (("alpha", "192.0.2.10"), ("beta", "192.0.2.20"))
    ]
    settings = Settings.model_validate(
        {
            "application": "fileprint",
            "source": "alpha",
            "target": "beta",
            "name": "files.lab.example",
            "failover": failover,
        }
    )
    return Protection(ProtectionId("p"), "fileprint", Pair(servers[0], servers[1]), settings, names=names)


def change(zone: str, name: str, kind: str = "A") -> NameChange:
    before, after = (NameRecords(zone, name, kind, 300, (data,)) for data in ("one", "two"))
    return NameChange("192.0.2.53", before, after)


DIRECTORY = {"domain": "lab.example", "principal": "LAB\\dtam", "keytab_file": "/etc/dtam/dtam.keytab"}


def printed(given: Protection, *accounts: str, tool: str = "samba") -> tuple[Grant, ...]:
    return grants(wanted_of(given, accounts, offline=True), TOOLS[tool])


@pytest.mark.covers("AM-36")
def test_in_a_domain_each_object_is_named_and_nothing_above_it():
    names = NameChanges(
        (
            change("lab.example.", "files.lab.example."),
            change("2.0.192.in-addr.arpa.", "10.2.0.192.in-addr.arpa.", "PTR"),
        )
    )
    dns = {"servers": ["192.0.2.53"], "security": "kerberos"}
    found = printed(protection({"directory": DIRECTORY, "dns": dns}, names))
    objects = [grant.what for grant in found if grant.who == "BETA$"]
    zones = "CN=MicrosoftDNS,DC=DomainDnsZones,DC=lab,DC=example"
    assert objects == [
        "CN=ALPHA,CN=Computers,DC=lab,DC=example",
        "CN=BETA,CN=Computers,DC=lab,DC=example",
        f"DC=files,DC=lab.example,{zones}",
        f"DC=files,DC=lab.example,{zones}",
        f"DC=10,DC=2.0.192.in-addr.arpa,{zones}",
        f"DC=10,DC=2.0.192.in-addr.arpa,{zones}",
    ]
    assert [grant.what for grant in found if grant.who == "LAB\\dtam"] == objects
    keys = [(grant.what, grant.who, grant.run_on) for grant in found if grant.right.startswith("key")]
    assert keys == [
        ("/etc/krb5.keytab", "BETA$@LAB.EXAMPLE", "beta, as root"),
        ("/etc/dtam/dtam.keytab", "dtam@LAB.EXAMPLE", "this machine, as root"),
    ]
    members = [(grant.who, grant.what) for grant in found if grant.right == "member of dtadmin"]
    assert members == [("LAB\\ada", "alpha"), ("LAB\\ada", "beta")]


@pytest.mark.covers("AM-36")
def test_a_key_gets_exactly_its_names_and_types(tmp_path: Path):
    key = tmp_path / "dtam.key"
    key.touch(mode=0o600)
    key.write_text(f'key "dtam" {{ algorithm hmac-sha256; secret "{SECRET}"; }};')
    names = NameChanges(
        (change("lab.example.", "files.lab.example."), change("lab.example.", "files.lab.example.", "AAAA"))
    )
    found = printed(protection({"dns": {"servers": ["192.0.2.53"], "key_file": str(key)}}, names))
    (zone,) = [grant for grant in found if grant.right == "update and transfer"]
    assert "        grant dtam name files.lab.example. A AAAA;" in zone.commands
    assert SECRET not in repr(found)


@pytest.mark.covers("AM-36")
@pytest.mark.parametrize("tool", sorted(TOOLS))
def test_every_command_is_one_for_a_shell_whatever_is_in_a_name(tool: str):
    given = protection({"directory": DIRECTORY, "dns": {"servers": ["192.0.2.53"], "security": "kerberos"}})
    for grant in printed(given, "LAB\\o'brien; reboot", tool=tool):
        for line in grant.commands:
            words = shlex.split(line, comments=True, posix=tool == "samba")
            assert "reboot" not in words


def test_windows_names_the_short_domain():
    given = protection({"directory": DIRECTORY})
    lines = [line for grant in printed(given, tool="windows") for line in grant.commands]
    assert 'dsacls "CN=ALPHA,CN=Computers,DC=lab,DC=example" /G "LAB\\BETA$:WP;servicePrincipalName"' in lines


@pytest.mark.covers("AM-36")
def test_a_windows_target_gets_no_rights_because_it_changes_no_names():
    linux = protection({"directory": DIRECTORY, "dns": {"servers": ["192.0.2.53"], "security": "kerberos"}})
    sides = (
        Server(one.name, one.addresses, winrm=WinRmAddress(one.address))
        for one in (linux.pair.source, linux.pair.target)
    )
    given = msgspec.structs.replace(linux, pair=Pair(*sides))
    found = printed(given)
    assert {grant.who for grant in found} == {"LAB\\dtam", "dtam@LAB.EXAMPLE"}
    assert [grant.what for grant in found if grant.right.startswith("key")] == ["/etc/dtam/dtam.keytab"]
