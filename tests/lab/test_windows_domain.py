"""Simulated Windows servers in the lab: Kerberos against a real domain, rights, clocks, power, and what is behind the wire."""

from __future__ import annotations

import base64
import os
import sys
from collections.abc import Callable
from typing import Any

import pytest
from pypsrp.shell import Process, WinRS
from pypsrp.wsman import WSMan
from winrm.protocol import Protocol

from tests.conftest import require
from tests.lab.clock import clock_off
from tests.lab.domain import Lab
from tests.lab.waiting import until
from tests.lab.windows.clients import fault_of, run
from tests.lab.windowshosts import Windows

pytestmark = pytest.mark.usefixtures("no_other_authorities")


# -- in the lab: Kerberos ---------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def server(lab: Lab) -> Windows:
    """A simulated server of the lab's domain."""
    return lab.windows("winalpha")


def in_the_lab(lab: Lab, function: Callable[..., Any], *args: Any, user: str = "operator", **more: Any) -> Any:
    """What the function gives on the client of the lab, with a ticket of this user."""
    return lab.host("client").call(_with, lab.ticket("client", user), function, *args, **more)


def _with(environment: dict[str, str], function: Callable[..., Any], *args: Any, **more: Any) -> Any:
    os.environ.update(environment)
    return function(*args, **more)


def kerberos_winrm(url: str, line: str, given: bytes | None = None, **more: Any) -> tuple[bytes, bytes, int]:
    """pywinrm with Kerberos."""
    return run(Protocol(url, transport="kerberos", **more), line, given)


def kerberos_pypsrp(server: str, **more: Any) -> tuple[bytes, int]:
    """pypsrp with Kerberos."""
    with WinRS(WSMan(server, auth="kerberos", no_proxy=True, **more)) as shell:
        process = Process(shell, "whoami")
        process.invoke()
        return process.stdout, process.rc


def test_kerberos_with_sealed_messages(lab: Lab, server: Windows) -> None:
    for service in ("HTTP", "WSMAN", "host"):
        heard = in_the_lab(lab, kerberos_winrm, server.http, "whoami & more", b"x", service=service)
        assert heard == (b"lab\\operator\r\nx\r\n", b"", 0)
    https = {"ca_trust_path": str(lab.ca_file)}
    assert in_the_lab(lab, kerberos_winrm, server.https, "hostname", **https) == (b"WINALPHA\r\n", b"", 0)


def test_pypsrp_with_kerberos(lab: Lab, server: Windows) -> None:
    name = server.host.fqdn
    assert in_the_lab(lab, kerberos_pypsrp, name, ssl=False) == (b"lab\\operator\r\n", 0)
    assert in_the_lab(lab, kerberos_pypsrp, name, cert_validation=str(lab.ca_file), encryption="always")[1] == 0


def test_who_may_what_in_the_domain(lab: Lab, server: Windows) -> None:
    assert b"High Mandatory" in in_the_lab(lab, kerberos_winrm, server.http, "whoami /groups")[0]
    assert b"Medium Mandatory" in in_the_lab(lab, kerberos_winrm, server.http, "whoami /groups", user="watcher")[0]
    assert in_the_lab(lab, _fault_of_kerberos, server.http, user="writer") == 5


def _fault_of_kerberos(url: str) -> int:
    return fault_of(Protocol(url, transport="kerberos").open_shell)


def _refused_by_kerberos(url: str, **more: Any) -> str:
    with pytest.raises(Exception) as caught:  # the class is pywinrm's private one
        Protocol(url, transport="kerberos", **more).open_shell()
    return str(caught.value)


def test_a_service_that_the_directory_does_not_know(lab: Lab, server: Windows) -> None:
    assert "not found in Kerberos database" in in_the_lab(lab, _refused_by_kerberos, server.http, service="nonesuch")
    assert "not found in Kerberos database" in in_the_lab(
        lab,
        _refused_by_kerberos,
        server.http.replace("winalpha", "winnobody"),
        kerberos_hostname_override="winnobody.lab.example",
    )


def test_a_ticket_for_another_host_is_refused(lab: Lab, server: Windows) -> None:
    said = in_the_lab(
        lab, _refused_by_kerberos, server.http, kerberos_hostname_override="alpha.lab.example", service="host"
    )
    assert "credentials were rejected" in said


def test_ntlm_of_the_domain(lab: Lab, server: Windows) -> None:
    password = lab.user_password
    heard = lab.host("client").call(_ntlm, server.http, "LAB\\operator", password)
    assert heard == (b"lab\\operator\r\n", b"", 0)


def _ntlm(url: str, user: str, password: str) -> tuple[bytes, bytes, int]:
    return run(Protocol(url, transport="ntlm", username=user, password=password), "whoami")


def test_a_clock_that_is_off(lab: Lab, server: Windows) -> None:
    require("compiler")  # for the library that steps the clock
    client = lab.host("client")
    script = f"from winrm.protocol import Protocol\nProtocol({server.http!r}, transport='kerberos').open_shell()\n"
    ticket = lab.ticket("client", "operator")
    good = client.run([sys.executable, "-c", script], env=ticket)
    assert good.returncode == 0
    fresh = lab.ticket("client", "operator")
    off = client.run([sys.executable, "-c", script], env={**fresh, **clock_off(client, 3600)}, check=False)
    assert off.returncode != 0
    assert "lock skew" in off.stderr or "credentials were rejected" in off.stderr


def test_power_and_restart_of_a_server_in_the_lab(lab: Lab, server: Windows) -> None:
    server.host.power_cut()
    server.host.boot()
    before = server.boots
    server.control.ask("reboot")
    server.after_restart(before)
    assert in_the_lab(lab, kerberos_winrm, server.http, "hostname")[0] == b"WINALPHA\r\n"


# -- behind it --------------------------------------------------------------------------------------------------------
def test_a_share_of_the_model_is_offered_to_real_clients(lab: Lab, server: Windows) -> None:
    place = server.control.ask("machine", call="files.open_path", arguments=["E:\\Offered"])
    server.host.path(place).mkdir(parents=True)
    server.host.write(f"{place}/note.txt", "read me")
    server.control.ask("share", name="Offered", path="E:\\Offered")
    client, ticket = lab.host("client"), lab.ticket("client", "writer")
    words = ["smbclient", "-k", f"//{server.host.fqdn}/Offered", "-c", "get note.txt -"]
    until("the share is offered", lambda: "read me" in client.run(words, env=ticket, check=False).stdout)
    server.control.ask("machine", call="shares.remove", arguments=["Offered"])
    until("the share is gone", lambda: "BAD_NETWORK_NAME" in client.run(words, env=ticket, check=False).stdout)
    assert server.control.ask("failures") == []


def encoded(script: str) -> str:
    """A command line that runs the script."""
    text = base64.b64encode(script.encode("utf-16-le")).decode()
    return f"powershell.exe -NoProfile -NonInteractive -EncodedCommand {text}"


def test_a_share_made_over_winrm_is_used_over_smb(lab: Lab, server: Windows) -> None:
    made = "New-Item -ItemType Directory -Path E:\\Made; New-SmbShare -Name Made -Path E:\\Made -FullAccess 'LAB\\Domain Users'"
    out, err, code = in_the_lab(lab, kerberos_winrm, server.http, encoded(made))
    assert (err, code) == (b"", 0), out
    client, ticket = lab.host("client"), lab.ticket("client", "writer")
    words = ["smbclient", "-k", f"//{server.host.fqdn}/Made", "-c", "mkdir by-writer"]
    until("the share is offered", lambda: not client.run(words, env=ticket, check=False).returncode)
    assert in_the_lab(lab, kerberos_winrm, server.http, encoded("Test-Path E:\\Made\\by-writer"))[0] == b"True\r\n"
    in_the_lab(lab, kerberos_winrm, server.http, encoded("Remove-SmbShare -Name Made -Force"))


def test_an_address_taken_over_winrm_is_on_the_wire(lab: Lab, server: Windows) -> None:
    take = "New-NetIPAddress -InterfaceAlias Ethernet -IPAddress 10.53.0.61 -PrefixLength 24"
    assert in_the_lab(lab, kerberos_winrm, server.http, encoded(take))[2] == 0
    ping = ["ping", "-c", "1", "-W", "1", "10.53.0.61"]
    client = lab.host("client")
    until("it answers", lambda: not client.run(ping, check=False).returncode)
    give = "Remove-NetIPAddress -IPAddress 10.53.0.61 -Confirm:$false"
    assert in_the_lab(lab, kerberos_winrm, server.http, encoded(give))[2] == 0
    until("it is gone", lambda: client.run(ping, check=False).returncode)
    taken = "New-NetIPAddress -InterfaceAlias Ethernet -IPAddress 10.53.0.10 -PrefixLength 24"
    assert in_the_lab(lab, kerberos_winrm, server.http, encoded(taken))[2] == 0
    state = encoded("(Get-NetIPAddress -IPAddress 10.53.0.10).AddressState")
    until("alpha is noticed", lambda: in_the_lab(lab, kerberos_winrm, server.http, state)[0] == b"Duplicate\r\n")
    in_the_lab(lab, kerberos_winrm, server.http, encoded("Remove-NetIPAddress -IPAddress 10.53.0.10 -Confirm:$false"))


def test_accounts_of_the_domain_have_their_sids(lab: Lab, server: Windows) -> None:
    sid = server.control.ask("machine", call="accounts.sid", arguments=["LAB\\writer"])
    assert server.control.ask("machine", call="accounts.account", arguments=[sid]) == "LAB\\writer"
    assert lab.host("dc1").run(["wbinfo", "--sid-to-name", sid]).stdout.startswith("LAB\\writer")


def test_restart_computer_over_winrm(lab: Lab, server: Windows) -> None:
    before = server.boots
    assert in_the_lab(lab, kerberos_winrm, server.http, encoded("Restart-Computer -Force"))[2] == 0
    server.after_restart(before)
    assert in_the_lab(lab, kerberos_winrm, server.http, "hostname")[0] == b"WINALPHA\r\n"
    assert server.control.ask("failures") == []


def test_servers_are_put_back_as_they_joined(lab: Lab, server: Windows) -> None:
    dc1 = lab.host("dc1")
    dc1.run(["samba-tool", "spn", "delete", "TERMSRV/winalpha", "winalpha$"])
    dc1.run(["samba-tool", "spn", "add", "cifs/files.lab.example", "winalpha$"])
    in_the_lab(lab, kerberos_winrm, server.http, encoded("New-Item -ItemType Directory -Path E:\\Left"))
    lab.reset_windows()
    shown = dc1.run(["samba-tool", "spn", "list", "winalpha$"]).stdout
    assert "TERMSRV/winalpha\n" in shown
    assert "cifs/files" not in shown
    assert in_the_lab(lab, kerberos_winrm, server.http, encoded("Test-Path E:\\Left"))[0] == b"False\r\n"
