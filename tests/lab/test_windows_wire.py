"""The simulated Windows host answers clients that are not ours, pywinrm and pypsrp, as the specifications and their authors say."""

from __future__ import annotations

import base64
import http.client
import ssl
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from pypsrp.exceptions import AuthenticationError, WSManFaultError
from pypsrp.shell import Process, SignalCode, WinRS
from pypsrp.wsman import OptionSet, WSMan
from winrm.exceptions import (
    InvalidCredentialsError,
    WinRMOperationTimeoutError,
    WinRMTransportError,
)
from winrm.exceptions import WSManFaultError as PyWinRmFault
from winrm.protocol import Protocol

from tests.lab.clock import clock_off
from tests.lab.domain import Lab
from tests.lab.waiting import until
from tests.lab.windows.starting import WindowsHost, client_certificate, windows_host
from tests.lab.windowshosts import Windows

LIMITS = {"max_shells_per_user": 4, "max_envelope_size_kb": 64, "max_processes_per_shell": 3}


@pytest.fixture(autouse=True)
def _no_other_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients trust what they are told to, not what the environment of the tests says."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WindowsHost]:
    """A host outside the lab, with low limits."""
    with windows_host(tmp_path_factory.mktemp("windows"), settings=LIMITS) as host:
        yield host


@pytest.fixture
def host(served: WindowsHost) -> Iterator[WindowsHost]:
    """It, as it should be before and after each test."""
    yield served
    served.control.ask("heal")
    served.control.ask("delete-shells")
    assert served.control.ask("failures") == []


def winrm(host: WindowsHost, user: str = "dtam", **more: Any) -> Protocol:
    """pywinrm with NTLM and message encryption, unless ``more`` says otherwise."""
    given = {"endpoint": host.http, "transport": "ntlm", "password": host.passwords.get(user, "wrong")}
    given["ca_trust_path"] = str(host.ca_file)
    return Protocol(username=user, **{**given, **more})


def wsman(host: WindowsHost, user: str = "dtam", **more: Any) -> WSMan:
    """pypsrp, likewise."""
    given = {"port": host.http_port, "ssl": False, "auth": "ntlm", "password": host.passwords[user], "no_proxy": True}
    return WSMan(host.address, username=user, **{**given, **more})


def run(client: Protocol, line: str, given: bytes | None = None) -> tuple[bytes, bytes, int]:
    """Run a command line in a shell of its own."""
    shell = client.open_shell()
    try:
        command = client.run_command(shell, line)
        if given is not None:
            client.send_command_input(shell, command, given, end=True)
        heard = client.get_command_output(shell, command)
        client.cleanup_command(shell, command)
    finally:
        client.close_shell(shell)
    return heard


def fault_of(deed: Callable[[], object]) -> int:
    """The number of the fault with which pypsrp or pywinrm says that a deed is refused."""
    with pytest.raises((WSManFaultError, PyWinRmFault)) as caught:
        deed()
    return int(getattr(caught.value, "wsman_fault_code", 0) or caught.value.code)


# -- who gets in ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "way",
    [
        pytest.param(lambda host: {}, id="ntlm-sealed"),
        pytest.param(lambda host: {"endpoint": host.https}, id="ntlm-https"),
        pytest.param(lambda host: {"endpoint": host.https, "transport": "basic"}, id="basic-https"),
        pytest.param(
            lambda host: {
                "endpoint": host.https,
                "transport": "certificate",
                "cert_pem": str(host.client_certificate),
                "cert_key_pem": str(host.client_key),
            },
            id="certificate",
        ),
        pytest.param(lambda host: {"endpoint": host.https, "message_encryption": "always"}, id="ntlm-sealed-in-https"),
    ],
)
def test_pywinrm_is_let_in(host: WindowsHost, way: Callable[[WindowsHost], dict[str, Any]]) -> None:
    assert run(winrm(host, **way(host)), "whoami") == (b"alpha\\dtam\r\n", b"", 0)


@pytest.mark.parametrize("name", ["dtam", ".\\dtam", "ALPHA\\dtam", "alpha\\DTAM"])
def test_a_local_account_may_be_spelt_as_windows_takes_it(host: WindowsHost, name: str) -> None:
    assert run(winrm(host, name, password=host.passwords["dtam"]), "hostname")[0] == b"ALPHA\r\n"


def test_what_is_on_the_wire_is_sealed(host: WindowsHost) -> None:
    client = winrm(host)
    client.open_shell()
    assert client.transport.encryption is not None
    sealed = client.transport.encryption.prepare_encrypted_request(client.transport.session, host.http, b"<secret/>")
    assert b"secret" not in sealed.body


def test_an_unsealed_message_over_http_is_refused(host: WindowsHost) -> None:
    with pytest.raises(WinRMTransportError) as caught:
        winrm(host, message_encryption="never").open_shell()
    assert caught.value.code == 500


def test_basic_is_not_offered_over_http(host: WindowsHost) -> None:
    with pytest.raises(InvalidCredentialsError):
        winrm(host, transport="basic").open_shell()
    answer = requests.post(host.http, timeout=30)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Negotiate, Kerberos"


@pytest.mark.parametrize(("user", "transport"), [("dtam", "ntlm"), ("stranger", "ntlm"), ("dtam", "basic")])
def test_wrong_credentials(host: WindowsHost, user: str, transport: Any) -> None:
    with pytest.raises(InvalidCredentialsError):
        winrm(host, user, password="wrong", endpoint=host.https, transport=transport).open_shell()


def test_wrong_credentials_for_pypsrp(host: WindowsHost) -> None:
    with pytest.raises(AuthenticationError), WinRS(wsman(host, password="wrong")):
        pass


def test_a_certificate_that_is_mapped_to_nobody(host: WindowsHost, tmp_path: Path) -> None:
    certificate, key = client_certificate(host.authority, tmp_path, "somebody@else")
    with pytest.raises(InvalidCredentialsError):
        winrm(
            host, endpoint=host.https, transport="certificate", cert_pem=str(certificate), cert_key_pem=str(key)
        ).open_shell()


def test_an_unknown_authority(host: WindowsHost) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        winrm(host, endpoint=host.https, ca_trust_path=None).open_shell()


def test_an_account_without_rights_gets_no_shell(host: WindowsHost) -> None:
    assert fault_of(winrm(host, "nobody").open_shell) == 5
    assert fault_of(lambda: WinRS(wsman(host, "nobody")).open()) == 5


def test_remote_management_users_get_a_shell_without_the_rights_of_administrators(host: WindowsHost) -> None:
    assert b"Medium Mandatory" in run(winrm(host, "helper"), "whoami /groups")[0]
    assert b"High Mandatory" in run(winrm(host, "Administrator"), "whoami /groups")[0]


def test_a_local_administrators_token_is_filtered_unless_policy_says_otherwise(tmp_path: Path) -> None:
    with windows_host(tmp_path, settings={"local_account_token_filter_policy": False}) as host:
        assert b"BUILTIN\\Administrators" not in run(winrm(host), "whoami /groups")[0]
        assert b"BUILTIN\\Administrators" in run(winrm(host, "Administrator"), "whoami /groups")[0]


def test_identify_needs_no_credentials(host: WindowsHost) -> None:
    space = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"
    text = (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header/><s:Body>'
        f'<w:Identify xmlns:w="{space}"/></s:Body></s:Envelope>'
    )
    answer = requests.post(host.http, text, headers={"WSMANIDENTIFY": "unauthenticated"}, timeout=30)
    assert answer.status_code == 200
    assert "OS: 0.0.0 SP: 0.0 Stack: 3.0" in answer.text
    assert requests.post(host.http, "<x/>", headers={"WSMANIDENTIFY": "unauthenticated"}, timeout=30).status_code == 401


def test_only_post_to_wsman(host: WindowsHost) -> None:
    assert requests.get(host.http, timeout=30).status_code == 405
    assert requests.post(host.http.replace("/wsman", "/other"), timeout=30).status_code == 404


# -- commands ---------------------------------------------------------------------------------------------------------
def test_standard_input_streams_and_exit_code(host: WindowsHost) -> None:
    assert run(winrm(host), "more", b"one\ntwo\r\nlast") == (b"one\r\ntwo\r\nlast\r\n", b"", 0)
    out, err, code = run(winrm(host), "echo said & nonesuch.exe & exit 7")
    assert (out, code) == (b"said \r\n", 7)
    assert b"'nonesuch.exe' is not recognized as an internal or external command" in err


def test_pypsrp_runs_a_process(host: WindowsHost) -> None:
    with WinRS(wsman(host), environment={"GREETING": "hello"}) as shell:
        process = Process(shell, "echo", ["%GREETING%", "%COMPUTERNAME%"])
        process.invoke()
        assert (process.stdout, process.stderr, process.rc) == (b"hello ALPHA\r\n", b"", 0)
        direct = Process(shell, "echo", ["x"], no_shell=True)  # a command of cmd.exe, but no cmd.exe
        direct.invoke()
        assert direct.rc == 1


def test_input_in_pieces(host: WindowsHost) -> None:
    with WinRS(wsman(host)) as shell:
        process = Process(shell, "more")
        process.begin_invoke()
        process.send(b"first\n", end=False)
        while not process.stdout:
            process.poll_invoke()
        assert process.stdout == b"first\r\n"
        process.send(b"second\n")
        process.end_invoke()
        assert process.stdout == b"first\r\nsecond\r\n"
        assert fault_of(lambda: process.send(b"too late")) == 2150859147


def test_nothing_to_say_is_a_timeout_that_clients_pass_over(host: WindowsHost) -> None:
    client = winrm(host, operation_timeout_sec=1, read_timeout_sec=30)
    shell = client.open_shell()
    command = client.run_command(shell, "more")
    with pytest.raises(WinRMOperationTimeoutError):
        client.get_command_output_raw(shell, command)
    client.send_command_input(shell, command, b"x", end=True)
    assert client.get_command_output(shell, command) == (b"x\r\n", b"", 0)


def test_more_output_than_an_envelope_holds(host: WindowsHost) -> None:
    with WinRS(wsman(host, max_envelope_size=16384)) as shell:
        process = Process(shell, "more")
        process.begin_invoke()
        line = b"x" * 97 + b"\n"
        for part in range(20):
            process.send(line * 70, end=part == 19)
        process.end_invoke()
    assert process.stdout == line.replace(b"\n", b"\r\n") * 1400


def test_signals_end_a_command(host: WindowsHost) -> None:
    with WinRS(wsman(host)) as shell:
        process = Process(shell, "ping", ["-n", "600", "127.0.0.1"])
        process.begin_invoke()
        process.signal(SignalCode.CTRL_C)
        process.end_invoke()
        assert process.rc == 0xC000013A
        process.signal(SignalCode.TERMINATE)
        assert fault_of(lambda: process.signal(SignalCode.TERMINATE)) == 2150858843


def test_the_limit_of_a_command_line(host: WindowsHost) -> None:
    assert run(winrm(host), "echo " + "x" * 8186)[2] == 0
    out, err, code = run(winrm(host), "echo " + "x" * 8187)
    assert (out, err, code) == (b"", b"The command line is too long.\r\n", 1)


# -- limits and faults ------------------------------------------------------------------------------------------------
def test_too_many_shells(host: WindowsHost) -> None:
    client = winrm(host)
    shells = [client.open_shell() for _ in range(4)]
    assert fault_of(client.open_shell) == 2150859173
    winrm(host, "Administrator").open_shell()  # another user has his own
    client.close_shell(shells[0], close_session=False)
    client.open_shell()


def test_too_many_commands_in_a_shell(host: WindowsHost) -> None:
    with WinRS(wsman(host)) as shell:
        for _ in range(2):
            Process(shell, "more").begin_invoke()
        assert fault_of(Process(shell, "more").begin_invoke) == 2150859241


def test_a_shell_that_is_gone(host: WindowsHost) -> None:
    client = winrm(host)
    shell = client.open_shell()
    client.close_shell(shell, close_session=False)
    assert fault_of(lambda: client.run_command(shell, "ver")) == 2150858843
    assert fault_of(lambda: client.run_command(str(uuid.uuid4()).upper(), "ver")) == 2150858843


def test_a_shell_of_somebody_else(host: WindowsHost) -> None:
    shell = winrm(host).open_shell()
    assert fault_of(lambda: winrm(host, "Administrator").run_command(shell, "ver")) == 2150859177


def test_an_idle_shell_ends(host: WindowsHost) -> None:
    client = winrm(host)
    shell = client.open_shell(idle_timeout="PT1S")
    command = client.run_command(shell, "ver")
    client.get_command_output(shell, command)
    deadline = time.monotonic() + 60
    while host.control.ask("shells"):  # looking is no use of it
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert fault_of(lambda: client.run_command(shell, "ver")) == 2150858843
    assert fault_of(lambda: client.open_shell(idle_timeout="PT3H")) == 2150859250


def test_an_envelope_that_is_too_large(host: WindowsHost) -> None:
    client = winrm(host)
    shell = client.open_shell()
    command = client.run_command(shell, "more")
    assert fault_of(lambda: client.send_command_input(shell, command, b"x" * 65536)) == 2150858805


def test_the_settings_are_told_to_administrators(host: WindowsHost) -> None:
    client = wsman(host)
    client.update_max_payload_size()
    assert client.max_envelope_size == 65536
    assert fault_of(wsman(host, "helper").update_max_payload_size) == 5


def test_options_and_resources_that_do_not_exist(host: WindowsHost) -> None:
    assert fault_of(lambda: winrm(host).open_shell(codepage=4711)) == 2150859072
    options = OptionSet()
    options.add_option("NONESUCH", "1", {"MustComply": "true"})
    assert fault_of(lambda: WinRS(wsman(host)).open(options)) == 2150858834
    other = WinRS(wsman(host), resource_uri="http://schemas.microsoft.com/wbem/wsman/1/nonesuch")
    assert fault_of(other.open) == 2150858752


@pytest.mark.parametrize("text", [b"", b"<", b"<x/>", b"\xff\xfe", b"<!DOCTYPE a><a/>", b'{"json": true}'])
def test_what_is_no_envelope_is_refused(host: WindowsHost, text: bytes) -> None:
    auth = ("dtam", host.passwords["dtam"])
    kind = {"Content-Type": "application/soap+xml;charset=UTF-8"}
    answer = requests.post(host.https, text, auth=auth, headers=kind, verify=str(host.ca_file), timeout=30)
    assert answer.status_code == (500 if text else 200)
    assert not text or 'Code="2150858817"' in answer.text


def test_a_sealed_body_that_was_changed_on_the_way(host: WindowsHost) -> None:
    client = winrm(host)
    client.open_shell()
    encryption, session = client.transport.encryption, client.transport.session
    assert encryption is not None
    prepared = encryption.prepare_encrypted_request(session, host.http, b"<x/>" * 20)
    prepared.body = prepared.body[:-40] + bytes([prepared.body[-40] ^ 1]) + prepared.body[-39:]
    assert session.send(prepared, timeout=30).status_code == 400


# -- trouble ----------------------------------------------------------------------------------------------------------
def test_a_connection_that_is_cut_before_its_answer(host: WindowsHost) -> None:
    client = winrm(host)
    shell = client.open_shell()
    command = client.run_command(shell, "more")
    client.send_command_input(shell, command, b"lost", end=True)
    host.control.trouble("reset", verb="Receive", after_bytes=50)
    with pytest.raises(requests.exceptions.ConnectionError):
        client.get_command_output(shell, command)
    assert [one["commands"] for one in host.control.ask("shells")] == [1]  # the shell outlives the connection
    again = winrm(host)
    assert fault_of(lambda: again.get_command_output_raw(shell, command)) == 995  # what was on the way is lost
    assert run(again, "hostname")[2] == 0


def test_a_client_that_comes_back_on_another_connection(host: WindowsHost) -> None:
    first = winrm(host)
    shell = first.open_shell()
    command = first.run_command(shell, "more")
    first.transport.close_session()
    second = winrm(host)
    second.send_command_input(shell, command, b"still here", end=True)
    assert second.get_command_output(shell, command) == (b"still here\r\n", b"", 0)


def test_trouble_on_request(host: WindowsHost) -> None:
    client = winrm(host)
    host.control.trouble("deny", verb="Create")
    assert fault_of(client.open_shell) == 5
    host.control.trouble("unavailable")
    with pytest.raises(WinRMTransportError) as caught:
        client.open_shell()
    assert caught.value.code == 503
    host.control.trouble("slow", verb="Create", seconds=600)
    with pytest.raises(requests.exceptions.ReadTimeout):
        winrm(host, read_timeout_sec=2, operation_timeout_sec=1).open_shell()


def test_after_a_power_cut_no_shell_is_left(tmp_path: Path) -> None:
    with windows_host(tmp_path) as host:
        client = winrm(host)
        shell = client.open_shell()
        host.power_cut()
        with pytest.raises(requests.exceptions.ConnectionError):
            client.run_command(shell, "ver")
        host.boot()
        assert fault_of(lambda: winrm(host).run_command(shell, "ver")) == 2150858843
        host.control.ask("reboot")
        host.wait_ready()
        assert run(winrm(host), "hostname")[0] == b"ALPHA\r\n"


def test_tls_needs_no_certificate_of_the_caller(host: WindowsHost) -> None:
    context = ssl.create_default_context(cafile=str(host.ca_file))
    connection = http.client.HTTPSConnection(host.address, host.https_port, context=context, timeout=30)
    token = base64.b64encode(f"dtam:{host.passwords['dtam']}".encode()).decode()
    connection.request("POST", "/wsman", b"", {"Authorization": f"Basic {token}"})
    assert connection.getresponse().status == 200
    connection.close()


# -- in the lab: Kerberos ---------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def server(lab: Lab) -> Windows:
    """A simulated server of the lab's domain."""
    return lab.windows("winalpha")


def in_the_lab(lab: Lab, function: Callable[..., Any], *args: Any, user: str = "operator", **more: Any) -> Any:
    """What the function gives on the client of the lab, with a ticket of this user."""
    return lab.host("client").call(_with, lab.ticket("client", user), function, *args, **more)


def _with(environment: dict[str, str], function: Callable[..., Any], *args: Any, **more: Any) -> Any:
    import os

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
    client = lab.host("client")
    script = f"from winrm.protocol import Protocol\nProtocol({server.http!r}, transport='kerberos').open_shell()\n"
    ticket = lab.ticket("client", "operator")
    import sys

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
