"""The simulated Windows host lets clients in and runs their commands: pywinrm and pypsrp, as the specifications and their authors say."""

from __future__ import annotations

import base64
import http.client
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from pypsrp.exceptions import AuthenticationError
from pypsrp.shell import Process, SignalCode, WinRS
from winrm.exceptions import InvalidCredentialsError, WinRMOperationTimeoutError, WinRMTransportError

from tests.lab.windows.clients import fault_of, run, winrm, wsman
from tests.lab.windows.starting import WindowsHost, client_certificate, windows_host

pytestmark = pytest.mark.usefixtures("no_other_authorities")


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


def test_tls_needs_no_certificate_of_the_caller(host: WindowsHost) -> None:
    context = ssl.create_default_context(cafile=str(host.ca_file))
    connection = http.client.HTTPSConnection(host.address, host.https_port, context=context, timeout=30)
    token = base64.b64encode(f"dtam:{host.passwords['dtam']}".encode()).decode()
    connection.request("POST", "/wsman", b"", {"Authorization": f"Basic {token}"})
    assert connection.getresponse().status == 200
    connection.close()


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


@pytest.mark.parametrize(
    ("line", "heard"),
    [
        ("echo a& echo b", (b"a\r\nb\r\n", b"", 0)),
        ('echo "a & b" ^& c', (b'"a & b" & c\r\n', b"", 0)),
        ("hostname >nul && echo yes || echo no", (b"yes \r\n", b"", 0)),
        ("nonesuch 2>nul || echo no", (b"no\r\n", b"", 0)),
        ("nonesuch 2>nul && echo never", (b"", b"", 1)),
        ("exit /b 4 & echo never", (b"", b"", 4)),
        ("set GREETING=hello& set GREET", (b"GREETING=hello\r\n", b"", 0)),
        ("echo x >nul", (b"", b"", 0)),
        (
            "nonesuch 2>&1",
            (
                b"'nonesuch' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n",
                b"",
                1,
            ),
        ),
        ("ver", (b"\r\nMicrosoft Windows [Version 10.0.20348.0]\r\n", b"", 0)),
    ],
)
def test_the_little_of_cmd(host: WindowsHost, line: str, heard: tuple[bytes, bytes, int]) -> None:
    assert run(winrm(host), line) == heard


@pytest.mark.parametrize("line", ["ver | more", "hostname >file.txt", "for %i in (1) do echo %i", "if 1==1 echo x"])
def test_what_the_little_of_cmd_does_not_know_is_refused(host: WindowsHost, line: str) -> None:
    out, err, code = run(winrm(host), line)
    assert code != 0
    assert err
    assert b"x" not in out


def test_many_at_once(host: WindowsHost) -> None:
    def one(number: int) -> bytes:
        return run(winrm(host), "more", b"%d\n" % number * 200)[0]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(24))) == [b"%d\r\n" % number * 200 for number in range(24)]
