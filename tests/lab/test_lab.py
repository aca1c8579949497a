"""The lab is what it says it is: a real domain with real members, whose parts can be broken and mended."""

from __future__ import annotations

import socket

from tests.lab.domain import Lab


def test_a_client_of_the_domain_writes_to_a_member_by_name(lab: Lab) -> None:
    client, ticket = lab.host("client"), lab.ticket("client", "writer")
    smb = ["smbclient", "--use-kerberos=required", "//alpha.lab.example/docs"]
    client.run([*smb, "-c", "put /etc/hostname by_client"], env=ticket)
    assert lab.host("alpha").path("/srv/docs/by_client").read_text() == "client\n"
    assert "cifs/alpha.lab.example@LAB.EXAMPLE" in client.run(["klist"], env=ticket).stdout
    client.run([*smb, "-c", "rm by_client"], env=ticket)


def test_a_function_of_the_test_runs_on_a_host(lab: Lab) -> None:
    assert lab.host("beta").call(socket.gethostname) == "beta"
