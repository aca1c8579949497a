"""What ``dtam rights`` prints is enough, and no more: a fresh account is given it, does exactly the change, and nothing beside it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import UUID

import pytest

from orchestrator.cli.rights_lookup import wanted_of
from orchestrator.directory.errors import DirectoryError, RightMissing
from orchestrator.directory.opening import open_directory
from orchestrator.directory.port import Add, Delete, Directory, DirectoryAccess
from orchestrator.directory.security import Descriptor, Part
from orchestrator.model.names import NameChange, NameChanges, NameRecords
from orchestrator.model.protections import Protection
from orchestrator.model.servers import EngineAddress, Pair, ProtectionId, Server, ServerName
from orchestrator.model.settings import Settings
from orchestrator.rights import aces, bind, samba
from orchestrator.rights.grants import grants
from orchestrator.rights.values import Grant, SignedName, Wanted
from tests.lab.domain import Lab
from tests.lab.hosts import LabHost

NEWCOMER = "newcomer"
PASSWORD_FILE = "/etc/lab/user.password"
SPN = "dtamtest/alpha.lab.example"
WARD = "ward.lab.example"
NEW = "new-name.lab.example"


def protection(lab: Lab) -> Protection:
    """alpha and beta, the client name ward, and a name that is not there yet."""
    servers = [
        Server(ServerName(name), (lab.host(name).address,), EngineAddress(lab.host(name).address))
        for name in ("alpha", "beta")
    ]
    access = {
        "domain": lab.domain,
        "controllers": ["dc1.lab.example"],
        "principal": "BETA$",
        "keytab_file": "/etc/krb5.keytab",
    }
    dns = {"servers": [lab.host("dc1").address], "security": "kerberos"}
    settings = Settings.model_validate(
        {
            "application": "fileprint",
            "source": "alpha",
            "target": "beta",
            "name": WARD,
            "failover": {"directory": access, "dns": dns},
        }
    )
    names = NameChanges(tuple(_moved(lab, f"{name}.") for name in (WARD, NEW)))
    return Protection(ProtectionId("p"), "fileprint", Pair(servers[0], servers[1]), settings, names=names)


def _moved(lab: Lab, name: str) -> NameChange:
    zone = f"{lab.domain}."
    before, after = (NameRecords(zone, name, "A", 300, (lab.host(host).address,)) for host in ("alpha", "beta"))
    return NameChange(lab.host("dc1").address, before, after)


@pytest.fixture(scope="module")
def granted(lab: Lab) -> Iterator[tuple[Grant, ...]]:
    """A fresh account with the rights that are printed for it; the account, its rights and its records go again."""
    dc1 = lab.host("dc1")
    admin = lab.ticket("dc1", "Administrator")
    lab.keytab("BETA$")
    dc1.run(["samba-tool", "user", "create", NEWCOMER, lab.user_password])
    update(lab, "dc1", admin, f"add {WARD} 300 A {lab.host('alpha').address}")
    wanted = lab.host("beta").call(wanted_of, protection(lab), [NEWCOMER], offline=False)
    assert wanted.remarks == ()
    found = grants(wanted, samba)
    computers = [dn for _, dn in wanted.computers]
    before = dc1.call(securities, lab, computers)
    try:
        run_at_once(dc1, admin, [grant for grant in found if grant.who == NEWCOMER])
        yield found
    finally:
        dc1.call(put_back, lab, before)
        update(lab, "dc1", admin, f"delete {WARD} A", f"delete {NEW} A")
        dc1.run(["samba-tool", "user", "delete", NEWCOMER])


def run_at_once(host: LabHost, env: dict[str, str], given: Sequence[Grant]) -> None:
    """The printed commands as they are; those of one object one after the other."""
    by_object: dict[str, list[str]] = {}
    for grant in given:
        by_object.setdefault(grant.what, []).extend(grant.commands)
    running = [
        host.popen(["sh", "-ec", "\n".join(lines)], env=env, stdout=subprocess.PIPE) for lines in by_object.values()
    ]
    for process in running:
        process.communicate(timeout=120)
    assert [process.returncode for process in running] == [0] * len(running)


def as_administrator(lab: Lab) -> Directory:
    file = Path(str(lab.admin_password_file))
    return open_directory(
        DirectoryAccess(lab.domain, ("dc1.lab.example",), f"Administrator@{lab.domain}", password_file=file)
    )


def securities(lab: Lab, objects: Sequence[str]) -> dict[str, Descriptor]:
    with as_administrator(lab) as directory:
        return {dn: directory.security(dn) for dn in objects}


def put_back(lab: Lab, before: dict[str, Descriptor]) -> None:
    with as_administrator(lab) as directory:
        for dn, descriptor in before.items():
            directory.set_security(dn, descriptor, Part.DACL)


def as_newcomer(lab: Lab) -> Directory:
    return open_directory(
        DirectoryAccess(lab.domain, ("dc1.lab.example",), f"{NEWCOMER}@{lab.domain}", password_file=Path(PASSWORD_FILE))
    )


@pytest.mark.covers("AM-36")
def test_service_names_of_both_servers_move_and_no_others(lab: Lab, granted: tuple[Grant, ...]) -> None:
    def move() -> list[str]:
        with as_newcomer(lab) as directory:
            dns = {name: directory.computer(name).dn for name in ("ALPHA$", "BETA$", "DC1$")}
            for name in ("ALPHA$", "BETA$"):
                directory.change(dns[name], [Add("servicePrincipalName", (SPN,))])
                directory.change(dns[name], [Delete("servicePrincipalName", (SPN,))])
            refused = []
            for dn, change in (
                (dns["DC1$"], Add("servicePrincipalName", (SPN,))),
                (dns["ALPHA$"], Add("description", ("mine",))),
                (dns["BETA$"], Add("description", ("mine",))),
            ):
                with pytest.raises(RightMissing):
                    directory.change(dn, [change])
                refused.append(dn)
            return refused

    assert len(lab.host("client").call(move)) == 3


@pytest.mark.covers("AM-36")
def test_the_record_is_updated_signed_and_no_other_one(lab: Lab, granted: tuple[Grant, ...]) -> None:
    alpha, beta = lab.host("alpha").address, lab.host("beta").address
    ticket = lab.ticket("client", NEWCOMER)
    assert address_of(lab, WARD) == alpha
    update(lab, "client", ticket, f"delete {WARD} A", f"add {WARD} 300 A {beta}")
    assert address_of(lab, WARD) == beta
    update(lab, "client", ticket, f"add {NEW} 300 A {beta}")
    assert address_of(lab, NEW) == beta
    before = address_of(lab, "beta.lab.example")
    update(lab, "client", ticket, "delete beta.lab.example A", "add beta.lab.example 300 A 10.53.0.99")
    assert address_of(lab, "beta.lab.example") == before


def update(lab: Lab, host: str, ticket: dict[str, str], *lines: str) -> None:
    """Ask for it; what came of it is read, because Samba's signed answer does not verify."""
    text = "\n".join(["server dc1.lab.example", *(f"update {line}" for line in lines), "send", ""])
    lab.host(host).run(["nsupdate", "-g"], input=text, env=ticket, check=False)


def address_of(lab: Lab, name: str) -> str:
    return lab.host("client").run(["dig", "+short", "@dc1.lab.example", name, "A"]).stdout.strip()


@pytest.mark.covers("AM-36")
def test_the_record_is_locked_and_no_other_one(lab: Lab, granted: tuple[Grant, ...]) -> None:
    (node,) = [grant.what for grant in granted if grant.right == "change permissions"]

    def lock() -> str:
        with as_newcomer(lab) as directory:
            directory.set_security(node, directory.security(node), Part.DACL)
            other = node.replace("DC=ward,", "DC=beta,", 1)
            try:
                directory.set_security(other, directory.security(other), Part.DACL)
            except DirectoryError as error:
                return type(error).__name__
        return ""

    assert lab.host("client").call(lock) in {"RightMissing", "EntryMissing"}


@pytest.mark.covers("AM-36")
def test_bind_takes_the_lines_as_they_are(lab: Lab) -> None:
    names = (SignedName("branch.example.", "files.branch.example.", ("A", "AAAA")),)
    (grant,) = bind.grants(Wanted("p", key="dtam-key", signed=names))
    zone, *rest = grant.commands
    key = 'key "dtam-key" { algorithm hmac-sha256; secret "c2VjcmV0"; };'
    conf = "\n".join([key, zone, 'type primary; file "/etc/hostname";', *rest])
    lab.host("ns2").run(["named-checkconf", "/dev/stdin"], input=conf)


def test_identifiers_are_those_of_the_domain(lab: Lab) -> None:
    def read() -> dict[str, str]:
        with as_administrator(lab) as directory:
            base = directory.facts().schema_dn
            found = directory.find(
                base,
                "(|(cn=Service-Principal-Name)(cn=Dns-Record)(cn=DNS-Tombstoned)(cn=Dns-Node))",
                ("lDAPDisplayName", "schemaIDGUID"),
            )
            return {
                str(one.first("lDAPDisplayName")): str(UUID(bytes_le=one.values("schemaIDGUID")[0])) for one in found
            }

    assert lab.host("client").call(read) == {
        "servicePrincipalName": aces.SERVICE_PRINCIPAL_NAME,
        "dnsRecord": aces.DNS_RECORD,
        "dNSTombstoned": aces.DNS_TOMBSTONED,
        "dnsNode": aces.DNS_NODE,
    }
