"""Our way to a Windows server of a domain: tickets of the cache, of a password and of a keytab, sealed or bound to HTTPS; and what is refused."""

from __future__ import annotations

import os
import sys
from typing import Any

import pytest

from orchestrator.errors import DtamError
from orchestrator.hosts import errors
from orchestrator.hosts.winrm_failures import explained
from orchestrator.hosts.winrm_login import login_of
from orchestrator.hosts.winrm_shell import Shell
from orchestrator.hosts.winrm_wire import Wire
from orchestrator.model.servers import Transport, WinRmAddress
from tests.lab.clock import clock_off
from tests.lab.domain import Lab
from tests.lab.windowshosts import Windows

USER = b"lab\\operator\r\n"


@pytest.fixture(scope="module")
def server(lab: Lab) -> Windows:
    return lab.windows("winalpha")


def who(environment: dict[str, str], password: str, **way: Any) -> bytes | tuple[str, str]:
    """Who a program is over there, or the error of ours; run on the lab's client."""
    os.environ.update(environment)
    address = WinRmAddress(**way)
    shell = Shell(Wire(address, login_of(address, lambda: password), 30.0), address.url)
    try:
        return shell.run("whoami", (), b"", 60.0).out
    except Exception as error:  # noqa: BLE001 - each is to be explained
        made: DtamError = explained(error, "winalpha", address.url, address.account)
        return type(made).__name__, str(made)
    finally:
        shell.close()


def asked(lab: Lab, password: str = "", environment: dict[str, str] | None = None, **way: Any) -> Any:
    return lab.host("client").call(who, environment or {}, password, **way)


def test_tickets_of_the_cache(lab: Lab, server: Windows) -> None:
    ticket = lab.ticket("client", "operator")
    assert asked(lab, environment=ticket, address=server.host.fqdn) == USER
    by_address = {"address": server.host.address, "host_name": server.host.fqdn}
    assert asked(lab, environment=ticket, **by_address) == USER


@pytest.mark.parametrize("account", ["LAB\\operator", "operator@lab.example"])
def test_tickets_of_a_password(lab: Lab, server: Windows, account: str) -> None:
    assert asked(lab, lab.user_password, address=server.host.fqdn, account=account) == USER


def test_tickets_of_a_keytab(lab: Lab, server: Windows) -> None:
    keytab = str(lab.keytab("operator"))
    way = {"address": server.host.fqdn, "keytab": keytab, "principal": "operator@LAB.EXAMPLE"}
    assert asked(lab, **way) == USER


@pytest.mark.parametrize("transport", [Transport.KERBEROS, Transport.NTLM])
def test_a_login_is_bound_to_https(lab: Lab, server: Windows, transport: Transport) -> None:
    tls: dict[str, Any] = {"port": 5986, "tls": True, "ca_file": str(lab.ca_file)}
    way = {"address": server.host.fqdn, "account": "LAB\\operator", "transport": transport, **tls}
    assert asked(lab, lab.user_password, **way) == USER


def test_ntlm_of_the_domain(lab: Lab, server: Windows) -> None:
    way = {"address": server.host.address, "account": "LAB\\operator", "transport": Transport.NTLM}
    assert asked(lab, lab.user_password, **way) == USER


def test_what_is_refused_is_named(lab: Lab, server: Windows) -> None:
    name = server.host.fqdn
    assert asked(lab, "wrong", address=name, account="LAB\\operator")[0] == errors.WinRmLoginRefused.__name__
    assert asked(lab, address=name)[0] == errors.WinRmLoginRefused.__name__  # no ticket at all
    ticket = lab.ticket("client", "writer")
    assert asked(lab, environment=ticket, address=name)[0] == errors.WinRmNotAuthorised.__name__


def test_a_clock_that_is_off(lab: Lab, server: Windows) -> None:
    client = lab.host("client")
    script = f"from tests.lab.test_windows_login import who\nprint(who({{}}, '', address={server.host.fqdn!r})[0])\n"
    environment = {**lab.ticket("client", "operator"), **clock_off(client, 3600)}
    found = client.run([sys.executable, "-c", script], env=environment, check=False)
    assert found.stdout.strip() == errors.WinRmClockOff.__name__, found.stdout + found.stderr
