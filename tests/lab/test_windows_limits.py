"""What the simulated Windows host refuses, with the published faults, and what goes wrong on request."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any

import pytest
import requests
from pypsrp.shell import Process, WinRS
from pypsrp.wsman import OptionSet
from winrm.exceptions import WinRMTransportError

from tests.lab.windows.clients import fault_of, run, winrm, wsman
from tests.lab.windows.starting import WindowsHost, windows_host

LIMITS = {"max_shells_per_user": 4, "max_envelope_size_kb": 64, "max_processes_per_shell": 3}


pytestmark = pytest.mark.usefixtures("no_other_authorities")


@pytest.fixture(scope="module")
def host_settings() -> dict[str, Any]:
    return {"settings": LIMITS}


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


def test_a_clock_that_is_off_by_request(host: WindowsHost) -> None:
    right = host.control.ask("machine", call="now")
    host.control.ask("clock", offset_s=7200)
    assert host.control.ask("machine", call="now") - right >= 7200
    host.control.ask("clock", offset_s=0)
