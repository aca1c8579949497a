"""The lab's domain is a real one: Kerberos, LDAP, secure zones, members that serve, a second controller, BIND with TSIG."""

from __future__ import annotations

import socket
import ssl

import pytest

from tests.lab.controllers import answers
from tests.lab.domain import Lab
from tests.lab.places import PLACES, REVERSE_ZONES
from tests.lab.waiting import until

DC1 = PLACES["dc1"]
NS2 = PLACES["ns2"].address
LDAPSEARCH = ("ldapsearch", "-LLL", "-Q", "-N", "-Y", "GSSAPI", "-b", "dc=lab,dc=example")


def test_the_directory_answers_to_a_ticket(lab: Lab) -> None:
    ticket = lab.ticket("client", "reader")
    found = lab.host("client").run(
        [*LDAPSEARCH, "-H", f"ldap://{DC1.fqdn}", "(cn=alpha)", "servicePrincipalName"], env=ticket
    )
    assert "servicePrincipalName: HOST/ALPHA.lab.example" in found.stdout


def _certificate_of(fqdn: str, ca_file: str) -> str:
    context = ssl.create_default_context(cafile=ca_file)
    with (
        socket.create_connection((fqdn, 636), 30) as plain,
        context.wrap_socket(plain, server_hostname=fqdn) as secured,
    ):
        return str(secured.version())


def test_the_controllers_certificate_can_be_verified(lab: Lab) -> None:
    assert lab.host("client").call(_certificate_of, DC1.fqdn, str(lab.ca_file)).startswith("TLS")


def test_members_have_written_their_own_names(lab: Lab) -> None:
    client = lab.host("client")
    for name in ("alpha", "beta"):
        place = PLACES[name]
        assert answers(client, DC1.address, place.fqdn, "A") == place.address
        pointer = ".".join(reversed(place.address.split("."))) + ".in-addr.arpa"
        assert answers(client, DC1.address, pointer, "PTR") == f"{place.fqdn}."


@pytest.mark.parametrize("name", ["intruder.lab.example", f"99.{REVERSE_ZONES[0]}", f"99.{REVERSE_ZONES[1]}"])
def test_a_secure_zone_refuses_an_unsigned_update(lab: Lab, name: str) -> None:
    text = f"server {DC1.address}\nupdate add {name} 60 TXT intruder\nsend\n"
    refused = lab.host("client").run(["nsupdate"], input=text, check=False)
    assert refused.returncode
    assert "REFUSED" in refused.stderr
    assert not answers(lab.host("client"), DC1.address, name, "TXT")


def test_a_host_may_not_write_the_record_of_another(lab: Lab) -> None:
    beta, cache = lab.host("beta"), {"KRB5CCNAME": "FILE:/run/beta.cc"}
    beta.run(["kinit", "-k", "BETA$"], env=cache)
    text = f"server {DC1.address}\nupdate delete alpha.lab.example A\nsend\n"
    assert beta.run(["nsupdate", "-g"], input=text, env=cache, check=False).returncode
    assert answers(beta, DC1.address, "alpha.lab.example", "A") == PLACES["alpha"].address


def test_bind_takes_only_signed_updates(lab: Lab) -> None:
    client = lab.host("client")
    add = f"server {NS2}\nupdate add signed.branch.example 60 A 192.0.2.7\nsend\n"
    assert "REFUSED" in client.run(["nsupdate"], input=add, check=False).stderr
    client.run(["nsupdate", "-k", lab.tsig_key_file], input=add)
    assert answers(client, DC1.address, "signed.branch.example", "A") == "192.0.2.7"  # forwarded
    client.run(["nsupdate", "-k", lab.tsig_key_file], input=add.replace("update add", "update delete"))


def test_bind_gives_its_zones_only_to_the_key(lab: Lab) -> None:
    dig = ["dig", f"@{NS2}", REVERSE_ZONES[0], "AXFR", "+noall", "+answer", "+comments"]
    assert "Transfer failed" in lab.host("client").run(dig, check=False).stdout
    assert "alpha.branch.example." in lab.host("client").run([*dig, "-k", lab.tsig_key_file]).stdout


def test_a_client_of_the_domain_writes_to_a_member_by_name(lab: Lab) -> None:
    client, ticket = lab.host("client"), lab.ticket("client", "writer")
    smb = ["smbclient", "--use-kerberos=required", "//alpha.lab.example/docs"]
    client.run([*smb, "-c", "put /etc/hostname by_client"], env=ticket)
    assert lab.host("alpha").path("/srv/docs/by_client").read_text() == "client\n"
    assert "cifs/alpha.lab.example@LAB.EXAMPLE" in client.run(["klist"], env=ticket).stdout
    client.run([*smb, "-c", "rm by_client"], env=ticket)


def test_members_agree_about_who_is_who(lab: Lab) -> None:
    said = {lab.host(name).run(["id", "operator"]).stdout for name in ("alpha", "beta")}
    assert len(said) == 1
    assert "dtadmin" in said.pop()


def test_a_keytab_opens_the_domain(lab: Lab) -> None:
    lab.host("client").run(
        ["kinit", "-k", "-t", lab.keytab("operator"), "operator"], env={"KRB5CCNAME": "FILE:/run/op.cc"}
    )
    alpha = lab.host("alpha")
    alpha.run(["kinit", "-k", "-t", lab.keytab("ALPHA$"), "ALPHA$"], env={"KRB5CCNAME": "FILE:/run/own.cc"})
    assert alpha.path(lab.keytab("ALPHA$")).stat().st_mode & 0o777 == 0o600


def test_a_second_controller_has_what_the_first_has_and_the_other_way_round(lab: Lab) -> None:
    first, second = lab.host("dc1"), lab.host("dc2")
    ticket = lab.ticket("client", "Administrator")

    def shown(controller: str) -> str:
        argv = [*LDAPSEARCH, "-H", f"ldap://{controller}.lab.example", "(cn=of_*)", "cn"]
        return lab.host("client").run(argv, env=ticket).stdout

    first.run(["samba-tool", "group", "add", "of_first"])
    second.run(["samba-tool", "group", "add", "of_second"])
    until("dc2 shows what dc1 was told", lambda: "of_first" in shown("dc2"), 120, 0.3)
    until("dc1 shows what dc2 was told", lambda: "of_second" in shown("dc1"), 120, 0.3)
    first.run(["samba-tool", "group", "delete", "of_first"])
    first.run(["samba-tool", "group", "delete", "of_second"])
